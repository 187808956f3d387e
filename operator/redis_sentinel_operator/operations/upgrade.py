"""Upgrade: every host gets the newer package that the spec asks for, the master's last and after a switchover.

fetch     the repositories of all hosts have it, and yum has it in its cache: before anything is changed
replicas, ..., last  as in every round (operations/rolling.py); each host's redis and sentinel are restarted together

It begins by itself. `updateStrategy: Supervised` lets it go as far as the master, for whom a person asks by an act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.package import UpgradePackage
from redis_sentinel_operator.model.step import Step
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations import choose, rolling, switchover
from redis_sentinel_operator.operations.move import Move, Scene, Wish, at_step, failed_lately, given_up, title
from redis_sentinel_operator.operations.rolling import CALM, Round
from redis_sentinel_operator.plan.upgrade import behind, fetches, shown, upgrade, why_not_upgraded
from redis_sentinel_operator.times import second

NAME = choose.UPGRADE
ACT = f"{NAME} -"
# How the sentence of each step's command begins.
COMMANDS: Mapping[str, str] = {
    "fetch": "fetch ",
    "replicas": "upgrade to ",
    **switchover.COMMANDS,
    "last": "upgrade the former master",
}
# Seconds in which each step ends or the way back is taken: yum may be slow, a replica may have to get all data anew.
DEADLINES: Mapping[str, float] = {"fetch": 900.0, "replicas": 7200.0, **switchover.DEADLINES, "last": 1800.0}
_ITSELF = "it begins by itself then"


# -- before it begins


def due(scene: Scene, acts: Sequence[Mapping[str, Any]]) -> Operation | str | None:
    """Return the record of an upgrade that begins now, the sentence why it waits, None where none is to begin.

    Args:
        scene: what is known.
        acts: status.acts, where an attempt that failed stands.
    """
    late = behind(scene.hosts)
    if not late or scene.verdict.transition or asks(scene):
        return None
    wish = Wish(NAME, ",".join(dict.fromkeys(host.declared_version for host in late.values())), second(scene.now))
    tried = frozenset({choose.BEST, wish.arg})
    begun = failed_lately(scene, acts, NAME, "the last attempt", tried) or _begin(scene, wish)
    if isinstance(begun, Operation):
        return begun
    host = next(iter(late.values()))
    names = ", ".join(late)
    return f"{shown(host)} is to be installed on {names} and is not: {begun.rstrip('. ').replace(CALM, _ITSELF)}"


def asks(scene: Scene) -> str:
    """Return what a person has to decide: that the last one, the master, is replaced and upgraded; "" for nothing."""
    late, master = behind(scene.hosts), scene.verdict.master
    if not scene.desired.supervised or not isinstance(master, Confirmed) or set(late) != {master.host}:
        return ""
    return (
        f"{shown(late[master.host])} is on all hosts but {master.host}, which is the master. Its upgrade needs a "
        f"switchover and updateStrategy is Supervised: it is done when you ask for it (act {ACT}), or when another "
        "host has become master"
    )


def begin(scene: Scene, wish: Wish) -> Operation | str:
    """Return the record of an upgrade that a person asks for, or the sentence why not and what would make it go."""
    if wish.arg != choose.BEST:
        return f"an upgrade is for every host with an older package, so {wish.arg} cannot be named: ask with -"
    return _begin(scene, wish)


def _begin(scene: Scene, wish: Wish) -> Operation | str:
    master, late = scene.verdict.master, behind(scene.hosts)
    first = (*scene.unread, *((scene.pending,) if scene.pending else ()))
    if first and not scene.verdict.transition:
        return f"something is to be done first: {first[0].rstrip('. ')}; {CALM}"
    if not late:
        return "nothing is to be upgraded: no host has an older package than package.version asks for"
    host = next((each for name, each in late.items() if not _is_master(scene, name)), next(iter(late.values())))
    reason = why_not_upgraded(scene.desired, scene.facts, host, scene.verdict)
    if reason or not isinstance(master, Confirmed):
        why = (reason or "nobody is confirmed as master").rstrip(". ")
        return f"{host.name} cannot be upgraded now: {why}; {CALM}"
    new = None if _stops(scene, wish.arg) else rolling.successor(scene, _ROUND)
    return new if isinstance(new, str) else rolling.record(scene, wish, master, new, first="fetch")


def announce(scene: Scene, record: Operation) -> str:
    """Return what is going to happen."""
    late = behind(scene.hosts)
    order = rolling.in_order(scene, record, frozenset(late))
    packages = ", ".join(dict.fromkeys(shown(late[name]) for name in order))
    after = ", the last one after a switchover" if scene.name(record.old) in order and record.new else ""
    return f"{packages} is to be installed on {', '.join(order)}, one after the other{after}"


# -- step by step


def move(scene: Scene, record: Operation) -> Move:
    """Return what comes next at the step that is recorded."""
    if record.step != "fetch":
        return rolling.move(scene, record, _ROUND)
    says = f"{title(scene, record)}: the hosts' repositories are asked"
    return Move(record, fetches(scene.hosts), says, Move(at_step(record, "replicas", scene), (), says))


def give_up(scene: Scene, record: Operation, why: str) -> Move:
    """Return the way back; what came about while nobody looked counts."""
    return given_up(scene, record, why) if record.step == "fetch" else rolling.give_up(scene, record, why, _ROUND)


def _next(scene: Scene) -> tuple[Step, ...] | str:
    """Return what upgrades the next host that is not the master's, or why not now."""
    for name, host in behind(scene.hosts).items():
        if _is_master(scene, name):
            continue
        reason = why_not_upgraded(scene.desired, scene.facts, host, scene.verdict)
        return f"{name}: {reason}" if reason else (upgrade(scene.desired, scene.facts, host, scene.verdict),)
    return ()


def _is_master(scene: Scene, name: str) -> bool:
    return isinstance(scene.verdict.master, Confirmed) and scene.verdict.master.host == name


def _stops(scene: Scene, arg: str) -> bool:
    """Whether the master is not to be touched: nobody has asked for it."""
    return scene.desired.supervised and arg != choose.BEST


def _told(step: Step) -> Step:
    if not isinstance(step.action, UpgradePackage):
        return step
    package = step.action.package
    return replace(step, what=f"{COMMANDS['last']}, which is a replica now, to {package.name}-{package.version}")


def _left(scene: Scene, record: Operation) -> str:
    return asks(scene) if _stops(scene, record.arg) else ""


_ROUND = Round(
    NAME,
    waits=lambda scene: frozenset(behind(scene.hosts)),
    steps=_next,
    told=_told,
    done="every host has the package that is declared",
    stops=_left,
)
