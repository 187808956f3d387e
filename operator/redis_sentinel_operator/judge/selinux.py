"""Which ports of ours SELinux keeps from redis and sentinel."""

from __future__ import annotations

from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import HostFacts, Known

_IN_POLICY = frozenset({6379, 16379, 26379})  # of type redis_port_t in the policies of EL7.3 and newer


def closed_ports(desired: Desired, host: DesiredHost, facts: HostFacts) -> tuple[int, ...]:
    """Return the ports that redis and sentinel of the host need and SELinux does not let them use.

    What the policy has by itself is known where the host was asked at length; what was added is read by every pass.
    """
    machine, survey = facts.machine, facts.survey
    if not (isinstance(machine, Known) and machine.value.selinux):
        return ()
    listed = survey.value.ports if isinstance(survey, Known) else None
    allowed = (_IN_POLICY if listed is None else listed) | machine.value.redis_ports
    # A sentinel connects to every redis, and a replica to its master.
    wanted = {desired.redis_port, *((desired.sentinel_port,) if host.sentinel else ())}
    return tuple(sorted(wanted - allowed))


def has_semanage(facts: HostFacts) -> bool:
    """Whether the host has the tool that changes SELinux' policy."""
    machine = facts.machine
    return isinstance(machine, Known) and machine.value.semanage
