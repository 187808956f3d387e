"""Who is master, told in time and once: with a sentinel that hangs, a host that hangs, an operator that dies."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from e2e.rig import NAME, PATIENT, Rig, Status, condition, is_healthy, master
from lab.faults import hang_redis, hang_sentinel, hang_ssh
from lab.operator import OperatorProcess
from lab.processes import wait_until
from lab.seed import NAMESPACE, seed_cluster

NOTICED = 5.0  # seconds after which it is known that a sentinel is away


def of_host(status: Status, name: str) -> dict[str, Any]:
    return next(host for host in status["hosts"] if host["name"] == name)


def metric(rig: Rig, sample: str) -> float | None:
    """The value of one sample of the operator's /metrics."""
    lines = rig.operator.metrics().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), None)


def events(rig: Rig, reason: str) -> list[str]:
    """The messages of the Events with that reason, the oldest first."""
    found = rig.cp.get("events", "-n", NAMESPACE)["items"]
    of_reason = [event for event in found if event["reason"] == reason]
    return [event["message"] for event in sorted(of_reason, key=lambda event: str(event["firstTimestamp"]))]


def wait_told(rig: Rig, reason: str, count: int) -> str:
    """Wait until there are so many Events with that reason; the message of the newest."""
    told = wait_until(lambda: len(events(rig, reason)) >= count, 60, 0.5)
    assert told, [line["message"] for line in rig.operator.lines() if "Event" in line["message"]][-20:]
    assert len(events(rig, reason)) == count
    return events(rig, reason)[-1]


def wait_for_event(rig: Rig, reason: str, message: str) -> None:
    """Wait until there is an Event of these words: it is posted when what it tells of is in status."""
    assert wait_until(lambda: message in events(rig, reason), 60, 0.5), events(rig, reason)


def fail_over(rig: Rig) -> None:
    """SENTINEL FAILOVER to one sentinel."""
    host = next(name for name in ("redis_slave01", "redis_slave02") if name != master(rig.status()))
    with rig.sentinel(host) as client:
        assert client.execute_command("SENTINEL", "FAILOVER", NAME)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.timeout(300)
def test_a_sentinel_that_hangs_is_shown_at_its_host_in_five_seconds(seed: Rig) -> None:
    """By the silence that is set for that; how much longer it takes on a busy machine, says nothing."""
    silence = metric(seed, 'rso_setting{setting="follower_silence"}')
    assert silence is not None and silence < NOTICED
    hanging, others = "redis_slave02", ("redis_slave01", "redis_slave03")
    sample = f'rso_sentinel_followed{{host="{hanging}",name="{NAME}",namespace="{NAMESPACE}"}}'
    assert wait_until(lambda: metric(seed, sample) == 1, 60, 0.5)
    for name in ("redis_master01", *others, hanging):
        expected = None if name == master(seed.status()) else 0
        assert wait_until(partial(_lags, seed, name, expected), 60, 0.5), name  # by the next passes, on a busy machine
    assert wait_until(lambda: metric(seed, f'rso_quorum{{name="{NAME}",namespace="{NAMESPACE}"}}') == 1, 60, 0.5)
    with hang_sentinel(seed.lab[hanging]):
        status = seed.wait(
            lambda s: [of_host(s, name)["followed"] for name in (hanging, *others)] == [False, True, True],
            "it is not heard, and the others are",
        )
        told = of_host(status, hanging)["message"]  # in the words of who listens to it, or of a pass that asked it
        assert hanging in told and "did not answer" in told, told
        assert wait_until(lambda: metric(seed, sample) == 0, 60, 0.5)
    seed.wait(lambda s: of_host(s, hanging)["followed"], "it is heard again")
    seed.wait_healthy()


def _lags(rig: Rig, host: str, expected: int | None) -> bool:
    """Whether a replica is told as one that keeps up, or nothing is told of a master (None)."""
    of_replica = f'{{host="{host}",name="{NAME}",namespace="{NAMESPACE}"}}'
    sign = _sign(metric(rig, f"rso_replica_lag_seconds{of_replica}"))
    return sign == expected and (metric(rig, f"rso_replica_lag_bytes{of_replica}") is None) is (expected is None)


def _sign(value: float | None) -> int | None:
    """Nothing, 0 for a replica that acknowledges every second, 1 for one that does not."""
    return None if value is None else int(value > 2)


@pytest.mark.timeout(400)
def test_a_host_that_hangs_does_not_delay_who_is_master(seed: Rig) -> None:
    """A pass would wait for its SSH for 300 s here; the fast path waits for nobody once a majority has answered."""
    seed.operator.stop()
    # Another process: one posts five Events of a reason and then a trickle, and tests before may have used them up.
    with OperatorProcess(seed.cp, settings=PATIENT) as operator:
        operator.wait_until(operator.has_passed, "a pass of this run of the operator", 60)
        seed.wait_quiet()
        _is_told_at_once(seed)


def _is_told_at_once(seed: Rig) -> None:
    old = master(seed.status())
    known = len(events(seed, "MasterChanged"))
    counted = (
        f'rso_failovers_total{{cause="Requested",name="{NAME}",namespace="{NAMESPACE}",result="Succeeded"}}',
        f'rso_failover_phase_seconds_count{{name="{NAME}",namespace="{NAMESPACE}",phase="publish"}}',
    )
    before = [metric(seed, sample) or 0 for sample in counted]
    away, back = (len(events(seed, reason)) for reason in ("HostUnreachable", "HostBack"))
    with hang_ssh(seed.lab[old]):
        seed.wait(lambda s: condition(s, "HostsReachable").get("status") == "False", "the hanging host told")
        assert old in wait_told(seed, "HostUnreachable", away + 1)
        fail_over(seed)
        status = seed.wait(lambda s: master(s) not in ("", old), "the new master")
        entry = status["failovers"][-1]
        assert (entry["from"], entry["to"], entry["cause"]) == (old, master(status), "Requested")
    assert wait_until(lambda: [metric(seed, sample) for sample in counted] == [each + 1 for each in before], 60, 0.5)
    new = status["master"]
    assert wait_told(seed, "MasterChanged", known + 1) == (
        f"{new['host']} ({new['address']}:6379) is the master now, at config epoch {new['configEpoch']}; before it was "
        f"{old}. A person asked a sentinel for it (SENTINEL FAILOVER). The operator brings {old} back as a replica "
        "when it may. Clients that ask the sentinels follow by themselves."
    )
    assert any(
        f"The sentinels replace the master {old}: a person asked" in each for each in events(seed, "FailoverStarted")
    )
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well again", 120)
    assert len(events(seed, "MasterChanged")) == known + 1
    assert old in wait_told(seed, "HostBack", back + 1)


@pytest.mark.timeout(400)
def test_a_failover_that_began_before_the_operator_died_is_finished_after_it(seed: Rig) -> None:
    """No replica answers, so that the promotion waits; meanwhile the operator is killed."""
    old = master(seed.status())
    sentinel = seed_cluster(seed.lab.config)["spec"]["sentinel"]
    seed.declare(sentinel={**sentinel, "failoverTimeoutMilliseconds": 90000})  # for so long the promotion waits
    seed.wait_healthy()
    with ExitStack() as hanging:
        for host in seed.lab:
            if host.name != old:
                hanging.enter_context(hang_redis(host))
        fail_over(seed)
        status = seed.wait(lambda s: _begun(s, old), "the beginning in status", 60)
        seed.operator.kill()
    begun = status["failovers"][-1]
    with seed.sentinel("redis_slave03") as client:
        changed = wait_until(lambda: client.sentinel_get_master_addr_by_name(NAME)[0] != seed.lab[old].address, 120)
        assert changed, "the failover went on"
    seed.operator.start()
    status = seed.wait(lambda s: master(s) not in ("", old), "the new master", 60)
    status = seed.wait(lambda s: s["failovers"][-1].get("result"), "the end of the entry", 120)
    entry = status["failovers"][-1]
    assert {key: entry[key] for key in ("from", "at", "cause", "elected")} == {
        key: begun[key] for key in ("from", "at", "cause", "elected")
    }
    assert (entry["to"], entry["result"]) == (master(status), "Succeeded")
    assert entry["published"]
    status = seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well again", 120)
    assert status["failovers"][-1] == entry
    seed.declare()
    seed.wait_healthy()


def _begun(status: Status, old: str) -> bool:
    last = (status.get("failovers") or [{}])[-1]
    return last.get("from") == old and bool(last.get("elected")) and not last.get("result")


@pytest.mark.timeout(300)
def test_a_master_that_restarts_at_once_is_told(seed: Rig) -> None:
    """The operator starts no master; here somebody does, before the sentinels call it down."""
    old = seed.status()["master"]
    known = events(seed, "MasterRestarted")
    began = time.time()
    seed.lab[old["host"]].run("systemctl kill -s KILL redis; while ! systemctl start redis; do :; done")
    status = seed.wait(lambda s: s["master"].get("restartedAt") not in (None, old.get("restartedAt")), "it is told", 60)
    assert (master(status), status["master"]["configEpoch"]) == (old["host"], old["configEpoch"])
    assert int(began) <= seconds(status["master"]["restartedAt"]) <= time.time(), "whole seconds"
    assert wait_told(seed, "MasterRestarted", len(known) + 1) == (
        f"The redis of the master {old['host']} ({old['address']}:6379) was restarted, and the sentinels kept it as "
        "master. Writes that it had not saved are lost, on the replicas as well. The operator changes nothing. Look "
        "why it restarted, and whether your data is whole."
    )
    seed.wait_healthy()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_sentinels_that_were_told_anew_begin_to_count_at_nought(seed: Rig) -> None:
    """SENTINEL REMOVE and MONITOR on all of them, by a person: the older epoch is believed once all of them agree."""
    old = master(seed.status())
    fail_over(seed)  # so that there is an epoch to fall from
    seed.wait(lambda s: master(s) != old, "the switch", 20)
    status = seed.wait_healthy()
    before = status["master"]
    known = events(seed, "EpochReset")
    for host in ("redis_slave01", "redis_slave02", "redis_slave03"):
        with seed.sentinel(host) as client:
            client.sentinel_remove(NAME)
            client.sentinel_monitor(NAME, before["address"], 6379, 2)
            client.execute_command("SENTINEL", "SET", NAME, "auth-pass", seed.password)
            client.execute_command("SENTINEL", "SET", NAME, "down-after-milliseconds", "5000")
            client.execute_command("SENTINEL", "SET", NAME, "failover-timeout", "10000")
    status = seed.wait(lambda s: s["master"]["configEpoch"] == 0, "the epoch of now", 40)
    assert (master(status), status["master"]["since"]) == (before["host"], before["since"])
    told = wait_told(seed, "EpochReset", len(known) + 1)
    assert f"fell from {before['configEpoch']} to 0, {before['host']} is master" in told
    assert seed.master_by_role() == [before["host"]]
    seed.wait_healthy()


@pytest.mark.timeout(400)
def test_an_attempt_in_vain_says_why_and_what_to_do(seed: Rig) -> None:
    """No replica may be promoted; as soon as they may the sentinels' next attempt succeeds."""
    old = master(seed.status())
    known = events(seed, "FailoverAborted")
    replicas = [host.name for host in seed.lab if host.name != old]
    _priorities(seed, replicas, 0)
    seed.lab[old].run("systemctl kill -s KILL redis")
    first, second, third = replicas
    why = (
        f"no replica could be promoted (-failover-abort-no-good-slave). {first}, {second} and {third}: its "
        "replica-priority is 0. Give one of those with priority 0 another (CONFIG SET slave-priority 100 there). The "
        "sentinels try again after twice failover-timeout."
    )
    aborted = {"from": old, "result": "Aborted", "message": why, "cause": "Failure"}
    status = seed.wait(lambda s: aborted.items() <= _last(s).items(), "the abort, and why", 90)
    assert master(status) == old
    told = wait_told(seed, "FailoverAborted", len(known) + 1)
    assert told == f"A failover that was to replace {old} came to nothing: {why}"
    _priorities(seed, replicas, 100)
    status = seed.wait(lambda s: master(s) not in ("", old), "a successor", 120)
    last = seed.wait(lambda s: _last(s).get("result") == "Succeeded" and _last(s), "the end of the entry", 60)
    assert (_last(last)["from"], _last(last)["to"], _last(last)["cause"]) == (old, master(status), "Failure")
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well again", 90)


def _last(status: Status) -> dict[str, Any]:
    """The newest failover."""
    found: list[dict[str, Any]] = status.get("failovers") or [{}]
    return found[-1]


def _priorities(rig: Rig, hosts: list[str], value: int) -> None:
    """Set the replicas' priority, and wait until every sentinel knows it where they may ask."""
    for host in hosts:
        with rig.redis(host) as client:
            client.config_set("slave-priority", value)
    if value:
        return  # they find out by themselves: they ask each second while the master is down
    wanted = {rig.lab[host].address for host in hosts}

    def known(sentinel: str) -> bool:
        with rig.sentinel(sentinel) as client:
            rows = client.sentinel_slaves(NAME)
        return wanted <= {row["ip"] for row in rows if int(row["slave-priority"]) == 0}

    for number in (1, 2, 3):
        assert wait_until(lambda number=number: known(f"redis_slave0{number}"), 60, 0.2)  # type: ignore[misc]
