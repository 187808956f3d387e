"""Hosts in maintenance: a replica that is booted meanwhile, and a master, which is replaced first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.acting import not_to_be_lost
from e2e.rig import NAME, Rig, Status, condition, is_healthy, master
from e2e.test_scaling import declare, forget, installed, is_out
from lab.ledger import ledger
from lab.seed import NAMESPACE

PROCESSES = "pgrep -a '(redis|valkey)-(ser|sen)'"


def name_hosts(rig: Rig, *names: str) -> int:
    """Name the hosts that are worked on; the generation that says so."""
    patch = json.dumps({"spec": {"maintenanceHosts": list(names) or None}})
    rig.cp.kubectl("patch", "rsc", NAME, "-n", NAMESPACE, "--type=merge", "-p", patch)
    return int(rig.body()["metadata"]["generation"])


def wait_for(rig: Rig, generation: int, seconds: float = 120) -> Status:
    return rig.wait(lambda s: is_healthy(s) and s["observedGeneration"] == generation, "all as declared", seconds)


def host_of(status: Status, name: str) -> dict[str, Any]:
    return next(each for each in status["hosts"] if each["name"] == name)


@pytest.mark.timeout(600)
def test_a_replica_is_booted_in_maintenance_and_comes_back_in_sync(seed: Rig) -> None:
    name = next(host.name for host in reversed(list(seed.lab.replicas)) if host.name != master(seed.status()))
    host = seed.lab[name]
    with ledger(seed.lab, seed.password) as book:
        status = wait_for(seed, name_hosts(seed, name))
        assert (host_of(status, name)["state"], host_of(status, name)["redis"]) == ("Maintenance", "Stopped")
        assert host.run(PROCESSES, check=False).stdout == ""
        assert (status["ready"], status["replicas"], status["sentinels"]) == ("3/4", "2/3", "2/3")
        assert condition(status, "Ready")["reason"] == "HealthyButForSome"
        assert status["message"].endswith(f"Left out on purpose: {name} (spec.maintenanceHosts).")

        host.run(f"systemctl disable -q {' '.join(host.family.units)}")
        host.shut_down()
        status = seed.wait(lambda s: host_of(s, name)["redis"] == "Unknown", "it is away", 90)
        assert (status["phase"], condition(status, "HostsReachable")["status"]) == ("Healthy", "True")
        host.boot()
        status = seed.wait(lambda s: "booted since" in host_of(s, name).get("message", ""), "it is back", 90)
        assert host_of(status, name)["redis"] == "Stopped"

        generation = name_hosts(seed)
        status = seed.wait(
            lambda s: is_healthy(s) and s["observedGeneration"] == generation and s["ready"] == "4/4", "in sync", 120
        )
        assert host_of(status, name)["state"] == "Member"
        assert (status["replicas"], status["sentinels"]) == ("3/3", "3/3")
        book.wait(30, seed.lab[master(status)].address)
    seed.wait(lambda _: book.missing(host) == [], "all of it on the replica, which is a moment behind")
    assert host.run(f"systemctl is-enabled {' '.join(host.family.units)}").stdout.split() == ["enabled", "enabled"]


@pytest.mark.timeout(600)
def test_a_master_is_replaced_before_it_is_stopped(seed: Rig) -> None:
    old = master(seed.status())
    with ledger(seed.lab, seed.password) as book:
        status = wait_for(seed, name_hosts(seed, old), 120)
        new = master(status)
        assert new != old
        assert (host_of(status, old)["state"], host_of(status, old)["redis"]) == ("Maintenance", "Stopped")
        assert (status["failovers"][-1]["from"], status["failovers"][-1]["cause"]) == (old, "Ours")
        assert (status["acts"][-1]["verb"], status["acts"][-1]["result"]) == ("switchover", "Done")
        generation = name_hosts(seed)
        seed.wait(
            lambda s: is_healthy(s) and s["observedGeneration"] == generation and s["ready"] == "4/4", "in sync", 120
        )
        book.wait(30, seed.lab[new].address)
    assert not_to_be_lost(seed, book.missing(seed.lab[new])) == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_fenced_host_that_is_taken_out_leaves_and_nothing_starts_there(bare: Rig) -> None:
    """It is taken out of both fields in one change; its fence stays, and goes when the host is added again."""
    rig, host = bare, list(bare.lab)[3]
    installed(rig, 4)
    declare(rig, 4, fencedHosts=[host.name])
    rig.wait(lambda s: is_healthy(s) and host_of(s, host.name)["state"] == "Fenced", "it is fenced", 90)
    with ledger(rig.lab, rig.password) as book:
        declare(rig, 3)
        status = rig.wait_healthy()
        book.wait(10)
    assert [each["name"] for each in status["hosts"]] == [each.name for each in list(rig.lab)[:3]]
    assert is_out(host)
    assert book.missing(rig.lab[master(status)]) == []
    host.run(f"systemctl start {' '.join(host.family.units)}")
    assert host.run(PROCESSES, check=False).stdout == ""
    forget(host)
    declare(rig, 4)
    status = rig.wait_healthy()
    assert (status["ready"], status["sentinels"]) == ("4/4", "4/4")
