"""Asking the hosts at length, seldom: what costs processes and connections, and changes slowly."""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import replace
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

_CLIENT = re.compile(r"\baddr=(\S+):\d+ .*\bcmd=(\S+)")
_SENTINEL = re.compile(r"\baddr=(\S+):\d+ .*\bname=sentinel-([0-9a-f]{8})-cmd\b")
_OF_SENTINEL = re.compile(r"\bname=sentinel-[0-9a-f]{8}-")
_DIRECTORY = re.compile(r"/[\w./-]*")  # what the script's list of words can hold
_DIRS = tuple(dict.fromkeys(family.data_dir for family in FAMILIES.values()))
_UNITS = tuple(dict.fromkeys(family.redis_unit for family in FAMILIES.values()))


async def read(desired: Desired, host: DesiredHost, link: HostLink, settings: Settings) -> Fact[SurveyFacts]:
    """Ask one host; never raises."""
    directory, sentinels, clients = await _redis(desired, host, link, settings)
    words = (directory or " ".join(_DIRS), " ".join(_UNITS), *_servers_of_others(desired, host))
    before = time.time()
    try:
        result = await link.run(f"{shlex.join(('set', '--', *words))}\n{_text()}", timeout=settings.step_timeout)
    except OperatorError as error:
        return Unknown(str(error))
    facts = parse(result.text, before, time.time(), sentinels)
    if facts is None:
        return Unknown(f"{host.name} did not answer as it was asked")
    return Known(replace(facts, clients=clients))


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
) -> tuple[str, frozenset[tuple[str, str]], frozenset[str]]:
    """Return where a redis keeps its data, the sentinels that are connected to a master, and who else to any."""
    nobody: frozenset[tuple[str, str]] = frozenset()
    if not host.redis:
        return "", nobody, frozenset()
    commands = [("CONFIG", "GET", "dir"), ("ROLE",), ("CLIENT", "LIST")]
    answers = await ask(link, desired.redis_port, desired.password, commands, settings)
    if not isinstance(answers, Answers):
        return "", nobody, frozenset()
    config, role, clients = answers.values
    directory = table(config).get("dir", "")
    directory = directory if _DIRECTORY.fullmatch(directory) else ""
    is_master = isinstance(role, list) and text(role[0]) == "master"
    return directory, sentinels_of(clients) if is_master else nobody, clients_of(clients)


def clients_of(clients: Any) -> frozenset[str]:
    """Return the addresses in CLIENT LIST's answer but for those of sentinels and of whoever asks for it."""
    lines = [line for line in text(clients).splitlines() if not _OF_SENTINEL.search(line)]
    found = [match for line in lines if (match := _CLIENT.search(line))]
    own = {match[1] for match in found if match[2].lower().startswith("client")}
    return frozenset(match[1].strip("[]") for match in found if match[1] not in own)


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
