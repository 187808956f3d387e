"""Reset-stale: sentinels that do not get over something by themselves are mended, one after the other.

watch    nothing is done for a while: most of what a sentinel is wrong about it puts right by itself
stop     one that runs with its package's file is stopped,
write      gets its file,
start      and is started
monitor  one that stays with a wrong master is told anew who it is (REMOVE, MONITOR and all settings)
forget   one that counts others that are gone forgets them (RESET), when the one before knows all again
agree    nothing is done until every sentinel names the master and knows all others
restore  (every procedure's last step)

What is to be done is read from the hosts each time, so that whoever finds it in the middle goes on. Each step leaves
the cluster no worse than it was, so it may end behind any of them. It is asked for by the act, or begins by itself with
`recovery: Automatic`: then only where it is proved that nothing is lost that somebody may still want.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from redis_sentinel_operator.judge.findings import trouble_of_replica
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.ghosts import ghosts_by_knower, is_replaced
from redis_sentinel_operator.judge.leaving import incomplete, why_not_reset
from redis_sentinel_operator.judge.master import Redises, Sentinels, absences
from redis_sentinel_operator.judge.shipped import runs_as_shipped
from redis_sentinel_operator.judge.stale import agreed, stale, why_not_monitor, wrong
from redis_sentinel_operator.model.operation import MonitorAnew, Operation
from redis_sentinel_operator.model.step import Need, SentinelReset, StartUnit, Step, StopUnit, WriteSentinelConf
from redis_sentinel_operator.model.verdict import Confirmed, Situation
from redis_sentinel_operator.operations.move import RESTORE, Move, Scene, Wish, at_step, given_up, title
from redis_sentinel_operator.plan.part import CONFIRMED, Stage
from redis_sentinel_operator.plan.replaced import ambiguous
from redis_sentinel_operator.times import precise, second, seconds

NAME = "reset-stale"
ALL = "-"
# How the sentence of each step's command begins.
COMMANDS: Mapping[str, str] = {
    "stop": "stop the sentinel that runs with its package's file (",
    "write": "write ",
    "start": "start sentinel (",
    "monitor": "let the sentinel monitor",
    "forget": "let the sentinel forget",
}
# Seconds in which each step ends, for one sentinel, or it is given up.
DEADLINES: Mapping[str, float] = {"watch": 120.0, **dict.fromkeys(COMMANDS, 60.0), "agree": 60.0}
HOLD = 10.0  # seconds in which a sentinel that can follow has followed: the others say hello every two
HOLD_UNASKED = 60.0
_SET_UP = ("stop", "write", "start")
FORWARD = frozenset(_SET_UP)  # the sentinel is stopped, or is about to be: it runs again first, whatever else is wanted
# What SENTINEL REMOVE drops and nobody could set again (from 5.0 on scripts only by the file).
_DROPPED = ("notification-script", "client-reconfig-script", "auth-user", "master-reboot-down-after-period")
_AGAIN = 600.0  # seconds after one that failed without being asked for


@dataclass(frozen=True, slots=True)
class _Task:
    """What one sentinel is to be mended of; `ghosts` are the ids that it counts."""

    kind: Literal["shipped", "stale", "ghosts"]
    host: str
    ghosts: tuple[str, ...] = ()


# -- before it begins


def begin(scene: Scene, wish: Wish) -> Operation | str:
    """Return the record of one that may begin, or the sentence why not and what would make it go."""
    if scene.verdict.situation is not Situation.ALIVE:
        return f"{scene.verdict.situation_message.rstrip('. ')}; sentinels are mended only in a living cluster"
    names = [host.name for host in scene.desired.sentinel_hosts]
    if wish.arg not in (ALL, *names):
        return f"{wish.arg} is no host of spec.hosts with a sentinel: name one of {', '.join(names)}, or {ALL} for all"
    record = _record(scene, wish.arg, wish.at)
    task = next(_tasks(scene, record), None)
    if task is None:
        of = "" if wish.arg == ALL else f" on {wish.arg}"
        return f"no sentinel{of} stays with a wrong master, counts one that is gone, or runs with its package's file"
    if scene.todo.steps:
        first = scene.todo.steps[0]
        return f"something is to be done first: {first.host}: {first.what}; ask again when that is done"
    reason = _why_not(scene, task)
    return f"{_of(scene, task)}, and is not mended now: {reason.rstrip('. ')}" if reason else record


def due(scene: Scene, acts: Sequence[Mapping[str, Any]]) -> Operation | str | None:
    """Return the record of one that begins without being asked for, the sentence why it waits, None where none is due.

    Args:
        scene: what is known.
        acts: status.acts, where an attempt that failed stands.
    """
    if scene.desired.recovery != "Automatic" or scene.verdict.situation is not Situation.ALIVE or scene.todo.steps:
        return None
    record = _record(scene, "", "")
    task = next(_tasks(scene, record), None)
    if task is None or any(sign.startswith("the last switch") for sign in scene.verdict.transition):
        return None  # right after a switch not all have heard of it
    reason = _why_not(scene, task) or _failed_lately(scene, acts)
    return f"{_of(scene, task)}, and is mended when it is safe: {reason.rstrip('. ')}" if reason else record


def _failed_lately(scene: Scene, acts: Sequence[Mapping[str, Any]]) -> str:
    last = next((act for act in reversed(acts) if act.get("verb") == NAME), None)
    if last is None or last.get("result") != "Failed":
        return ""
    age = scene.now.timestamp() - seconds(str(last.get("at", "")))
    return f"the last attempt has failed, and the next is {_AGAIN / 60:.0f} minutes later" if age < _AGAIN else ""


def _record(scene: Scene, arg: str, at: str) -> Operation:
    now = precise(scene.now)
    return Operation(uuid.uuid4().hex, NAME, "watch", now, now, at, arg, "", "", 0, "")


def announce(scene: Scene, record: Operation) -> str:
    """Return what is going to happen."""
    said = "; ".join(_of(scene, task) for task in _tasks(scene, record))
    return f"{said[:1].upper()}{said[1:]}: one after the other is mended, if it stays so for {_hold(record):.0f} s"


# -- what there is to do


def _tasks(scene: Scene, record: Operation) -> Iterator[_Task]:
    """Yield what is wrong, in the order in which it is mended: all must have a vote before anybody forgets one."""
    desired, sentinels, hosts = scene.desired, _sentinels(scene), scene.facts.hosts
    wanted = [host for host in desired.sentinel_hosts if record.arg in ("", ALL, host.name)]
    names = [host.name for host in wanted]
    yield from (_Task("shipped", host.name) for host in wanted if runs_as_shipped(host, hosts.get(host.name)))
    yield from (_Task("stale", name) for name in stale(desired, sentinels) if name in names)
    for name, peers in ghosts_by_knower(desired, hosts).items():
        sure = [peer.id for peer in peers if record.arg or is_replaced(desired, hosts, peer)]
        if name in names and len(sure) == len(peers):
            yield _Task("ghosts", name, tuple(sorted(sure)))


def _of(scene: Scene, task: _Task) -> str:
    """Return a clause that says what is wrong."""
    if task.kind == "shipped":
        return f"the sentinel on {task.host} runs with its package's file"
    if task.kind == "stale":
        return wrong(scene.desired, task.host, _sentinels(scene))
    return f"the sentinel on {task.host} counts {len(task.ghosts)} that are gone"


def _why_not(scene: Scene, task: _Task) -> str | None:
    """Return a sentence why a sentinel may not be mended now, None when it may."""
    desired, sentinels = scene.desired, _sentinels(scene)
    if task.kind == "stale":
        return why_not_monitor(desired, task.host, sentinels, _redis(scene)) or _would_drop(scene, task.host)
    reason = why_not(Need.CONFIRMED, task.host, desired, scene.facts, scene.verdict)
    if reason:
        return reason
    if task.kind == "ghosts":
        return why_not_reset(desired, task.host, sentinels, task.ghosts) or _unlinked(scene)
    if scene.verdict.transition:
        return scene.verdict.transition[0]
    host = next((each for each in scene.hosts if each.name == task.host), None)
    return f"{task.host} could not be read" if host is None else ambiguous(desired, host, scene.facts) or None


def _unlinked(scene: Scene) -> str | None:
    """Say so where a replica is not in touch: a sentinel that forgets would not find it again before it is."""
    master = scene.verdict.master
    for host in scene.desired.redis_hosts:
        if isinstance(master, Confirmed) and host.name != master.host:
            trouble = trouble_of_replica(host, scene.facts, master)
            if trouble:
                return f"{host.name}: {trouble}"
    return None


def _would_drop(scene: Scene, name: str) -> str | None:
    """Say so where its file has settings of the master that could not be given to it again."""
    host = next((each for each in scene.hosts if each.name == name), None)
    conf = host.sentinel_conf if host is not None else None
    if host is None or conf is None:
        return f"the sentinel.conf of {name} could not be read"
    kept = [each for each in _DROPPED if conf.setting(scene.desired.master_name, each) is not None]
    if kept:
        return (
            f"{host.sentinel_path} on {name} has {', '.join(kept)}, which it would lose: stop the sentinel there, "
            "correct its sentinel monitor line and remove its config-epoch, and start it"
        )
    return None


# -- step by step


def move(scene: Scene, record: Operation) -> Move:
    """Return what comes next."""
    if record.step == "watch":
        return _watch(scene, record)
    if record.step in _SET_UP:
        going_on = _set_up(scene, record)
        if going_on is not None:
            return going_on
        if scene.leaving:
            return given_up(scene, record, scene.leaving)
    task = next(_tasks(scene, record), None)
    return _agree(scene, record) if task is None else _do(scene, record, task)


def _watch(scene: Scene, record: Operation) -> Move:
    task = next(_tasks(scene, record), None)
    if task is None:
        return _done(scene, record, "nothing had to be done: the sentinels got over it by themselves")
    reason = _why_not(scene, task)
    if reason is None and scene.todo.steps:
        reason = f"something is to be done first: {scene.todo.steps[0].host}: {scene.todo.steps[0].what}"
    if reason:
        return given_up(scene, record, reason.rstrip(". "))
    if scene.lasts(record) < _hold(record):
        return Move(
            record, (), f"{title(scene, record)}: {_of(scene, task)}; that is watched for {_hold(record):.0f} s"
        )
    # From here on it is told in status.acts, also where nobody asked for it.
    return _do(scene, replace(record, at=record.at or second(scene.now)), task)


def _hold(record: Operation) -> float:
    return HOLD if record.arg else HOLD_UNASKED


def _do(scene: Scene, record: Operation, task: _Task) -> Move:
    """Mend one sentinel, or wait until the one before knows all again."""
    wrong_ones = {each.host for each in _tasks(scene, record) if each.kind != "ghosts"}
    missing = _unacquainted(scene, frozenset(wrong_ones)) if record.step != "watch" else ""
    if missing and task.kind != "shipped":
        return Move(record, (), f"{title(scene, record)}: {missing}")
    if task.kind == "stale" and _may_follow_yet(scene, record, task):
        return Move(record, (), f"{title(scene, record)}: {_of(scene, task)}; it is waited whether it follows")
    reason = _why_not(scene, task)
    if reason:
        return given_up(scene, record, reason.rstrip(". "))
    step, todo = _step(scene, task)
    return Move(_at(scene, record, step, task.host), (todo,), f"{title(scene, record)}: {todo.host}: {todo.what}")


def _may_follow_yet(scene: Scene, record: Operation, task: _Task) -> bool:
    """Whether one that was not stale when the rest was watched has only just begun: as one that was set up does."""
    same = (record.step, record.sentinel) == ("monitor", scene.desired.address_of(task.host))
    return record.step != "watch" and not same and scene.lasts(record) < HOLD


def _step(scene: Scene, task: _Task) -> tuple[str, Step]:
    desired = scene.desired
    if task.kind == "shipped":
        unit = next(each.sentinel_unit for each in scene.hosts if each.name == task.host)
        what, why = f"{COMMANDS['stop']}{unit})", f"it watches nothing of {desired.master_name}"
        return "stop", Step(task.host, what, why, StopUnit(unit), Stage.SENTINEL_CONF, needs=CONFIRMED)
    if task.kind == "stale":
        right = agreed(desired, _sentinels(scene))
        assert right is not None  # noqa: S101 - why_not_monitor has asked
        what = f"{COMMANDS['monitor']} {scene.name(right.address)} (SENTINEL REMOVE, MONITOR and SET)"
        why = f"a majority names {right.address} at config epoch {right.config_epoch}, and it does not follow"
        return "monitor", Step(task.host, what, why, MonitorAnew(right.address, right.config_epoch), Stage.SENTINELS)
    action = SentinelReset(desired.master_name, desired.sentinel_port, task.ghosts)
    what = f"{COMMANDS['forget']} what is gone (SENTINEL RESET {desired.master_name})"
    why = f"{len(task.ghosts)} that are gone would count as voters for ever"
    return "forget", Step(task.host, what, why, action, Stage.SENTINELS, needs=CONFIRMED)


def _set_up(scene: Scene, record: Operation) -> Move | None:
    """Return how a stopped sentinel is set up, as the plan does it with any; None when it runs again."""
    host = scene.host(record.sentinel)
    if host is None:
        return Move(record, (), f"{title(scene, record)}: waits for {scene.name(record.sentinel)}")
    if host.sentinel is not None or runs_as_shipped(host.want, host.facts):
        return None
    todo = [each for each in scene.todo.steps if each.host == host.name and _sets_up(each)]
    if not todo or not host.sentinel_stopped:
        waits = scene.todo.waiting[0] if scene.todo.waiting else f"the sentinel of {host.name} answers"
        return Move(record, (), f"{title(scene, record)}: waits: {waits}")
    first = min(todo, key=lambda each: isinstance(each.action, StartUnit))
    step = "start" if isinstance(first.action, StartUnit) else "write"
    return Move(_at(scene, record, step, host.name), (first,), f"{title(scene, record)}: {host.name}: {first.what}")


def _sets_up(step: Step) -> bool:
    start = isinstance(step.action, StartUnit) and step.action.sentinel
    return start or isinstance(step.action, WriteSentinelConf)


def _agree(scene: Scene, record: Operation) -> Move:
    """All is done when every sentinel answers, names the master, and knows all others and all replicas."""
    missing, master = _unacquainted(scene), scene.verdict.master
    if missing or not isinstance(master, Confirmed):
        waits = missing or "nobody is confirmed as master"
        return Move(_at(scene, record, "agree", ""), (), f"{title(scene, record)}: {waits.rstrip('. ')}")
    said = f"every sentinel names {master.host} at config epoch {master.config_epoch} and knows all others"
    return _done(scene, record, said)


def _unacquainted(scene: Scene, but: frozenset[str] = frozenset()) -> str:
    """Return a sentence for a sentinel that does not answer or know all others, "" for none; some hosts left out."""
    hosts = tuple(replace(each, sentinel=each.sentinel and each.name not in but) for each in scene.desired.hosts)
    desired, sentinels = replace(scene.desired, hosts=hosts), _sentinels(scene)
    away = absences(desired, sentinels)
    return away[0] if away else incomplete(desired, "", sentinels, down=False) or ""


def _done(scene: Scene, record: Operation, message: str) -> Move:
    done = replace(at_step(record, RESTORE, scene), result="Done", message=message)
    return Move(done, (), f"{title(scene, record)}: {message}")


def _at(scene: Scene, record: Operation, step: str, host: str) -> Operation:
    """Return the record at a step for one sentinel; each has its own time."""
    address = scene.desired.address_of(host)
    if (record.step, record.sentinel) == (step, address):
        return record
    return replace(at_step(record, step, scene), sentinel=address)


def _sentinels(scene: Scene) -> Sentinels:
    return {name: each.sentinel for name, each in scene.facts.hosts.items()}


def _redis(scene: Scene) -> Redises:
    return {name: each.redis for name, each in scene.facts.hosts.items()}
