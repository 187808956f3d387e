"""What a procedure changed on a host for a while is put back: on the running redis, in its file, then it is forgotten.

Each host carries what is its own, so that it needs no other, nor status, nor the operator that began.
"""

from __future__ import annotations

from collections.abc import Mapping

from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.version import at_least
from redis_sentinel_operator.model.fact import Known
from redis_sentinel_operator.model.operation import Before, ForgetOperation, Operation
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigSet, EditConf, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Stage

PUT_BACK = "put back"  # how the sentence of each such step begins
PAUSES = "6.2"  # from this version on CLIENT PAUSE stops writes alone


def put_back(host: Host, port: int) -> tuple[Step, ...]:
    """Return the steps that are still to be done on a host; none where it has no record, or redis does not tell."""
    record = host.claim.operation if host.claim else None
    if record is None:
        return ()
    before = record.before.get(host.want.address, {})
    steps = (*_live(host, before, record, port), *_file(host, before, record))
    if steps or not _tells(host):
        return steps
    paused = record.old == host.want.address and _pauses(host)
    what = f"strike the {record.type} from the host"
    why = "all that it changed there for a while is as it was before"
    return (Step(host.name, what, why, ForgetOperation(port if paused else None), Stage.FILES),)


def _tells(host: Host) -> bool:
    """Whether it is known what the running redis has: what it says, or that there is none."""
    return host.redis is not None or (isinstance(host.facts.redis, Known) and host.facts.redis.value is None)


def _pauses(host: Host) -> bool:
    return host.redis is not None and host.redis.role == "master" and at_least(host.redis.version, PAUSES)


def _live(host: Host, before: Mapping[str, Before], record: Operation, port: int) -> tuple[Step, ...]:
    if host.redis is None:
        return ()
    values = {name: each.live for name, each in before.items() if host.redis.config.get(name) != each.live}
    if not values:
        return ()
    what = f"{PUT_BACK} {', '.join(values)} on the running redis"
    return (Step(host.name, what, _why(record), ConfigSet(values, port), Stage.FILES),)


def _file(host: Host, before: Mapping[str, Before], record: Operation) -> tuple[Step, ...]:
    """Sentinel has a redis rewrite its file when it gives it another role, with what it has at that time."""
    conf, file = host.conf(), host.redis_conf
    if conf is None or file is None:
        return ()
    wrong = {name: each.file for name, each in before.items() if conf.get(name) != each.file}
    lines = {name: line for name, line in wrong.items() if line is not None}
    remove = tuple(name for name, line in wrong.items() if line is None)
    text = conf.edit(lines, remove)
    if text == file.text:
        return ()
    owner, group = host.family.user, host.family.conf_group
    action = EditConf(file.path, lines, remove, owner, group, Secret(text), sha256(file.text))
    what = f"{PUT_BACK} {', '.join(wrong)} in {file.path}"
    return (Step(host.name, what, _why(record), action, Stage.FILES),)


def _why(record: Operation) -> str:
    return f"the {record.type} of {record.started_at} had changed it for a while"
