"""Two replicas of the operator: one works, one stands by; whatever becomes of the first, there is one writer."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from e2e.rig import FAST_RESYNC, Rig, master
from e2e.test_failover import kill
from e2e.test_interrupted import accident, all_well, is_stopped
from lab.hosts import Host
from lab.observe import commands_seen
from lab.operator import OperatorProcess

LEASE = 15.0  # seconds after which the Lease of a holder that says nothing is another one's
FILE = "stat -c '%i %y' /etc/redis.conf /var/lib/redis-sentinel-operator/state.json && cat /etc/redis.conf"


@contextmanager
def standing_by(rig: Rig) -> Iterator[OperatorProcess]:
    """A second replica that waits for the Lease, and sees as little of the first one's process as from another node."""
    with OperatorProcess(rig.cp, "second", FAST_RESYNC, apart=True) as second:
        second.wait_until(lambda: said(second, "the Lease is held by"), "its wait", 60)
        yield second
        second.stop()


def said(process: OperatorProcess, words: str) -> bool:
    return any(words in str(line.get("message")) for line in process.lines())


def probe(process: OperatorProcess, path: str) -> int:
    try:
        with urlopen(f"http://127.0.0.1:{process.port}{path}", timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.timeout(500)
def test_a_killed_one_is_replaced_and_a_failover_in_between_is_told(seed: Rig) -> None:
    old = master(seed.status())
    with standing_by(seed) as second:
        second.wait_until(lambda: probe(second, "/readyz/standby") == 200, "its readiness to stand by", 60)
        assert probe(second, "/readyz") == 503
        assert second.audit() == []
        seed.operator.kill()
        killed = time.monotonic()
        kill(seed.lab[old])
        second.wait_until(lambda: said(second, "this process holds the Lease"), "the Lease", 60)
        held = time.monotonic() - killed
        status = seed.wait(lambda s: master(s) not in ("", old), "the new master in status", 60)
        took = time.monotonic() - killed
        sys.stdout.write(f"holds the Lease after {held:.1f} s, tells the new master after {took:.1f} s\n")
        assert LEASE - 5 < held < 2 * LEASE, "it was not the Lease that ran out"
        assert probe(second, "/readyz") == 200
        second.wait_until(lambda: changes_of(second, seed.lab[old]), "its start of the old master", 120)
        seed.wait(lambda s: all_well(seed, s), "the old master back as a replica", 120)
        assert seed.master_by_role() == [master(status)]
        assert [line for line in changes_of(second, seed.lab[old]) if line["what"].startswith("start redis")]


@contextmanager
def deaf(rig: Rig) -> Iterator[None]:
    """The API server answers nobody: who holds the Lease cannot be learnt."""
    pid = rig.cp.daemons.pid("kube-apiserver")
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def frozen_before(rig: Rig, steps: Path, host: Host, drift: Mapping[str, int], **at: str) -> Iterator[OperatorProcess]:
    """A first replica that stands still right before it changes `host`, when all that it must ask was asked.

    A second one has done everything meanwhile, and the API server is away when the test goes on.
    """
    rig.operator.stop()
    with rig.redis(host.name) as client:
        for name, value in drift.items():
            client.config_set(name, value)
            host.run(f"sed -i 's/^{name} .*/{name} {value}/' /etc/redis.conf")
    first = accident(rig, "freeze", "never", steps, "frozen", settings=at)
    try:
        first.start("e2e.dying")
        first.wait_until(lambda: is_stopped(first.pid), "its standstill", 60, every=0.02)
        with standing_by(rig) as second:
            second.wait_until(lambda: said(second, "all is as declared"), "that all is done", 90)
            assert changes_of(second, host)
            with deaf(rig):
                yield first
            first.wait_until_ended(30)
            assert said(first, "not by this process; this process ends")
            rig.wait_healthy()
    finally:
        first.kill()
        rig.operator.start()


def changes_of(process: OperatorProcess, host: Host) -> list[dict[str, Any]]:
    return [line for line in process.audit() if line["host"] == host.name]


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_frozen_one_that_is_resumed_sends_the_write_in_flight_and_no_more(seed: Rig, tmp_path: Path) -> None:
    """It stands right before a CONFIG SET; it has two to send, and the host was asked a moment ago whose it is."""
    host = seed.lab.replicas[0]
    drift = {"repl-timeout": 33, "repl-ping-slave-period": 7}
    with (
        frozen_before(seed, tmp_path / "steps", host, drift, E2E_RESP="CONFIG SET") as first,
        commands_seen(seed.lab) as seen,
    ):
        before = host.run(FILE).stdout
        first.resume()
        told = first.wait_until(lambda: changes_of(first, host), "what became of its step", 30)
        time.sleep(2)  # and of what it would do next
        writes = [each.words[:2] for each in seen.commands() if each.affects_writes]
        assert writes == [("CONFIG", "SET")]
        assert host.run(FILE).stdout == before
        assert [line["result"].partition(":")[0] for line in told] == ["failed"]
        assert "a later operator process has changed this host" in told[0]["result"]


@pytest.mark.long
@pytest.mark.timeout(180)
def test_a_frozen_one_that_is_resumed_changes_nothing_by_script(seed: Rig, tmp_path: Path) -> None:
    host = seed.lab.replicas[0]
    with (
        frozen_before(seed, tmp_path / "steps", host, {"repl-timeout": 33}, E2E_BEFORE="set repl-timeout in") as first,
        commands_seen(seed.lab) as seen,
    ):
        before = host.run(FILE).stdout
        (live,) = changes_of(first, host)
        assert live["what"] == "set repl-timeout on the running redis", "that was before it stood still"
        first.resume()
        told = first.wait_until(lambda: changes_of(first, host)[1:], "what became of its step", 30)
        time.sleep(2)
        assert [each.words[:2] for each in seen.commands() if each.affects_writes] == []
        assert host.run(FILE).stdout == before
        assert "a later operator process has changed this host" in told[0]["result"]
