"""redis.conf and the running redis: each directive that we own as declared, compared by meaning, all else untouched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.redis_conf import RedisConf
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import FileFacts
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigDrift, ConfigSet, EditConf, Need, RememberKeys, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import CLAIMED, Part, Stage, only, wait
from redis_sentinel_operator.plan.settings import Setting, kept_out_of_file, records, settings
from redis_sentinel_operator.plan.users import acl_file

_OTHERS_MAY_READ = 0o007


def redis_conf(
    desired: Desired, host: Host, role: Mapping[str, str], *, may_set: bool, needs: frozenset[Need] = CLAIMED
) -> Part:
    """Return the steps that make file and running server as declared.

    `role` holds the role line of a redis that joins, and is empty for one that runs. `may_set`: CONFIG SET is allowed
    now. It and the role line have `needs`. What a running server takes only by a restart is written, and told as
    pending.
    """
    conf = host.conf()
    if conf is None:
        return wait(
            f"{host.name} has no {host.redis_path}: without the package's save lines redis would keep "
            f"nothing on disk; bring the file back (rpm -qf names its package, yum reinstall restores it)"
        )
    if conf.broken:
        return wait(
            f"{host.redis_path} of {host.name} has unbalanced quotes in line {conf.broken[0]}: redis will "
            "not start with it; correct that line"
        )
    owned = settings(desired, host, conf)
    now = [each for each in owned if not kept_out_of_file(host, each, may_set=may_set)]
    part = _edit(host, conf, now, role, needs if role else CLAIMED) + Part(drift=_drift(host, owned))
    part = _set(desired, host, owned, needs) + part if may_set else part
    part = acl_file(desired, host, conf) + part  # redis.conf tells the old password until that is nowhere needed
    return _remember(desired, host, conf, owned) + part + _said(desired, host, owned)


def _remember(desired: Desired, host: Host, conf: RedisConf, owned: tuple[Setting, ...]) -> Part:
    """Write down what is ours before it is set, and forget it when it is back."""
    wanted = records(desired, host, conf, owned)
    if host.claim is None or wanted == host.claim.keys:
        return Part()
    had = host.claim.keys
    changed = sorted({*wanted, *had} - {name for name in wanted if wanted[name] == had.get(name)})
    what = f"write down which directives of {host.redis_path} are ours: {', '.join(changed)}"
    why = "one that leaves the spec goes back to what it was before"
    return only(Step(host.name, what, why, RememberKeys(wanted), Stage.FILES))


def _edit(
    host: Host, conf: RedisConf, owned: Sequence[Setting], role: Mapping[str, str], needs: frozenset[Need]
) -> Part:
    wrong = [setting for setting in owned if not setting.file_holds]
    roles = {name: value for name, value in role.items() if conf.get(name) != value}
    file = host.redis_conf
    reasons = _reasons_of_mode(host, file) if file else []
    if file is None or not (wrong or roles or reasons):
        return Part()
    lines = {each.name: each.line for each in wrong if each.line is not None} | roles
    remove = tuple(each.name for each in wrong if each.line is None)
    text = conf.edit(lines, remove)
    if text == file.text and not reasons:
        return wait(
            f"{', '.join((*lines, *remove))} of {host.name} cannot be set in {file.path}: one of the files that it "
            f"includes says something else and counts ({', '.join(conf.includes)}); correct it there"
        )
    secrets = {each.name for each in wrong if each.secret}
    action = EditConf(
        path=file.path,
        directives={name: Secret(value) if name in secrets else value for name, value in lines.items()},
        remove=remove,
        owner=host.family.user,
        group=host.family.conf_group,
        text=Secret(text),
        base_sha256=sha256(file.text),
    )
    said = [f"set {', '.join(lines)}"] if lines else []
    said += [f"remove {', '.join(remove)}"] if remove else []
    what = f"{' and '.join(said)} in {file.path}" if said else f"give {file.path} to redis alone"
    why = [_why(setting, setting.in_file) for setting in wrong]
    why += [f"it joins as a replica: {name} {value}" for name, value in roles.items()]
    return only(Step(host.name, what, "; ".join(why + reasons), action, Stage.FILES, needs=needs))


def _reasons_of_mode(host: Host, file: FileFacts) -> list[str]:
    """Say what is wrong with owner and mode: redis writes its role into the file, and nobody else reads it."""
    reasons = ["others may read it"] if file.mode & _OTHERS_MAY_READ else []
    if file.owner != host.family.user or not file.mode & 0o200:
        reasons.append(f"redis ({host.family.user}) cannot write its role into it")
    return reasons


def _set(desired: Desired, host: Host, owned: Sequence[Setting], needs: frozenset[Need]) -> Part:
    wrong = [each for each in owned if host.redis and not each.running_holds and each.live]
    if not wrong:
        return Part()
    values = {each.name: Secret(each.want) if each.secret else each.want for each in wrong}
    what = f"set {', '.join(values)} on the running redis"
    why = "; ".join(_why(setting, setting.running) for setting in wrong)
    return only(Step(host.name, what, why, ConfigSet(values, desired.redis_port), Stage.FILES, needs=needs))


def _why(setting: Setting, have: str | None) -> str:
    if setting.secret:
        return f"{setting.name} is not the Secret's password" if have else f"{setting.name} is missing"
    if have is None:
        return f"{setting.name} is not set"
    wanted = setting.want if setting.line is not None else "what redis has without a line"
    return f"{setting.name} is {have or '(empty)'}, wanted is {wanted or '(empty)'}"


def _drift(host: Host, owned: Sequence[Setting]) -> tuple[tuple[str, ConfigDrift], ...]:
    return tuple((host.name, each.shown) for each in owned if not (each.file_holds and each.running_holds))


def _said(desired: Desired, host: Host, owned: Sequence[Setting]) -> Part:
    """Say what a running redis is not done with, and what endangers its data."""
    redis = host.redis
    if redis is None:
        return Part()
    said = []
    wants_aof = any(each.name == "appendonly" and each.want.lower() == "yes" for each in owned)
    if wants_aof and redis.config.get("appendonly") == "yes" and (redis.aof_at_work or not redis.aof_ok):
        state = "is being written" if redis.aof_at_work else "could not be written (aof_last_bgrewrite_status)"
        said.append(
            f"the append-only file of {host.name} {state}; {host.redis_path} gets appendonly yes when it is whole"
        )
    nothing = redis.config.get("save") == "" and redis.config.get("appendonly") == "no"
    if nothing and not wants_aof and not desired.redis_config.get("save") and not desired.no_persistence:
        said.append(
            f"redis on {host.name} keeps nothing on disk, and a restart empties it; set save or appendonly in "
            "spec.redis.config, or spec.unsafe.noPersistence to true"
        )
    return Part(waiting=tuple(said))
