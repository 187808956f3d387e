"""What goes wrong under a master or is done to it behind the operator's back: told, and never mended by a restart."""

from __future__ import annotations

from contextlib import suppress

import pytest
from redis.exceptions import ReadOnlyError, ResponseError

from e2e.rig import Rig, Status, condition, is_healthy, master
from e2e.test_adopt import pids
from lab.faults import fill_disk


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_full_disk_is_told_and_nothing_is_restarted(seed: Rig) -> None:
    """A replica only saves no more. A master refuses writes, and sentinels take its answer to PING for none."""
    seed.declare(redis={"config": {"repl-ping-slave-period": 10, "repl-timeout": 60, "save": "5 1"}})
    seed.wait_healthy()
    chief = master(seed.status())
    small = next(host for host in seed.lab.replicas if host.name != chief)
    with fill_disk(small) as disk:
        disk.empty()
        seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the replica back", 90)
        began, audited = pids(seed), len(seed.operator.audit())
        disk.fill()
        _cannot_save(seed, small.name)
        disk.empty()
        _until_it_saves(seed, small.name, chief)

        _promote(seed, small.name)
        disk.fill()
        _refuses_writes(seed, small.name)
        disk.empty()
        _until_it_saves(seed, small.name, small.name)

        _let_all_be_promoted(seed)
        disk.fill()
        with suppress(ResponseError, ReadOnlyError):
            _write(seed, small.name)
        seed.wait(lambda s: master(s) not in ("", small.name), "the sentinels' switch to one that saves", 60)
        _cannot_save(seed, small.name)
        disk.empty()
        seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
        assert pids(seed) == began
        done = seed.operator.audit()[audited:]
        assert not [line for line in done if line["impact"] == "Restart" or "start" in line["what"].split()[0]], done
    seed.declare()
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)


FULL = "/var/lib/redis has 0 bytes of 8 MiB free"


def _cannot_save(rig: Rig, host: str) -> None:
    status = rig.wait(lambda s: condition(s, "Ready").get("reason") == "CannotSave", "it told", 60)
    assert (status["phase"], condition(status, "Ready")["status"]) == ("Degraded", "True")
    assert status["message"] == condition(status, "PreflightPassed")["message"]
    assert status["message"] == (
        f"Data is not saved: {host}: {FULL}. Redis serves on from memory, and the operator does not restart it: what "
        "is not on disk would be lost. Make room there (the log of redis names any other reason); redis saves again by "
        "itself when a save is due."
    )


def _refuses_writes(rig: Rig, host: str) -> None:
    """No other may be promoted: so it stays master, and tells it as long as there is no room."""
    rig.wait(lambda _: _is_refused(rig, host), "MISCONF", 60)
    rig.wait(lambda s: condition(s, "PreflightPassed").get("reason") == "WritesRefused", "it told", 60)
    status = rig.wait(lambda s: condition(s, "Ready").get("reason") == "WritesRefused", "it told first of all", 90)
    assert (status["phase"], condition(status, "Ready")["status"]) == ("Unavailable", "False")
    assert status["message"] == condition(status, "PreflightPassed")["message"]
    assert status["message"] == (
        f"The master {host} refuses writes (MISCONF), because it could not save its data: {FULL}. Reads and "
        "replication go on; the sentinels get the same answer to their PING, and switch to a replica if they can. The "
        "operator does not restart it: what is not on disk would be lost. Make room there (its log names any other "
        "reason); redis saves again by itself when a save is due, and takes writes from then on. `redis-cli BGSAVE` "
        "does it at once."
    )


def _is_refused(rig: Rig, host: str) -> bool:
    try:
        _write(rig, host)
    except ResponseError as error:
        return "MISCONF" in str(error)
    return False


def _until_it_saves(rig: Rig, host: str, chief: str) -> None:
    with rig.redis(host) as client:
        client.bgsave()
    rig.wait(lambda s: is_healthy(s) and master(s) == chief, f"{host} saves again", 90)


def _write(rig: Rig, host: str) -> None:
    with rig.redis(host) as client:
        client.incr("disk")


def _promote(rig: Rig, host: str) -> None:
    """Let the sentinels make it master: it is the only one that they may choose."""
    for each in rig.lab:
        with rig.redis(each.name) as client:
            client.config_set("slave-priority", 1 if each.name == host else 0)

    def chosen(_: Status) -> bool:
        with rig.sentinel(rig.lab.replicas[0].name) as client:
            rows = client.sentinel_slaves("redis-cluster")
        return {row["slave-priority"] for row in rows} == {0, 1}

    rig.wait(chosen, "the priorities seen by the sentinel", 30)
    with rig.sentinel(rig.lab.replicas[0].name) as client:
        client.execute_command("SENTINEL", "FAILOVER", "redis-cluster")
    rig.wait(lambda s: master(s) == host and is_healthy(s) and s["replicas"] == "3/3", "the switch", 90)


def _let_all_be_promoted(rig: Rig) -> None:
    for each in rig.lab:
        with rig.redis(each.name) as client:
            client.config_set("slave-priority", 100)
