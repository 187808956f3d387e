"""Switchover: another replica becomes master, by a failover that one sentinel is asked for, without losing a write.

prefer   the wanted replica gets the lowest priority, and the sentinel to be asked has read it
fence    the master takes no writes, the replica has all that it took
ask      SENTINEL FAILOVER, once: whoever finds this step recorded only watches what becomes of it
demote   the old master becomes a replica of the new one and its fence is taken away
restore  (every procedure's last step) what was changed for a while is put back
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace

from redis_sentinel_operator.conf.version import at_least
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.master import views
from redis_sentinel_operator.model.fact import RedisFacts
from redis_sentinel_operator.model.operation import AskFailover, Before, Demote, Fence, Operation
from redis_sentinel_operator.model.step import ConfigSet, Impact, Need, Step
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations import choose
from redis_sentinel_operator.operations.leftovers import PAUSES
from redis_sentinel_operator.operations.move import RESTORE, Move, Scene, Wish, at_step, given_up, giving_up, title
from redis_sentinel_operator.operations.resync import cannot_resync
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Stage
from redis_sentinel_operator.plan.priorities import DIRECTIVE
from redis_sentinel_operator.times import precise, seconds

NAME = "switchover"
# How the sentence of each step's command begins.
COMMANDS: Mapping[str, str] = {
    "prefer": f"set {DIRECTIVE}",
    "fence": "let redis take no writes for a while",
    "ask": "ask the sentinel for a failover",
    "demote": "make it a replica of",
}
FORWARD = frozenset({"ask", "demote"})  # once a sentinel was asked the way back is to follow it: else writes are lost
# Seconds in which each step ends or the way back is taken.
DEADLINES: Mapping[str, float] = {"prefer": 45.0, "fence": 15.0, "ask": 20.0, "demote": 30.0}
_FIRST, _OTHERS = "1", "2"  # priorities; 0 would keep a replica from being promoted when it must be
_WRITES, _LAG = "min-slaves-to-write", "min-slaves-max-lag"
_TOO_MANY = "99"  # replicas that nobody has: no plain write is taken
_SOME_LAG = "10"  # with 0 the other directive does nothing
_OPENS = 20.0  # seconds until the host itself opens a fence: later than sentinel makes the old master a replica


# -- before it begins


def announce(scene: Scene, record: Operation) -> str:
    """Return what is going to happen."""
    return f"{scene.name(record.new)} is to become master instead of {scene.name(record.old)}"


def begin(scene: Scene, wish: Wish) -> Operation | str:
    """Return the record of a switchover that may begin, or the sentence why it may not and what would make it go."""
    master = scene.verdict.master
    reason = why_not(Need.CALM, "", scene.desired, scene.facts, scene.verdict)
    if reason or not isinstance(master, Confirmed):
        why = (reason or "nobody is confirmed as master").rstrip(". ")
        return f"{why}; a switchover begins only while all is calm: ask again when phase is Healthy"
    pending = (*scene.unread, *((scene.pending,) if scene.pending else ()))
    if pending:
        return f"something is to be done first: {pending[0].rstrip('. ')}; ask again when phase is Healthy"
    new = choose.successor(scene, master, wish.arg, wish.verb)
    old = scene.host(master.address)
    if isinstance(new, str):
        return new
    if old is None or old.redis is None:
        return f"redis on {master.host} could not be read; ask again when phase is Healthy"
    return cannot_resync(old, new, _redis_hosts(scene), 0.0) or _record(scene, wish, master, old, new)


def _record(scene: Scene, wish: Wish, master: Confirmed, old: Host, new: Host) -> Operation:
    at = precise(scene.now)
    asked = choose.sentinel(scene, old.want.address, new.want.address)
    return Operation(
        id=uuid.uuid4().hex,
        type=NAME,
        step="prefer",
        started_at=at,
        since=at,
        at=wish.at,
        arg=wish.arg,
        old=old.want.address,
        new=new.want.address,
        config_epoch=master.config_epoch,
        sentinel=asked,
        offset=old.redis.offset if old.redis else 0,
        before={host.want.address: values for host in _redis_hosts(scene) if (values := _changes(host, old, new))},
    )


def _changes(host: Host, old: Host, new: Host) -> dict[str, Before]:
    """Return what will be changed on a host for a while, as it is now: also what sentinel may write into its file."""
    names = [DIRECTIVE] if host is not old and _wanted_priority(host, new.want.address) is not None else []
    if host is old and not _pauses(host.redis):
        names = [_WRITES, _LAG]
    conf, live = host.conf(), host.redis.config if host.redis else {}
    return {name: Before(live[name], conf.get(name) if conf else None) for name in names if name in live}


def _wanted_priority(host: Host, new: str) -> str | None:
    """Return the priority that a replica must have so that `new` comes first, None where it may stay as it is."""
    have = host.redis.config.get(DIRECTIVE, "") if host.redis else ""
    if host.want.address == new:
        return _FIRST if have != _FIRST else None
    return _OTHERS if have == _FIRST else None


# -- step by step


def give_up(scene: Scene, record: Operation, why: str) -> Move:
    """Return the way back after a deadline, or of what may not go on; a switch may have come while nobody looked."""
    moved = move(scene, record) if record.step == "ask" else None
    return moved if moved is not None and moved.record.step != "ask" else given_up(scene, record, why)


def move(scene: Scene, record: Operation) -> Move:
    """Return what comes next at the step that is recorded."""
    if record.step in ("prefer", "fence"):
        return _before_the_question(scene, record)
    if record.step == "ask":
        return _watch(scene, record)
    return _demote(scene, record)


def _before_the_question(scene: Scene, record: Operation) -> Move:
    """Until a sentinel is asked the whole gate must hold in every pass."""
    master, old, new = scene.verdict.master, scene.host(record.old), scene.host(record.new)
    if not isinstance(master, Confirmed):
        return _back(scene, record, master.message)
    if (master.address, master.config_epoch) != (record.old, record.config_epoch):
        return _back(scene, record, f"{master.host} is master at config epoch {master.config_epoch} by now")
    reason = why_not(Need.CALM, "", scene.desired, scene.facts, scene.verdict)
    if reason:
        return _back(scene, record, reason)
    if old is None or new is None or old.redis is None:
        return _back(scene, record, scene.unread[0] if scene.unread else f"{scene.name(record.old)} was not read")
    unfit = choose.unfit(new, choose.compared(scene, record.type, record.old))
    if unfit:
        return _back(scene, record, unfit)
    if record.step == "prefer":
        preferring = _prefer(scene, record)
        if preferring is not None:
            return preferring
    rate = (old.redis.offset - record.offset) / max(1.0, scene.now.timestamp() - seconds(record.started_at))
    return _back_if(cannot_resync(old, new, _redis_hosts(scene), rate), scene, record) or _fence(scene, record, old)


def _prefer(scene: Scene, record: Operation) -> Move | None:
    """Return the move that lets sentinel choose the wanted replica, None when it would now."""
    steps = []
    for host in _redis_hosts(scene):
        wanted = None if host.want.address == record.old else _wanted_priority(host, record.new)
        if wanted is not None:
            what = f"{COMMANDS['prefer']} {wanted} on the running redis for a while"
            action = ConfigSet({DIRECTIVE: wanted}, scene.desired.redis_port)
            steps.append(Step(host.name, what, _why(record), action, Stage.FILES))
    asked = scene.name(record.sentinel)
    if not steps and _is_preferred(scene, record):
        return None
    says = f"{title(scene, record)}: waits until the sentinel on {asked} has read which replica is wanted"
    return Move(record, tuple(steps), f"{says} (it reads every 10 s)")


def _is_preferred(scene: Scene, record: Operation) -> bool:
    """Whether the sentinel to be asked would choose the wanted replica, by what it has read."""
    sentinels = {name: each.sentinel for name, each in scene.facts.hosts.items()}
    view = views(scene.desired, sentinels).get(scene.name(record.sentinel))
    seen = {each.address: each.priority for each in view.replicas} if view else {}
    own = seen.pop(record.new, 0)
    return own > 0 and all(own < other for other in seen.values() if other > 0)


def _fence(scene: Scene, record: Operation, old: Host) -> Move:
    fenced = record if record.step == "fence" else at_step(record, "fence", scene)
    fence = _fence_of(scene, record, old)
    pause = "CLIENT PAUSE WRITE" if not fence.values else f"{_WRITES} {_TOO_MANY}"
    what = f"{COMMANDS['fence']} ({pause})"
    step = Step(old.name, what, _why(record), fence, Stage.MASTER, Impact.FAILOVER)
    return Move(fenced, (step,), f"{title(scene, record)}: the master takes no writes", _ask(scene, fenced, fence))


def _fence_of(scene: Scene, record: Operation, old: Host) -> Fence:
    port, new = scene.desired.redis_port, scene.name(record.new)
    if _pauses(old.redis):
        # A paused server also keeps a sentinel waiting that publishes there: no longer than it takes to call it down.
        return Fence(port, min(_OPENS, scene.desired.sentinel.down_after / 1000), new)
    before = record.before[record.old]
    lag = before[_LAG].live
    back = {_WRITES: before[_WRITES].live, _LAG: lag}
    return Fence(port, _OPENS, new, {_LAG: _SOME_LAG if lag == "0" else lag, _WRITES: _TOO_MANY}, back)


def _ask(scene: Scene, record: Operation, fence: Fence) -> Move:
    asked = scene.name(record.sentinel)
    what = f"{COMMANDS['ask']} to {scene.name(record.new)} (SENTINEL FAILOVER)"
    action = AskFailover(fence, scene.name(record.old), record.config_epoch)
    step = Step(asked, what, _why(record), action, Stage.SENTINELS, Impact.FAILOVER)
    says = f"{title(scene, record)}: the sentinel on {asked} was asked"
    return Move(at_step(record, "ask", scene), (step,), says)


def _watch(scene: Scene, record: Operation) -> Move:
    """A question that is recorded is never asked again: what became of it shows."""
    master = scene.verdict.master
    if not isinstance(master, Confirmed) or master.config_epoch <= record.config_epoch or master.address == record.old:
        return Move(record, (), f"{title(scene, record)}: waits until a majority of the sentinels has switched")
    return _demote(scene, at_step(record, "demote", scene))


def _demote(scene: Scene, record: Operation) -> Move:
    master, old = scene.verdict.master, scene.host(record.old)
    if not isinstance(master, Confirmed):
        return Move(record, (), f"{title(scene, record)}: {master.message}")
    if old is None or old.redis is None or old.redis.role != "master" or master.address == record.old:
        return _decided(scene, record, master)
    back = {name: each.live for name, each in record.before.get(record.old, {}).items()}
    action = Demote(master.address, master.port, master.config_epoch, back, _pauses(old.redis))
    what = f"{COMMANDS['demote']} {master.host}, which the sentinels have made master"
    step = Step(old.name, what, _why(record), action, Stage.ROLE)
    return Move(record, (step,), f"{title(scene, record)}: {old.name} becomes a replica")


def _decided(scene: Scene, record: Operation, master: Confirmed) -> Move:
    """The sentinels have switched, to whomever: that is how it ends, once all is put back."""
    old, new = scene.name(record.old), scene.name(record.new)
    if master.address == record.new:
        message = f"{new} is the master at config epoch {master.config_epoch}, before it was {old}"
        done = replace(at_step(record, RESTORE, scene), result="Done", message=message)
    else:
        done = giving_up(record, f"the sentinels made {master.host} master instead of {new}", scene.now)
    return Move(done, (), f"{title(scene, record)}: {done.message}")


# -- what several steps use


def _back(scene: Scene, record: Operation, why: str) -> Move:
    return Move(giving_up(record, why.rstrip(". "), scene.now), (), f"{title(scene, record)} is given up: {why}")


def _back_if(why: str | None, scene: Scene, record: Operation) -> Move | None:
    return None if why is None else _back(scene, record, why)


def _why(record: Operation) -> str:
    if record.type == choose.UPGRADE:
        return "package.version asks for a newer one, and the master's host is the last"
    or_else = ", or the spec sets the master aside" if record.type == NAME else ""
    return f"a {record.type} was asked for by the act annotation{or_else}"


def _redis_hosts(scene: Scene) -> tuple[Host, ...]:
    return tuple(_of_redis(scene))


def _of_redis(scene: Scene) -> Iterator[Host]:
    yield from (host for host in scene.hosts if host.want.redis)


def _pauses(redis: RedisFacts | None) -> bool:
    """Whether a server can stop writes alone by CLIENT PAUSE."""
    return redis is not None and at_least(redis.version, PAUSES)
