"""deletionPolicy Stop and Uninstall: in which order, what is proved, what is left, and that it always ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from e2e.rig import NAME, Rig, condition, master
from e2e.test_adopt import manage
from e2e.test_following import events
from e2e.test_interrupted import accident
from lab.faults import cut_off, fill_disk, hang_ssh
from lab.hosts import Host
from lab.observe import untouched
from lab.processes import wait_until
from lab.seed import NAMESPACE

OTHER = "elsewhere"
REASONS = ("HostsLeft", "LeftBehind")
STATE = "/var/lib/redis-sentinel-operator/state.json"
DUMP = "/var/lib/redis/dump.rdb"
SERVERS = "pgrep -f 'redis-(server|sentinel)'"
UNITS = "systemctl is-active redis redis-sentinel; systemctl is-enabled redis redis-sentinel"
OURS = (  # what an Uninstall must not leave
    "/var/lib/redis-sentinel-operator /etc/systemd/system/redis.service.d/zz-redis-sentinel-operator.conf "
    "/etc/systemd/system/redis-sentinel.service.d/zz-redis-sentinel-operator.conf "
    "/etc/systemd/system/redis-sentinel-operator-hugepages.service /etc/sysctl.d/zz-redis-sentinel-operator.conf"
)
SAVE, PACKAGE, TRACES = "save the data to disk", "remove the package redis", "remove drop-ins"
STOP_STEPS = ("disable redis-sentinel", "stop sentinel (", SAVE, "disable redis.service", "stop redis (", "give up")
UNINSTALL_STEPS = ("stop sentinel (", SAVE, "stop redis (", PACKAGE, "close what we opened", "let redis be", TRACES)


@pytest.fixture
def gone(seed: Rig) -> Iterator[Rig]:
    """The seed's cluster, which a test does away with: the next one gets it anew."""
    yield seed
    seed.spoiled = "made by a test that deleted the cluster and what it was"


def policy(rig: Rig, name: str, erase: str | None = None) -> None:
    """Set the deletionPolicy; `erase`: what the annotation delete-data says."""
    body: dict[str, Any] = {"spec": {"deletionPolicy": name}}
    if erase is not None:
        body["metadata"] = {"annotations": {"redis-sentinel-operator.io/delete-data": erase}}
    rig.cp.kubectl("patch", "rsc", NAME, "-n", NAMESPACE, "--type=merge", "-p", json.dumps(body))


def delete(rig: Rig, seconds: float, namespace: str = NAMESPACE) -> tuple[float, str, str]:
    """Delete the resource: how many seconds that took, and reason and message of the one Event that told of it."""
    known = {reason: len(events(rig, reason)) for reason in REASONS}
    took = rig.delete(namespace, seconds)
    assert wait_until(lambda: any(len(events(rig, each)) > known[each] for each in REASONS), 60, 0.3), "nothing told"
    new = [(reason, told) for reason in REASONS for told in events(rig, reason)[known[reason] :]]
    assert len(new) == 1, new
    return took, *new[0]


def steps_of(rig: Rig, since: int) -> list[tuple[str, str]]:
    """Host and sentence of each change on a host since an audit line."""
    return [(line["host"], line["what"]) for line in rig.operator.audit()[since:]]


def runs(host: Host) -> str:
    return host.run(SERVERS, check=False).stdout.strip()


def is_stopped(host: Host) -> bool:
    """Whether nothing runs there, also after a boot."""
    states = host.run(UNITS, check=False).stdout.split()
    return not runs(host) and "active" not in states and "enabled" not in states


def write(rig: Rig, value: str) -> None:
    with rig.redis(master(rig.status())) as client:
        client.set("e2e:kept", value)


def read(rig: Rig) -> str | None:
    with rig.redis(master(rig.status())) as client:
        found = client.get("e2e:kept")
    return None if found is None else str(found)


@pytest.mark.timeout(500)
def test_stop_ends_sentinels_then_replicas_then_the_master_with_its_data_saved(seed: Rig) -> None:
    chief = master(seed.status())
    write(seed, "before the stop")
    policy(seed, "Stop")
    seed.wait_healthy()
    since = len(seed.operator.audit())
    _, reason, told = delete(seed, 120)
    done = steps_of(seed, since)
    assert all(is_stopped(host) for host in seed.lab), done
    last = {kind: max(at for at, (_, what) in enumerate(done) if what.startswith(kind)) for kind in ("stop sentinel",)}
    redis = [(host, what) for host, what in done if what.startswith(("stop redis", SAVE))]
    assert redis[-2:] == [(chief, SAVE), (chief, "stop redis (redis.service)")], redis
    assert sorted(host for host, _ in redis[:-2]) == sorted(host.name for host in seed.lab if host.name != chief)
    assert last["stop sentinel"] < min(at for at, each in enumerate(done) if each in redis)
    assert sum(what == "give up the claim" for _, what in done) == 4
    assert [host.run(f"test -e {STATE}", check=False).returncode for host in seed.lab] == [1] * 4
    assert [host.run("rpm -q redis", check=False).returncode for host in seed.lab] == [0] * 4
    assert (reason, told) == (
        "HostsLeft",
        "The resource is gone. Its deletionPolicy was Stop: redis and sentinel are stopped and disabled on "
        "redis_master01, redis_slave01, redis_slave02 and redis_slave03; packages, files and data are as they were.",
    )
    seed.declare()  # a cluster that is wholly stopped is started with the files that it has
    seed.wait_healthy(180)
    assert read(seed) == "before the stop"


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("erase", [NAME, "another-name", None])
def test_uninstall_leaves_nothing_of_ours_and_the_data_unless_told(gone: Rig, erase: str | None) -> None:
    hosts = list(gone.lab)
    write(gone, "before")
    policy(gone, "Uninstall", erase)
    gone.wait_healthy()
    took, reason, told = delete(gone, 120)
    assert took < 60, f"{took:.1f} s"
    for host in hosts:
        assert not runs(host)
        assert host.run("rpm -q redis", check=False).returncode == 1
        assert host.run(f"ls -d {OURS} 2>/dev/null", check=False).stdout == ""
        opened = host.run("firewall-cmd --list-ports; firewall-cmd --permanent --list-ports").stdout
        assert "6379" not in opened
        assert host.run("grep -c '^exclude' /etc/yum.conf", check=False).stdout.strip() == "0"
        saved = host.run("cat /etc/redis.conf.rpmsave /etc/redis-sentinel.conf.rpmsave 2>/dev/null", check=False).stdout
        assert "repl-timeout" in saved
        assert gone.password not in saved
        kept = host.run(f"test -s {DUMP}", check=False).returncode == 0
        assert kept == (erase != NAME)
    assert (reason, "the data are deleted" in told) == ("HostsLeft", erase == NAME), told


@pytest.mark.long
@pytest.mark.timeout(300)
def test_uninstalled_and_made_anew_where_the_data_are_gone(gone: Rig) -> None:
    policy(gone, "Uninstall", NAME)
    gone.wait_healthy()
    gone.delete(seconds=120)
    gone.declare()
    status = gone.wait(lambda s: s.get("phase") in ("Healthy", "Blocked"), "an end", 240)
    assert status["phase"] == "Healthy", status


@pytest.mark.long
@pytest.mark.timeout(300)
def test_uninstall_leaves_a_package_that_others_use(gone: Rig) -> None:
    """By a unit of a person's own, another redis that runs, and another master that a sentinel watches."""
    own, second, watching = gone.lab.replicas
    own.run(
        "printf '[Service]\\nExecStart=/usr/bin/redis-server /etc/other.conf\\n' >/etc/systemd/system/other.service"
        "; systemctl daemon-reload"
    )
    second.run("redis-server --port 7001 --daemonize yes --dir /tmp --save ''")
    with gone.sentinel(watching.name) as client:
        client.sentinel_monitor("theirs", "192.0.2.1", 6379, 1)
    policy(gone, "Uninstall", NAME)
    _, reason, told = delete(gone, 125)
    assert reason == "LeftBehind"
    assert f"{own.name}: remove the package redis" in told
    assert "/etc/systemd/system/other.service" in told
    assert f"{second.name}: ours is stopped there, but nothing is removed: redis-server runs there too" in told
    assert f"{watching.name}: its sentinel watches theirs and runs on, as redis there does" in told
    assert own.run(f"rpm -q redis && test -s {DUMP}", check=False).returncode == 0
    assert second.run("rpm -q redis && redis-cli -p 7001 ping", check=False).returncode == 0
    assert runs(watching).count("\n") == 1, "redis and sentinel"
    assert gone.lab.master01.run("rpm -q redis", check=False).returncode == 1


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_master_whose_data_cannot_be_saved_runs_on(seed: Rig) -> None:
    chief = seed.lab[master(seed.status())]
    policy(seed, "Stop")
    with ExitStack() as mended:
        status = seed.status()
        mended.enter_context(fill_disk(chief))
        seed.wait(lambda s: s.get("phase") == "Healthy" or master(s) != master(status), "calm after the fault", 90)
        if master(seed.status()) != chief.name:  # its restart took too long: the sentinels switched
            pytest.fail("the master with the full disk was replaced")
        _, reason, told = delete(seed, 125)
        assert reason == "LeftBehind"
        assert f"{chief.name}: save the data to disk: redis on {chief.name} could not save its data" in told
        assert chief.run("systemctl is-active redis").stdout.strip() == "active"
        assert chief.run("systemctl is-enabled redis").stdout.strip() == "enabled"
        assert all(is_stopped(host) for host in seed.lab if host != chief)
    seed.declare()
    seed.wait_healthy(180)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_stop_ends_with_dead_hosts_and_names_them(seed: Rig) -> None:
    away, hung = [host for host in seed.lab.replicas if host.name != master(seed.status())][:2]
    policy(seed, "Stop")
    with cut_off(away), hang_ssh(hung):
        seed.wait(lambda s: condition(s, "HostsReachable").get("status") == "False", "two hosts away", 60)
        took, reason, told = delete(seed, 125)
        assert (took < 120, reason) == (True, "LeftBehind"), f"{took:.1f} s"
        assert f"{away.name}: it could not be read" in told
        assert f"{hung.name}: it could not be read" in told
        assert all(is_stopped(host) for host in seed.lab if host not in (away, hung))
    assert runs(away)
    assert runs(hung)
    seed.declare()
    seed.wait_healthy(180)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_with_the_secrets_gone_nothing_is_stopped_and_a_namespace_goes_soon(seed: Rig) -> None:
    policy(seed, "Stop")
    seed.wait_healthy()
    seed.cp.kubectl("delete", "secret", "redis-ssh", "redis-auth", "-n", NAMESPACE)
    started = time.monotonic()
    seed.cp.kubectl("delete", "namespace", NAMESPACE, "--timeout=60s", seconds=70)
    took = time.monotonic() - started
    assert took < 15, f"{took:.1f} s"
    assert not any(is_stopped(host) for host in seed.lab)
    said = [str(line["message"]) for line in seed.operator.lines() if "could not be carried out" in str(line)]
    assert said, seed.operator.tail()
    assert "redis and sentinel are left as they are" in said[-1]
    seed.declare()
    seed.wait_healthy()


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["Stop", "Uninstall"])
def test_a_resource_deletes_nothing_on_hosts_of_another(seed: Rig, name: str) -> None:
    with untouched(*seed.lab.hosts):
        seed.declare(OTHER, deletionPolicy=name)
        seed.wait(lambda s: s.get("phase") == "Blocked", "the second one blocked", 60, OTHER)
        policy_of_other = ("annotate", "rsc", NAME, "-n", OTHER, f"redis-sentinel-operator.io/delete-data={NAME}")
        seed.cp.kubectl(*policy_of_other)
        took = seed.delete(OTHER, 60)
    assert took < 20, f"{took:.1f} s"
    seed.wait_healthy()


@pytest.mark.long
@pytest.mark.timeout(240)
def test_paused_keeps_its_word(seed: Rig) -> None:
    policy(seed, "Stop")
    manage(seed, '"Paused"')
    seed.wait(lambda s: s.get("phase") == "Paused", "the pause")
    _, reason, told = delete(seed, 60)
    assert not any(is_stopped(host) for host in seed.lab)
    assert (reason, "management is Paused" in told) == ("LeftBehind", True), told
    seed.declare()
    seed.wait_healthy()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_policy_that_changes_in_the_middle_counts_from_then_on(seed: Rig, tmp_path: Path) -> None:
    """Stop begins, Retain is set while it goes on: nothing more is stopped. The resource comes back by its file."""
    chief = master(seed.status())
    policy(seed, "Stop")
    seed.wait_healthy()
    seed.operator.stop()
    held = accident(seed, "hold", "stop sentinel (", tmp_path / "steps", "frozen")
    held.start("e2e.dying")
    held.wait_until(held.has_passed, "a pass", 60)
    seed.cp.kubectl("delete", "rsc", NAME, "-n", NAMESPACE, "--wait=false")
    held.wait_until(lambda: "stop sentinel" in _text(tmp_path / "steps"), "the first stop", 60)
    policy(seed, "Retain")
    (tmp_path / "steps.go").touch()
    seed.cp.kubectl("wait", "rsc", NAME, "-n", NAMESPACE, "--for=delete", "--timeout=60s", seconds=70)
    assert "stop redis" not in _text(tmp_path / "steps")
    assert seed.master_by_role() == [chief]
    held.kill()
    seed.operator.start()
    seed.declare()
    seed.wait_healthy(180)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["background", "foreground", "orphan"])
def test_a_pruned_resource_that_is_applied_again_at_once_comes_back(seed: Rig, how: str) -> None:
    """What GitOps tools do: delete without waiting, apply the file until it is a new object."""
    policy(seed, "Stop")
    seed.wait_healthy()
    old = seed.body()["metadata"]["uid"]
    seed.cp.kubectl("delete", "rsc", NAME, "-n", NAMESPACE, "--wait=false", f"--cascade={how}")
    deadline = time.monotonic() + 120
    while True:
        seed.declare(deletionPolicy="Stop")
        if seed.body()["metadata"]["uid"] != old:
            break
        assert time.monotonic() < deadline
        time.sleep(0.5)
    seed.wait_healthy(180)
    assert [host.run("systemctl is-enabled redis").stdout.strip() for host in seed.lab] == ["enabled"] * 4


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


POINTS = [("Stop", step, when) for step in STOP_STEPS for when in ("before", "after")]
POINTS += [("Uninstall", step, when) for step in UNINSTALL_STEPS for when in ("before", "after")]


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("name", "step", "when"), POINTS, ids=[f"{n}-{s.split(' (')[0]}-{w}" for n, s, w in POINTS])
def test_killed_at_any_step(gone: Rig, tmp_path: Path, name: str, step: str, when: str) -> None:
    """The next operator finds a resource that is being deleted, and goes on with what the hosts tell."""
    write(gone, "before")
    policy(gone, name)
    gone.wait_healthy()
    gone.operator.stop()
    where: dict[str, Any] = {"before": step, "at": "10000"} if when == "before" else {"at": step}
    dying = accident(gone, "kill", steps=tmp_path / "steps", **where)
    dying.start("e2e.dying")
    dying.wait_until(dying.has_passed, "a pass", 60)
    gone.cp.kubectl("delete", "rsc", NAME, "-n", NAMESPACE, "--wait=false")
    dying.wait_until_ended(90)
    assert gone.body()["metadata"]["deletionTimestamp"], "it is not let go before the hosts are left"
    gone.operator.start()
    gone.cp.kubectl("wait", "rsc", NAME, "-n", NAMESPACE, "--for=delete", "--timeout=125s", seconds=130)
    assert all(not runs(host) for host in gone.lab)
    assert [host.run(f"test -e {STATE}", check=False).returncode for host in gone.lab] == [1] * 4
    assert [host.run("rpm -q redis", check=False).returncode for host in gone.lab] == [int(name == "Uninstall")] * 4
    if name == "Stop":
        gone.declare()
        gone.wait_healthy(180)
        assert read(gone) == "before"
