"""The API server is away while the master changes twice: the hosts go on, and all of it is told when it is back."""

from __future__ import annotations

import re
import time

import pytest

from e2e.rig import NAME, PLURAL, Rig, Status, is_healthy, master
from lab.observe import commands_seen
from lab.processes import wait_until
from lab.resp import Resp
from lab.seed import NAMESPACE

OVERDUE = 12.0  # seconds after which the renewal of the Lease is overdue: nothing is changed on a host any more
# Writes of what else we write, by anybody: the API server makes a Service and a slice of its own.
MOST = {"endpointslices": 6, "services": 1, "events": 12}
CALM = 12.0  # seconds after the first write of the new API server in which the writes are counted


@pytest.mark.timeout(700)  # of which five minutes are one of the outages
@pytest.mark.parametrize(
    "away", [pytest.param(40.0, id="40-seconds"), pytest.param(300.0, id="5-minutes", marks=pytest.mark.long)]
)
def test_two_failovers_while_the_api_server_is_away(seed: Rig, away: float) -> None:
    first = master(seed.status())
    before = _entries(seed.status())
    audited = len(seed.operator.audit())
    with commands_seen(seed.lab) as seen, seed.cp.without_api_server():
        began, ends = time.time(), time.monotonic() + away
        second = fail_over(seed, first)
        settled(seed, second)
        third = fail_over(seed, second)
        settled(seed, third)
        while time.monotonic() < ends:  # the length of the outage is what is asked for
            assert seed.master_by_role() == [third]
            assert seed.operator.running
            time.sleep(1.0)
        assert [command for command in seen.role_commands() if command.at > began + OVERDUE] == []
    returned, back = time.time(), seed.as_listed()
    told = [(first, second, "Requested", "Succeeded"), (second, third, "Requested", "Succeeded")]
    status = seed.wait(lambda s: master(s) == third and _entries(s)[-2:] == told, "what happened in status", 90)
    stored = [_entries(each["status"])[-2:] for each in seed.versions_since(back)]
    assert all(each in (before[-2:], told) for each in stored), "what happened meanwhile is one document"
    assert wait_until(lambda: _offered(seed) == [seed.lab[third].address], 60, 0.2), "the endpoint leads elsewhere"
    assert _entries(status)[:-2] == before[-8:]
    assert all(entry["promoted"] and entry["switched"] and entry["published"] for entry in status["failovers"][-2:])
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    assert seed.master_by_role() == [third]
    assert not [line for line in seed.operator.audit()[audited:] if "redis.service" in line["what"]]
    assert wait_until(lambda: time.time() - returned > CALM, CALM + 1)
    assert _writes(seed) <= 10
    others = {kind: _writes(seed, kind) for kind in MOST}
    assert all(count <= MOST[kind] for kind, count in others.items()), others


def _entries(status: Status) -> list[tuple[str, str | None, str, str | None]]:
    """The record of failovers: from, to, cause, result."""
    found = status.get("failovers", [])
    return [(each["from"], each.get("to"), each["cause"], each.get("result")) for each in found]


def _offered(rig: Rig) -> list[str]:
    """The addresses that the master's Service leads to."""
    endpoints = rig.cp.get("endpointslice", NAME, "-n", NAMESPACE).get("endpoints") or []
    return [address for each in endpoints if each["conditions"]["ready"] for address in each["addresses"]]


def fail_over(rig: Rig, old: str) -> str:
    """Have the sentinels switch; who is master then."""
    name = "redis_slave03" if old != "redis_slave03" else "redis_slave02"
    with Resp.to(rig.lab[name], 26379) as asking:  # from inside: it can be told from what the operator sends
        assert asking.call("SENTINEL", "FAILOVER", NAME) == "OK"
    with rig.sentinel(name) as client:
        changed = wait_until(lambda: client.sentinel_get_master_addr_by_name(NAME)[0] != rig.lab[old].address, 90)
        assert changed, "no failover"
        address = client.sentinel_get_master_addr_by_name(NAME)[0]
    return next(host.name for host in rig.lab if host.address == address)


def settled(rig: Rig, chief: str) -> None:
    """Wait until the sentinels have made all others replicas of it and show no sign of a failover any more."""

    def well() -> bool:
        with rig.redis(chief) as client:
            online = sum(slave.get("state") == "online" for slave in _slaves(client.info("replication")))
        calm = all(_flags(rig, host.name) == "master" and _knows_all(rig, host.name) for host in rig.lab.replicas)
        return online == 3 and calm

    assert wait_until(well, 90, 0.2), "the cluster does not come together"


def _knows_all(rig: Rig, name: str) -> bool:
    """Whether a sentinel has heard of each replica that it is one: else it makes the next master a replica again."""
    with rig.sentinel(name) as client:
        return all(each["role-reported"] == "slave" for each in client.sentinel_slaves(NAME))


def _slaves(replication: dict[str, object]) -> list[dict[str, object]]:
    return [value for key, value in replication.items() if re.fullmatch(r"slave\d+", key) and isinstance(value, dict)]


def _flags(rig: Rig, host: str) -> str:
    with rig.sentinel(host) as client:
        words = client.execute_command("SENTINEL", "MASTER", NAME)
    return str(words["flags"] if isinstance(words, dict) else dict(zip(words[::2], words[1::2], strict=True))["flags"])


def _writes(rig: Rig, kind: str = PLURAL) -> int:
    """How many writes of our status, or of another kind, this API server has taken since it was started."""
    text = (rig.cp.raw("/metrics") or b"").decode()
    lines = [
        line
        for line in text.splitlines()
        if line.startswith("apiserver_request_total{")
        and f'resource="{kind}"' in line
        and f'subresource="{"status" if kind == PLURAL else ""}"' in line
        and re.search(r'verb="(APPLY|DELETE|PATCH|POST|PUT|UPDATE)"', line)
    ]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)
