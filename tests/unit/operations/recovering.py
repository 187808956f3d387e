"""A cluster whose master is dead, and a recovery that begins in it."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    DataFile,
    HostFacts,
    Known,
    SentinelFacts,
)
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.verdict import Finding, MasterRecord, Situation, Uncertain, Verdict
from redis_sentinel_operator.operations import recover
from redis_sentinel_operator.operations.move import Scene, Wish
from unit.operations.scenes import NOON_TEXT, both, facts, redis, scene
from unit.plan.world import (
    ADDRESS,
    S2,
    Change,
    M,
    sees,
    stopped_redis,
    unreachable,
    verdict,
)

WISH = Wish("recover", M, "2026-01-31T11:59:59Z")
OF_S2 = replace(WISH, arg=S2)
LAST = MasterRecord(M, ADDRESS[M], 6379, 1, NOON_TEXT)
DEAD = replace(verdict(Situation.ALIVE), master=Uncertain("MasterDeadNoSuccessor", "it is dead", ADDRESS[M]))
STOPPED = replace(DEAD, master=Uncertain("MasterStopped", "it is stopped", ADDRESS[M]))
DOWN = frozenset({"master", "s_down", "o_down"})
LOST = replace(STOPPED, quorum=Finding(False, "QuorumLost", ""))


def down(*, tilt: bool = False, **changes: object) -> Change:
    """A sentinel that runs by its unit and calls the master down."""

    def change(host: HostFacts) -> HostFacts:
        found = sees(M, **{"flags": DOWN, **changes}).value
        assert isinstance(found, SentinelFacts)
        return replace(host, sentinel=Known(replace(found, process_id=9, tilt=tilt)))

    return change


def with_data(host: HostFacts) -> HostFacts:
    return replace(stopped_redis(host), data=Known((DataFile("/var/lib/redis/dump.rdb", 1),)))


def dead(**changed: Change) -> ClusterFacts:
    """The master is stopped with its data, all else answers; changed by short names."""
    replica = redis(link="down", offset=100)
    whole: dict[str, Change] = {"M": with_data, **{each: both(replica, down()) for each in ("S1", "S2", "S3")}}
    return facts(**{each: both(change, changed.get(each, lambda host: host)) for each, change in whole.items()})


def at(found: ClusterFacts | None = None, judged: Verdict = DEAD, **more: object) -> Scene:
    return scene(found or dead(), judged, **{"last": LAST, **more})  # type: ignore[arg-type]


def begun(wish: Wish = WISH, step: str = "") -> Operation:
    made = recover.begin(at(), wish)
    assert isinstance(made, Operation), made
    return replace(made, id="op5", step=step or made.step)


def gone(host: HostFacts) -> HostFacts:
    """The whole machine."""
    return unreachable(host)
