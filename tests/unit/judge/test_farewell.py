"""What is told of a resource that is gone: what was done, what was left, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.judge.farewell import Gone, farewell
from unit.plan.world import S3, desired

RETAIN, STOP, UNINSTALL = (desired(deletion_policy=name) for name in ("Retain", "Stop", "Uninstall"))
ALL = "redis_master01, redis_slave01, redis_slave02 and redis_slave03"
THREE = "redis_master01, redis_slave01 and redis_slave02"
NOBODY = {host.name: "it could not be read (no route to host)" for host in STOP.hosts}
DRILL = "the drill that went on (watch) did not come to its end within 70 s: redis on redis_master01 may be stopped"

CASES: dict[str, tuple[Gone, str, str]] = {
    "stopped": (
        Gone(STOP, {}),
        "HostsLeft",
        f"Its deletionPolicy was Stop: redis and sentinel are stopped and disabled on {ALL}; packages, files and data "
        "are as they were.",
    ),
    "uninstalled": (
        Gone(UNINSTALL, {}),
        "HostsLeft",
        "Its deletionPolicy was Uninstall: redis and sentinel are stopped, and what the operator made is removed, on "
        f"{ALL}; the data and configuration files (.rpmsave, without passwords) are left there.",
    ),
    "with the data": (
        Gone(replace(UNINSTALL, delete_data=True), {}),
        "HostsLeft",
        "Its deletionPolicy was Uninstall: redis and sentinel are stopped, and what the operator made is removed, on "
        f"{ALL}; the data are deleted, configuration files (.rpmsave, without passwords) are left there.",
    ),
    "one is left": (
        Gone(STOP, {S3: "it belongs to x/y/z"}),
        "LeftBehind",
        f"Its deletionPolicy was Stop: redis and sentinel are stopped and disabled on {THREE}; packages, files and "
        f"data are as they were. Left: {S3}: it belongs to x/y/z.",
    ),
    "all are left": (
        Gone(STOP, NOBODY),
        "LeftBehind",
        f"Its deletionPolicy was Stop: left: {'; '.join(f'{name}: {why}' for name, why in NOBODY.items())}.",
    ),
    "the time was over": (
        Gone(STOP, {}, (f"{S3}: stop redis (redis.service)",)),
        "LeftBehind",
        "Its deletionPolicy was Stop: when the time was over there was still to be done: "
        f"{S3}: stop redis (redis.service).",
    ),
    "no Secrets": (
        Gone(STOP, None, reason="the Secret redis-ssh is missing."),
        "LeftBehind",
        "Its deletionPolicy Stop could not be carried out, and redis and sentinel are left as they are: the Secret "
        "redis-ssh is missing.",
    ),
    "nothing was ever read": (
        Gone(None, None, reason="the Secret redis-ssh is missing"),
        "LeftBehind",
        "Its deletionPolicy could not be carried out, and redis and sentinel are left as they are: the Secret "
        "redis-ssh is missing.",
    ),
    "a procedure has not ended": (
        Gone(RETAIN, None, unfinished=DRILL),
        "LeftBehind",
        f"{DRILL[:1].upper()}{DRILL[1:]}.",
    ),
    "a procedure has not ended, but all is stopped": (
        Gone(STOP, {}, unfinished=DRILL),
        "LeftBehind",
        f"Its deletionPolicy was Stop: redis and sentinel are stopped and disabled on {ALL}; packages, files and data "
        f"are as they were. {DRILL[:1].upper()}{DRILL[1:]}.",
    ),
}


@pytest.mark.parametrize(("gone", "reason", "message"), CASES.values(), ids=CASES)
def test_what_is_told(gone: Gone, reason: str, message: str) -> None:
    told = farewell(gone)
    assert told is not None
    assert (told.reason, told.warning) == (reason, reason == "LeftBehind")
    assert told.message == f"The resource is gone. {message}"


def test_a_resource_that_leaves_its_hosts_as_they_run_says_nothing() -> None:
    assert farewell(Gone(RETAIN, None)) is None
    assert farewell(Gone(None, None)) is None
