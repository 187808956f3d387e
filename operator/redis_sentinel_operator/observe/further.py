"""What the first answers show that there is more to read: files of people's own, and units that they made. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.model.fact import Fact, Known, RedisFacts, SentinelFacts, Unknown
from redis_sentinel_operator.observe.probe import Asked, ProbeFacts

SECTIONS = ("files", "units")
ROUNDS = 4  # of questions: files that include files
T = TypeVar("T")


def further(question: Asked, probed: ProbeFacts, *answers: object) -> Asked | None:
    """Return what else the probe is to be asked, None when that is all.

    Args:
        question: what it was asked at first.
        probed: what is known by now.
        answers: what redis and sentinel said: which files they run with.
    """
    if not isinstance(probed.files, Known) or not isinstance(probed.units, Known):
        return None
    claim = probed.claim.value if isinstance(probed.claim, Known) else None
    notes = claim.notes if claim else {}
    own = [notes.get("redisFile", ""), notes.get("sentinelFile", "")]
    own += [each.config_file for each in answers if isinstance(each, RedisFacts | SentinelFacts)]
    texts = {path: file.text for path, file in probed.files.value.items() if file}
    wanted = dict.fromkeys([*own, *(path for conf in (*own, *question.confs) for path in _named(conf, texts))])
    files = tuple(path for path in wanted if path not in probed.files.value and _may_be_asked(path))
    units = dict.fromkeys([notes.get("redisUnit", ""), notes.get("sentinelUnit", ""), *_of_processes(probed)])
    units_ = tuple(unit for unit in units if unit and unit not in probed.units.value)
    return replace(question, files=files, units=units_) if files or units_ else None


def together(probed: ProbeFacts, more: ProbeFacts) -> ProbeFacts:
    """Return the facts with what was read beside them; where that failed nothing is known of either."""
    return replace(probed, files=_merged(probed.files, more.files), units=_merged(probed.units, more.units))


def _merged(one: Fact[Mapping[str, T]], other: Fact[Mapping[str, T]]) -> Fact[Mapping[str, T]]:
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one if isinstance(one, Unknown) else other
    return Known({**one.value, **other.value})


def _named(path: str, texts: Mapping[str, str]) -> Iterator[str]:
    """Return the files that a redis.conf names: those that it includes, and that of its users."""
    conf = parse(texts.get(path, ""), texts)
    yield from conf.includes
    yield conf.get("aclfile") or ""


def _may_be_asked(path: str) -> bool:
    """A relative path depends on where the server was started, a pattern stands for whatever is there by now."""
    return path.startswith("/") and not set(path) & set("*?[\n")


def _of_processes(probed: ProbeFacts) -> tuple[str, ...]:
    return tuple(each.unit for each in probed.processes.value) if isinstance(probed.processes, Known) else ()
