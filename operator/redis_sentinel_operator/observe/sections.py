"""The sections of the probe's answer: rows of a word and the rest of the line -> facts."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from redis_sentinel_operator.model.fact import DataFile, FileFacts, OsFacts, Process, UnitFacts

Rows: TypeAlias = tuple[tuple[str, str], ...]

_USERS = re.compile(
    r'\("([^"]*)",(?:pid=)?(\d+)'
)  # ss: ("redis-server",pid=71,fd=4); before 2015 ("redis-server",71,4)
# Where a daemon lands that a person started: the unit is the shell's, not the daemon's own.
_SHELLS = frozenset({"ssh.service", "sshd.service", "cron.service", "crond.service", "atd.service", "getty.service"})


class Damaged(Exception):
    """A section does not have the shape that the probe writes."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening TCP socket; process "" and pid 0 where the host does not tell whose it is."""

    port: int
    process: str
    pid: int


def os_of(rows: Rows) -> OsFacts:
    """Read /etc/os-release and the boot id."""
    words = dict(rows)
    if "id" not in words or "version" not in words:
        raise Damaged("/etc/os-release names no ID or VERSION_ID")
    return OsFacts(_unquoted(words["id"]), _unquoted(words["version"]), words.get("boot", ""))


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def packages_of(rows: Rows) -> Mapping[str, str]:
    """Read `name version-release` lines."""
    found = [rest for word, rest in _only(rows, "package", "left") if word == "package"]
    return dict(_fields(rest, 2) for rest in found)  # type: ignore[misc]


def leftovers_of(rows: Rows) -> tuple[str, ...]:
    """Read the paths that an update or a removal of a package left behind."""
    return tuple(rest for word, rest in _only(rows, "package", "left") if word == "left")


def files_of(rows: Rows, asked: Sequence[str]) -> Mapping[str, FileFacts | None]:
    """Read files; every path that was asked for must have been answered."""
    found = dict(_file(word, rest) for word, rest in _only(rows, "file", "absent"))
    missing = set(asked) - set(found)
    if missing:
        raise Damaged(f"nothing is said of {', '.join(sorted(missing))}")
    return {path: found[path] for path in asked}


def one_file(rows: Rows) -> FileFacts | None:
    """Read the one file of a section."""
    found = [_file(word, rest)[1] for word, rest in _only(rows, "file", "absent")]
    if len(found) != 1:
        raise Damaged("not one file")
    return found[0]


def _file(word: str, rest: str) -> tuple[str, FileFacts | None]:
    if word == "absent":
        return rest, None
    mode, owner, group, content, path = _fields(rest, 5)
    try:
        text = base64.b64decode(content.removeprefix("=").encode(), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Damaged(f"the content of {path} is damaged") from error
    return path, FileFacts(path, int(mode, 8), owner, group, text)


def units_of(rows: Rows, asked: Sequence[str]) -> Mapping[str, UnitFacts]:
    """Read `systemctl show` of units: one block each, in the order asked (the Id of an alias is another name).

    After those that were asked for come the two firewalls, which the probe needs for itself.
    """
    blocks: list[dict[str, str]] = [{}]
    for _, rest in _only(rows, "unit"):
        key, equals, value = rest.partition("=")
        if equals:
            blocks[-1][key] = value
        elif blocks[-1]:
            blocks.append({})
    blocks = [block for block in blocks if block]
    if len(blocks) != len(asked) + 2:
        raise Damaged(f"{len(asked) + 2} units were asked for, {len(blocks)} answered")
    return {name: _unit(name, block) for name, block in zip(asked, blocks, strict=False)}


def _unit(name: str, block: Mapping[str, str]) -> UnitFacts:
    if "LoadState" not in block or "ActiveState" not in block:
        raise Damaged(f"no state of {name}")
    return UnitFacts(
        name, block["LoadState"], block["ActiveState"], block.get("UnitFileState", ""), int(block.get("MainPID") or 0)
    )


def processes_of(rows: Rows) -> tuple[Process, ...]:
    """Read processes; a child of one of them (a background save) is part of it."""
    found: dict[int, tuple[int, bool, str]] = {}
    units: dict[int, str] = {}
    for word, rest in _only(rows, "process", "cgroup"):
        if word == "cgroup":
            pid, path = _fields(rest, 2)
            units[int(pid)] = _unit_of(path) or units.get(int(pid), "")
        else:
            pid, parent, sentinel, name = _fields(rest, 4)
            found[int(pid)] = (int(parent), sentinel == "1", name)
    return tuple(
        Process(pid, name, units.get(pid, ""), sentinel)
        for pid, (parent, sentinel, name) in sorted(found.items())
        if parent not in found
    )


def _unit_of(path: str) -> str:
    """Return the service that a cgroup path belongs to, "" for a session of a person."""
    services = [part for part in path.split("/") if part.endswith(".service")]
    if not services or services[-1] in _SHELLS or services[-1].partition("@")[0] in ("user", "getty", "sshd"):
        return ""
    return services[-1]


def sockets_of(rows: Rows) -> tuple[Socket, ...]:
    """Read `ss -ltnp`, or bare ports of /proc/net/tcp."""
    found: list[Socket] = []
    for word, rest in _only(rows, "socket", "port"):
        if word == "port":
            found.append(Socket(int(rest), "", 0))
        elif rest.startswith("LISTEN"):
            found += _sockets(rest)
    return tuple(found)


def _sockets(row: str) -> list[Socket]:
    """Read `LISTEN 0 511 0.0.0.0:6379 0.0.0.0:* users:(("redis-server",pid=71,fd=4))`."""
    words = row.split()
    port = words[3].rpartition(":")[2] if len(words) > 3 else ""
    if not port.isdecimal():
        raise Damaged(f"a socket has no port number: {row[:60]!r}")
    users = [Socket(int(port), name, int(pid)) for name, pid in _USERS.findall(row)]
    return users or [Socket(int(port), "", 0)]


def data_of(rows: Rows) -> tuple[DataFile, ...]:
    """Read `size path` lines."""
    found: dict[str, int] = {}
    for _, rest in _only(rows, "data"):
        size, path = _fields(rest, 2)
        found[path] = int(size)
    return tuple(DataFile(path, size) for path, size in sorted(found.items()))


def _only(rows: Rows, *words: str) -> Rows:
    for word, _ in rows:
        if word not in words:
            raise Damaged(f"an unknown row {word[:40]!r}")
    return rows


def _fields(rest: str, number: int) -> tuple[str, ...]:
    fields = tuple(rest.split(" ", number - 1))
    if len(fields) != number:
        raise Damaged(f"a row of {len(fields)} instead of {number} words")
    return fields
