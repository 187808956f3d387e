"""A cluster that runs already, made by hand: shown, followed, then taken over as it runs."""

from __future__ import annotations

import pytest

from e2e.rig import NAME, Rig, Status, master
from lab.hosts import Host
from lab.observe import untouched
from lab.seedcluster import make_by_hand


def manage(rig: Rig, how: str) -> None:
    """Set spec.management (JSON: a string, or null for the default)."""
    spec = f'{{"spec":{{"management":{how}}}}}'
    rig.cp.kubectl("patch", "rsc", NAME, "-n", "redis", "--type=merge", "-p", spec)


@pytest.mark.timeout(500)
def test_a_cluster_made_by_hand_is_shown_followed_and_adopted(bare: Rig) -> None:
    make_by_hand(bare.lab, password=bare.password)
    before, audited = pids(bare), len(bare.operator.audit())
    with untouched(*bare.lab.hosts):
        bare.declare(management="Observe")
        bare.operator.start()
        status = bare.wait(lambda s: s.get("phase") == "Observing" and _is_whole(s), "the whole cluster shown", 90)
        assert master(status) == "redis_master01"
        assert {item["host"] for item in status["plan"]} == {host.name for host in bare.lab}
        assert all(item["what"] and item["why"] for item in status["plan"])
        for host in bare.lab:
            assert {"claim the host for this resource", "let redis rewrite /etc/redis.conf (CONFIG REWRITE)"} <= {
                item["what"] for item in status["plan"] if item["host"] == host.name
            }
        assert {item["impact"] for item in status["plan"]} <= {"None", "Reload"}, "adoption restarts nothing"
    assert not bare.operator.audit()[audited:]

    bare.wait(lambda s: all(host.get("followed") for host in s["hosts"][1:]), "every sentinel followed")
    with bare.sentinel("redis_slave03") as sentinel:
        sentinel.execute_command("SENTINEL", "SET", "redis-cluster", "down-after-milliseconds", "7000")
    shown = {"key": "sentinel down-after-milliseconds", "want": "5000", "have": "7000", "pendingRestart": False}
    bare.wait(lambda s: shown in s["hosts"][3].get("config", []), "what somebody set shown as drift")
    bare.operator.wait_until(lambda: _is_heard(bare), "the sentinel's word: it was told, not only found", 60)

    with bare.sentinel("redis_slave02") as sentinel:
        sentinel.execute_command("SENTINEL", "FAILOVER", "redis-cluster")
    status = bare.wait(lambda s: master(s) not in ("", "redis_master01"), "the switch that a person asked for", 90)
    assert [(e["from"], e["to"], e["cause"]) for e in status["failovers"]] == [
        ("redis_master01", master(status), "Requested")
    ]
    bare.wait(
        lambda s: s["replicas"] == "3/3" and bare.master_by_role() == [master(s)],
        "sentinel's own demotion of the old master",
        120,
    )

    manage(bare, "null")
    status = bare.wait_healthy()
    assert "bootstrap" not in status, "a living cluster is adopted, not set up"
    assert "plan" not in status
    assert pids(bare) == before, "no redis and no sentinel was restarted"
    assert bare.master_by_role() == [master(status)]
    assert not [line for line in bare.operator.audit()[audited:] if "start" in line["what"].split()[0]]


def _is_whole(status: Status) -> bool:
    """Whether all of it was read: the first reading may have gone on without a host."""
    counts = (status.get("ready"), status.get("replicas"), status.get("sentinels"))
    return counts == ("4/4", "3/3", "3/3") and bool(master(status))


def _is_heard(rig: Rig) -> bool:
    lines = [str(each["message"]) for each in rig.operator.lines() if each.get("channel") == "+set"]
    return any("the sentinel on redis_slave03 says +set" in line for line in lines)


@pytest.mark.timeout(300)
def test_paused_changes_nothing_and_follows(seed: Rig) -> None:
    manage(seed, '"Paused"')
    seed.wait(lambda s: s.get("phase") == "Paused", "the pause")
    host = seed.lab.replicas[0]
    host.run("sed -i 's/^repl-timeout .*/repl-timeout 21/' /etc/redis.conf")
    passes = seed.operator.passes()
    with untouched(*seed.lab.hosts):
        seed.operator.wait_until(lambda: seed.operator.passes() >= passes + 2, "two more passes", 90)
        assert seed.status()["phase"] == "Paused"
    manage(seed, "null")
    seed.wait_healthy()
    assert host.run("grep -c '^repl-timeout 60$' /etc/redis.conf").stdout.strip() == "1"


def pids(rig: Rig) -> dict[str, tuple[int, ...]]:
    """The process ids of redis and sentinel on each host."""
    return {host.name: (_pid(host, "redis"), _pid(host, "redis-sentinel")) for host in rig.lab}


def _pid(host: Host, unit: str) -> int:
    said = host.run(f"systemctl show -p MainPID {unit}").stdout
    return int(said.partition("=")[2])
