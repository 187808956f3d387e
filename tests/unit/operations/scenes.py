"""The seed's cluster in the middle of a switchover, from calm to switched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known, RedisFacts, ReplicaView, Unknown
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.step import ConfigDrift, Plan
from redis_sentinel_operator.model.verdict import Confirmed, Situation, Uncertain, Verdict
from redis_sentinel_operator.operations import drill, restart, switchover, upgrade
from redis_sentinel_operator.operations.move import Scene, Wish
from redis_sentinel_operator.plan.host import readable
from redis_sentinel_operator.times import precise
from unit.plan.living import alive, with_config, without
from unit.plan.world import (
    ADDRESS,
    NAME,
    PASSWORD,
    S1,
    S2,
    S3,
    Change,
    M,
    desired,
    sees,
    stopped_redis,
    text_of,
    unreachable,
    verdict,
    with_file,
)

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
DEFAULTS = {
    "slave-priority": "100",
    "min-slaves-to-write": "0",
    "min-slaves-max-lag": "10",
    "save": "900 1",
    "appendonly": "no",
}
SHORTS = ("M", "S1", "S2", "S3")
WISH = Wish("switchover", S2, "2026-01-31T11:59:59Z")
SWITCHED = replace(verdict(Situation.ALIVE, S2), master=Confirmed(S2, ADDRESS[S2], 6379, 2))
ELSEWHERE = replace(SWITCHED, master=Confirmed(S3, ADDRESS[S3], 6379, 2))
NOBODY = replace(SWITCHED, master=Uncertain("NoMajority", "No majority names one."))


def views(**priorities: int) -> tuple[ReplicaView, ...]:
    """What a sentinel has read of the replicas; the priority of one as told."""
    return tuple(
        ReplicaView(ADDRESS[name], 6379, frozenset({"slave"}), "ok", priorities.get(short, 100), 1)
        for short, name in (("S1", S1), ("S2", S2), ("S3", S3))
    )


def facts(seen: dict[str, int] | None = None, **changed: Change) -> ClusterFacts:
    """All hosts calm, changed by their short names; `seen`: what the sentinels have read of priorities."""
    hosts: dict[str, HostFacts] = {}
    for short, name in (("M", M), ("S1", S1), ("S2", S2), ("S3", S3)):
        host = with_config(alive(name), **DEFAULTS)
        if name != M:
            host = replace(host, sentinel=sees(M, quorum_ok=True, replicas=views(**(seen or {}))))
        hosts[name] = changed[short](host) if short in changed else host
    return ClusterFacts(hosts, 0.0)


def scene(
    read: ClusterFacts | None = None,
    found: Verdict | None = None,
    *,
    after: float = 0.0,
    what: Desired | None = None,
    pending: str = "",
    **more: Any,
) -> Scene:
    """What is known `after` seconds from the beginning; `pending`: what the plan waits for."""
    read, what = read or facts(), what or desired()
    hosts, unread = readable(what, read)
    todo = Plan(waiting=(pending,) if pending else ())
    moment = NOON + timedelta(seconds=after)
    more = {"secret": what.password, **more}
    return Scene(what, read, found or verdict(Situation.ALIVE, M), hosts, unread, moment, **{"todo": todo, **more})


def record(step: str = "prefer", **changes: Any) -> Operation:
    """A switchover from the master to S2, at a step that began at noon."""
    begun = switchover.begin(scene(), WISH)
    assert isinstance(begun, Operation), begun
    return replace(begun, id="op1", step=step, **changes)


def of_a_drill(step: str = "stop", **changes: Any) -> Operation:
    """A drill on the master, at a step that began at noon."""
    begun = drill.begin(scene(), replace(WISH, verb="drill", arg="-"))
    assert isinstance(begun, Operation), begun
    return replace(begun, id="op2", step=step, **changes)


LATER = (ConfigDrift("databases", "32", "16", pending_restart=True),)


def of_a_restart(step: str = "replicas", **changes: Any) -> Operation:
    """A round of restarts with the master among them, at a step that began at noon; S2 becomes master."""
    last = Plan(drift={M: LATER})
    wish = replace(WISH, verb="restart", arg="-")
    begun = restart.begin(scene(todo=last), wish)
    assert isinstance(begun, Operation), begun
    if step != "replicas":
        known = record(step)
        begun = replace(known, type=begun.type, arg=begun.arg)
    return replace(begun, id="op3", step=step, **changes)


OLDER, NEWER = "3.2.6-2.el7", "3.2.6-3.el7"


def asking(version: str = NEWER, *, supervised: bool = False, **package: Any) -> Desired:
    """A cluster whose spec asks for a version of the package; the hosts have 3.2.6-2.el7."""
    what = desired(supervised=supervised)
    wish = {"version": version, **package}
    return replace(what, hosts=tuple(replace(each, package=replace(each.package, **wish)) for each in what.hosts))


def upgraded(version: str = NEWER) -> Change:
    """The host has the package."""
    return lambda host: replace(host, packages=Known({"redis": version}))


def late(what: Desired | None = None, found: Any = None, after: float = 0.0, **changed: Change) -> Scene:
    """The spec asks for a newer package than the hosts have."""
    return scene(facts(**changed), found, what=what or asking(), after=after)


def of_an_upgrade(step: str = "replicas", **changes: Any) -> Operation:
    """An upgrade that a person asked for, at a step that began at noon; S2 becomes master."""
    begun = upgrade.begin(scene(what=asking()), replace(WISH, verb="upgrade", arg="-"))
    assert isinstance(begun, Operation), begun
    if step not in ("fetch", "replicas"):
        begun = replace(record(step), type=begun.type, arg=begun.arg)
    return replace(begun, id="op4", step=step, **changes)


RECORDS: dict[str, Callable[[str], Operation]] = {
    "switchover": record,
    "drill": of_a_drill,
    "restart": of_a_restart,
    "upgrade": of_an_upgrade,
    "recover": lambda step: replace(record(step), type="recover", before={}),
    "reset-stale": lambda step: replace(record(step), type="reset-stale", old="", new="", before={}),
    "rotation": lambda step: replace(record(step), type="rotation", old="", new="", before={}),
}


def redis(**changes: Any) -> Change:
    """Another redis on a host."""

    def change(host: HostFacts) -> HostFacts:
        assert isinstance(host.redis, Known)
        assert isinstance(host.redis.value, RedisFacts)
        return replace(host, redis=Known(replace(host.redis.value, **changes)))

    return change


def config(**changes: str) -> Change:
    """Other values in force; `_` stands for `-`."""
    return lambda host: with_config(host, **changes)


NEVER = {each: config(slave_priority="0") for each in ("S1", "S2", "S3")}
NOBODY_CAN = "no replica can become master: " + "; ".join(
    f"{each} has replica-priority 0, so that no sentinel promotes it: give it another one there first"
    for each in (S1, S2, S3)
)


def bare(host: HostFacts) -> HostFacts:
    """Without a password, in force and in its files."""
    host = without(without(with_config(host, requirepass="", masterauth=""), "requirepass"), "masterauth")
    text = text_of(host, EL7.sentinel_conf)
    return with_file(host, EL7.sentinel_conf, text.replace(f"sentinel auth-pass {NAME} {PASSWORD}\n", ""))


def carrying(operation: Operation | None) -> Change:
    """The record in state.json."""

    def change(host: HostFacts) -> HostFacts:
        assert isinstance(host.claim, Known)
        assert host.claim.value is not None
        return replace(host, claim=Known(replace(host.claim.value, operation=operation)))

    return change


def both(*changes: Change) -> Change:
    """One change after the other."""

    def change(host: HostFacts) -> HostFacts:
        for each in changes:
            host = each(host)
        return host

    return change


NOON_TEXT = precise(NOON)
Step = Callable[[Scene, Operation], object]


def not_calm(wish: Wish, ending: str, **more: Any) -> dict[str, tuple[Scene, Wish, str]]:
    """In which scenes no procedure that needs a calm cluster begins, and what is said with that ending."""
    settling = verdict(Situation.ALIVE, M, "the last switch is younger than 10 s")
    return {
        "nobody-confirmed": (scene(None, NOBODY, **more), wish, f"No majority names one{ending}"),
        "settling": (scene(None, settling, **more), wish, f"the last switch is younger than 10 s{ending}"),
        "a-sentinel-away": (
            scene(facts(S3=unreachable), **more),
            wish,
            f"not every declared sentinel answers and names the same master{ending}",
        ),
        "a-replica-down": (scene(facts(S1=stopped_redis), **more), wish, f"{S1}: its redis does not run{ending}"),
    }


def no_quorum(wish: Wish, ending: str) -> dict[str, tuple[Scene, Wish, str]]:
    """The same of one in which a failover cannot be authorised."""
    found = facts(S1=lambda host: replace(host, sentinel=sees(M, quorum_ok=False)))
    said = f"the sentinel on {S1} does not confirm that a failover can be authorised{ending}"
    return {"no-quorum": (scene(found), wish, said)}


def unread(wish: Wish, work: str, **more: Any) -> dict[str, tuple[Scene, Wish, str]]:
    """The same of one with a host that could not be read; `work` takes what is to be done first."""
    found = facts(M=lambda host: replace(host, os=Unknown("too slow")))
    return {"unread": (scene(found, **more), wish, work.format(f"{M} could not be read and is left alone: too slow"))}
