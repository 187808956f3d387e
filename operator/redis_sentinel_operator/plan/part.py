"""A piece of a plan, as each concern gives it, and the stages in which steps are done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from redis_sentinel_operator.model.step import ConfigDrift, Need, Plan, Step

CLAIMED = frozenset({Need.CLAIM})
CONFIRMED = frozenset({Need.CLAIM, Need.CONFIRMED})
SERVING = frozenset({Need.CLAIM, Need.SERVING})


class Stage(IntEnum):
    """The order in which steps are done; those of one stage are done on all hosts at the same time."""

    ROLE = -1  # a second master takes writes that are lost: before all else
    CLAIM = 0
    PACKAGE = 1
    FILES = 2  # drop-ins, firewall, redis.conf, settings of running servers
    MASTER = 3
    REPLICAS = 4
    SENTINEL_CONF = 5
    SENTINELS = 6
    ENABLE = 7
    RESTART = 8


@dataclass(frozen=True, slots=True)
class Part:
    """Steps, sentences for what is left undone on purpose, (host name, drift) pairs, what a person has to decide."""

    steps: tuple[Step, ...] = ()
    waiting: tuple[str, ...] = ()
    drift: tuple[tuple[str, ConfigDrift], ...] = ()
    asks: tuple[str, ...] = ()

    def __add__(self, other: Part) -> Part:
        drift, asks = self.drift + other.drift, self.asks + other.asks
        return Part(self.steps + other.steps, self.waiting + other.waiting, drift, asks)

    def plan(self) -> Plan:
        """Return it as the whole plan: steps by stage, each sentence once, drift by host."""
        drift: dict[str, tuple[ConfigDrift, ...]] = {}
        for host, item in self.drift:
            drift[host] = (*drift.get(host, ()), item)
        steps = tuple(sorted(self.steps, key=lambda step: step.stage))
        return Plan(steps, tuple(dict.fromkeys(self.waiting)), drift, asks=tuple(dict.fromkeys(self.asks)))


def together(parts: Iterable[Part]) -> Part:
    """Return all parts as one."""
    return sum(parts, Part())


def wait(sentence: str) -> Part:
    """Return a part that only says why something is left undone."""
    return Part(waiting=(sentence,))


def only(*steps: Step) -> Part:
    """Return a part of steps alone."""
    return Part(steps=steps)
