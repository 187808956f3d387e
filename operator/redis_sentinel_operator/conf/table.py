"""The directive table: what each directive of redis.conf is, in which versions, and whose; its rows: table.txt."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

Version: TypeAlias = tuple[int, int]
_ALWAYS: Version = (0, 0)
_NEVER: Version = (999, 0)
_SPAN = re.compile(r"live(?:(>=|<)([0-9.]+))?")


class Kind(StrEnum):
    """How the values of a directive are compared and written."""

    BYTES = "bytes"  # 1gb, 1073741824; also a percentage
    INT = "int"
    OCTAL = "octal"
    FLAG = "flag"  # yes, no
    WORD = "word"  # one of a few, in any case
    FLAGS = "flags"  # several of a few
    EVENTS = "events"  # the letters of notify-keyspace-events
    ADDRESSES = "addresses"  # several words in one line
    NUMBERS = "numbers"  # several numbers in one line
    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - a kind
    SAVE = "save"  # pairs of seconds and changes, a line each
    BUFFERS = "buffers"  # class, hard limit, soft limit, seconds: a line each class
    LINES = "lines"  # may stand in several lines, which have no single value


class Owner(StrEnum):
    """Who may say what a directive is."""

    FREE = "free"  # spec.redis.config
    DATA = "data"  # spec.redis.config, until the server has data
    OURS = "ours"  # another field of the spec
    SENTINEL = "sentinel"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Directive:
    """One row. `until` is the first version without it; live in versions from `live_since` to before `live_until`.

    `later` are those of the words that not every version with the directive knows, and since when each is known.
    """

    name: str
    kind: Kind
    words: frozenset[str]
    later: Mapping[str, Version]
    since: Version
    until: Version
    live_since: Version
    live_until: Version
    defaults: tuple[tuple[Version, str], ...]
    alias: str
    owner: Owner
    why: str

    def known_to(self, version: str) -> bool:
        """Whether a server of that version has it."""
        return self.since <= version_of(version) < self.until

    def understood_by(self, value: str, version: str) -> bool:
        """Whether a server of that version knows each word of a value that some version knows."""
        return all(self.later.get(word, _ALWAYS) <= version_of(version) for word in value.lower().split())

    def live(self, version: str) -> bool:
        """Whether a running server of that version takes it by CONFIG SET."""
        return self.live_since <= version_of(version) < self.live_until

    def default(self, version: str) -> str | None:
        """Return what a server of that version has without a line in its file; None where it has no value."""
        at = version_of(version)
        return next((value for since, value in reversed(self.defaults) if since <= at), None)


def version_of(text: str) -> Version:
    """Return major and minor of `3.2.6` or `7.0.15-1`; what is no number counts as 0."""
    numbers = re.findall(r"\d+", text)[:2]
    major, minor = (*numbers, "0", "0")[:2]
    return int(major), int(minor)


def directive(name: str) -> Directive | None:
    """Return the row of a directive by any of its names, None when no version has it."""
    lower = name.lower()
    found = TABLE.get(ALIASES.get(lower, lower))
    if found is not None:
        return found
    return next((row for prefix, row in _FAMILIES.items() if lower.startswith(prefix)), None)


def live(name: str, version: str) -> bool:
    """Whether a running redis of that version (`3.2.6`) takes CONFIG SET of the directive; else it needs a restart."""
    found = directive(name)
    return found is not None and found.live(version)


def nearest(name: str) -> str | None:
    """Return the free directive whose name is most like this one, None when none is."""
    free = [row for row in TABLE.values() if row.owner in (Owner.FREE, Owner.DATA)]
    names = [each for row in free for each in (row.name, row.alias) if each]
    return next(iter(difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)), None)


def _row(line: str) -> Directive:
    name, kind, versions, span, default, alias, owner = (*line.split(" / "), "", "", "")[:7]
    word, *allowed = kind.split()
    words = {each: since for each, _, since in (text.partition("@") for text in allowed)}
    since, _, until = versions.partition("..")
    whose, _, why = owner.strip().partition(": ")
    live_since, live_until = _span(span)
    return Directive(
        name=name,
        kind=Kind(word),
        words=frozenset(words),
        later={each: version_of(since) for each, since in words.items() if since},
        since=version_of(since),
        until=version_of(until) if until else _NEVER,
        live_since=live_since,
        live_until=live_until,
        defaults=() if default == "-" else tuple(_defaults(default)),
        alias="" if alias == "-" else alias,
        owner=Owner(whose or "free"),
        why=why,
    )


def _span(text: str) -> tuple[Version, Version]:
    match = _SPAN.fullmatch(text)
    if match is None:
        return _NEVER, _NEVER
    if match[1] == ">=":
        return version_of(match[2]), _NEVER
    return _ALWAYS, version_of(match[2]) if match[2] else _NEVER


def _defaults(text: str) -> list[tuple[Version, str]]:
    first, *later = text.split("; ")
    pairs = [("0.0", first), *((since, value) for since, _, value in (part.partition(":") for part in later))]
    return [(version_of(since), "" if value == '""' else value) for since, value in pairs]


def _read() -> Mapping[str, Directive]:
    lines = Path(__file__).with_suffix(".txt").read_text().splitlines()
    rows = [_row(line) for line in lines if line and not line.startswith("#")]
    return {row.name: row for row in rows}


TABLE: Mapping[str, Directive] = _read()
ALIASES: Mapping[str, str] = {row.alias: row.name for row in TABLE.values() if row.alias}
_FAMILIES: Mapping[str, Directive] = {name[:-1]: row for name, row in TABLE.items() if name.endswith("*")}
