"""What the kernel is told, from what hosts of each family say: what the tools of EL print, as facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.kernel import (
    HUGE_PAGES,
    HUGE_PAGES_FILE,
    HUGE_PAGES_TEXT,
    OVERCOMMIT,
    SOMAXCONN,
    SYSCTL_FILE,
    sysctl_text,
)
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    HostFacts,
    Known,
    MachineFacts,
    OsFacts,
    Process,
    RedisFacts,
    SurveyFacts,
    Unknown,
)
from redis_sentinel_operator.model.step import AllowPorts, LabelFile, SetKernel, StartUnit, WriteDropIn
from redis_sentinel_operator.observe.probe import split
from redis_sentinel_operator.observe.sections import machine_of
from redis_sentinel_operator.plan.dropins import drop_ins
from redis_sentinel_operator.plan.host import Host, readable
from redis_sentinel_operator.plan.machine import machine
from redis_sentinel_operator.plan.part import Part
from unit.plan.directing import planned as with_directives
from unit.plan.directing import with_redis
from unit.plan.living import alive, planned
from unit.plan.test_restarts import pending
from unit.plan.world import S1, carried_out, desired, with_file

CAPTURES = Path(__file__).with_name("machines")
SET_KERNEL = f"set vm.overcommit_memory to 1 ({SYSCTL_FILE})"
SET_QUEUE = f"set vm.overcommit_memory to 1, net.core.somaxconn to 511 ({SYSCTL_FILE})"
SET_PAGES = f"set transparent huge pages to never ({HUGE_PAGES_FILE})"
LABEL = "label /etc/redis.conf redis_conf_t"
NOWHERE = "it is nowhere set for the next boot"
MEMORY = "vm.overcommit_memory is 0"
ETC_T = "SELinux (enforcing) does not let redis write its role into a file of type etc_t"


def captured(name: str) -> MachineFacts:
    rows = split(CAPTURES.joinpath(f"{name}.txt").read_bytes())["machine"]
    assert isinstance(rows, Known)
    return machine_of(rows.value)


def on(have: MachineFacts, files: Mapping[str, str] | None = None, version: str = "3.2.12", release: str = "7") -> Host:
    """A replica on such a machine."""
    host = replace(alive(S1), machine=Known(have), os=Known(OsFacts("centos", release)))
    assert isinstance(host.redis, Known) and isinstance(host.redis.value, RedisFacts)
    host = replace(host, redis=Known(replace(host.redis.value, version=version)))
    for path in (SYSCTL_FILE, HUGE_PAGES_FILE, EL7.redis_drop_in):
        host = with_file(host, path, (files or {}).get(path))
    (found,), _ = readable(desired(), ClusterFacts({S1: host}, 0.0))
    return found


def told(part: Part) -> list[tuple[str, str]]:
    return [(step.what, step.why) for step in part.steps]


# (what the machine prints, our files there, version) -> (what, why) of each step
CASES: dict[str, tuple[str, dict[str, str], str, list[tuple[str, str]]]] = {
    "EL7 as it is installed": (
        "el7-enforcing",
        {},
        "3.2.12",
        [
            (SET_QUEUE, f"{NOWHERE}; {MEMORY}; net.core.somaxconn is 128"),
            (SET_PAGES, f"{NOWHERE}; transparent huge pages is always"),
            (LABEL, ETC_T),
        ],
    ),
    "EL7 after our steps": (
        "el7-set",
        {SYSCTL_FILE: sysctl_text(511), HUGE_PAGES_FILE: HUGE_PAGES_TEXT},
        "3.2.12",
        [],
    ),
    "EL8 with redis 6.2, which turns huge pages off for itself": (
        "el8-permissive",
        {},
        "6.2.7",
        [(SET_QUEUE, f"{NOWHERE}; {MEMORY}; net.core.somaxconn is 128")],
    ),
    "EL9, whose queue is long enough": ("el9", {}, "6.2.7", [(SET_KERNEL, f"{NOWHERE}; {MEMORY}")]),
    "a kernel that refuses, after our steps": ("refusing", {SYSCTL_FILE: sysctl_text(None)}, "3.2.12", []),
    "a kernel that refuses, our file gone": ("refusing", {}, "3.2.12", [(SET_KERNEL, NOWHERE)]),
    "our file changed": (
        "el7-set",
        {SYSCTL_FILE: "vm.overcommit_memory = 0\n", HUGE_PAGES_FILE: HUGE_PAGES_TEXT},
        "3.2.12",
        [(SET_KERNEL, f"{SYSCTL_FILE} does not say so")],
    ),
    "a queue that others made longer since": (
        "el9",
        {SYSCTL_FILE: sysctl_text(511)},
        "6.2.7",
        [
            (
                f"set vm.overcommit_memory to 1, net.core.somaxconn to 4096 ({SYSCTL_FILE})",
                f"{SYSCTL_FILE} does not say so; {MEMORY}",
            )
        ],
    ),
    "tuned turned huge pages on again": (
        "el7-tuned",
        {SYSCTL_FILE: sysctl_text(511), HUGE_PAGES_FILE: HUGE_PAGES_TEXT},
        "3.2.12",
        [(SET_PAGES, "transparent huge pages is always")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_machine_is_planned_from_what_it_prints(case: str) -> None:
    capture, files, version, expected = CASES[case]
    release = {"el8-permissive": "8", "el9": "9"}.get(capture, "7")
    part = machine(desired(), on(captured(capture), files, version, release))
    assert told(part) == expected
    assert part.waiting == ()


# (what the machine says beside, what it said when it was asked at length, ports of redis and sentinel) -> ports added
TOOL = {"semanage": True}
PORTS: dict[str, tuple[dict[str, object], frozenset[int] | None, tuple[int, int], tuple[int, ...]]] = {
    "those of the policy": (TOOL, None, (6379, 26379), ()),
    "others": (TOOL, None, (6380, 26380), (6380, 26380)),
    "one of them is there": (TOOL | {"redis_ports": frozenset({6380})}, None, (6380, 26380), (26380,)),
    "both are there": (TOOL | {"redis_ports": frozenset({6380, 26380})}, None, (6380, 26380), ()),
    "an old policy, which was listed": (TOOL, frozenset({6379}), (6379, 26379), (26379,)),
    "a newer policy, which was listed": (TOOL, frozenset({6379, 6380, 26379}), (6380, 26379), ()),
    "added since it was listed": (
        TOOL | {"redis_ports": frozenset({6380})},
        frozenset({6379, 26379}),
        (6380, 26379),
        (),
    ),
    "without the tool": ({}, None, (6380, 26380), ()),
    "without SELinux": (TOOL | {"selinux": ""}, None, (6380, 26380), ()),
}


@pytest.mark.parametrize("case", PORTS)
def test_ports_that_selinux_keeps_from_redis_are_added(case: str) -> None:
    changes, listed, (redis_port, sentinel_port), expected = PORTS[case]
    have = replace(captured("el8-permissive"), **changes)  # type: ignore[arg-type]
    host = on(have, {SYSCTL_FILE: sysctl_text(511)}, "6.2.7", "8")
    host = replace(host, facts=replace(host.facts, survey=Known(SurveyFacts((0.0, 0.0), ports=listed))))
    own = desired(redis_port=redis_port, sentinel_port=sentinel_port)
    steps = [step for step in machine(own, host).steps if isinstance(step.action, AllowPorts)]
    assert [step.action for step in steps] == ([AllowPorts(expected)] if expected else [])
    for step in steps:
        assert step.what == f"let redis use the TCP ports {', '.join(map(str, expected))}"
        assert step.why == "SELinux (permissive) does not let redis use ports that are not of type redis_port_t"


def test_a_host_without_sentinel_needs_only_the_ports_of_redis() -> None:
    host = on(replace(captured("el8-permissive"), semanage=True), {SYSCTL_FILE: sysctl_text(511)}, "6.2.7", "8")
    host = replace(host, want=replace(host.want, sentinel=False))
    own = desired(redis_port=6380, sentinel_port=26380)
    assert AllowPorts((6380,)) in [step.action for step in machine(own, host).steps]


def test_what_is_set_now_is_what_differs_and_is_not_refused() -> None:
    (sysctl, pages, label) = machine(desired(), on(captured("el7-enforcing"))).steps
    assert sysctl.action == SetKernel(SYSCTL_FILE, sysctl_text(511), {OVERCOMMIT: "1", SOMAXCONN: "511"})
    assert pages.action == SetKernel(HUGE_PAGES_FILE, HUGE_PAGES_TEXT, {HUGE_PAGES: "never"})
    assert label.action == LabelFile("/etc/redis.conf", "redis_conf_t")
    (refusing,) = machine(desired(), on(captured("refusing"))).steps
    assert refusing.action == SetKernel(SYSCTL_FILE, sysctl_text(None), {})


def test_a_longer_backlog_needs_a_longer_queue() -> None:
    own = desired(redis_config={"tcp-backlog": "8192"})
    (step,) = machine(own, on(captured("el9"), version="6.2.7", release="9")).steps
    assert step.action == SetKernel(SYSCTL_FILE, sysctl_text(8192), {OVERCOMMIT: "1", SOMAXCONN: "8192"})


def test_a_machine_that_could_not_be_asked_is_left_as_it_is() -> None:
    todo = planned(S1=lambda host: replace(host, machine=Unknown("the probe's answer ends before its part machine")))
    assert todo.steps == ()
    assert todo.waiting == (
        f"the kernel of {S1} could not be asked and is left as it is: the probe's answer ends before its part machine",
    )


def test_a_plan_that_was_carried_out_leaves_nothing() -> None:
    facts = ClusterFacts({S1: replace(alive(S1), machine=Known(captured("el7-tuned")))}, 0.0)
    todo = machine(desired(), readable(desired(), facts)[0][0]).plan()
    assert [step.what for step in todo.steps] == [SET_PAGES]
    after = carried_out(facts, todo)
    assert machine(desired(), readable(desired(), after)[0][0]) == Part()
    own = desired(redis_port=6380)
    have = replace(captured("el9"), selinux="enforcing", semanage=True)
    facts = ClusterFacts({S1: replace(alive(S1), machine=Known(have))}, 0.0)
    todo = machine(own, readable(own, facts)[0][0]).plan()
    assert AllowPorts((6380,)) in [step.action for step in todo.steps]
    assert not any(
        isinstance(step.action, AllowPorts)
        for step in machine(own, readable(own, carried_out(facts, todo))[0][0]).steps
    )


# -- drop-ins

REDIS_DROP_IN = """\
# Written by redis-sentinel-operator; changes are undone.
[Service]
# The package's redis-shutdown shows the password in the process list. SIGTERM saves as well.
ExecStop=
# Dumps, logs and rewritten configuration files are for redis alone.
UMask=0077
# One for each client, and some for itself.
LimitNOFILE={limit}
"""
PAGES = """\
[Unit]
Wants=redis-sentinel-operator-hugepages.service
After=redis-sentinel-operator-hugepages.service
"""


@pytest.mark.parametrize(
    ("capture", "version", "config", "text"),
    [
        ("el7-enforcing", "3.2.12", {}, REDIS_DROP_IN.format(limit=10240) + PAGES),
        ("refusing", "3.2.12", {}, REDIS_DROP_IN.format(limit=10240)),
        ("el9", "6.2.7", {"maxclients": "20000"}, REDIS_DROP_IN.format(limit=20240)),
        ("el9", "6.2.7", {"maxclients": "100"}, REDIS_DROP_IN.format(limit=10240)),
    ],
)
def test_the_drop_in_of_redis(capture: str, version: str, config: dict[str, str], text: str) -> None:
    host = on(captured(capture), version=version, release="9" if capture == "el9" else "7")
    first, *_ = drop_ins(desired(redis_config=config), host).steps
    assert first.action == WriteDropIn(host.family.redis_drop_in, text)


@pytest.mark.parametrize(("limit", "live"), [(10240, False), (20032, True), (None, True)])
def test_more_clients_than_files_that_may_be_open_wait_for_the_next_start(limit: int | None, live: bool) -> None:
    """The running server would refuse them; the file has them, and nobody is restarted: it may not help."""

    def limited(host: HostFacts) -> HostFacts:
        return replace(host, processes=Known((Process(7, "redis-server", EL7.redis_unit, False, limit),)))

    facts = pending(S1=lambda host: with_redis(limited(host), config={"maxclients": "10000"}))
    todo = with_directives({"maxclients": "20000"}, facts)
    mine = [drift for drift in todo.drift[S1] if drift.key == "maxclients"]
    assert [drift.pending_restart for drift in mine] == [not live]
    assert not any(isinstance(step.action, StartUnit) for step in todo.steps if step.host == S1)
    sets = [step.what for step in todo.steps if step.host == S1 and "running" in step.what]
    assert any("maxclients" in what for what in sets) == live
