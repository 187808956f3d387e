"""Recover: a person says which redis is to be master where the sentinels cannot make one.

start    the stopped master itself: it is started with what is on its disk, and the sentinels name it already
promote  or a replica: it is made a master (SLAVEOF NO ONE)
halt     one sentinel is stopped
edit     its file names the new master, at a config epoch above all that any sentinel has heard of
name     it is started: the others hear of the higher epoch from it and follow, also those that come back later
agree    nothing is done until a majority of the sentinels names the new master; the ordinary pass mends the rest
restore  (every procedure's last step)

SENTINEL FAILOVER would do the same, but only with a replica that the sentinels may promote. REMOVE and MONITOR on every
sentinel would begin at epoch 0 again: one that was away then brings all of them back to the old master. Up to the
promotion nothing is changed; from there on it is gone to its end.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.judge.aside import field_of
from redis_sentinel_operator.judge.master import Redises, Sentinels, views
from redis_sentinel_operator.judge.recovering import Reign, may_still_fail_over, why_not_promote, why_not_start
from redis_sentinel_operator.model.fact import Known
from redis_sentinel_operator.model.operation import Operation, Promote, StartStopped
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import EditConf, Impact, StartUnit, Step, StopUnit
from redis_sentinel_operator.model.verdict import Confirmed, MasterRecord, Situation
from redis_sentinel_operator.operations.move import RESTORE, Move, Scene, Wish, at_step, given_up, title
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Stage
from redis_sentinel_operator.times import precise

NAME = "recover"
# How the sentence of each step's command begins.
COMMANDS: Mapping[str, str] = {
    "start": "start the last master (",
    "promote": "make redis the master in place of",
    "halt": "stop the sentinel (",
    "edit": "name the new master in",
    "name": "start the sentinel (",
}
# Seconds in which each step ends or it is given up: a master may take long to load its data.
DEADLINES: Mapping[str, float] = {
    "start": 600.0,
    "promote": 60.0,
    "halt": 60.0,
    "edit": 60.0,
    "name": 60.0,
    "agree": 120.0,
}
FORWARD = frozenset({"halt", "edit", "name", "agree"})
_ABOVE = 10  # epochs left free: an attempt that a sentinel begins meanwhile takes the next one
_WHY = "a person asked for it by the act annotation"


# -- before it begins


def begin(scene: Scene, wish: Wish) -> Operation | str:
    """Return the record of a recovery that may begin, or the sentence why not and what would make it go."""
    last = scene.last
    if scene.verdict.situation is not Situation.ALIVE:
        return f"{scene.verdict.situation_message.rstrip('. ')}; a master is recovered only in a living cluster"
    if last is None:
        return (
            "no master was ever confirmed, so that nobody can tell which data are the newest: start redis by hand on "
            "the host whose data are to stay"
        )
    names = [host.name for host in scene.desired.redis_hosts if host.address != last.address]
    old = scene.name(last.address)
    if wish.arg not in [host.name for host in scene.desired.redis_hosts]:
        return (
            f"{wish.arg} is no host of spec.hosts that runs redis: name {old} to start it again with what is on "
            f"its disk, or the replica that is to be master ({', '.join(names)})"
        )
    reason = _aside(scene, wish.arg) or may_still_fail_over(scene.desired, _sentinels(scene), scene.verdict)
    if reason:
        return reason
    host = next((each for each in scene.hosts if each.name == wish.arg), None)
    if host is None:
        return next(each for each in scene.unread if each.startswith(f"{wish.arg} "))
    return (
        _record_of_start(scene, wish, last, host)
        if host.want.address == last.address
        else _of_replica(scene, wish, last, host)
    )


def _aside(scene: Scene, name: str) -> str | None:
    """Why a host may not run redis at all."""
    host = scene.desired.host(name)
    return f"{field_of(host)} names {name}: take it out of there first" if host.aside else None


def _record_of_start(scene: Scene, wish: Wish, last: MasterRecord, host: Host) -> Operation | str:
    reason = why_not_start(
        host.name, Reign(last.address, last.config_epoch), scene.desired, _sentinels(scene), _redis(scene)
    )
    return reason or _cannot_start(host) or _record(scene, wish, last)


def _cannot_start(host: Host) -> str | None:
    """Why a stopped master would not come back as the master that it was, with data."""
    conf, unit, data = host.conf(), host.units.get(host.redis_unit), host.facts.data
    if not host.redis_stopped:
        return f"redis on {host.name} does not listen, but is not stopped either ({_state(host)}): stop it first"
    if conf is None or conf.broken or unit is None or not unit.installed:
        return f"redis on {host.name} cannot be started: its {host.redis_path} or its unit is not in order"
    if conf.get("slaveof") is not None:
        return f"{host.redis_path} on {host.name} says slaveof, so it would come up as a replica: take that line out"
    if not isinstance(data, Known) or not data.value:
        return (
            f"{host.name} has no data on its disk that could be read, and as master it would empty its replicas: name "
            "the replica that is to be master instead"
        )
    return None


def _state(host: Host) -> str:
    unit = host.units.get(host.redis_unit)
    return f"its unit is {unit.active}" if unit else "it has no unit"


def _of_replica(scene: Scene, wish: Wish, last: MasterRecord, host: Host) -> Operation | str:
    reason = why_not_promote(
        host.name, Reign(last.address, last.config_epoch), scene.desired, _sentinels(scene), _redis(scene)
    )
    if reason:
        return reason
    chosen = next((each for each in scene.hosts if _may_be_told(scene, each)), None)
    if chosen is None:
        return "no sentinel that runs by its unit could be told who is master: start one first"
    return replace(_record(scene, wish, last), step="promote", new=host.want.address, sentinel=chosen.want.address)


def _may_be_told(scene: Scene, host: Host) -> bool:
    """Whether its sentinel can be stopped, and started with another master in its file."""
    conf, answers = host.sentinel_conf, host.sentinel
    by_unit = answers is not None and bool(host.unit_of(answers))
    return (
        host.want.sentinel
        and not host.want.aside
        and by_unit
        and conf is not None
        and scene.desired.master_name in conf.masters
    )


def _record(scene: Scene, wish: Wish, last: MasterRecord) -> Operation:
    at = precise(scene.now)
    return Operation(
        id=uuid.uuid4().hex,
        type=NAME,
        step="start",
        started_at=at,
        since=at,
        at=wish.at,
        arg=wish.arg,
        old=last.address,
        new="",
        config_epoch=last.config_epoch,
        sentinel="",
    )


def announce(scene: Scene, record: Operation) -> str:
    """Return what is going to happen."""
    old = scene.name(record.old)
    if not record.new:
        return f"redis on {old} is to be started with what is on its disk; its replicas copy that"
    return (
        f"redis on {scene.name(record.new)} is to be made the master, and the sentinels are told; what {old} had not "
        "sent it is lost"
    )


# -- step by step


def move(scene: Scene, record: Operation) -> Move:
    """Return what comes next at the step that is recorded."""
    if record.step == "start":
        return _start(scene, record)
    return _promote(scene, record) if record.step == "promote" else _told(scene, record)


def give_up(scene: Scene, record: Operation, why: str) -> Move:
    """Return the end of it; what came about is told."""
    if record.step == "start" and (scene.host(record.old) is None or _runs(scene, record.old)):
        return given_up(scene, record, f"redis on {scene.name(record.old)} {_seen(scene, record.old)}; {why}")
    if record.step == "promote" and not _is_master(scene, record.new):
        return given_up(scene, record, why)
    if record.step == "promote":
        return _told(scene, record)
    return given_up(scene, record, f"{_half(scene, record)}: {why}" if record.step in FORWARD else why)


def _start(scene: Scene, record: Operation) -> Move:
    old, name = scene.host(record.old), scene.name(record.old)
    if old is not None and old.redis is not None and not old.redis.loading:
        if old.redis.role == "master":
            return _done(scene, record, f"redis on {name} runs again as the master, with what was on its disk")
        return given_up(scene, record, f"redis on {name} came up as a {old.redis.role}")
    if old is None or not old.redis_stopped:
        return Move(record, (), f"{title(scene, record)}: waits until redis on {name} answers")
    sentinels, redis = _sentinels(scene), _redis(scene)
    reason = _elsewhere(scene, record) or why_not_start(name, _reign(record), scene.desired, sentinels, redis)
    if reason:
        return given_up(scene, record, reason)
    what = f"{COMMANDS['start']}{old.redis_unit})"
    action = StartStopped(old.redis_unit, old.family.redis_log, record.old, record.config_epoch)
    step = Step(old.name, what, _WHY, action, Stage.MASTER, Impact.RESTART)
    return Move(record, (step,), f"{title(scene, record)}: redis is started")


def _promote(scene: Scene, record: Operation) -> Move:
    if _is_master(scene, record.new):
        return _told(scene, record)
    new, name = scene.host(record.new), scene.name(record.new)
    sentinels, redis = _sentinels(scene), _redis(scene)
    reason = _elsewhere(scene, record) or why_not_promote(name, _reign(record), scene.desired, sentinels, redis)
    if reason or new is None or new.redis is None:
        return given_up(scene, record, reason or f"{name} could not be read")
    what = f"{COMMANDS['promote']} {scene.name(record.old)}"
    action = Promote(record.old, record.config_epoch, new.redis.run_id)
    step = Step(new.name, what, _WHY, action, Stage.ROLE, Impact.FAILOVER)
    return Move(record, (step,), f"{title(scene, record)}: {name} is made the master")


def _told(scene: Scene, record: Operation) -> Move:
    """One sentinel is told by its file, and the others hear it from that one: what is next shows on its host."""
    master, name = scene.verdict.master, scene.name(record.new)
    if isinstance(master, Confirmed) and master.address == record.new:
        message = f"{name} is the master at config epoch {master.config_epoch}, in place of {scene.name(record.old)}"
        return _done(scene, record, message)
    reason = _elsewhere(scene, record)
    if reason:
        return given_up(scene, record, reason)
    host = scene.host(record.sentinel)
    if host is None:
        return Move(record, (), f"{title(scene, record)}: waits for {scene.name(record.sentinel)}")
    answers = host.sentinel
    if answers is not None and answers.view is not None and answers.view.address == record.new:
        return Move(_at(record, "agree", scene), (), f"{title(scene, record)}: waits until the sentinels have followed")
    if answers is not None:
        action = StopUnit(host.sentinel_unit)
        return _sentinel(scene, record, "halt", host, action)
    if not host.sentinel_stopped:
        return Move(record, (), f"{title(scene, record)}: waits for the sentinel of {host.name}")
    edit = _edit(scene, record, host)
    if edit is not None:
        return _sentinel(scene, record, "edit", host, edit)
    start = StartUnit(host.sentinel_unit, scene.desired.sentinel_port, sentinel=True, log=host.family.sentinel_log)
    return _sentinel(scene, record, "name", host, start)


def _sentinel(scene: Scene, record: Operation, step: str, host: Host, action: StopUnit | EditConf | StartUnit) -> Move:
    why = f"{scene.name(record.new)} is master, and the sentinels follow the one with the highest epoch"
    on = f" {action.path}" if isinstance(action, EditConf) else f"{action.unit})"
    what = f"{COMMANDS[step]}{on}"
    todo = Step(host.name, what, why, action, Stage.SENTINELS)
    return Move(_at(record, step, scene), (todo,), f"{title(scene, record)}: {what}")


def _edit(scene: Scene, record: Operation, host: Host) -> EditConf | None:
    """Return the change of its file, None where the file names the new master already."""
    name, conf, file = scene.desired.master_name, host.sentinel_conf, host.files.get(host.sentinel_path)
    if conf is None or file is None or name not in conf.masters or conf.masters[name].address == record.new:
        return None
    heard = [each.sentinel_conf.highest_epoch for each in scene.hosts if each.sentinel_conf is not None]
    heard += [view.config_epoch for view in views(scene.desired, _sentinels(scene)).values()]
    epoch = max(record.config_epoch, *heard) + _ABOVE
    text = conf.with_master(name, record.new, scene.desired.redis_port, epoch)
    directives = {f"sentinel monitor {name}": record.new, f"sentinel config-epoch {name}": str(epoch)}
    owner, group = host.family.user, host.family.conf_group
    return EditConf(file.path, directives, (), owner, group, Secret(text), sha256(file.text))


# -- what several steps use


def _at(record: Operation, step: str, scene: Scene) -> Operation:
    return record if record.step == step else at_step(record, step, scene)


def _elsewhere(scene: Scene, record: Operation) -> str | None:
    """Return a sentence where the sentinels have a master after all."""
    master = scene.verdict.master
    if isinstance(master, Confirmed) and master.address != record.new:
        return f"{master.host} is master at config epoch {master.config_epoch} by now"
    for name, view in views(scene.desired, _sentinels(scene)).items():
        if view.address not in ("", record.old, record.new):
            return f"the sentinel on {name} names {scene.name(view.address)} by now"
    return None


def _reign(record: Operation) -> Reign:
    return Reign(record.old, record.config_epoch)


def _half(scene: Scene, record: Operation) -> str:
    """Say what is, where the sentinels do not follow."""
    name = scene.name(record.new)
    return (
        f"redis on {name} {_seen(scene, record.new)}, but no majority of the sentinels names it. Look at the sentinel "
        f"on {scene.name(record.sentinel)} and ask for recover {name} again"
    )


def _seen(scene: Scene, address: str) -> str:
    host = scene.host(address)
    if host is None or host.redis is None:
        return "does not answer"
    return f"runs again as a {host.redis.role}" if host.redis.role == "master" else f"runs as a {host.redis.role}"


def _runs(scene: Scene, address: str) -> bool:
    host = scene.host(address)
    return host is not None and host.redis is not None


def _is_master(scene: Scene, address: str) -> bool:
    host = scene.host(address)
    return host is not None and host.redis is not None and host.redis.role == "master"


def _done(scene: Scene, record: Operation, message: str) -> Move:
    done = replace(at_step(record, RESTORE, scene), result="Done", message=message)
    return Move(done, (), f"{title(scene, record)}: {message}")


def _sentinels(scene: Scene) -> Sentinels:
    return {name: each.sentinel for name, each in scene.facts.hosts.items()}


def _redis(scene: Scene) -> Redises:
    return {name: each.redis for name, each in scene.facts.hosts.items()}
