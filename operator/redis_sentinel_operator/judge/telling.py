"""How the troubles of hosts are told: each once, with all the hosts that have it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from redis_sentinel_operator.model.desired import Desired, DesiredHost


def told(desired: Desired, troubles: Mapping[str, str]) -> str:
    """Tell what is wrong with which hosts (by name), without a period at the end.

    A trouble that begins with its host (`host NAME (ADDRESS:PORT): ...`, as connect/ says it) is told of several as
    `hosts a, b and c: ...`; an address in it, as in a command to type, becomes all of theirs. One of all hosts that
    names none is not about hosts, and is told without them.
    """
    alike: dict[tuple[bool, str], list[DesiredHost]] = {}
    for host in desired.hosts:
        if host.name in troubles:
            alike.setdefault(_general(host, troubles[host.name]), []).append(host)
    text = "; ".join(
        _one(hosts, trouble, named, troubles, of_all=len(hosts) == len(desired.hosts))
        for (named, trouble), hosts in alike.items()
    )
    return text if text.startswith(tuple(troubles)) else text[:1].upper() + text[1:]


def listed(names: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def mended(desired: Desired) -> str:
    """Return who mends what sentinels do not get over by themselves."""
    if desired.recovery == "Automatic":
        return (
            "The operator mends it by itself when it has been so for a minute and nothing speaks against it; ask "
            "by the act `reset-stale` to hear what does."
        )
    return "The operator mends it when you ask by the act `reset-stale`; by itself only with spec.recovery: Automatic."


def _one(hosts: Sequence[DesiredHost], trouble: str, named: bool, troubles: Mapping[str, str], *, of_all: bool) -> str:
    if len(hosts) == 1 and (named or hosts[0].name in trouble):
        return troubles[hosts[0].name].rstrip(". ")
    text = trouble.replace("\0", " ".join(host.address for host in hosts))
    if of_all and not named:
        return text
    return f"{'hosts ' if named else ''}{listed([host.name for host in hosts])}: {text}"


def _general(host: DesiredHost, trouble: str) -> tuple[bool, str]:
    """Return whether the trouble names its host, and what is left of it without name and address."""
    rest = re.sub(rf"^host {re.escape(host.name)} \([^)]*\): ", "", trouble.rstrip(". "))
    text = re.sub(rf"(?<![\w.:]){re.escape(host.address)}(?![\w.:])", "\0", rest)
    return rest != trouble.rstrip(". "), text


def sentence(text: str) -> str:
    """Return a text as a sentence, "" for none."""
    return text[:1].upper() + text[1:].rstrip(". ") + "." if text else ""


def not_yet(waiting: Sequence[str]) -> str:
    """Return why what is down is not mended yet, "" where nothing is waited for but a host that cannot be read."""
    return sentence(next((each for each in waiting if " could not be read " not in each), ""))
