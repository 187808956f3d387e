"""Each directive of redis.conf that we own on a host: what it shall be, what file and running server have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from redis_sentinel_operator.conf.directives import canonical
from redis_sentinel_operator.conf.redis_conf import RedisConf
from redis_sentinel_operator.conf.table import Directive, Owner, directive, live
from redis_sentinel_operator.conf.values import any_address, reachable, same
from redis_sentinel_operator.judge.limits import room_for
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import KeyRecord, Known
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigDrift
from redis_sentinel_operator.plan.eviction import evicts
from redis_sentinel_operator.plan.host import Host

# Written into the file of a stopped redis they can cost its data, or nobody can tell whether they do.
_RISKY = frozenset({"appendonly", "maxmemory", "maxmemory-policy", "databases"})
_ALWAYS = ("bind", "port")  # owned also where nobody declares them
_SAVE = "900 1 300 10 60 10000"  # what the packages of EL ship


@dataclass(frozen=True, slots=True)
class Setting:
    """A directive we own. `want` is for the running server, `line` for the file (None: no line).

    `in_file` and `running` are what they have (None: no line, not known).
    """

    name: str
    want: str
    line: str | None
    secret: bool
    in_file: str | None
    running: str | None
    file_holds: bool
    running_holds: bool
    live: bool

    @property
    def shown(self) -> ConfigDrift:
        """The drift without secrets; what runs counts more than what is written."""
        running = "(what it began with)" if self.running is None else self.running
        have = self.in_file if self.running_holds else running
        pending = not self.running_holds and not self.live
        if self.secret:
            return ConfigDrift(self.name, "(the Secret's)", "(another)" if have else "(none)", pending)
        return ConfigDrift(self.name, self.want, have if have is not None else "(none)", pending)


def settings(desired: Desired, host: Host, conf: RedisConf) -> tuple[Setting, ...]:
    """Return every directive we own on the host; passwords last, so that nothing locks us out half-way."""
    return (*_former(desired, host, conf), *_declared(desired, host, conf))


def records(desired: Desired, host: Host, conf: RedisConf, owned: tuple[Setting, ...]) -> Mapping[str, KeyRecord]:
    """Return what state.json is to hold: the declared directives, and the former ones that are not back yet.

    What a directive was before is taken from the file as it is when it is first declared.
    """
    had = host.claim.keys if host.claim else {}
    known = host.redis is not None or host.redis_stopped
    on_its_way = {each.name for each in owned if not (each.file_holds and each.running_holds)}
    not_back = {each.name for each in owned if not each.file_holds}
    kept = {
        name: replace(each, begun=_run_without(host, name)) if name in not_back else each
        for name, each in had.items()
        if not known or name in on_its_way
    }
    declared = {name: _record(host, conf, name, value) for name, value in desired.redis_config.items()}
    return {**kept, **declared}


def _record(host: Host, conf: RedisConf, name: str, value: str) -> KeyRecord:
    had, in_file = host.claim.keys.get(name) if host.claim else None, conf.get(name)
    if had is not None and had.value == value:
        return had
    begun = "" if in_file is not None and same(name, value, in_file) else _run_without(host, name)
    return KeyRecord(value, in_file if had is None else had.shipped, begun)


def _run_without(host: Host, name: str) -> str:
    """Return the run id of a redis that does not show a directive which it has, "" where it does or none runs."""
    redis, row = host.redis, directive(name)
    shows = redis is None or name in _running(host) or row is None or not row.known_to(host.server_version)
    return "" if redis is None or shows else redis.run_id


def has_data(host: Host) -> bool:
    """Whether the host's redis has data, in memory or on disk; not known counts as having."""
    files = host.facts.data
    return not isinstance(files, Known) or bool(files.value) or (host.redis is not None and host.redis.keys > 0)


def kept_out_of_file(host: Host, setting: Setting, *, may_set: bool) -> bool:
    """Whether a value may not be written into the file yet.

    A server that starts with `appendonly yes` and no such file comes up empty (measured on all versions): so the
    running one is told first, and the file when the rewrite has succeeded. A memory limit is set where the memory in
    use is known.
    """
    if setting.name not in _RISKY:
        return False
    if host.redis is None:
        return not host.redis_stopped or has_data(host)
    if setting.name == "appendonly" and setting.want.lower() == "yes":
        return not setting.running_holds or host.redis.aof_at_work or not host.redis.aof_ok
    return setting.live and not setting.running_holds and not may_set


def _declared(desired: Desired, host: Host, conf: RedisConf) -> Iterator[Setting]:
    running = _running(host)
    for name, want in _wanted(desired, host, conf).items():
        text = want.reveal() if isinstance(want, Secret) else want
        in_file, runs = conf.get(name), running.get(name)
        file_holds = _holds(desired, host, name, in_file, text) and not conf.overridden(name)
        if name == "requirepass":
            file_holds = file_holds and conf.lets_in(text)
        record = host.claim.keys.get(name) if host.claim else None
        pending = record is not None and record.value == text and _is_pending(host, name, record)
        running_holds = not pending if runs is None else _holds(desired, host, name, runs, text)
        takes = live(name, host.version) and (name != "maxclients" or room_for(text, host.redis_process))
        secret = isinstance(want, Secret)
        yield Setting(name, text, text, secret, in_file, runs, file_holds, running_holds, takes)


def _is_pending(host: Host, name: str, record: KeyRecord) -> bool:
    """Whether a directive that CONFIG GET does not show was written after the redis began that runs."""
    return bool(record.begun) and record.begun == _run_without(host, name)


def _former(desired: Desired, host: Host, conf: RedisConf) -> Iterator[Setting]:
    """Directives that left the spec go back to what they were; what somebody else has set since is his."""
    running, keys = _running(host), host.claim.keys if host.claim else {}
    for name, record in keys.items():
        row = directive(name)
        ours = name in desired.redis_config or name in _ALWAYS
        if ours or row is None or row.owner not in (Owner.FREE, Owner.DATA, Owner.OURS):
            continue
        before = record.shipped if record.shipped is not None else row.default(host.server_version)
        if _costs_data(host, row, before, running):
            continue
        in_file, runs = conf.get(name), running.get(name)
        file_holds = in_file is None or _is_back(name, in_file, record, record.shipped)
        back = not _is_pending(host, name, record) if runs is None else _is_back(name, runs, record, before or "")
        running_holds = before is None or back
        takes = row.live(host.version)
        yield Setting(name, before or "", record.shipped, False, in_file, runs, file_holds, running_holds, takes)


def _costs_data(host: Host, row: Directive, before: str | None, running: Mapping[str, str]) -> bool:
    """Whether going back would lose what the server has by now: such a directive stays as it is, and is forgotten."""
    if row.owner is Owner.DATA or row.name == "databases":
        return has_data(host)
    return row.name in ("maxmemory", "maxmemory-policy") and (
        host.redis is None or evicts(host.redis, {**running, row.name: before or ""}) is not None
    )


def _is_back(name: str, have: str, record: KeyRecord, before: str | None) -> bool:
    """Whether a value is what it was before, or was changed by somebody else since we set it."""
    return (before is not None and same(name, before, have)) or not same(name, record.value, have)


def _running(host: Host) -> Mapping[str, str]:
    return {canonical(name): value for name, value in host.redis.config.items()} if host.redis else {}


def _wanted(desired: Desired, host: Host, conf: RedisConf) -> Mapping[str, str | Secret]:
    config = dict(desired.redis_config)
    former = host.claim.keys if host.claim else {}
    if "save" not in config and "save" not in former and conf.get("save") is None:
        config["save"] = _save(host, conf)
    own = {} if host.priority is None else {"slave-priority": str(host.priority)}
    wanted = {"bind": any_address(host.want.address), "port": str(desired.redis_port), **config, **own}
    password = desired.password
    return wanted if password is None else {**wanted, "masterauth": password, "requirepass": password}


def _save(host: Host, conf: RedisConf) -> str:
    """What a file without a save line gets: versions differ in what they make of none, and 3.2 then saves nothing."""
    running = _running(host).get("save")
    if running is not None:
        return running
    return "" if (conf.get("appendonly") or "").lower() == "yes" else _SAVE


def _holds(desired: Desired, host: Host, name: str, have: str | None, want: str) -> bool:
    """Whether what a file or a running server has is what is wanted."""
    if name == "bind" and "bind" not in desired.redis_config:
        # Without a bind line redis listens everywhere, but in protected mode answers nobody without a password.
        return reachable(have, host.want.address) if have else desired.password is not None
    if name == "port" and have is None:
        return want == "6379"
    return have is not None and same(name, want, have)
