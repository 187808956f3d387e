"""After a failover the operator goes on as before, and every role stays what the sentinels made of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.rig import Rig, is_healthy, master
from e2e.test_failover import kill, role_lines
from lab.observe import commands_seen
from lab.operator import OperatorProcess

PASSES = 20


@pytest.fixture
def restless(seed: Rig) -> Iterator[OperatorProcess]:
    """An operator that looks at the hosts every second."""
    seed.operator.stop()
    with OperatorProcess(seed.cp, settings={"RSO_RESYNC": "1"}) as operator:
        operator.wait_until(operator.has_passed, "a pass of this run of the operator", 60)
        seed.wait_quiet()
        yield operator
    seed.operator.start()


@pytest.mark.timeout(700)
def test_twenty_passes_and_a_change_of_the_spec_write_no_role(seed: Rig, restless: OperatorProcess) -> None:
    old = master(seed.status())
    kill(seed.lab[old])
    seed.wait(lambda s: master(s) not in ("", old), "a successor in status", 120)
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back as a replica", 120)
    _sentinels_are_through(seed)
    roles = {host.name: role_lines(host) for host in seed.lab}
    with commands_seen(seed.lab) as seen:
        _passes(restless, PASSES)
        seed.declare(redis={"config": {"repl-ping-slave-period": 10, "repl-timeout": 61, "tcp-keepalive": 100}})
        seed.wait_healthy()
        _passes(restless, 3)
        assert seen.role_commands() == []
        assert len(seen.commands()) > PASSES, "hardly a command was seen: the test proves nothing"
    assert {host.name: role_lines(host) for host in seed.lab} == roles
    assert all("repl-timeout 61" in host.run("cat /etc/redis.conf").stdout for host in seed.lab)
    assert f"slaveof {seed.lab[master(seed.status())].address} 6379" in roles[old]
    seed.declare()
    seed.wait_healthy()


def _passes(operator: OperatorProcess, count: int) -> None:
    began = operator.passes()
    operator.wait_until(lambda: operator.passes() >= began + count, f"{count} passes", 240)


def _sentinels_are_through(rig: Rig) -> None:
    """Wait until each sentinel shows all replicas following the new master: then it writes its file no more."""
    chief = rig.lab[master(rig.status())].address

    def through(_: object) -> bool:
        for host in rig.lab.replicas:
            with rig.sentinel(host.name) as client:
                rows = client.sentinel_slaves("redis-cluster")
            if {(row["master-host"], row["master-link-status"], row["is_sdown"]) for row in rows} != {
                (chief, "ok", False)
            }:
                return False
        return True

    rig.wait(through, "the sentinels through with it", 60)
