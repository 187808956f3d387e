"""Clusters as people leave them: with the first document's two mistakes, without a password, by units of their own."""

from __future__ import annotations

import pytest

from e2e.rig import Rig, condition, is_healthy, master
from e2e.test_adopt import manage
from lab.hosts import Host
from lab.observe import untouched
from lab.resp import Resp
from lab.seedcluster import make_by_hand, make_with_mistakes, make_with_own_units

pytestmark = pytest.mark.timeout(500)


def servers(rig: Rig, name: str = "redis-server") -> dict[str, str]:
    """The processes of redis on each host, whoever started them; a sentinel is called otherwise."""
    return {host.name: host.run(f"pgrep -x {name}").stdout.strip() for host in rig.lab}


def planned(rig: Rig) -> set[tuple[str, str]]:
    """What status.plan says, when it is whole: the first reading may have gone on without a host."""
    wanted = {host.name for host in rig.lab}
    items = rig.wait(lambda s: {each["host"] for each in s.get("plan", ())} == wanted, "the whole plan", 90)["plan"]
    assert all(item["what"] and item["why"] for item in items)
    assert {item["impact"] for item in items} <= {"None", "Reload"}, "adoption restarts nothing"
    return {(item["host"], item["what"]) for item in items}


def call(host: Host, *words: str, password: str | None = None) -> object:
    with Resp.to(host, password=password) as link:
        return link.call(*words)


def test_the_first_documents_cluster_is_mended_as_it_runs(bare: Rig) -> None:
    """No sentinel could ever start, and the master would come back from a failover without the new one's password."""
    made = make_with_mistakes(bare.lab, password=bare.password)
    changes = len(bare.operator.audit())
    call(made.master, "SET", "kept", "yes", password=bare.password)
    before = servers(bare)
    with untouched(*bare.lab.hosts):
        bare.declare(management="Observe")
        bare.operator.start()
        seen = planned(bare)
    assert ("redis_master01", "set masterauth in /etc/redis.conf") in seen
    for host in made.replicas:
        assert {
            (host.name, "claim the host for this resource"),
            (host.name, "set sentinel auth-pass redis-cluster in /etc/redis-sentinel.conf"),
            (host.name, "start sentinel (redis-sentinel.service)"),
        } <= seen
    assert len(bare.operator.audit()) == changes

    manage(bare, "null")
    status = bare.wait_healthy(120)
    assert servers(bare) == before, "no redis was restarted"
    assert (master(status), status["sentinels"]) == ("redis_master01", "3/3")
    assert call(made.master, "CONFIG", "GET", "masterauth", password=bare.password) == ["masterauth", bare.password]
    assert call(made.master, "GET", "kept", password=bare.password) == "yes"
    bare.wait(lambda _: _can_be_promoted(bare, "redis_slave01"), "replicas of which a sentinel knows all it asks for")
    with bare.sentinel("redis_slave01") as sentinel:
        sentinel.execute_command("SENTINEL", "FAILOVER", "redis-cluster")
    bare.wait(
        lambda s: master(s) not in ("", "redis_master01") and s["replicas"] == "3/3" and is_healthy(s),
        "a failover that works",
        120,
    )


def _can_be_promoted(rig: Rig, host: str) -> bool:
    """Whether the sentinel of a host, which was started just now, has had the answers of all replicas."""
    with rig.sentinel(host) as client:
        rows = client.sentinel_slaves("redis-cluster")
    return len(rows) == 3 and all(row["flags"] == "slave" and row["master-link-status"] == "ok" for row in rows)


def test_one_without_a_password(bare: Rig) -> None:
    """Quorum and times are the spec's, whatever the sentinels had."""
    make_by_hand(bare.lab, password="", quorum=1)
    before = servers(bare)
    bare.declare(auth=None)
    bare.operator.start()
    status = bare.wait_healthy()
    assert servers(bare) == before
    assert (master(status), status["replicas"], status["sentinels"]) == ("redis_master01", "3/3", "3/3")
    with bare.sentinel("redis_slave01") as sentinel:
        assert sentinel.sentinel_master("redis-cluster")["quorum"] == 2


@pytest.mark.long
def test_one_of_another_name_is_not_touched(bare: Rig) -> None:
    make_by_hand(bare.lab, password=bare.password, name="sessions")
    changes = len(bare.operator.audit())
    with untouched(*bare.lab.hosts):
        bare.declare()
        bare.operator.start()
        status = bare.wait(lambda s: s.get("phase") == "Blocked", "the refusal", 60)
    found = condition(status, "PreflightPassed")
    assert (found["reason"], found["message"]) == (
        "MasterNameDiffers",
        "The hosts run a cluster of another name: sessions instead of redis-cluster. Nothing is touched. Create the "
        "resource anew with spec.masterName: sessions.",
    )
    assert len(bare.operator.audit()) == changes


def test_one_with_units_of_its_own_and_a_master_that_nobody_starts(bare: Rig) -> None:
    """Its files and units are the ones that are kept; the package's stay at rest."""
    made = make_with_own_units(bare.lab, password=bare.password)
    call(made.master, "CONFIG", "SET", "masterauth", "", password=bare.password)
    before = servers(bare)
    bare.declare(redis={"config": {"repl-timeout": 50}})
    bare.operator.start()
    told = bare.wait(lambda s: condition(s, "PreflightPassed").get("reason") == "NotByItsUnit", "what is told", 60)
    pid = before["redis_master01"]
    assert condition(told, "PreflightPassed")["message"].startswith(
        f"Not started by systemd: redis_master01: redis (process {pid}) with /opt/redis/6379.conf. That runs on as it "
        "is, but nothing brings it back with the machine. Where its file is the package's, the operator enables the "
        "package's unit; else make a unit for it."
    )
    bare.wait_healthy(120)
    assert servers(bare) == before
    for host in bare.lab:
        assert call(host, "CONFIG", "GET", "repl-timeout", password=bare.password) == ["repl-timeout", "50"]
        assert host.run("grep -c '^repl-timeout 50' /opt/redis/6379.conf").stdout == "1\n"
        assert host.run("systemctl is-enabled redis redis-sentinel", check=False).stdout.split() == ["disabled"] * 2
        assert host.run("systemctl is-active redis redis-sentinel", check=False).stdout.split() == ["inactive"] * 2
    assert call(made.master, "CONFIG", "GET", "masterauth", password=bare.password) == ["masterauth", bare.password]

    host = made.replicas[0]
    host.run("systemctl disable -q redis-6379; systemctl kill -s KILL redis-6379")
    check = "systemctl is-active -q redis-6379 && systemctl is-enabled -q redis-6379"
    bare.wait(lambda _: host.run(check, check=False).returncode == 0, "its own unit started and enabled", 60)
    assert host.run("systemctl is-active redis", check=False).stdout == "inactive\n"
    bare.wait_healthy(60)
