"""Rotation: the running servers get the declared password, or lose theirs, without ending any connection.

admit   (all from Redis 6 on) the default user is let in with the new password too, so that both are good
follow  every redis is told to use the new one towards its master, in force and in its file; sentinels too where both
        are good
switch  requirepass on all redis and, where only one can be good, auth-pass on all sentinels, in one short window
files   requirepass in the files

Servers without a password take masterauth with requirepass, and the sentinels have theirs before: towards a server
without a password it does no harm. Servers that are to have none lose both in one window, their sentinels and files
have theirs until then: there is only `switch` and `files`.

The record only tells: what is to be done is taken from what the servers have, so that whoever finds it in the middle
goes on. What a redis was started with, or has been given since, always stands in a file of its host: requirepass is
there until `files`, masterauth before `switch`. A host that is away is given it as any drift is mended, once it is
back: by then the master has it.

Once begun it is gone to its end, also where management is left or the resource deleted: a replica that has the new
masterauth and a master that has the old requirepass would not find together again, and nobody would mend it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace

from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.conf.version import at_least
from redis_sentinel_operator.judge.clients import strangers
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.master import views
from redis_sentinel_operator.judge.risks import foreign_sentinels
from redis_sentinel_operator.model.operation import AdmitPassword, GivePassword, Operation
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigSet, EditConf, Impact, Need, Step
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations.move import ENDED, Move, Scene, giving_up
from redis_sentinel_operator.plan.auth_pass import lacks_auth_pass, set_auth_pass
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.no_password import has_password, in_files, shut_in, take
from redis_sentinel_operator.plan.part import CONFIRMED, Stage
from redis_sentinel_operator.plan.users import acl_file
from redis_sentinel_operator.times import precise

NAME = "rotation"
COMMANDS: Mapping[str, str] = {
    "admit": "let the default user in with the new password too",
    "follow": "set masterauth",
    "switch": "give the new password",
    "files": "set requirepass in",
}
# Seconds from the beginning in which it ends, or is given up and begun anew when the sentinels are calm.
DEADLINES: Mapping[str, float] = dict.fromkeys(COMMANDS, 120.0)
FORWARD = frozenset(COMMANDS)  # half of it is worse than all of it, and than none
_BOTH = "6.0"  # from this version on a user may have several passwords
_WHY = "the Secret has a new password"
_NONE = "the resource names no password any more"


def due(scene: Scene) -> Operation | str | None:
    """Return the record of a rotation that begins now, the sentence why it waits, None where none is needed."""
    if scene.secret == scene.desired.password:
        return None
    takes = scene.secret is None
    reason = _not_now(scene)
    reason = reason or (shut_in(_running(scene)) if takes else foreign_sentinels(scene.desired, scene.facts.hosts))
    if reason and takes:
        return f"{_NONE}, and the servers lose theirs as soon as it is safe: {reason}"
    if reason:
        return f"the Secret has another password than the servers, who are given it as soon as it is safe: {reason}"
    at, first = precise(scene.now), "switch" if takes else "admit"
    return Operation(uuid.uuid4().hex, NAME, first, at, at, "", "", "", "", 0, "", message=_concerned(scene))


def move(scene: Scene, record: Operation) -> Move:
    """Return what is left to be done, each step by what the servers have now; it has ended when nothing is.

    Given up because of a failover it would be begun anew, but not where management is left: there that is waited for.
    There none loses its password either, as that may not be what was begun: all get the one that is in force.
    """
    if scene.leaving and scene.secret is None:
        scene = replace(scene, secret=scene.desired.password)
    reason = _not_now(scene) or (shut_in(_running(scene)) if scene.secret is None else "")
    if reason and scene.leaving:
        return Move(record, (), f"the {NAME} of the password goes on as soon as it is safe: {reason}")
    if reason:
        return Move(giving_up(record, reason, scene.now), (), f"the {NAME} of the password is given up: {reason}")
    steps_of = _taking(scene) if scene.secret is None else _todo(scene, scene.secret)
    todo = {step: steps for step, steps in steps_of.items() if steps}
    found: Move | None = None
    for step, steps in reversed(todo.items()):
        found = Move(replace(record, step=step), steps, f"{NAME} of the password: {steps[0].what}", found)
    given = "one and the same password" if scene.leaving else "the Secret's new password"
    said = f"the servers have {'no password any more' if scene.secret is None else given}{_without(scene)}"
    return found or Move(replace(record, step=ENDED, result="Done", message=said), (), said)


def _not_now(scene: Scene) -> str:
    """Return why nothing may be begun now, "" when it may: never beside a failover, and only where one could succeed.

    A host that is away is no reason: it may be away for long.
    """
    if scene.verdict.transition:
        return scene.verdict.transition[0]
    reason = why_not(Need.CONFIRMED, "", scene.desired, scene.facts, scene.verdict)
    if reason:
        return reason
    seen = views(scene.desired, {name: each.sentinel for name, each in scene.facts.hosts.items()})
    if len(seen) < scene.desired.majority:
        return "a majority of the sentinels does not answer"
    master = scene.verdict.master
    host = scene.host(master.address) if isinstance(master, Confirmed) else None
    return "" if host is not None and host.redis is not None else "the host of the master could not be read"


def _without(scene: Scene) -> str:
    away = [*scene.unread, *(host.name for host in scene.hosts if host.want.redis and host.redis is None)]
    word = "taken from" if scene.secret is None else "given to"
    return f"; not {word}: {', '.join(name.partition(' ')[0] for name in away)}" if away else ""


def _concerned(scene: Scene) -> str:
    """Name who is connected from elsewhere, before anything is changed."""
    found = strangers(scene.desired, scene.facts.hosts)
    if not found:
        return ""
    what = "must not send a password any more" if scene.secret is None else "needs the new password"
    return f"Connected from elsewhere when last looked: {found}. Who connects anew {what}."


def _running(scene: Scene) -> list[Host]:
    return [host for host in scene.hosts if host.want.redis and host.redis is not None]


def _taking(scene: Scene) -> dict[str, tuple[Step, ...]]:
    """Return the steps that are left where the servers are to have no password, in their order."""
    running = _running(scene)
    having = [host for host in running if has_password(host)]
    bare = replace(scene.desired, password=None)
    keep = [host for host in scene.hosts if lacks_auth_pass(bare, host)]
    master = scene.verdict.master
    on = master.host if isinstance(master, Confirmed) else ""
    return {
        "switch": (take(on, having),) if having else (),
        "files": (
            *(set_auth_pass(bare, host, _NONE, Stage.SENTINELS, CONFIRMED) for host in keep),
            *(step for host in running for step in in_files(host).steps),
        ),
    }


def _todo(scene: Scene, new: Secret) -> dict[str, tuple[Step, ...]]:
    """Return the steps that are left, in their order; that one is done may only show once all are."""
    running = _running(scene)
    apart = [host for host in running if _live(host, "requirepass") != new.reveal()]
    wanted = replace(scene.desired, password=new)
    blind = [host for host in scene.hosts if lacks_auth_pass(wanted, host)]
    both = all(at_least(host.redis.version, _BOTH) for host in running if host.redis)
    early = both or scene.desired.password is None
    follow = tuple(step for host in running for step in _follow(scene, host, new))
    return {
        "admit": tuple(_admit(scene, host, new) for host in apart if both and not _bare(host)),
        "follow": follow
        + tuple(set_auth_pass(wanted, host, _WHY, Stage.SENTINELS, CONFIRMED) for host in blind if early),
        "switch": _switch(scene, new, apart, [] if early else blind),
        "files": tuple(step for host in running for step in _files(scene, host, new)),
    }


def _live(host: Host, name: str) -> str:
    return host.redis.config.get(name, "") if host.redis else ""


def _bare(host: Host) -> bool:
    return _live(host, "requirepass") == ""


def _admit(scene: Scene, host: Host, new: Secret) -> Step:
    action = AdmitPassword(new, scene.desired.redis_port)
    return Step(host.name, f"{COMMANDS['admit']}", _WHY, action, Stage.FILES, needs=CONFIRMED)


def _follow(scene: Scene, host: Host, new: Secret) -> Iterator[Step]:
    """The file has it before requirepass is set: there whoever comes next finds it, whatever the Secret has then."""
    if _live(host, "masterauth") != new.reveal() and not _bare(host):
        action = ConfigSet({"masterauth": new}, scene.desired.redis_port)
        what = f"{COMMANDS['follow']} on the running redis"
        yield Step(host.name, what, _WHY, action, Stage.FILES, needs=CONFIRMED)
    yield from _edit(host, {"masterauth": new}, _text(host), _with(host, new, "masterauth"))


def _switch(scene: Scene, new: Secret, apart: list[Host], blind: list[Host]) -> tuple[Step, ...]:
    redis, sentinels = tuple(host.name for host in apart), tuple(host.name for host in blind)
    if not redis and not sentinels:
        return ()
    master = scene.verdict.master
    on = master.host if isinstance(master, Confirmed) else (*redis, *sentinels)[0]
    to = [f"redis on {', '.join(redis)}"] if redis else []
    to += [f"the sentinels on {', '.join(sentinels)}"] if sentinels else []
    what = f"{COMMANDS['switch']} to {' and to '.join(to)}"
    bare = [host for host in apart if _bare(host)]
    ends = tuple(host.name for host in bare if host.redis and not at_least(host.redis.version, _BOTH))
    action = GivePassword(new, redis, sentinels, tuple(host.name for host in bare), ends)
    return (Step(on, what, _WHY, action, Stage.MASTER, Impact.RELOAD, needs=CONFIRMED),)


def _files(scene: Scene, host: Host, new: Secret) -> Iterator[Step]:
    """By then the earlier step has written masterauth.

    An ACL file comes first: it may have no more than a digest of the old one, which redis.conf tells until then.
    """
    conf = host.conf()
    if conf is not None:
        yield from acl_file(replace(scene.desired, password=new), host, conf).steps
    yield from _edit(host, {"requirepass": new}, _with(host, new, "masterauth"), _with(host, new, "requirepass"))


def _text(host: Host) -> str:
    return host.redis_conf.text if host.redis_conf else ""


def _with(host: Host, new: Secret, last: str) -> str:
    """Return the text of the file with masterauth, and with requirepass as well when that is the last."""
    if host.redis_conf is None:
        return ""
    included = {path: each.text for path, each in host.files.items() if each}
    names = ("masterauth",) if last == "masterauth" else ("masterauth", "requirepass")
    text = host.redis_conf.text
    for name in names:
        text = parse(text, included).edit({name: new.reveal()})
    return text


def _edit(host: Host, directives: Mapping[str, Secret], before: str, after: str) -> Iterator[Step]:
    conf, file = host.conf(), host.redis_conf
    if conf is None or file is None or conf.broken or before == after:
        return
    owner, group = host.family.user, host.family.conf_group
    action = EditConf(file.path, directives, (), owner, group, Secret(after), sha256(before))
    what = f"set {', '.join(directives)} in {file.path}"
    yield Step(host.name, what, _WHY, action, Stage.FILES, needs=CONFIRMED)
