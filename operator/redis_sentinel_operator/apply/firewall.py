"""Ports, in firewalld: in force and permanently, each proved by a query."""

from __future__ import annotations

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.scripts import Guard, change
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.step import OpenPorts
from redis_sentinel_operator.settings import Settings


async def open_ports(action: OpenPorts, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Open the ports that are closed."""
    if action.backend != "firewalld":
        return failed(f"opening ports in {action.backend} is not supported yet")
    now, permanent = (" ".join(map(str, ports)) for ports in (action.runtime, action.permanent))
    result = await change(link, guard, "firewalld", action.zone, now, permanent, seconds=settings.step_timeout)
    if result.exit_status == 0:
        return done("open")
    return failed(scrub(result.stderr) or "firewall-cmd did not succeed")
