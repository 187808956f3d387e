"""The machine under redis: its kernel is set for each boot by our files, and now as far as it lets itself be set.

What the kernel refused since it was booted is not planned again: it is told, and in force after the next boot.
"""

from __future__ import annotations

from collections.abc import Mapping

from redis_sentinel_operator.conf import kernel
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.conf.version import at_least
from redis_sentinel_operator.judge.selinux import closed_ports, has_semanage
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Known, MachineFacts
from redis_sentinel_operator.model.step import AllowPorts, LabelFile, SetKernel, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, wait

_ALONE = "6.2"  # since then redis turns huge pages off for itself
_WRONG_LABEL, _LABEL = "etc_t", "redis_conf_t"


def machine(desired: Desired, host: Host) -> Part:
    """Return the steps that set the kernel, and what SELinux needs to let redis write its file and use its ports."""
    fact = host.facts.machine
    if not isinstance(fact, Known):
        return wait(f"the kernel of {host.name} could not be asked and is left as it is: {fact.message}")
    kernels = _sysctl(desired, host, fact.value) + _huge_pages(host, fact.value)
    return kernels + _label(host, fact.value) + _ports(desired, host, fact.value)


def huge_pages_are_ours(host: Host) -> bool:
    """Whether our unit turns huge pages off: it is there, or they are on and redis does not do that for itself."""
    fact = host.facts.machine
    on = isinstance(fact, Known) and fact.value.settings.get(kernel.HUGE_PAGES) == "always"
    return host.files.get(kernel.HUGE_PAGES_FILE) is not None or (on and not at_least(host.server_version, _ALONE))


def backlog(desired: Desired, host: Host) -> int:
    """Return how many connections redis wants to have waiting."""
    declared = desired.redis_config.get("tcp-backlog", "")
    in_file = (parse(host.redis_conf.text).get("tcp-backlog") or "") if host.redis_conf else ""
    return max(kernel.LEAST_BACKLOG, *(int(each) for each in (declared or in_file, "0") if each.isdecimal()))


def _sysctl(desired: Desired, host: Host, have: MachineFacts) -> Part:
    """The queue's length is never lowered: others may want a longer one."""
    file = host.files.get(kernel.SYSCTL_FILE)
    ours = kernel.somaxconn_of(file.text) if file else None
    now, wanted = int(have.settings[kernel.SOMAXCONN]), backlog(desired, host)
    somaxconn = None if ours is None and now >= wanted else max(wanted, now, ours or 0)
    values = {kernel.OVERCOMMIT: "1"} | ({kernel.SOMAXCONN: str(somaxconn)} if somaxconn is not None else {})
    return _set(host, have, kernel.SYSCTL_FILE, kernel.sysctl_text(somaxconn), values)


def _huge_pages(host: Host, have: MachineFacts) -> Part:
    if not huge_pages_are_ours(host):
        return Part()
    return _set(host, have, kernel.HUGE_PAGES_FILE, kernel.HUGE_PAGES_TEXT, {kernel.HUGE_PAGES: "never"})


def _set(host: Host, have: MachineFacts, path: str, text: str, values: Mapping[str, str]) -> Part:
    file = host.files.get(path)
    differs = {name: value for name, value in values.items() if have.settings.get(name) != value}
    now = {name: value for name, value in differs.items() if name not in have.refused}
    written = file is not None and file.text == text
    if written and not now:
        return Part()
    set_to = ", ".join(f"{kernel.shown(name)} to {value}" for name, value in values.items())
    reasons = [] if written else [f"{path} does not say so" if file else "it is nowhere set for the next boot"]
    reasons += [f"{kernel.shown(name)} is {have.settings.get(name, 'not there')}" for name in now]
    action = SetKernel(path, text, now)
    return only(Step(host.name, f"set {set_to} ({path})", "; ".join(reasons), action, Stage.FILES))


def _label(host: Host, have: MachineFacts) -> Part:
    """Policies of EL7 and EL8 before 2023-12 have no rule for /etc/redis.conf: redis may read it, but not write it."""
    path = host.family.redis_conf
    if not host.want.redis or have.labels.get(path) != _WRONG_LABEL:
        return Part()
    why = f"SELinux ({have.selinux}) does not let redis write its role into a file of type {_WRONG_LABEL}"
    return only(Step(host.name, f"label {path} {_LABEL}", why, LabelFile(path, _LABEL), Stage.FILES))


def _ports(desired: Desired, host: Host, have: MachineFacts) -> Part:
    """Only where the host has the tool; else it is told (judge/risks.py)."""
    ports = closed_ports(desired, host.want, host.facts)
    if not ports or not has_semanage(host.facts):
        return Part()
    numbers = ", ".join(map(str, ports))
    why = f"SELinux ({have.selinux}) does not let redis use ports that are not of type redis_port_t"
    return only(Step(host.name, f"let redis use the TCP ports {numbers}", why, AllowPorts(ports), Stage.FILES))
