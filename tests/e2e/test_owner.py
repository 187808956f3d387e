"""One owner a host, one applier a cluster; and a resource that goes and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.rig import NAME, PATIENT, Rig, Status, condition, is_healthy, master
from e2e.test_adopt import manage
from e2e.test_interrupted import accident
from e2e.watching import of_the_machine, said_since, sentinel_logs
from lab.faults import cut_off, hang_ssh
from lab.observe import untouched
from lab.operator import OperatorProcess

OTHER = "elsewhere"


@pytest.fixture
def alone(rig: Rig) -> Iterator[Rig]:
    """Leave no second resource behind."""
    yield rig
    rig.cp.kubectl("delete", "rsc", NAME, "-n", OTHER, "--ignore-not-found", "--timeout=90s", seconds=95)


@pytest.mark.timeout(400)
def test_a_second_resource_with_the_same_hosts_changes_nothing(seed: Rig, alone: Rig) -> None:
    audited = len(seed.operator.audit())
    owner = f"{_identity(seed)}/redis/{NAME}"
    with untouched(*seed.lab.hosts):
        seed.declare(OTHER, redis={"config": {"bind": "0.0.0.0", "repl-timeout": 99}})
        status = seed.wait(lambda s: s.get("phase") == "Blocked", "the second one blocked", 60, OTHER)
        time.sleep(15)  # a resync of both
    claimed = condition(status, "HostsClaimed")
    assert (claimed["status"], claimed["reason"]) == ("False", "HostClaimedByAnother")
    assert owner in claimed["message"]
    assert "adopt-claim" in claimed["message"]
    assert len(seed.operator.audit()) == audited
    seed.wait_healthy()


@pytest.mark.timeout(400)
def test_adopt_claim_takes_the_hosts_over(seed: Rig, alone: Rig) -> None:
    first = master(seed.status())
    manage(seed, '"Paused"')
    seed.wait(lambda s: s.get("phase") == "Paused", "the first one paused")
    seed.declare(OTHER)
    seed.wait(lambda s: s.get("phase") == "Blocked", "the second one blocked", 60, OTHER)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    act = f"redis-sentinel-operator.io/act=adopt-claim - {now}"
    seed.cp.kubectl("annotate", "rsc", NAME, "-n", OTHER, act)
    status = seed.wait(lambda s: is_healthy(s) and s.get("acts"), "the second one in charge", 120, OTHER)
    assert [(each["verb"], each["result"]) for each in status["acts"]] == [("adopt-claim", "Done")]
    assert master(status) == first
    seed.cp.kubectl("delete", "rsc", NAME, "-n", OTHER, "--timeout=90s", seconds=95)
    manage(seed, "null")  # Full again; the claim was given up with the other resource
    seed.wait_healthy()


@pytest.mark.timeout(400)
def test_a_second_operator_waits_for_the_lease(seed: Rig) -> None:
    audited = len(seed.operator.audit())
    while True:  # anew where something happened to the machine, as in test_seed
        before, heard = seed.wait_quiet(), sentinel_logs(seed)
        with OperatorProcess(seed.cp, "second") as second:
            second.wait_until(
                lambda: any("Lease" in str(line.get("message")) for line in second.lines()),
                "its wait",
                60,
            )
            time.sleep(10)
            assert second.audit() == []
            assert not any("woken_by" in line for line in second.lines())
        writes = seed.writes_since(before)
        if not of_the_machine(said_since(heard, sentinel_logs(seed)), writes):
            break
    assert len(seed.operator.audit()) == audited
    assert writes == []


@pytest.mark.timeout(400)
def test_deleted_and_made_anew_in_the_middle_of_a_pass(seed: Rig, tmp_path: Path) -> None:
    """The new object knows nothing of the old one's status; the hosts are adopted as they run."""
    old, steps = seed.body(), tmp_path / "steps"
    seed.operator.stop()
    late, *others = [host for host in seed.lab if host.name != master(seed.status())]
    late.run("systemctl stop redis")  # its start is planned behind the step in which the old object's pass is held
    others.append(seed.lab[master(seed.status())])
    pids = {host.name: _redis_pid(seed, host.name) for host in others}
    for host in seed.lab:
        host.run("sed -i 's/^repl-timeout .*/repl-timeout 44/' /etc/redis.conf")
    with accident(seed, "hold", "set repl-timeout", steps) as held:
        held.start("e2e.dying")
        held.wait_until(lambda: steps.exists() and len(steps.read_text().splitlines()) == 4, "a step of each host", 60)
        ended = _passes_ended(held)
        seed.delete()
        steps.with_suffix(".go").touch()
        time.sleep(2)
        assert late.run("systemctl is-active redis", check=False).stdout.strip() == "inactive", "the pass went on"
        assert _passes_ended(held) == ended, "the pass was to be in the middle of its steps"
        seed.declare()
        status = seed.wait_healthy()
        starts = [line for line in steps.read_text().splitlines()[4:] if "start redis" in line]
        assert starts == [f"{late.name}: start redis (redis.service)"], "planned anew, for the new object"
    new = seed.body()
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert "bootstrap" not in status, "the cluster was alive: adopted, not set up"
    assert "acts" not in status
    assert "failovers" not in status
    assert {host.name: _redis_pid(seed, host.name) for host in others} == pids


@pytest.mark.timeout(300)
def test_made_anew_when_all_is_stopped(seed: Rig) -> None:
    first = master(seed.status())
    with seed.redis(first) as client:
        client.set("e2e:kept", "through the stop")
    seed.delete()
    for host in seed.lab:
        host.run("systemctl stop redis-sentinel redis")
    seed.declare()
    status = seed.wait_healthy(180)
    assert "bootstrap" not in status
    with seed.redis(master(status)) as client:
        assert client.get("e2e:kept") == "through the stop"


@pytest.mark.timeout(500)
def test_a_deletion_does_not_wait_for_dead_hosts(seed: Rig) -> None:
    """For them it would wait here for longer than the deletion may take."""
    seed.operator.stop()
    with OperatorProcess(seed.cp, settings=PATIENT) as operator:
        operator.wait_until(operator.has_passed, "a pass of this run of the operator", 60)
        _is_deleted_without_two_hosts(seed)
    seed.operator.start()
    seed.declare()
    seed.wait_healthy()


def _is_deleted_without_two_hosts(seed: Rig) -> None:
    away, hung = seed.lab.replicas[:2]

    def both_told(status: Status) -> bool:
        found = condition(status, "HostsReachable")
        return found.get("status") == "False" and away.name in found["message"] and hung.name in found["message"]

    with cut_off(away), hang_ssh(hung):
        seed.wait(both_told, "two hosts away", 60)
        seed.delete(seconds=60)
    running = [host.run("systemctl is-active redis", check=False).stdout.strip() for host in seed.lab]
    assert running == ["active"] * 4


@pytest.mark.timeout(400)
def test_a_namespace_goes_with_its_secrets_gone_first(seed: Rig) -> None:
    """Soon: it would have a hundred seconds for hosts that it can change."""
    seed.cp.kubectl("delete", "secret", "redis-ssh", "redis-auth", "-n", "redis")
    seed.cp.kubectl("delete", "namespace", "redis", "--timeout=60s", seconds=70)
    assert [host.run("systemctl is-active redis").stdout.strip() for host in seed.lab] == ["active"] * 4
    seed.declare()
    seed.wait_healthy()


def _passes_ended(operator: OperatorProcess) -> int:
    return sum("woken_by" in line for line in operator.lines())


def _identity(rig: Rig) -> str:
    return str(rig.cp.get("namespace", "kube-system")["metadata"]["uid"])


def _redis_pid(rig: Rig, host: str) -> int:
    with rig.redis(host) as client:
        return int(client.info("server")["process_id"])
