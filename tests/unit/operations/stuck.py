"""A calm cluster whose sentinels know each other, and the ways in which one of them is stuck."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    Denied,
    HostFacts,
    Known,
    PeerView,
    Process,
    SentinelFacts,
)
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.verdict import Situation, Uncertain, Verdict
from redis_sentinel_operator.operations import reset_stale
from redis_sentinel_operator.operations.move import Scene, Wish
from unit.operations.scenes import facts, scene, views
from unit.plan.world import (
    ADDRESS,
    S1,
    S2,
    S3,
    SHIPPED,
    Change,
    M,
    desired,
    sees,
    stopped_sentinel,
    verdict,
    with_file,
    with_unit,
)

WISH = Wish("reset-stale", "-", "2026-01-31T11:59:59Z")
IDS = {S1: "1" * 40, S2: "2" * 40, S3: "3" * 40}
NOWHERE = "192.168.3.99"
DISAGREE = replace(verdict(Situation.ALIVE), master=Uncertain("SentinelsDisagree", "They disagree."))
DOWN = frozenset({"sentinel", "s_down"})
GHOST = PeerView("9" * 40, NOWHERE, 26379, DOWN)
REPLACED = PeerView("8" * 40, ADDRESS[S2], 0, DOWN)  # what S2 was before it got another id
AUTOMATIC = desired(recovery="Automatic")


def peers(name: str, *more: PeerView) -> tuple[PeerView, ...]:
    others = (PeerView(IDS[each], ADDRESS[each], 26379, frozenset({"sentinel"})) for each in IDS if each != name)
    return (*others, *more)


def says(name: str, *ghosts: PeerView, master: str = M, masters: tuple[str, ...] = (), **changes: Any) -> Change:
    """A sentinel that answers, by its id; with `masters` it does not know ours."""

    def change(host: HostFacts) -> HostFacts:
        whole: dict[str, Any] = {"quorum_ok": True, "peers": peers(name, *ghosts), "replicas": views(), **changes}
        tilt = whole.pop("tilt", False)
        fact = sees(master, **whole).value
        assert isinstance(fact, SentinelFacts)
        return replace(host, sentinel=Known(replace(fact, my_id=IDS[name], tilt=tilt)))

    return change


def idle(*masters: str) -> Change:
    """A sentinel that watches nothing of ours."""
    return lambda host: replace(host, sentinel=Known(SentinelFacts("3.2.6", "s", 8, False, masters, None)))


def calm(**changed: Change) -> ClusterFacts:
    """All as it is wanted, changed by short names."""
    short = {"S1": S1, "S2": S2, "S3": S3}
    return facts(
        **{"M": changed.get("M", lambda host: host)},
        **{key: _both(says(name), changed.get(key)) for key, name in short.items()},
    )


def _both(first: Change, second: Change | None) -> Change:
    return lambda host: second(first(host)) if second is not None else first(host)


ASTRAY = says(S3, master=NOWHERE)  # at the epoch that the others have
HAUNTED = {"S1": says(S1, GHOST), "S2": says(S2, GHOST), "S3": says(S3, GHOST)}


def shipped(host: HostFacts) -> HostFacts:
    """A sentinel that runs with the file of its package; that of 3.2 lets nobody in."""
    process = Process(8, "redis-sentinel", EL7.sentinel_unit, True)
    host = with_file(host, EL7.sentinel_conf, SHIPPED[EL7.sentinel_conf])
    host = with_unit(host, EL7.sentinel_unit, active="active")
    rest = tuple(each for each in _processes(host) if not each.sentinel)
    return replace(host, sentinel=Known(Denied("DENIED")), processes=Known((*rest, process)))


def _processes(host: HostFacts) -> tuple[Process, ...]:
    assert isinstance(host.processes, Known)
    return host.processes.value


def stopped(host: HostFacts) -> HostFacts:
    """What `shipped` is once its unit is stopped."""
    return stopped_sentinel(with_file(host, EL7.sentinel_conf, SHIPPED[EL7.sentinel_conf]))


def not_known_to_others(changed: dict[str, Change] | None = None) -> dict[str, Change]:
    """S1 and S2 do not know any sentinel on S3, which is as told."""
    alone = {"S1": (S1, S2), "S2": (S2, S1)}
    found: dict[str, Change] = {
        key: says(own, peers=tuple(each for each in peers(own) if each.address == ADDRESS[other]))
        for key, (own, other) in alone.items()
    }
    return found | (changed or {})


def at(read: ClusterFacts | None = None, judged: Verdict | None = None, **more: Any) -> Scene:
    return scene(read or calm(S3=ASTRAY), judged or DISAGREE, **more)


def begun(step: str = "watch", of: str = S3, what: Desired | None = None, **changes: Any) -> Operation:
    """The record at a step for the sentinel of a host, begun at noon."""
    made = reset_stale.begin(at(what=what), WISH)
    assert isinstance(made, Operation), made
    sentinel = "" if step in ("watch", "agree") else ADDRESS[of]
    return replace(made, id="op6", step=step, sentinel=sentinel, **changes)
