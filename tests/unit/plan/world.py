"""The seed's hosts as facts, from bare to running, and what carrying out a plan makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path

from redis_sentinel_operator.conf import kernel, redis_conf, sentinel_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.desired import ClusterRef, Desired, DesiredHost, SentinelSettings, SshAccess
from redis_sentinel_operator.model.fact import (
    Claim,
    ClusterFacts,
    Denied,
    FileFacts,
    FirewallFacts,
    HostFacts,
    Known,
    MachineFacts,
    OsFacts,
    Process,
    RedisFacts,
    SentinelFacts,
    SentinelView,
    UnitFacts,
    Unknown,
)
from redis_sentinel_operator.model.fence import FreeUnits, HoldUnits
from redis_sentinel_operator.model.package import InstallPackage
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import (
    AllowPorts,
    ConfigSet,
    EditConf,
    EditFirewalld,
    EnableUnits,
    FillChain,
    Plan,
    ProveRewrite,
    RememberKeys,
    RememberNotes,
    SaveChain,
    SentinelSet,
    SetKernel,
    StartUnit,
    Step,
    StopUnit,
    TakeClaim,
    WriteDropIn,
    WriteSentinelConf,
)
from redis_sentinel_operator.model.verdict import (
    BootstrapRecord,
    Confirmed,
    Finding,
    Mastership,
    Situation,
    Uncertain,
    Verdict,
)
from redis_sentinel_operator.plan.order import PlanContext

CAPTURES = Path(__file__).parents[1] / "conf" / "captures"
SHIPPED = {
    EL7.redis_conf: (CAPTURES / "redis-shipped.conf").read_text(),
    EL7.sentinel_conf: (CAPTURES / "sentinel-shipped.conf").read_text(),
}
NAME, PASSWORD, OWNER = "redis-cluster", "dusruffpeltm", "c0ffee/default/redis"
M, S1, S2, S3 = "redis_master01", "redis_slave01", "redis_slave02", "redis_slave03"
ADDRESS = {M: "192.168.3.41", S1: "192.168.3.42", S2: "192.168.3.43", S3: "192.168.3.44"}
RECORD = BootstrapRecord("b1", M, "2026-01-31T12:00:00Z")
CONTEXT = PlanContext(OWNER, RECORD)
DONE = PlanContext(OWNER, replace(RECORD, completed_at="2026-01-31T12:01:00Z"))
SEEN = {"rewritten": EL7.redis_conf}  # what is in a claim once redis was seen to rewrite its file
FINE = Finding(True, "Fine", "")
KERNEL = {kernel.OVERCOMMIT: "0", kernel.SOMAXCONN: "128", kernel.HUGE_PAGES: "always"}  # EL7's
CONFIG = {"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60"}

Change = Callable[[HostFacts], HostFacts]


def desired(**changes: object) -> Desired:
    hosts = tuple(DesiredHost(name, at, SshAccess(at), sentinel=name != M) for name, at in ADDRESS.items())
    whole = Desired(
        ClusterRef("default", "redis", "uid-1"),
        1,
        NAME,
        "Full",
        hosts,
        M,
        SentinelSettings(2),
        redis_config=CONFIG,
        password=Secret(PASSWORD),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def verdict(
    situation: Situation, master: str | None = None, *transition: str, message: str = "it is so", reason: str = ""
) -> Verdict:
    who: Mastership = Uncertain("SentinelsUnreachable", "nobody is confirmed")
    if master:
        who = Confirmed(master, ADDRESS[master], 6379, 1)
    return Verdict(who, situation, message, transition, FINE, FINE, FINE, FINE, situation_reason=reason)


def file(path: str, text: str, mode: int = 0o640) -> FileFacts:
    return FileFacts(path, mode, "redis", "root", text)


def unit(name: str, active: str = "inactive", enabled: str = "disabled", load: str = "loaded") -> UnitFacts:
    return UnitFacts(name, load, active, enabled)


def bare(name: str) -> HostFacts:
    return HostFacts(
        name=name,
        address=ADDRESS[name],
        os=Known(OsFacts("centos", "7")),
        packages=Known({}),
        files=Known(dict.fromkeys((*EL7.files, *kernel.FILES))),
        units=Known({each: unit(each, enabled="", load="not-found") for each in EL7.units}),
        firewall=Known(FirewallFacts("firewalld", "public")),
        data=Known(()),
        processes=Known(()),
        listeners=Known(()),
        claim=Known(None),
        redis=Known(None),
        sentinel=Known(None),
        machine=Known(MachineFacts(KERNEL)),
    )


def claimed(host: HostFacts, owner: str = OWNER, bootstrap_id: str = "b1") -> HostFacts:
    return replace(host, claim=Known(Claim(owner, bootstrap_id, notes=SEEN)))


def installed(host: HostFacts, version: str = "3.2.6-2.el7") -> HostFacts:
    shipped: dict[str, FileFacts | None] = {path: file(path, text) for path, text in SHIPPED.items()}
    return replace(
        host,
        packages=Known({"redis": version}),
        units=Known({each: unit(each) for each in EL7.units}),
        files=Known({**dict.fromkeys((*EL7.files, *kernel.FILES)), **shipped}),
    )


def with_file(host: HostFacts, path: str, text: str | None, mode: int = 0o640) -> HostFacts:
    assert isinstance(host.files, Known)
    return replace(host, files=Known({**host.files.value, path: None if text is None else file(path, text, mode)}))


def with_unit(host: HostFacts, name: str, **changes: str) -> HostFacts:
    assert isinstance(host.units, Known)
    units = host.units.value
    return replace(host, units=Known({**units, name: replace(units[name], **changes)}))  # type: ignore[arg-type]


def text_of(host: HostFacts, path: str) -> str:
    assert isinstance(host.files, Known)
    found = host.files.value[path]
    assert found is not None
    return found.text


def redis_facts(host: HostFacts, of: str | None) -> RedisFacts:
    """A running redis with what its file says; `of` is the address of its master."""
    conf = redis_conf.parse(text_of(host, EL7.redis_conf))
    keys = ("bind", "port", "requirepass", "masterauth", "repl-ping-slave-period", "repl-timeout")
    config = {key: conf.get(key) or "" for key in keys}
    return RedisFacts(
        "3.2.6",
        "r",
        7,
        "slave" if of else "master",
        60,
        master_address=of or "",
        link="up" if of else "",
        config=config,
    )


def view(master: str, **changes: object) -> SentinelView:
    at = ADDRESS.get(master, master)
    whole = SentinelView(at, 6379, at, 1, frozenset({"master"}), 2, 5000, 10000, 1, 3, 2)
    return replace(whole, **changes)  # type: ignore[arg-type]


def sees(master: str, **changes: object) -> Known[SentinelFacts | Denied | None]:
    return Known(SentinelFacts("3.2.6", "s", 8, False, (NAME,), view(master, **changes)))


def sentinel_file(master: str, epoch: int = 1) -> str:
    """What a running sentinel keeps."""
    return (
        f"sentinel myid {'a' * 40}\nsentinel monitor {NAME} {ADDRESS[master]} 6379 2\n"
        f"sentinel auth-pass {NAME} {PASSWORD}\nsentinel config-epoch {NAME} {epoch}\n"
        f"sentinel known-slave {NAME} {ADDRESS[S1]} 6379\n"
    )


def switched(host: HostFacts, master: str) -> HostFacts:
    """A host after a switch to `master`: its redis and its sentinel say so."""
    redis = redis_facts(host, None if host.name == master else ADDRESS[master])
    return replace(host, redis=Known(redis), sentinel=host.sentinel if host.name == M else sees(master))


def stopped_redis(host: HostFacts) -> HostFacts:
    assert isinstance(host.processes, Known)
    rest = tuple(each for each in host.processes.value if each.sentinel)
    return with_unit(replace(host, redis=Known(None), processes=Known(rest)), EL7.redis_unit, active="failed")


def stopped_sentinel(host: HostFacts) -> HostFacts:
    assert isinstance(host.processes, Known)
    rest = tuple(each for each in host.processes.value if not each.sentinel)
    return with_unit(replace(host, sentinel=Known(None), processes=Known(rest)), EL7.sentinel_unit, active="inactive")


def unreachable(host: HostFacts) -> HostFacts:
    gone = Unknown("no route to host")
    return HostFacts(host.name, host.address, *([gone] * 11))  # type: ignore[arg-type]


def carried_out(reading: ClusterFacts, todo: Plan) -> ClusterFacts:
    """The facts after every step of a plan was done."""
    hosts = dict(reading.hosts)
    for step in todo.steps:
        hosts[step.host] = _after(hosts[step.host], step)
    return ClusterFacts(hosts, reading.at)


def _after(host: HostFacts, step: Step) -> HostFacts:
    match step.action:
        case TakeClaim(owner, bootstrap_id, _):
            return claimed(host, owner, bootstrap_id)
        case RememberKeys(keys):
            assert isinstance(host.claim, Known)
            assert host.claim.value is not None
            return replace(host, claim=Known(replace(host.claim.value, keys=keys)))
        case RememberNotes(notes) | ProveRewrite(_, _, notes):
            assert isinstance(host.claim, Known)
            assert host.claim.value is not None
            return replace(host, claim=Known(replace(host.claim.value, notes=notes)))
        case InstallPackage():
            return installed(host)
        case EditConf() | WriteSentinelConf():
            return with_file(host, step.action.path, step.action.text.reveal())
        case WriteDropIn(path, text):
            return with_file(host, path, text)
        case SetKernel(path, text, now):
            assert isinstance(host.machine, Known)
            have = replace(host.machine.value, settings={**host.machine.value.settings, **now})
            return with_file(replace(host, machine=Known(have)), path, text)
        case EnableUnits() | StartUnit() | StopUnit() | HoldUnits() | FreeUnits():
            return _on_units(host, step.action)
    return _set(host, step)


def _on_units(host: HostFacts, action: EnableUnits | StartUnit | StopUnit | HoldUnits | FreeUnits) -> HostFacts:
    match action:
        case EnableUnits(names):
            return reduce(lambda each, name: with_unit(each, name, enabled="enabled"), names, host)
        case StartUnit():
            return _started(host, action)
        case StopUnit(name):
            return _stopped(host, name)
        case HoldUnits(units):
            return reduce(_stopped, units, _held(host, frozenset(units) | held(host)))
        case FreeUnits(units):
            return _held(host, held(host) - set(units))


def held(host: HostFacts) -> frozenset[str]:
    """The units that our fence keeps from starting."""
    assert isinstance(host.machine, Known)
    return host.machine.value.held


def _held(host: HostFacts, units: frozenset[str]) -> HostFacts:
    assert isinstance(host.machine, Known)
    return replace(host, machine=Known(replace(host.machine.value, held=units)))


def _stopped(host: HostFacts, unit: str) -> HostFacts:
    if unit == EL7.redis_unit:
        return with_unit(stopped_redis(host), unit, active="inactive")
    if unit == EL7.sentinel_unit:
        return stopped_sentinel(host)
    assert isinstance(host.processes, Known)
    rest = tuple(each for each in host.processes.value if each.unit != unit)
    gone = {"redis": Known(None)} if not any(not each.sentinel for each in rest) else {}
    return replace(host, processes=Known(rest), **gone)  # type: ignore[arg-type]


def _set(host: HostFacts, step: Step) -> HostFacts:
    match step.action:
        case AllowPorts(ports):
            assert isinstance(host.machine, Known)
            have = host.machine.value
            return replace(host, machine=Known(replace(have, redis_ports=have.redis_ports | set(ports))))
        case EditFirewalld() | FillChain() | SaveChain() as action:
            assert isinstance(host.firewall, Known)
            return replace(host, firewall=Known(firewall_after(host.firewall.value, action)))
        case ConfigSet(values):
            assert isinstance(host.redis, Known)
            assert isinstance(host.redis.value, RedisFacts)
            set_ = {key: value.reveal() if isinstance(value, Secret) else value for key, value in values.items()}
            config = {**host.redis.value.config, **set_}
            return replace(host, redis=Known(replace(host.redis.value, config=config)))
        case SentinelSet():
            return replace(host, sentinel=sees(M))
    raise AssertionError(step)


def firewall_after(had: FirewallFacts, action: EditFirewalld | FillChain | SaveChain) -> FirewallFacts:
    match action:
        case EditFirewalld(add, remove, forget):
            zones = {
                layer: (
                    getattr(had, layer) | {rule.words for rule in add if (rule.layer, rule.zone) == (layer, had.zone)}
                )
                - {rule.words for rule in remove if (rule.layer, rule.zone) == (layer, had.zone)}
                for layer in ("runtime", "permanent")
            }
            return replace(had, **zones, opened=(had.opened | set(add)) - set(remove) - set(forget))
        case FillChain(_, text):
            return replace(had, rules=restored(had.rules, text))
        case SaveChain(_, file, text):
            return replace(had, saved=replace(file, text=text))


def restored(rules: tuple[str, ...], text: str) -> tuple[str, ...]:
    """What `iptables-restore --noflush` makes of rules: a chain that is named is emptied."""
    after = list(rules)
    for line in text.splitlines():
        if line.startswith(":"):
            chain = line[1:].split()[0]
            after = [rule for rule in after if rule.split()[1] != chain] + [f"-N {chain}"]
        elif line.startswith("-A"):
            after.append(line)
        elif line.startswith("-D"):
            after.remove(line.replace("-D", "-A", 1))
        elif line.startswith("-I INPUT 1"):
            first = next((at for at, rule in enumerate(after) if rule.startswith("-A INPUT")), len(after))
            after.insert(first, line.replace("-I INPUT 1", "-A INPUT", 1))
    return tuple(after)


def _started(host: HostFacts, action: StartUnit) -> HostFacts:
    assert isinstance(host.processes, Known)
    process = Process(9 if action.sentinel else 7, "redis-server", action.unit, action.sentinel)
    host = replace(host, processes=Known((*host.processes.value, process)))
    host = with_unit(host, action.unit, active="active")
    if action.sentinel:
        monitor = sentinel_conf.parse(text_of(host, EL7.sentinel_conf)).masters[NAME]
        return replace(host, sentinel=sees(monitor.address))
    line = redis_conf.parse(text_of(host, EL7.redis_conf)).get("slaveof")
    return replace(host, redis=Known(redis_facts(host, line.split()[0] if line else None)))


def cluster(of: Callable[[str], HostFacts], **changed: Change) -> ClusterFacts:
    """All hosts made by `of`, some of them changed (by the short names M, S1, S2, S3)."""
    names = {"M": M, "S1": S1, "S2": S2, "S3": S3}
    hosts = {name: of(name) for name in ADDRESS}
    for short, change in changed.items():
        hosts[names[short]] = change(hosts[names[short]])
    return ClusterFacts(hosts, 0.0)
