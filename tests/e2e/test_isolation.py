"""One host that hangs delays nothing but itself: proved by what comes before its own deadline has passed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from e2e.rig import PATIENT, Rig, condition, is_healthy, master
from e2e.test_failover import kill
from e2e.test_interrupted import locked, waits_for_the_lock
from lab.faults import cut_off, hang_ssh
from lab.hosts import Host
from lab.operator import OperatorProcess

CONFIG = {"bind": "0.0.0.0", "repl-ping-slave-period": 10}  # the seed's, but for what is changed here
Fault = Callable[[Host], AbstractContextManager[None]]


@contextmanager
def hang_probe(host: Host) -> Iterator[None]:
    """A command that every probe runs does not end, as where the kernel is slow to tell of its sockets."""
    real = host.run("command -v ss").stdout.strip()
    host.run(f"mv {real} {real}.real && printf '#!/bin/sh\\nsleep 600\\n' >{real} && chmod +x {real}")
    try:
        yield
    finally:
        host.run(f"mv {real}.real {real}")


@pytest.fixture
def patient(seed: Rig) -> Iterator[OperatorProcess]:
    """An operator that would wait for a hung host longer than any test may take."""
    seed.operator.stop()
    seed.operator.kill()
    with OperatorProcess(seed.cp, settings=PATIENT | {"RSO_STEP_TIMEOUT": "300"}) as operator:
        operator.wait_until(operator.has_passed, "a pass of this run of the operator", 60)
        seed.wait_quiet()
        yield operator


@pytest.mark.timeout(500)
@pytest.mark.parametrize(
    "hang",
    [hang_ssh, pytest.param(cut_off, marks=pytest.mark.long), pytest.param(hang_probe, marks=pytest.mark.long)],
    ids=["sessions stopped", "cut off", "a probe that hangs"],
)
def test_the_others_are_mended_and_followed_while_one_hangs(seed: Rig, patient: OperatorProcess, hang: Fault) -> None:
    old = master(seed.status())
    hung, other = [host for host in seed.lab.replicas if host.name != old][:2]
    _is_not_promoted(seed, hung)
    audited = len(patient.audit())
    with hang(hung):
        other.run("sed -i 's/^repl-timeout .*/repl-timeout 33/' /etc/redis.conf")
        seed.wait(lambda s: condition(s, "HostsReachable").get("status") == "False", "the hung host told", 60)
        seed.wait(lambda _: "\nrepl-timeout 60\n" in other.run("cat /etc/redis.conf").stdout, "the mended file", 60)
        told = condition(seed.status(), "HostsReachable")["message"]
        assert hung.name in told and "after others had; it is read on" in told, "its reading ended first"
        kill(seed.lab[old])
        status = seed.wait(lambda s: master(s) not in ("", old), "a successor in status", 80)
        seed.wait(lambda _: old in {line["host"] for line in patient.audit()[audited:]}, "the old master's return", 60)
        assert hung.name not in {line["host"] for line in patient.audit()[audited:]}
        assert status["failovers"][-1]["to"] == master(status)
    with seed.redis(hung.name) as client:
        client.config_set("slave-priority", 100)
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well again", 120)
    assert seed.master_by_role() == [master(seed.status())]


@pytest.mark.timeout(500)
def test_the_others_get_what_is_declared_while_a_step_on_one_hangs(seed: Rig, patient: OperatorProcess) -> None:
    """The session stands still in the middle of a step: nobody waits for its 300 s, in which all of this comes."""
    hung = next(host for host in seed.lab.replicas if host.name != master(seed.status()))
    others = [host for host in seed.lab if host is not hung]
    with locked(hung):
        seed.declare(redis={"config": {**CONFIG, "repl-timeout": 61}})
        seed.wait(lambda _: waits_for_the_lock(hung), "the step")
        with hang_ssh(hung):
            seed.wait(lambda _: _all_have(others, "61"), "the others' part of what was declared")
            audited = len(patient.audit())
            seed.declare(redis={"config": {**CONFIG, "repl-timeout": 62}})
            seed.wait(lambda _: _all_have(others, "62"), "what was declared while the step hangs")
            seed.wait(lambda s: condition(s, "HostsReachable").get("status") == "False", "the hung host told", 60)
            assert hung.name in condition(seed.status(), "HostsReachable")["message"]
            assert hung.name not in {line["host"] for line in patient.audit()[audited:]}, "its step has not ended"
    seed.wait(lambda s: is_healthy(s) and _all_have([hung], "62"), "its part, and all well", 120)
    seed.declare()
    seed.wait_healthy()


def _all_have(hosts: Iterable[Host], seconds: str) -> bool:
    return all(f"\nrepl-timeout {seconds}\n" in host.run("cat /etc/redis.conf").stdout for host in hosts)


def _is_not_promoted(rig: Rig, host: Host) -> None:
    """The sentinels do not choose it: its redis serves on, and as master it could not be asked for its role."""
    with rig.redis(host.name) as client:
        client.config_set("slave-priority", 0)

    def seen(_: object) -> bool:
        views = []
        for each in rig.lab.replicas:
            with rig.sentinel(each.name) as client:
                views += [
                    row["slave-priority"]
                    for row in client.sentinel_slaves("redis-cluster")
                    if row["ip"] == host.address
                ]
        return set(views) == {0}

    rig.wait(seen, "its priority seen by the sentinels", 60)
