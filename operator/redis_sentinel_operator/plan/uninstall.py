"""What the operator made on a host is removed once nothing of ours runs there (deletionPolicy Uninstall).

What others may use stays: the package where another server, unit or package needs it, directories, users, logs, and the
data unless the resource says that they may go.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from redis_sentinel_operator.conf import iptables, kernel, yum_conf
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.family import FENCE
from redis_sentinel_operator.conf.sentinel_conf import SHIPPED
from redis_sentinel_operator.model.departure import RemovePackage, RemoveTraces
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import FirewallFacts, Known, Unknown
from redis_sentinel_operator.model.package import LockPackage
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Action, EditFirewalld, FillChain, SaveChain, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Stage

_WHY = "the resource was deleted with deletionPolicy Uninstall"


def used_by_others(desired: Desired, host: Host) -> str:
    """Return a phrase for who else uses the package or the sentinel there, "" for nobody that can be seen."""
    ours = {host.redis_unit, host.sentinel_unit}
    for process in host.processes:
        if process.unit not in ours:
            return f"{process.name} runs there too (process {process.pid}, {process.unit or 'started by hand'})"
    conf = host.sentinel_conf
    watched = [(name, each.address) for name, each in conf.masters.items()] if conf is not None else []
    others = [each for each in watched if each[0] != desired.master_name and each != SHIPPED]
    return f"{host.sentinel_path} is also about {', '.join(name for name, _ in others)}" if others else ""


def uninstall(desired: Desired, host: Host) -> tuple[Step, ...] | str:
    """Return the next steps, each from what is read; a phrase where it cannot be told what is to be done."""
    first = _package(desired, host)
    if first is not None:
        return (first,)
    firewall = host.facts.firewall
    if isinstance(firewall, Unknown):
        return f"ours is stopped there, but its firewall could not be read: {firewall.message.rstrip('. ')}"
    return (*_closing(host, firewall.value), *_unlocking(host), _traces(host))


def _package(desired: Desired, host: Host) -> Step | None:
    goes = host.package if host.package in host.packages and host.want.package.manage != "CheckOnly" else ""
    data = _data(host) if desired.delete_data else ()
    if not goes and not data:
        return None
    things = [f"the package {goes}"] if goes else []
    things += [f"the data ({', '.join(data)})"] if data else []
    why = f"{_WHY}, and the annotation says that the data go" if data else _WHY
    return Step(host.name, f"remove {' and '.join(things)}", why, RemovePackage(goes, data), Stage.PACKAGE)


def _data(host: Host) -> tuple[str, ...]:
    """Return the files that this redis wrote, by the names in its file; other dumps beside them are a person's."""
    facts, conf = host.facts.data, host.conf()
    found = facts.value if host.want.redis and isinstance(facts, Known) else ()

    def named(directive: str, default: str) -> str:
        return ((conf.get(directive) if conf else None) or default).strip("\"'")

    files = {named("dbfilename", "dump.rdb"), named("appendfilename", "appendonly.aof")}
    tree = named("appenddirname", "appendonlydir")
    paths = [PurePosixPath(each.path) for each in found]
    return tuple(str(path) for path in paths if path.name in files or path.parent.name == tree)


def _closing(host: Host, have: FirewallFacts) -> tuple[Step, ...]:
    if have.opened:
        rules = tuple(sorted(have.opened, key=str))
        return (_step(host, "close what we opened in firewalld", EditFirewalld(remove=rules)),)
    tool = "ip6tables" if ":" in host.want.address else "iptables"
    steps: list[Step] = []
    if iptables.ours(have.rules):
        action = FillChain(tool, iptables.removal(have.rules))
        steps.append(_step(host, f"remove the chain {iptables.CHAIN} from {tool}", action))
    if have.saved is not None and iptables.without(have.saved.text) != have.saved.text:
        text = have.saved.text
        save = SaveChain(tool, have.saved, iptables.without(text), sha256(text))
        steps.append(_step(host, f"remove the chain {iptables.CHAIN} from {have.saved.path}", save))
    return tuple(steps)


def _unlocking(host: Host) -> tuple[Step, ...]:
    """The same as where spec.package.lock is false: the name of the package goes, patterns are others'."""
    file = host.files.get(host.family.yum_conf)
    if file is None or not host.want.package.lock or host.want.package.manage == "CheckOnly":
        return ()
    text = yum_conf.include(file.text, host.package)
    if text == file.text:
        return ()
    action = LockPackage(file.path, Secret(text), sha256(file.text), file.owner, file.group, file.mode)
    return (_step(host, f"let {host.package} be updated in {file.path}", action),)


def _traces(host: Host) -> Step:
    units = dict.fromkeys((*host.family.units, host.redis_unit, host.sentinel_unit))
    fences = tuple(f"/etc/systemd/system/{unit}.d/{FENCE}" for unit in units)
    paths = (host.family.redis_drop_in, host.family.sentinel_drop_in, *fences, *kernel.FILES)
    ours = () if host.want.package.manage == "CheckOnly" else (host.family.redis_conf, host.family.sentinel_conf)
    action = RemoveTraces(paths, tuple(f"{path}.rpmsave" for path in ours))
    return _step(host, "remove drop-ins, settings of the kernel, and the claim", action)


def _step(host: Host, what: str, action: Action) -> Step:
    return Step(host.name, what, _WHY, action, Stage.RESTART)
