"""A cluster of EL7 moves to EL9, host by host and under writes: what was acknowledged is there in the end."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import pytest

from e2e.acting import answer, ask, not_to_be_lost
from e2e.rig import Rig, Status, condition, is_healthy, master, raised
from e2e.test_following import events
from lab.ledger import Ledger, ledger
from lab.model import lab_config

log = logging.getLogger(__name__)
LAB = os.environ.get("FAMILIES_LAB", "fams 192.168.180.0/24").split()
_SETTINGS = {"downAfterMilliseconds": 5000, "failoverTimeoutMilliseconds": 10000}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_el7_is_moved_to_el9_host_by_host_under_writes() -> None:
    """Three hosts of each: one joins and one leaves with each change, the master last, after a switchover."""
    config = lab_config(LAB[0], LAB[1], replicas=5, families=("el7", "el7", "el7", "el9"))
    with raised(config) as rig:
        entries = [{"name": host.name, "address": host.address} for host in rig.lab]
        old, new = entries[:3], entries[3:]
        _declare(rig, old)
        rig.operator.start()
        rig.wait_healthy(180)
        with ledger(rig.lab, rig.password) as book:
            _move(rig, book, [old, [old[0], old[1], new[0]], [old[0], new[0], new[1]], new])
        _is_moved(rig, book)


def _declare(rig: Rig, entries: list[dict[str, Any]]) -> None:
    rig.declare(hosts=entries, sentinel=_SETTINGS)


def _move(rig: Rig, book: Ledger, stages: list[list[dict[str, Any]]]) -> None:
    first = master(rig.status())
    assert first == stages[0][0]["name"]
    for stage in stages[1:-1]:
        _declare(rig, stage)
        status = rig.wait_healthy(180)
        assert [host["name"] for host in status["hosts"]] == [each["name"] for each in stage]
        assert (status["replicas"], status["sentinels"], master(status)) == ("2/2", "3/3", first)
        book.wait(10, rig.lab[first].address)
    _declare(rig, stages[-1])
    status = rig.wait(lambda s: s["phase"] == "WaitingForYou", "a person is asked to switch over", 180)
    assert "switchover" in status["message"]
    time.sleep(11)  # a switchover begins when all is settled
    told = answer(rig, ask(rig, "switchover -"))
    assert told["result"] == "Done", told
    status = rig.wait_healthy(180)
    assert [host["name"] for host in status["hosts"]] == [each["name"] for each in stages[-1]]
    book.wait(20, rig.lab[master(status)].address)


def _is_moved(rig: Rig, book: Ledger) -> None:
    status: Status = rig.status()
    chief = master(status)
    assert is_healthy(status)
    assert condition(status, "ReplicationHealthy")["status"] == "True"
    lost = book.missing(rig.lab[chief])
    kinds = {kind: sum(ack.kind == kind for ack in lost) for kind in ("plain", "eval", "multi")}
    log.info("acknowledged %d, lost %s, the longest pause %.1f s", len(book.acks), kinds, book.pause())
    assert not_to_be_lost(rig, lost) == []
    for host in list(rig.lab)[3:]:
        with rig.redis(host.name) as client:
            assert client.info("server")["redis_version"].startswith("6.2.")
            assert client.config_get("replica-priority") == {"replica-priority": "100"}, (
                "as if there had been no older one"
            )
    for host in list(rig.lab)[:3]:
        states = host.run("systemctl is-active redis redis-sentinel", check=False).stdout.split()
        assert states == ["inactive", "inactive"]
    assert len(events(rig, "HostJoined")) == len(events(rig, "HostLeft")) == 3
