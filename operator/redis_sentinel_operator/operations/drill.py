"""Drill: the master's redis is stopped, and what the sentinels then do is watched, measured and told.

stop     all agree, every replica follows: redis is stopped cleanly, so that its data are on its disk
watch    the sentinels find out, elect, promote: nothing is done until a majority of them names another master
rejoin   the stopped one comes back as a replica of that one, as after every failover
back     no failover came: it is started as the master that it was, where nobody can have been promoted meanwhile
restore  (every procedure's last step) the record is struck from the hosts
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from redis_sentinel_operator.judge.aside import listed
from redis_sentinel_operator.judge.findings import trouble_of_replica
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.switching import why_not_start_again
from redis_sentinel_operator.model.event import Failover
from redis_sentinel_operator.model.operation import Operation, StartAgain, StopMaster
from redis_sentinel_operator.model.step import Impact, Need, Step
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations import choose
from redis_sentinel_operator.operations.move import (
    RESTORE,
    Move,
    Scene,
    Wish,
    at_step,
    given_up,
    giving_up,
    title,
)
from redis_sentinel_operator.operations.resync import cannot_resync
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Stage
from redis_sentinel_operator.times import precise, seconds

NAME = "drill"
# How the sentence of each step's command begins.
COMMANDS: Mapping[str, str] = {"stop": "stop redis", "rejoin": "start redis (", "back": "start redis again"}
# Seconds in which each step ends or the way back is taken. How long is watched is up to the sentinels' settings.
DEADLINES: Mapping[str, float] = {"stop": 90.0, "watch": 300.0, "rejoin": 180.0, "back": 60.0}
FORWARD = frozenset({"watch", "rejoin", "back"})  # redis is stopped: whatever else is wanted now, that is undone first
_WHY = "a drill was asked for by the act annotation"
_CALM = "ask again when phase is Healthy"


# -- before it begins


def begin(scene: Scene, wish: Wish) -> Operation | str:
    """Return the record of a drill that may begin, or the sentence why it may not and what would make it go."""
    master = scene.verdict.master
    reason = why_not(Need.CALM, "", scene.desired, scene.facts, scene.verdict)
    if reason or not isinstance(master, Confirmed):
        why = (reason or "nobody is confirmed as master").rstrip(". ")
        return f"{why}; a drill begins only while all is well: {_CALM}"
    pending = (*scene.unread, *((scene.pending,) if scene.pending else ()))
    if pending:
        return f"something is to be done first: {pending[0].rstrip('. ')}; {_CALM}"
    if wish.arg not in (choose.BEST, master.host):
        return f"a drill is for the master, which is {master.host}: name that, or - for whoever it is"
    old = scene.host(master.address)
    if old is None or old.redis is None:
        return f"redis on {master.host} could not be read; {_CALM}"
    return _cannot(scene, master, old) or _record(scene, wish, master, old)


def _cannot(scene: Scene, master: Confirmed, old: Host) -> str | None:
    """Why it could end badly: nobody to promote, data that would not be there again, sentinels that take too long."""
    aside = scene.desired.hosts_aside
    if aside:
        return f"a drill needs all hosts, and left out on purpose are {listed(aside)}: take them out of there first"
    new = choose.successor(scene, master, choose.BEST, NAME)
    if isinstance(new, str):
        return new
    redis = [host for host in scene.hosts if host.want.redis]
    return cannot_resync(old, new, redis, 0.0) or _would_lose(old) or _too_slow(scene)


def _would_lose(old: Host) -> str | None:
    """Whether a redis that is stopped cleanly would be without its data when it is started again."""
    redis = old.redis
    if redis is None or not (redis.saved_ok and redis.aof_written_ok):
        return f"{old.name} cannot write its data to disk, and would not be stopped without: make room there first"
    if redis.config.get("appendonly") != "yes" and not redis.config.get("save"):
        return (
            f"{old.name} keeps its data in memory only: if no failover came it would be started again without them. "
            "Set save or appendonly in spec.redis.config first"
        )
    return None


def _too_slow(scene: Scene) -> str | None:
    if _patience(scene) <= DEADLINES["watch"]:
        return None
    return (
        f"with these settings the sentinels may take {_patience(scene):.0f} s, and a drill waits for at most "
        f"{DEADLINES['watch']:.0f} s: lower spec.sentinel.downAfterMilliseconds or failoverTimeoutMilliseconds first"
    )


def _patience(scene: Scene) -> float:
    """Seconds in which the sentinels find out and try it, and once more where the first attempt comes to nothing."""
    sentinel = scene.desired.sentinel
    return (sentinel.down_after + 3 * sentinel.failover_timeout) / 1000


def _record(scene: Scene, wish: Wish, master: Confirmed, old: Host) -> Operation:
    at = precise(scene.now)
    return Operation(
        id=uuid.uuid4().hex,
        type=NAME,
        step="stop",
        started_at=at,
        since=at,
        at=wish.at,
        arg=wish.arg,
        old=old.want.address,
        new="",
        config_epoch=master.config_epoch,
        sentinel="",
        offset=old.redis.offset if old.redis else 0,
    )


def announce(scene: Scene, record: Operation) -> str:
    """Return what is going to happen."""
    return f"redis on {scene.name(record.old)} is to be stopped, so that the sentinels replace it"


# -- step by step


def move(scene: Scene, record: Operation) -> Move:
    """Return what comes next at the step that is recorded."""
    if record.step == "stop":
        return _stop(scene, record)
    if record.step == "watch":
        return _watch(scene, record)
    return _rejoin(scene, record) if record.step == "rejoin" else _back(scene, record)


def give_up(scene: Scene, record: Operation, why: str) -> Move:
    """Return the way back: from a redis that may be stopped it is no other than to follow what comes of it."""
    if record.step == "stop" and not _runs(scene, record):
        return Move(at_step(record, "watch", scene), (), f"{title(scene, record)}: redis is stopped")
    if record.step == "watch":
        found = _watch(scene, record)
        return found if found.record.step != "watch" else _no_failover(scene, record, why)
    if record.step == "rejoin":
        found = _rejoin(scene, record)
        why = why if found.record.step == "rejoin" else found.record.message
        return found if found.record.step != "rejoin" else given_up(scene, record, f"{_report(scene, record)}; {why}")
    if record.step == "back":
        found = _back(scene, record)
        return found if found.record.step != "back" else given_up(scene, record, _stays_stopped(scene, record))
    return given_up(scene, record, why)


def _stop(scene: Scene, record: Operation) -> Move:
    old = scene.host(record.old)
    if _successor(scene, record) is not None or (old is not None and old.redis_stopped):
        return Move(at_step(record, "watch", scene), (), f"{title(scene, record)}: redis is stopped")
    if old is None or old.redis is None:
        return Move(record, (), f"{title(scene, record)}: waits until redis has stopped")
    reason = why_not(Need.CALM, "", scene.desired, scene.facts, scene.verdict)
    if reason:
        return given_up(scene, record, reason.rstrip(". "))
    what = f"{COMMANDS['stop']} ({old.redis_unit})"
    action = StopMaster(old.redis_unit, record.config_epoch)
    step = Step(old.name, what, _WHY, action, Stage.MASTER, Impact.FAILOVER)
    return Move(record, (step,), f"{title(scene, record)}: redis is being stopped")


def _watch(scene: Scene, record: Operation) -> Move:
    if _successor(scene, record) is not None:
        return _rejoin(scene, at_step(record, "rejoin", scene))
    if _runs(scene, record):
        why = f"redis on {scene.name(record.old)} was started by somebody before the sentinels had replaced it"
        return given_up(scene, record, why)
    if scene.lasts(record) > _patience(scene):
        return _no_failover(scene, record, f"no failover came about within {_patience(scene):.0f} s")
    return Move(record, (), f"{title(scene, record)}: waits until a majority of the sentinels has switched")


def _no_failover(scene: Scene, record: Operation, why: str) -> Move:
    last = scene.failover
    if last is not None and last.from_host == scene.name(record.old) and last.result == "Aborted":
        why = f"{why} ({last.message.rstrip('. ')})"
    return Move(replace(at_step(record, "back", scene), message=why), (), f"{title(scene, record)}: {why}")


def _rejoin(scene: Scene, record: Operation) -> Move:
    """Bring it back as the plan does after every failover: never while any sentinel names it."""
    old, master = scene.desired.host_at(record.old), scene.verdict.master
    if not isinstance(master, Confirmed) or old is None:
        return Move(record, (), f"{title(scene, record)}: nobody is confirmed as master")
    if not trouble_of_replica(old, scene.facts, master):
        message = f"{_report(scene, record)}; {old.name} is its replica"
        done = replace(at_step(record, RESTORE, scene), result="Done", message=message)
        return Move(done, (), f"{title(scene, record)}: {message}")
    steps = tuple(step for step in scene.todo.steps if step.host == old.name)
    return Move(record, steps, f"{title(scene, record)}: {old.name} comes back as a replica of {master.host}")


def _back(scene: Scene, record: Operation) -> Move:
    old = scene.host(record.old)
    if _successor(scene, record) is not None:
        return _rejoin(scene, replace(at_step(record, "rejoin", scene), message=""))
    if old is not None and _runs(scene, record):
        why = f"{record.message}; redis on {old.name} runs again, with all that it had"
        return Move(giving_up(record, why, scene.now), (), f"{title(scene, record)} is given up: {why}")
    reason = _not_again(scene, record)
    if reason or old is None:
        return Move(record, (), f"{title(scene, record)}: redis stays stopped for now: {reason}")
    what = f"{COMMANDS['back']} ({old.redis_unit})"
    action = StartAgain(old.redis_unit, old.family.redis_log, record.config_epoch)
    step = Step(old.name, what, f"{record.message}, and the drill had stopped it", action, Stage.MASTER, Impact.RESTART)
    return Move(record, (step,), f"{title(scene, record)}: redis is started again")


# -- what several steps use


def _not_again(scene: Scene, record: Operation) -> str | None:
    """Return a sentence why the master that the drill stopped may not be started as such, None when it may."""
    old = scene.host(record.old)
    if old is None:
        return f"{scene.name(record.old)} could not be read"
    unit = old.units.get(old.redis_unit)
    if not old.redis_stopped or unit is None or unit.active != "inactive":
        return f"it is not proved that it was stopped cleanly (its unit is {unit.active if unit else 'not there'})"
    sentinels = {name: each.sentinel for name, each in scene.facts.hosts.items()}
    redis = {name: each.redis for name, each in scene.facts.hosts.items()}
    return why_not_start_again(old.name, record.config_epoch, scene.desired, sentinels, redis)


def _stays_stopped(scene: Scene, record: Operation) -> str:
    name = scene.name(record.old)
    why = (_not_again(scene, record) or "it did not come up").rstrip(". ")
    return (
        f"{record.message}, and redis on {name} stays stopped, as somebody else may be master: {why}. If the sentinels "
        f"switch, the operator brings it back as a replica; if you know that nobody else was promoted, start it there"
    )


def _successor(scene: Scene, record: Operation) -> Confirmed | None:
    """Return the master that the sentinels have made in place of the stopped one, None while there is none."""
    master = scene.verdict.master
    if not isinstance(master, Confirmed) or master.config_epoch <= record.config_epoch:
        return None
    return master if master.address != record.old else None


def _runs(scene: Scene, record: Operation) -> bool:
    old = scene.host(record.old)
    return old is not None and old.redis is not None


def _report(scene: Scene, record: Operation) -> str:
    """Say who is master now and how long each part took, as far as the sentinels were heard."""
    master, last = _successor(scene, record), scene.failover
    who = f"{master.host} is the master at config epoch {master.config_epoch}" if master else "it was replaced"
    if last is None or master is None or (last.from_host, last.to_host) != (scene.name(record.old), master.host):
        return f"{who}; the operator did not hear how it came"
    return f"{who}. {_times(last, seconds(record.started_at))}"


def _times(last: Failover, began: float) -> str:
    marks = (
        ("the sentinels agreed that it is down", last.detected),
        ("elected one of them", last.elected),
        ("promoted the replica", last.promoted),
        ("status named it", last.published),
    )
    told = [f"{what} after {seconds(at) - began:.1f} s" for what, at in marks if at]
    return f"Counted from the stop: {', '.join(told)}"
