"""The password that sentinels use towards redis: by the line in sentinel.conf, as no sentinel shows it.

A running sentinel writes the line itself, whenever anything changes. With a wrong one it goes on for as long as its
connections last, and then calls the master down that serves everybody else. Towards a server without one it does no
harm.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.conf.table import version_of
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigDrift, Need, SentinelSet, Step, StopUnit
from redis_sentinel_operator.model.verdict import Verdict
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import SERVING, Part, Stage, together, wait

_REFUSED = frozenset({"s_down", "disconnected"})
_WHY = "with another password it sees no server any more once it must connect again"


def auth_pass(desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict) -> Part:
    """Return the steps that give the running sentinels the password; their drift also where nothing may be done.

    Also while they call the master down: that is what a wrong one does, and its end. The master must be confirmed
    then, which includes that it lets the operator in, and no failover under way.
    """
    wrong = [host for host in hosts if lacks_auth_pass(desired, host)]
    drift = Part(drift=tuple((host.name, _drift(desired, host)) for host in wrong))
    if any(why_not(Need.SERVING, host.name, desired, facts, verdict) for host in wrong):
        return drift
    stuck = [host for host in wrong if desired.password is not None and _is_stuck(host)]
    stops = _stop(desired, hosts, stuck[0]) if stuck else Part()
    return drift + together(_set(desired, host) for host in wrong if host not in stuck) + stops


def lacks_auth_pass(desired: Desired, host: Host) -> bool:
    """Whether the sentinel that runs on a host has another password than the declared one, by its file.

    One that logs in as a user of its own keeps what it has where none is declared.
    """
    running, conf = host.sentinel, host.sentinel_conf
    if not host.want.sentinel or conf is None or running is None or running.view is None:
        return False
    if desired.password is None and conf.setting(desired.master_name, "auth-user") is not None:
        return False
    return conf.auth_pass(desired.master_name) != desired.password


def _drift(desired: Desired, host: Host) -> ConfigDrift:
    have = host.sentinel_conf and host.sentinel_conf.auth_pass(desired.master_name)
    want = "(none)" if desired.password is None else "(the Secret's)"
    return ConfigDrift("sentinel auth-pass", want, "(another)" if have else "(none)")


def _is_stuck(host: Host) -> bool:
    """Whether its link was refused and stays so: 5.0 to 6.2 do not connect again by SENTINEL SET (measured)."""
    running = host.sentinel
    view = running.view if running else None
    if running is None or view is None or not view.flags & _REFUSED:
        return False
    return (4, 0) <= version_of(running.version) < (7, 0)


def _set(desired: Desired, host: Host) -> Part:
    return Part(steps=(set_auth_pass(desired, host, _WHY, Stage.FILES, SERVING),))


def set_auth_pass(desired: Desired, host: Host, why: str, stage: Stage, needs: frozenset[Need]) -> Step:
    """Return the step that gives a running sentinel the password, or takes it where there is none."""
    password = desired.password or Secret("")
    action = SentinelSet(desired.master_name, {"auth-pass": password}, desired.sentinel_port)
    what = f"{'set auth-pass on' if desired.password else 'take auth-pass from'} the sentinel"
    return Step(host.name, what, why, action, stage, needs=needs)


def _stop(desired: Desired, hosts: Sequence[Host], host: Host) -> Part:
    """Stop a sentinel, one at a time: as a stopped one it gets its line and is started with all that it knows.

    SENTINEL RESET would connect it again as well, but empties its list of replicas for up to ten seconds.
    """
    others = [each.name for each in hosts if each.want.sentinel and not (each.sentinel and each.sentinel.view)]
    if others:
        return wait(f"the sentinel of {host.name} needs a restart for its password and waits for {', '.join(others)}")
    unit, running = host.units.get(host.sentinel_unit), host.sentinel
    if unit is None or running is None or unit.main_pid != running.process_id:
        return wait(
            f"the sentinel of {host.name} has another password than the Secret, and before Redis 7 takes one only "
            f"at its start; it does not run as {host.sentinel_unit}: stop it, and the operator starts it there "
            f"with sentinel auth-pass {desired.master_name} set right"
        )
    what = f"stop sentinel ({host.sentinel_unit}), which is started again with the right auth-pass"
    step = Step(host.name, what, _WHY, StopUnit(host.sentinel_unit), Stage.SENTINEL_CONF, needs=SERVING)
    return Part(steps=(step,))
