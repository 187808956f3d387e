"""Asking the hosts at length, seldom: what costs processes and connections, and changes slowly."""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from redis_sentinel_operator.conf.family import FAMILIES
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import OperatorError
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import Fact, Known, SurveyFacts, Unknown, Unreached
from redis_sentinel_operator.observe.exchange import Answers, ask, table, text
from redis_sentinel_operator.observe.sections import ports_of
from redis_sentinel_operator.settings import Settings

_SENTINEL = re.compile(r"\baddr=(\S+):\d+ .*\bname=sentinel-([0-9a-f]{8})-cmd\b")
_DIRECTORY = re.compile(r"/[\w./-]*")  # what the script's list of words can hold
_DIRS = tuple(dict.fromkeys(family.data_dir for family in FAMILIES.values()))
_UNITS = tuple(dict.fromkeys(family.redis_unit for family in FAMILIES.values()))


async def read(desired: Desired, links: Mapping[str, HostLink], settings: Settings) -> Mapping[str, Fact[SurveyFacts]]:
    """Ask all hosts at the same time; never raises."""
    hosts = [host for host in desired.hosts if host.name in links]
    found = await asyncio.gather(*(_one(desired, host, links[host.name], settings) for host in hosts))
    return {host.name: fact for host, fact in zip(hosts, found, strict=True)}


async def _one(desired: Desired, host: DesiredHost, link: HostLink, settings: Settings) -> Fact[SurveyFacts]:
    directory, sentinels = await _redis(desired, host, link, settings)
    words = (directory or " ".join(_DIRS), " ".join(_UNITS), *_servers_of_others(desired, host))
    before = time.time()
    try:
        result = await link.run(f"{shlex.join(('set', '--', *words))}\n{_text()}", timeout=settings.step_timeout)
    except OperatorError as error:
        return Unknown(str(error))
    facts = parse(result.text, before, time.time(), sentinels)
    return Unknown(f"{host.name} did not answer as it was asked") if facts is None else Known(facts)


def _servers_of_others(desired: Desired, host: DesiredHost) -> list[str]:
    """Return address and port of what a host must reach: every redis of the others, and sentinels from sentinels."""
    words: list[str] = []
    for other in desired.hosts:
        if other.name != host.name:
            words += [other.address, str(desired.redis_port)] if other.redis else []
            words += [other.address, str(desired.sentinel_port)] if other.sentinel and host.sentinel else []
    return words


async def _redis(
    desired: Desired, host: DesiredHost, link: HostLink, settings: Settings
) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return where a redis keeps its data, and the sentinels that are connected to it if it is a master."""
    if not host.redis:
        return "", frozenset()
    answers = await ask(link, desired.redis_port, desired.password, [("CONFIG", "GET", "dir"), ("ROLE",)], settings)
    if not isinstance(answers, Answers):
        return "", frozenset()
    config, role = answers.values
    directory = table(config).get("dir", "")
    directory = directory if _DIRECTORY.fullmatch(directory) else ""
    if not isinstance(role, list) or text(role[0]) != "master":
        return directory, frozenset()
    answers = await ask(link, desired.redis_port, desired.password, [("CLIENT", "LIST")], settings)
    return directory, sentinels_of(answers.values[0]) if isinstance(answers, Answers) else frozenset()


def sentinels_of(clients: Any) -> frozenset[tuple[str, str]]:
    """Return the first eight digits of the id and the address of each sentinel in CLIENT LIST's answer."""
    found = (_SENTINEL.search(line) for line in text(clients).splitlines())
    return frozenset((match[2], match[1].strip("[]")) for match in found if match)


def parse(
    answer: str, before: float, after: float, sentinels: frozenset[tuple[str, str]] = frozenset()
) -> SurveyFacts | None:
    """Read the script's answer; None where it is cut off or is none.

    The host's clock stood at `begins` after we asked, and at `ends` before we had the answer: that bounds by how much
    it differs from ours, however long the way and the work took.
    """
    words: dict[str, list[str]] = {}
    for line in answer.splitlines():
        word, _, rest = line.partition(" ")
        words.setdefault(word, []).append(rest)
    try:
        (begins,), (ends,) = words["begins"], words["ends"]
        unreached = [rest.split(" ", 2) for rest in words.get("unreached", [])]
        return SurveyFacts(
            ahead=(float(ends) - after, float(begins) - before),
            listens=frozenset(int(port) for port in words.get("listens", [])),
            unreached=tuple(sorted((Unreached(at, int(port), why) for at, port, why in unreached), key=str)),
            restart=next((each for each in words.get("restart", []) if each != "no"), "no"),
            free=min((int(row.split()[3]) * 1024 for row in words.get("disk", [])), default=None),
            ports=ports_of(words["ports"][0].split(",")) if "ports" in words else None,
            sentinels=sentinels,
        )
    except (KeyError, ValueError, IndexError):
        return None


@cache
def _text() -> str:
    return Path(__file__).with_name("survey.sh").read_text()
