"""A redis that cannot save: which host, how full, what it means for writers and what can be done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.judge.findings import preflight
from redis_sentinel_operator.model.fact import ClusterFacts, Disk, HostFacts, Known, MachineFacts, RedisFacts, Unknown
from unit.judge.clusters import S1, S2, M, alive, desired, facts, running

MIB = 1024 * 1024
STOPS = {"dir": "/var/lib/redis", "stop-writes-on-bgsave-error": "yes", "save": "900 1", "appendonly": "no"}


def with_disk(name: str, free: int, size: int = 20480 * MIB, **changes: object) -> HostFacts:
    """A host of the running seed with so much room, whose redis says otherwise than usual."""
    host = alive(name)
    assert isinstance(host.redis, Known) and isinstance(host.redis.value, RedisFacts)
    redis = replace(host.redis.value, **{"config": STOPS} | changes)  # type: ignore[arg-type]
    return replace(
        host, redis=Known(redis), machine=Known(MachineFacts({}, disks=(Disk("/var/lib/redis", free, size),)))
    )


def reason(reading: ClusterFacts) -> str:
    return preflight(desired(), reading).reason


def test_room_enough_is_nothing_to_tell() -> None:
    assert reason(facts(with_disk(S1, MIB), with_disk(M, MIB), of=alive)) == "PreflightPassed"
    assert reason(running()) == "PreflightPassed"


def test_replicas_that_cannot_save_are_told_together() -> None:
    found = preflight(desired(), facts(with_disk(S1, 0, 8 * MIB), with_disk(S2, 5000 * MIB, saved_ok=False), of=alive))
    assert (found.ok, found.reason) == (False, "CannotSave")
    assert found.message == (
        f"Data is not saved: {S1}: /var/lib/redis has 0 bytes of 8 MiB free; {S2}: /var/lib/redis has 4.9 GiB of 20 "
        "GiB free. Redis serves on from memory, and the operator does not restart it: what is not on disk would be "
        "lost. Make room there (the log of redis names any other reason); redis saves again by itself when a save is "
        "due."
    )


def test_a_master_that_refuses_writes_comes_first() -> None:
    found = preflight(desired(), facts(with_disk(S1, 0), with_disk(M, 1536, saved_ok=False), of=alive))
    assert (found.ok, found.reason) == (False, "WritesRefused")
    assert found.message.startswith(
        f"The master {M} refuses writes (MISCONF), because it could not save its data: /var/lib/redis has 1.5 KiB of "
        "20 GiB free. Reads"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"config": {**STOPS, "stop-writes-on-bgsave-error": "no"}}, "CannotSave"),
        ({"config": {**STOPS, "save": ""}}, "CannotSave"),
        ({"saved_ok": True, "aof_written_ok": False}, "CannotSave"),
        (
            {"saved_ok": True, "aof_written_ok": False, "config": {**STOPS, "appendonly": "yes"}},
            "WritesRefused",
        ),
    ],
)
def test_a_master_refuses_writes_only_where_it_was_told_to(changes: dict[str, object], expected: str) -> None:
    assert reason(facts(with_disk(M, 0, **{"saved_ok": False} | changes), of=alive)) == expected


def test_a_disk_that_was_not_read_is_not_full() -> None:
    host = replace(with_disk(S1, 0), machine=Unknown("it was not read"))
    assert reason(facts(host, of=alive)) == "PreflightPassed"
