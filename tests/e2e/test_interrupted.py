"""The operator dies, is away, or is frozen at the worst moments: what it finds when it is back is the truth."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.rig import FAST_RESYNC, NAME, Rig, Status, is_healthy, master
from e2e.test_failover import kill
from e2e.test_outage import fail_over, settled
from lab.hosts import Host
from lab.observe import Command, commands_seen
from lab.operator import OperatorProcess
from lab.seed import NAMESPACE

# A Lease that is free again soon after its holder was killed: else every restart of these tests waits 15 s.
SHORT_LEASE = {"RSO_LEASE_DURATION": "2", "RSO_LEASE_RENEW_DEADLINE": "1.5", "RSO_LEASE_RETRY": "0.3"}
_ASKING = ["SENTINEL", "MASTER"]  # who is master, and of which epoch
STEPS = 53  # of the install of the seed's cluster, those of all hosts together


def accident(
    rig: Rig,
    kind: str,
    at: str,
    steps: Path,
    name: str = "dying",
    *,
    before: str = "",
    settings: Mapping[str, str] | None = None,
) -> OperatorProcess:
    """An operator with an accident; not started yet."""
    extra = {"E2E_ACCIDENT": kind, "E2E_AT": at, "E2E_STEPS": str(steps), "E2E_BEFORE": before}
    extra |= {"RSO_STEP_PATIENCE": "300"}  # a step that is held keeps its pass, however long
    return OperatorProcess(rig.cp, name, {**FAST_RESYNC, **SHORT_LEASE, **extra, **(settings or {})})


@pytest.mark.timeout(1500)
def test_killed_after_each_step_of_the_install(bare: Rig, tmp_path: Path) -> None:
    """One install in which the operator survives no step; each start finds what the one before left."""
    steps = tmp_path / "steps"
    steps.touch()
    bare.declare()
    dying = accident(bare, "kill", "each", steps)
    deaths = _restart_until_healthy(bare, dying, "e2e.dying", steps)
    finished = Counter(steps.read_text().splitlines())
    assert deaths == finished.total() >= 10, finished
    again = {what: count for what, count in finished.items() if count > 1}
    assert not again, "a finished step was done again"
    _is_the_seed(bare)


@pytest.mark.parametrize("at", ["start redis (", pytest.param("start sentinel (", marks=pytest.mark.long)])
@pytest.mark.timeout(400)
def test_killed_and_robbed_of_its_status_in_the_middle_of_the_install(bare: Rig, tmp_path: Path, at: str) -> None:
    """The claims on the hosts still tell which set-up it was, and with which first master."""
    bare.declare()
    dying = accident(bare, "kill", at, tmp_path / "steps")
    dying.start("e2e.dying")
    dying.wait_until_ended(180)
    begun = bare.status()["bootstrap"]
    assert "completedAt" not in begun
    where = ("rsc", NAME, "-n", NAMESPACE, "--subresource=status")
    bare.cp.kubectl("patch", *where, "--type=json", "-p", '[{"op": "remove", "path": "/status"}]')
    _is_the_seed(bare)
    resumed = bare.status().get("bootstrap")
    if resumed is None:
        assert "sentinel" in at, "only a cluster whose sentinels know their master is adopted"
    else:
        assert (resumed["id"], resumed["master"]) == (begun["id"], begun["master"])


@pytest.mark.long
@pytest.mark.timeout(360)
@pytest.mark.parametrize("number", range(1, STEPS + 1))
def test_killed_after_any_one_step_of_the_install(bare: Rig, tmp_path: Path, number: int) -> None:
    """As many installs as the plan has steps; the operator is killed after one of them, each time another."""
    steps = tmp_path / "steps"
    bare.declare()
    dying = accident(bare, "kill", str(number), steps)
    dying.start("e2e.dying")
    dying.wait_until_ended(120)
    assert len(steps.read_text().splitlines()) == number
    _is_the_seed(bare)


@pytest.mark.long
@pytest.mark.timeout(360)
def test_the_install_has_no_more_steps_than_those(bare: Rig, tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    bare.declare()
    with accident(bare, "kill", "10000", steps) as whole:
        whole.start("e2e.dying")
        bare.wait_healthy(240)
    assert len(steps.read_text().splitlines()) == STEPS


def _restart_until_healthy(rig: Rig, dying: OperatorProcess, module: str, steps: Path) -> int:
    """Start the operator whenever it has died; the number of its deaths."""
    starts = 0
    deadline = time.monotonic() + 1300  # half a hundred starts of it
    while not is_healthy(rig.status()):
        assert time.monotonic() < deadline, f"{starts} starts, not healthy:\n{steps.read_text()}\n{dying.tail()}"
        if not dying.running:
            dying.start(module)
            starts += 1
        time.sleep(0.2)
    alive = dying.running
    dying.kill()
    return starts - 1 if alive else starts


def _is_the_seed(rig: Rig) -> None:
    rig.operator.start()
    status = rig.wait_healthy(180)
    assert master(status) == "redis_master01"
    assert rig.master_by_role() == ["redis_master01"]
    rig.operator.kill()


@pytest.mark.timeout(400)
def test_killed_during_a_failover(seed: Rig) -> None:
    old = master(seed.status())
    kill(seed.lab[old])
    time.sleep(5.2)  # down-after has just passed: sentinel is at work
    seed.operator.kill()
    seed.operator.start()
    status = seed.wait(lambda s: master(s) not in ("", old), "a successor in status", 120)
    status = seed.wait(lambda s: all_well(seed, s), "the old master back as a replica", 120)
    assert seed.master_by_role() == [master(status)]


@pytest.mark.timeout(400)
def test_away_during_a_failover(seed: Rig) -> None:
    old = master(seed.status())
    seed.operator.stop()
    with commands_seen(seed.lab) as seen:
        kill(seed.lab[old])
        _wait_for_switch(seed, old)
        seed.lab[old].run("systemctl start redis")  # as a person would; sentinel makes it a replica
        seed.operator.start()
        status = seed.wait(lambda s: master(s) not in ("", old), "the successor in status", 60)
        status = seed.wait(lambda s: all_well(seed, s), "all well", 120)
        assert seen.role_commands() == [], "the operator took part in roles"
    assert seed.master_by_role() == [master(status)]


@pytest.mark.timeout(400)
def test_killed_right_after_it_told_of_a_switch_that_it_had_only_read(seed: Rig, tmp_path: Path) -> None:
    """No sentinel says anything any more when it comes: the entry stands in the same document as the new master."""
    old, known = master(seed.status()), seed.status().get("failovers", [])
    seed.operator.stop()
    new = fail_over(seed, old)
    settled(seed, new)
    dying = accident(seed, "kill", f"master {seed.lab[old].address}", tmp_path / "steps")
    dying.start("e2e.dying")
    dying.wait_until_ended(120)
    status = seed.status()
    *before, entry = status["failovers"]
    assert (master(status), before[-9:]) == (new, known[-9:])
    assert (entry["from"], entry["to"], entry["cause"], entry["result"]) == (old, new, "Unknown", "Succeeded")
    assert (entry["at"], entry["configEpoch"]) == (entry["published"], status["master"]["configEpoch"])
    assert "found by reading" in entry["message"]
    seed.operator.start()
    status = seed.wait(lambda s: all_well(seed, s), "all well", 120)
    assert status["failovers"][-1] == entry


@pytest.mark.timeout(500)
def test_frozen_in_the_middle_of_a_step_and_resumed_after_a_failover(seed: Rig, tmp_path: Path) -> None:
    """Its first act is to read again: what it had planned before is not done on what it knew before."""
    old = master(seed.status())
    seed.operator.stop()
    late = next(host for host in seed.lab if host.name != old)
    late.run("systemctl stop redis")  # its start is planned behind the first step, on what was known before the freeze
    late.run("sed -i 's/^repl-timeout .*/repl-timeout 33/' /etc/redis.conf")
    steps = tmp_path / "steps"
    frozen = accident(seed, "freeze", "never", steps, "frozen", settings={"RSO_STEP_TIMEOUT": "300"})
    try:
        with commands_seen(seed.lab) as seen:
            with locked(late):
                frozen.start("e2e.dying")
                frozen.wait_until(lambda: waits_for_the_lock(late), "the step", 60)
                frozen.freeze()
            began = time.monotonic()
            kill(seed.lab[old])
            _wait_for_switch(seed, old)
            time.sleep(max(0.0, 60 - (time.monotonic() - began)))
            assert "\nrepl-timeout 60\n" in late.run("cat /etc/redis.conf").stdout, "the host ended the step by itself"
            assert not steps.exists(), "the operator knows that a step has ended"
            resumed, at = len(frozen.lines()), time.time()
            frozen.resume()
            frozen.wait_until(lambda: len(frozen.audit()) > 0 and _passed(frozen, resumed), "a pass after it", 60)
            assert seen.role_commands() == []
            _reads_first([each for each in seen.commands() if each.at >= at], [host.name for host in seed.lab.replicas])
        sentences = [str(line.get("message")) for line in frozen.lines()[resumed:]]
        halted = [each for each in sentences if "the rest is planned anew" in each]
        assert halted, sentences
        assert "too old to act on" in halted[0] or "Lease could not be renewed" in halted[0]
        began_anew = sentences.index(halted[0])
        assert not any("start redis" in each for each in sentences[:began_anew]), sentences
        assert steps.read_text().splitlines()[0] == f"{late.name}: set repl-timeout in /etc/redis.conf"
        status = seed.wait(lambda s: all_well(seed, s), "all well", 120)
        assert seed.master_by_role() == [master(status)]
    finally:
        frozen.kill()


def _reads_first(commands: Sequence[Command], sentinels: Sequence[str]) -> None:
    """All sentinels are asked who is master before anything is sent that changes something."""
    asked = {each.host: each.at for each in reversed(commands) if [word.upper() for word in each.words[:2]] == _ASKING}
    assert sorted(asked) == sorted(sentinels), commands
    early = [each for each in commands if each.affects_writes and each.at < max(asked.values())]
    assert early == []


@contextmanager
def locked(host: Host) -> Iterator[None]:
    """Somebody holds the lock that every step takes first."""
    lock = "/var/lib/redis-sentinel-operator/lock"
    host.run(f"flock {lock} sleep 600 >/dev/null 2>&1 </dev/null & echo $! >/run/holder")
    try:
        yield
    finally:
        host.run(f"pkill -P $(cat /run/holder) sleep; rm /run/holder; flock -w 30 {lock} true")


def waits_for_the_lock(host: Host) -> bool:
    """Whether a step has begun on the host, and stands before the lock."""
    return host.run("pgrep -xf 'flock -w 20 9'", check=False).returncode == 0


def all_well(rig: Rig, status: Status) -> bool:
    """Whether status says so and the hosts do: an earlier run's status stands until the first pass."""
    return is_healthy(status) and status["replicas"] == "3/3" and rig.master_by_role() == [master(status)]


def _passed(process: OperatorProcess, since: int) -> bool:
    return any("woken_by" in line for line in process.lines()[since:])


def is_stopped(pid: int) -> bool:
    """Whether a process stands still."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _wait_for_switch(rig: Rig, old: str) -> None:
    """Wait until a sentinel names another master; the operator is not asked."""
    deadline = time.monotonic() + 120
    while True:
        with rig.sentinel(rig.lab.replicas[-1].name) as client:
            address = client.sentinel_get_master_addr_by_name("redis-cluster")
        if address and address[0] != rig.lab[old].address:
            return
        assert time.monotonic() < deadline, "sentinel has not switched"
        time.sleep(0.3)


assert os.geteuid() == 0, "the end-to-end tests boot machines: run them as root"
