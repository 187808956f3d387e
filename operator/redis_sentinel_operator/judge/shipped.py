"""A sentinel that runs with the file that its package brought: it watches nothing of ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from redis_sentinel_operator.conf.family import family
from redis_sentinel_operator.conf.sentinel_conf import is_shipped, parse
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.telling import listed, mended
from redis_sentinel_operator.judge.trace import conf_texts
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import Denied, HostFacts, Known, SentinelFacts


def runs_as_shipped(host: DesiredHost, facts: HostFacts | None) -> bool:
    """Whether the sentinel of a member runs by its package's unit, and its file monitors what the package's does.

    That of 3.2 does not let anybody in (protected mode), so that only its file tells.
    """
    if facts is None or not host.sentinel or host.aside or host.state != "Member":
        return False
    where = family(facts.os.value) if isinstance(facts.os, Known) else None
    processes = facts.processes.value if isinstance(facts.processes, Known) else ()
    if where is None or not any(each.sentinel and each.unit == where.sentinel_unit for each in processes):
        return False
    text = conf_texts(facts).get("sentinel")
    return text is not None and is_shipped(parse(text)) and _knows_nothing(facts)


def _knows_nothing(facts: HostFacts) -> bool:
    said = facts.sentinel.value if isinstance(facts.sentinel, Known) else None
    if isinstance(said, SentinelFacts):
        return said.view is None and len(said.masters) == 1
    return isinstance(said, Denied)


def shipped(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    """Return a sentence that names each, "" where there is none."""
    names = [host.name for host in desired.sentinel_hosts if runs_as_shipped(host, hosts.get(host.name))]
    if not names:
        return ""
    return say("ShippedSentinel", detail=f"on {listed(names)}", name=desired.master_name, then=mended(desired))
