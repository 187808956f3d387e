"""sentinel.conf and the start of a sentinel: a fresh file only where there is no state worth keeping."""

from __future__ import annotations

from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.sentinel_conf import SHIPPED, Identity, Monitor, SentinelConf, render
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Denied, Known, Unknown
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import EditConf, Step, WriteSentinelConf
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, wait
from redis_sentinel_operator.plan.replaced import identity
from redis_sentinel_operator.plan.units import start_sentinel


def blank(conf: SentinelConf | None) -> bool:
    """Whether a sentinel.conf has no state: no file, or the package's, even when it was started once."""
    if conf is None:
        return True
    monitors = [(name, monitor.address) for name, monitor in conf.masters.items()]
    epochs = any(conf.config_epoch(name) for name in conf.masters)
    return not conf.known and not epochs and all(monitor == SHIPPED for monitor in monitors)


def _may_go(desired: Desired, conf: SentinelConf, master: Monitor | None) -> bool:
    """Whether it is a file of ours by which no sentinel ever learnt anything, and it must be another by now."""
    name = desired.master_name
    if master is None or set(conf.masters) != {name} or conf.known or conf.config_epoch(name):
        return False
    return not conf.my_id or conf.masters[name].address != master.address


def sentinel(desired: Desired, host: Host, master: Monitor | None, facts: ClusterFacts) -> Part:
    """Return the steps that write a sentinel's file where it has none, and start it where it is stopped.

    `master` is whom a fresh file monitors, None while nobody is known to be master.
    """
    if not host.want.sentinel:
        return Part()
    if not host.sentinel_stopped:
        return _not_up(desired, host)
    conf = host.sentinel_conf
    if conf is not None and not blank(conf) and not _may_go(desired, conf, master):
        return _with_state(desired, host, conf)
    if master is None:
        return wait(f"{host.name} has no sentinel.conf of its own yet; it gets one when a master is confirmed")
    known_as = identity(desired, host, facts)
    if isinstance(known_as, str):
        return wait(known_as)
    return _write(desired, host, master, known_as) + start_sentinel(desired, host, "it is stopped")


def _with_state(desired: Desired, host: Host, conf: SentinelConf) -> Part:
    path = host.sentinel_path
    if desired.master_name not in conf.masters:
        found = ", ".join(conf.masters) or "nothing"
        return wait(f"the sentinel of {host.name} monitors {found} instead of {desired.master_name} and is not started")
    if conf.broken:
        return wait(
            f"{path} of {host.name} has unbalanced quotes in line {conf.broken[0]}: the sentinel will not start with "
            "it; correct that line"
        )
    astray = next((each for each in conf.astray if each[1] != "auth-pass"), None)
    if astray is not None:
        return wait(
            f"line {astray[0]} of {path} on {host.name} (sentinel {astray[1]}) is about the master {astray[2]}, "
            "which it does not monitor: the sentinel will not start with it; correct or remove that line"
        )
    return _right_auth_pass(desired, host, conf) + start_sentinel(
        desired, host, "it is stopped; its file keeps what it knew"
    )


def _right_auth_pass(desired: Desired, host: Host, conf: SentinelConf) -> Part:
    """Return the step that gives the file of a stopped sentinel the password, and only that."""
    name, file = desired.master_name, host.files.get(host.sentinel_path)
    text = conf.with_auth_pass(name, desired.password)
    if file is None or text == file.text:
        return Part()
    strays = ", ".join(sorted({each[2] for each in conf.astray}))
    why = (
        f"it names the master {strays}, which is not monitored: no sentinel starts so"
        if strays
        else ("it is not the Secret's password" if conf.auth_pass(name) else "it is missing")
    )
    directives = {} if desired.password is None else {f"sentinel auth-pass {name}": desired.password}
    action = EditConf(
        path=file.path,
        directives=directives,
        owner=host.family.user,
        group=host.family.conf_group,
        text=Secret(text),
        base_sha256=sha256(file.text),
    )
    return only(Step(host.name, f"set sentinel auth-pass {name} in {file.path}", why, action, Stage.SENTINEL_CONF))


def _write(desired: Desired, host: Host, master: Monitor, known_as: Identity | None) -> Part:
    text = render(
        master_name=desired.master_name,
        master=master,
        settings=desired.sentinel,
        port=desired.sentinel_port,
        log_file=host.family.sentinel_log,
        password=desired.password,
        known_as=known_as,
    )
    path = host.sentinel_path
    have = host.files.get(path)
    if have is not None and have.text == text.reveal():
        return Part()
    action = WriteSentinelConf(
        path, text, host.family.user, host.family.conf_group, "" if have is None else sha256(have.text)
    )
    what = f"write {path}: monitor {desired.master_name} at {master.address}:{master.port}"
    why = "the sentinel has no state yet"
    if known_as is not None:
        known = f"{known_as.my_id[:8]}, up to epoch {known_as.epoch}"
        why = f"it takes the place of the one that the others know there as {known}"
    return only(Step(host.name, what, why, action, Stage.SENTINEL_CONF))


def _not_up(desired: Desired, host: Host) -> Part:
    fact = host.facts.sentinel
    if isinstance(fact, Unknown):
        return wait(f"the sentinel of {host.name} could not be read: {fact.message}")
    if isinstance(fact, Known) and isinstance(fact.value, Denied):
        return wait(f"the sentinel of {host.name} does not let the operator in: {fact.value.message}")
    running = host.sentinel
    if running is None:
        unit = host.units.get(host.sentinel_unit)
        state = unit.active if unit else "not there"
        return wait(f"the sentinel of {host.name} does not listen, but is not stopped either (its unit is {state})")
    if running.view is None:
        found = ", ".join(running.masters) or "nothing"
        return wait(
            f"the sentinel of {host.name} runs and monitors {found}, not {desired.master_name}; stop it "
            f"(systemctl stop {host.sentinel_unit}) so that it can be set up"
        )
    return Part()
