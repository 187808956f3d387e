"""redis.conf and the running redis: each directive that we own as declared, compared by meaning, all else untouched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis_sentinel_operator.conf.directives import canonical, sha256
from redis_sentinel_operator.conf.redis_conf import RedisConf, parse
from redis_sentinel_operator.conf.table import live
from redis_sentinel_operator.conf.values import any_address, reachable, same
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import FileFacts, RedisFacts
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigDrift, ConfigSet, EditConf, Need, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import CLAIMED, Part, Stage, only, wait

_OTHERS_MAY_READ = 0o007


@dataclass(frozen=True, slots=True)
class Setting:
    """A directive we own: what is wanted, what the file and the running server have (None: no line, not known)."""

    name: str
    want: str
    secret: bool
    in_file: str | None
    running: str | None
    file_holds: bool
    running_holds: bool

    @property
    def shown(self) -> ConfigDrift:
        """The drift without secrets; what runs counts more than what is written."""
        have = self.in_file if self.running_holds else self.running
        if self.secret:
            return ConfigDrift(self.name, "(the Secret's)", "(another)" if have else "(none)")
        return ConfigDrift(self.name, self.want, have or "(none)")


def settings(desired: Desired, host: Host, conf: RedisConf) -> tuple[Setting, ...]:
    """Return every directive we own on the host; passwords last, so that nothing locks us out half-way."""
    running = {canonical(name): value for name, value in host.redis.config.items()} if host.redis else {}
    found = []
    for name, want in _wanted(desired, host).items():
        text = want.reveal() if isinstance(want, Secret) else want
        in_file, runs = conf.get(name), running.get(name)
        file_holds = _holds(desired, host, name, in_file, text)
        running_holds = runs is None or _holds(desired, host, name, runs, text)
        found.append(Setting(name, text, isinstance(want, Secret), in_file, runs, file_holds, running_holds))
    return tuple(found)


def redis_conf(
    desired: Desired, host: Host, role: Mapping[str, str], *, may_set: bool, needs: frozenset[Need] = CLAIMED
) -> Part:
    """Return the steps that make file and running server as declared.

    `role` holds the role line of a redis that joins, and is empty for one that runs. `may_set`: CONFIG SET is allowed
    now. It and the role line have `needs`. What a running server takes only by a restart is written, and told as
    pending.
    """
    file = host.redis_conf
    if file is None:
        return wait(
            f"{host.name} has no {host.family.redis_conf}: without the package's save lines redis would keep "
            f"nothing on disk; bring the file back (rpm -qf names its package, yum reinstall restores it)"
        )
    conf = parse(file.text)
    if conf.broken:
        return wait(
            f"{host.family.redis_conf} of {host.name} has unbalanced quotes in line {conf.broken[0]}: redis will "
            "not start with it; correct that line"
        )
    owned = settings(desired, host, conf)
    part = _edit(host, file, owned, role, needs if role else CLAIMED) + Part(drift=_drift(host, owned))
    return _set(desired, host, owned, needs) + part if may_set else part


def _wanted(desired: Desired, host: Host) -> Mapping[str, str | Secret]:
    config = {canonical(name): value for name, value in desired.redis_config.items()}
    wanted = {"bind": any_address(host.want.address), "port": str(desired.redis_port), **config}
    password = desired.password
    return wanted if password is None else {**wanted, "masterauth": password, "requirepass": password}


def _holds(desired: Desired, host: Host, name: str, have: str | None, want: str) -> bool:
    """Whether what a file or a running server has is what is wanted."""
    if name == "bind" and "bind" not in desired.redis_config:
        # Without a bind line redis listens everywhere, but in protected mode answers nobody without a password.
        return reachable(have, host.want.address) if have else desired.password is not None
    if name == "port" and have is None:
        return want == "6379"
    return have is not None and same(name, have, want)


def _edit(
    host: Host, file: FileFacts, owned: Sequence[Setting], role: Mapping[str, str], needs: frozenset[Need]
) -> Part:
    conf = parse(file.text)
    wrong = [setting for setting in owned if not setting.file_holds]
    roles = {name: value for name, value in role.items() if conf.get(name) != value}
    exposed = bool(file.mode & _OTHERS_MAY_READ)
    if not wrong and not roles and not exposed:
        return Part()
    text = conf.edit({**{setting.name: setting.want for setting in wrong}, **roles})
    action = EditConf(
        path=file.path,
        directives={**{each.name: Secret(each.want) if each.secret else each.want for each in wrong}, **roles},
        owner=host.family.user,
        group=host.family.conf_group,
        text=Secret(text),
        base_sha256=sha256(file.text),
    )
    names = [setting.name for setting in wrong] + list(roles)
    what = f"set {', '.join(names)} in {file.path}" if names else f"close {file.path} to other users"
    reasons = [_why(setting, setting.in_file) for setting in wrong]
    reasons += [f"it joins as a replica: {name} {value}" for name, value in roles.items()]
    reasons += ["others may read it"] if exposed else []
    return only(Step(host.name, what, "; ".join(reasons), action, Stage.FILES, needs=needs))


def _set(desired: Desired, host: Host, owned: Sequence[Setting], needs: frozenset[Need]) -> Part:
    redis = host.redis
    wrong = [setting for setting in owned if redis and not setting.running_holds and live(setting.name, redis.version)]
    if not wrong:
        return Part()
    values = {each.name: Secret(each.want) if each.secret else each.want for each in wrong}
    what = f"set {', '.join(values)} on the running redis"
    why = "; ".join(_why(setting, setting.running) for setting in wrong)
    return only(Step(host.name, what, why, ConfigSet(values, desired.redis_port), Stage.FILES, needs=needs))


def _why(setting: Setting, have: str | None) -> str:
    if setting.secret:
        return f"{setting.name} is not the Secret's password" if have else f"{setting.name} is missing"
    return f"{setting.name} is {have}, wanted is {setting.want}" if have else f"{setting.name} is not set"


def _drift(host: Host, owned: Sequence[Setting]) -> tuple[tuple[str, ConfigDrift], ...]:
    found = []
    for setting in owned:
        if setting.file_holds and setting.running_holds:
            continue
        shown = setting.shown
        pending = not setting.running_holds and not _live(setting, host.redis)
        found.append((host.name, ConfigDrift(shown.key, shown.want, shown.have, pending)))
    return tuple(found)


def _live(setting: Setting, redis: RedisFacts | None) -> bool:
    return redis is not None and live(setting.name, redis.version)
