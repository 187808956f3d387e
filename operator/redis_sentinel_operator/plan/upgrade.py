"""Hosts with an older package than the spec asks for: what upgrades one, and why it may not be done now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.installed import is_behind, other_version
from redis_sentinel_operator.judge.versions import older_than_master
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.package import FetchPackage, InstallPackage, Server, UpgradePackage
from redis_sentinel_operator.model.step import Impact, Need, Step
from redis_sentinel_operator.model.verdict import Confirmed, Verdict
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import CONFIRMED, Part, Stage, only
from redis_sentinel_operator.plan.restart import not_back

_CALM = CONFIRMED | {Need.CALM}


def behind(hosts: Sequence[Host]) -> Mapping[str, Host]:
    """Return the hosts that are to be upgraded, by name, in the order of the spec; none that is set aside.

    One whose servers still run the program of before is among them: an upgrade of it was cut short.
    """
    looked_after = [host for host in hosts if not host.want.aside and host.want.state == "Member"]
    return {host.name: host for host in looked_after if is_behind(host.want, host.facts) or _is_half_done(host)}


def _is_half_done(host: Host) -> bool:
    wish = host.want.package
    whole = wish.version and host.package in host.packages and not other_version(host.want, host.facts)
    old = any(each.replaced and each.unit in (host.redis_unit, host.sentinel_unit) for each in host.processes)
    return bool(whole) and wish.manage == "Install" and old


def fetches(hosts: Sequence[Host]) -> tuple[Step, ...]:
    """Return what is asked of the repositories of all hosts before anything is changed on one of them."""
    return tuple(
        Step(host.name, f"fetch {shown(host)}", _why(host), FetchPackage(_package(host)), Stage.PACKAGE)
        for host in behind(hosts).values()
        if is_behind(host.want, host.facts)
    )


def upgrades(desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict) -> Part:
    """Return all that would be upgraded, for a look: a procedure does it (operations/upgrade.py)."""
    return only(*(upgrade(desired, facts, host, verdict) for host in behind(hosts).values()))


def upgrade(desired: Desired, facts: ClusterFacts, host: Host, verdict: Verdict) -> Step:
    """Return the step that upgrades a host: its servers are restarted, redis and the sentinel at once."""
    wanted = (
        (host.want.redis, Server(host.redis_unit, desired.redis_port, False, host.family.redis_log)),
        (host.want.sentinel, Server(host.sentinel_unit, desired.sentinel_port, True, host.family.sentinel_log)),
    )
    action = UpgradePackage(_package(host), tuple(server for runs, server in wanted if runs))
    needs = CONFIRMED if _cut_off(desired, facts, host, verdict) else _CALM
    return Step(host.name, f"upgrade to {shown(host)}", _why(host), action, Stage.PACKAGE, Impact.RESTART, needs)


def why_not_upgraded(desired: Desired, facts: ClusterFacts, host: Host, verdict: Verdict) -> str | None:
    """Return a sentence why a host is not upgraded now, None when it is.

    A replica that cannot follow its master, as that is newer already, needs it to be well again: no other replica is
    asked for, but the sentinels must be calm.
    """
    master = verdict.master
    if not isinstance(master, Confirmed):
        return master.message
    by_hand = [each.process_id for each in (host.redis, host.sentinel) if each and host.unit_of(each) == ""]
    if by_hand:
        return f"process {by_hand[0]} was started by hand there, which nothing restarts: start it by its unit first"
    linked = not _cut_off(desired, facts, host, verdict)
    trouble = not_back(host, master, linked=linked) if host.want.redis and host.name != master.host else None
    needs = (Need.CONFIRMED, Need.CALM) if linked else (Need.CONFIRMED,)
    reasons = (why_not(need, host.name, desired, facts, verdict) for need in needs)
    return trouble or next((reason for reason in reasons if reason), None)


def _cut_off(desired: Desired, facts: ClusterFacts, host: Host, verdict: Verdict) -> bool:
    """Whether it is a replica that is out of touch with a master that is newer."""
    master = verdict.master
    if host.redis is None or not isinstance(master, Confirmed) or host.redis.link == "up":
        return False
    return host.name in older_than_master(desired, facts, master)


def shown(host: Host) -> str:
    """Return what is to be installed as yum is told it."""
    return f"{host.package}-{host.declared_version}"


def _why(host: Host) -> str:
    return other_version(host.want, host.facts) or "what runs there is the program of before"


def _package(host: Host) -> InstallPackage:
    wish = host.want.package
    return InstallPackage(host.package, host.declared_version, wish.module, wish.repositories)
