"""What endangers a cluster on its hosts: told in PreflightPassed with what to do, and Ready stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.kernel import HUGE_PAGES, OVERCOMMIT
from redis_sentinel_operator.judge.findings import preflight
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    Denied,
    FirewallFacts,
    HostFacts,
    Known,
    Listener,
    MachineFacts,
    Process,
    RedisFacts,
    SentinelFacts,
    SurveyFacts,
    Unreached,
)
from redis_sentinel_operator.model.verdict import Finding
from unit.judge.clusters import ADDRESS, S1, S2, S3, M, alive, desired, facts, running

Change = Callable[[HostFacts], HostFacts]
GIB = 1 << 30


def judged(**changed: Change) -> Finding:
    hosts = {"M": M, "S1": S1, "S2": S2, "S3": S3}
    return preflight(desired(), facts(*(change(alive(hosts[short])) for short, change in changed.items()), of=alive))


def surveyed(**changes: object) -> Change:
    survey = SurveyFacts((-0.01, 0.01), frozenset({6379, 26379}), restart="no", free=99 * GIB)
    return lambda host: replace(host, survey=Known(replace(survey, **changes)))  # type: ignore[arg-type]


def with_redis(**changes: object) -> Change:
    def change(host: HostFacts) -> HostFacts:
        assert isinstance(host.redis, Known) and isinstance(host.redis.value, RedisFacts)
        return replace(host, redis=Known(replace(host.redis.value, **changes)))  # type: ignore[arg-type]

    return change


def with_sentinel(**changes: object) -> Change:
    def change(host: HostFacts) -> HostFacts:
        assert isinstance(host.sentinel, Known) and isinstance(host.sentinel.value, SentinelFacts)
        return replace(host, sentinel=Known(replace(host.sentinel.value, **changes)))  # type: ignore[arg-type]

    return change


def with_machine(available: int = 8 * GIB, refused: frozenset[str] = frozenset(), **settings: str) -> Change:
    named = {OVERCOMMIT: settings.get("overcommit", "1"), HUGE_PAGES: settings.get("pages", "never")}
    return lambda host: replace(host, machine=Known(MachineFacts(named, 16 * GIB, available, refused)))


def with_process(process: Process, *ports: int) -> Change:
    listeners = tuple(Listener(port, process.name, process.pid) for port in ports)
    return lambda host: replace(host, processes=Known((process,)), listeners=Known(listeners))


def both(*changes: Change) -> Change:
    def change(host: HostFacts) -> HostFacts:
        for each in changes:
            host = each(host)
        return host

    return change


def test_a_cluster_of_which_nothing_is_to_be_told() -> None:
    whole = both(surveyed(), with_machine())
    assert preflight(desired(), running()) == judged(M=whole, S1=whole, S2=whole, S3=whole)
    assert judged(M=whole) == Finding(True, "PreflightPassed", "Nothing stands in the way of the declared state.")


def test_two_sentinels_of_one_id() -> None:
    assert judged(S2=with_sentinel(my_id="1" * 40)) == Finding(
        False,
        "SentinelIdTwice",
        f"The sentinels of {S1} and {S2} have the same id {'1' * 40}, as on cloned machines: the other sentinels take "
        "them for one, and a majority may never come together. The operator changes no id. On all of these hosts but "
        "one stop the sentinel, take the line `sentinel myid` out of its configuration file and start it; then send "
        "`SENTINEL RESET redis-cluster` to each declared sentinel, one after the other, 30 seconds apart.",
    )


OURS = frozenset({("11111111", ADDRESS[S1]), ("22222222", "10.0.0.2"), ("33333333", ADDRESS[S3])})


def test_sentinels_of_nobody_that_watch_the_master() -> None:
    assert judged(M=surveyed(sentinels=OURS)).reason == "PreflightPassed"
    assert judged(M=surveyed(sentinels=OURS | {("c0ffee00", "192.168.3.99")})) == Finding(
        False,
        "ForeignSentinels",
        f"Sentinels of no declared host watch the master {M} under another name than redis-cluster: 192.168.3.99. The "
        "declared ones do not know them, and they may switch the master on their own. The operator leaves them alone. "
        "Stop them, or make them monitor it as redis-cluster and declare their hosts.",
    )


def test_a_sentinel_whose_id_is_not_known_may_be_ours_from_another_address() -> None:
    stranger = surveyed(sentinels=frozenset({("c0ffee00", "10.0.0.1")}))
    assert judged(M=stranger, S1=with_sentinel(my_id="")).reason == "PreflightPassed"
    assert judged(M=stranger).reason == "ForeignSentinels"


def test_a_redis_that_comes_back_by_itself() -> None:
    assert judged(M=surveyed(restart="always")) == Finding(
        False,
        "RestartsByItself",
        f"systemd restarts redis by itself: {M}: its unit has Restart=always. A master that is back before the "
        "sentinels have switched has only what it had saved, and its replicas copy that. The operator leaves it. Take "
        "Restart= out of the unit (`systemctl cat` shows where it stands) and do a `systemctl daemon-reload`.",
    )


CUT_OFF = Unreached(ADDRESS[M], 6379, "no answer within 2 s")


def test_a_port_that_is_closed_to_a_peer() -> None:
    assert judged(M=surveyed(), S1=surveyed(unreached=(CUT_OFF,))) == Finding(
        False,
        "PeersUnreachable",
        f"Hosts do not reach each other: {S1} does not reach {M} on port 6379 (no answer within 2 s). Replication or a "
        "failover fails there, though the operator sees all over SSH. It goes on, and looks again every half minute. "
        "Open the ports in whatever stands between these hosts.",
    )


def test_a_server_that_did_not_run_was_not_cut_off() -> None:
    cut_off = surveyed(unreached=(CUT_OFF,))
    assert judged(M=surveyed(listens=frozenset({22})), S1=cut_off).reason == "PreflightPassed"
    assert judged(S1=cut_off).reason == "PreflightPassed", "nobody knows whether it ran"


def test_a_disk_that_a_dump_may_fill() -> None:
    limited = with_redis(config={"maxmemory": str(4 * GIB)}, used_memory=GIB)
    assert judged(S1=both(surveyed(free=4 * GIB), limited)).reason == "PreflightPassed"
    assert judged(S1=both(surveyed(free=3 * GIB), limited)) == Finding(
        False,
        "DiskTooSmall",
        f"A dump or a full resynchronisation may fill the disk: {S1}: its data may be 4.0 GiB, and 3.0 GiB are free. "
        "The operator changes nothing about it. Make room, give the data a larger disk, or set a smaller maxmemory.",
    )
    assert judged(S1=both(surveyed(free=GIB // 2), with_redis(used_memory=GIB))).reason == "DiskTooSmall"


def test_memory_that_does_not_hold_the_data() -> None:
    limited = with_redis(config={"maxmemory": str(9 * GIB)}, used_memory=GIB)
    assert judged(S1=both(with_machine(8 * GIB), limited)).reason == "PreflightPassed"
    assert judged(S1=both(with_machine(7 * GIB), limited)) == Finding(
        False,
        "MemoryTooSmall",
        f"Memory may run out: {S1}: its data may be 9.0 GiB, and 8.0 GiB are left for it. While redis saves, pages "
        "that are written exist twice. The operator changes nothing about it. Give the machine more memory, or set a "
        "smaller maxmemory.",
    )
    found = judged(S1=both(with_machine(GIB // 2), with_redis(used_memory=GIB)))
    assert f"{S1}: redis uses 1.0 GiB, and only 512 MiB are left." in found.message


def test_a_replica_needs_room_for_all_that_its_master_has() -> None:
    full = with_redis(used_memory=10 * GIB)
    no_redis: Change = lambda host: replace(host, redis=Known(None))  # noqa: E731
    denied: Change = lambda host: replace(host, redis=Known(Denied("NOAUTH")))  # noqa: E731
    for short in (with_redis(), no_redis):
        found = judged(M=full, S1=both(surveyed(free=9 * GIB), short))
        assert f"{S1}: its data may be 10.0 GiB, and 9.0 GiB are free." in found.message
        found = judged(M=full, S1=both(with_machine(9 * GIB), short))
        assert f"{S1}: its data may be 10.0 GiB, and 9.0 GiB are left for it." in found.message
        assert (
            judged(M=full, S1=both(surveyed(free=10 * GIB), with_machine(11 * GIB), short)).reason == "PreflightPassed"
        )
    assert judged(M=full, S1=both(surveyed(free=GIB), denied)).reason == "PreflightPassed", "its data may be smaller"
    assert judged(S2=full, S1=surveyed(free=9 * GIB)).reason == "PreflightPassed", "what a replica has goes to nobody"


LEAP = (
    " A clock that is set right in one leap sends a sentinel into tilt, which does nothing for 30 seconds then. The "
    "operator sets no clock. Let chronyd or ntpd run on every host."
)


def test_clocks_that_are_apart() -> None:
    assert judged(S1=surveyed(), S2=surveyed(ahead=(-3.7, -3.5))) == Finding(
        False, "ClocksDiffer", f"The clock of {S1} is 3.5 s before that of {S2}.{LEAP}"
    )
    assert judged(S1=surveyed(), S2=surveyed(ahead=(0.9, 0.95))).reason == "PreflightPassed"


def test_a_reading_that_took_long_says_little_of_a_clock() -> None:
    assert judged(S1=surveyed(), S2=surveyed(ahead=(-30.0, 0.1))).reason == "PreflightPassed"


def test_clocks_that_agree_but_with_the_operators() -> None:
    late = surveyed(ahead=(-7.2, -7.0))
    assert judged(M=late, S1=late, S2=late, S3=late) == Finding(
        False, "ClocksDiffer", f"All hosts: the clock is 7 s after the operator's.{LEAP}"
    )


def test_ports_that_selinux_does_not_know() -> None:
    def selinux(ports: frozenset[int] | None, **machine: object) -> Change:
        def change(host: HostFacts) -> HostFacts:
            kept = {OVERCOMMIT: "1", HUGE_PAGES: "never"}
            have = MachineFacts(kept, **({"selinux": "enforcing"} | machine))  # type: ignore[arg-type]
            return replace(surveyed(ports=ports)(host), machine=Known(have))

        return change

    assert judged(S1=selinux(None)).reason == "PreflightPassed", "the ports of the policy"
    assert judged(S1=selinux(frozenset({6379}), redis_ports=frozenset({26379}))).reason == "PreflightPassed"
    assert judged(M=selinux(frozenset({6379}))).reason == "PreflightPassed", "it has no sentinel"
    assert judged(S1=selinux(frozenset({6379}), semanage=True)).reason == "PreflightPassed", "the operator adds it"
    assert judged(S1=selinux(frozenset({6379}), selinux="")).reason == "PreflightPassed", "it is off"
    assert judged(S1=selinux(frozenset({6379}))) == Finding(
        False,
        "SelinuxPorts",
        f"SELinux does not let redis use its ports: {S1}: 26379 not of type redis_port_t, and there is no semanage "
        "(yum install policycoreutils-python). The operator adds them to the policy where a host has semanage: install "
        "it on these.",
    )


OTHERS = (
    " The operator leaves it alone, and it may take memory and names from what is declared. Stop it and disable it "
    "where nobody needs it."
)


def test_another_redis_on_a_host() -> None:
    other = Process(950, "redis-server", "redis@cache.service", False)
    assert judged(S1=with_process(other, 7000)) == Finding(
        False,
        "OtherServers",
        "There is more of redis on the hosts than is declared: redis-server (process 950, redis@cache.service) at port "
        f"7000 on {S1}.{OTHERS}",
    )
    assert judged(S1=with_process(other, 6379)).reason == "PreflightPassed"
    assert judged(S1=with_process(other)).reason == "PreflightPassed", "it may be about to listen"


def test_a_sentinel_that_watches_another_master_too() -> None:
    assert judged(S1=with_sentinel(masters=("redis-cluster", "mymaster"))) == Finding(
        False,
        "OtherServers",
        "There is more of redis on the hosts than is declared: a sentinel that watches mymaster as well on "
        f"{S1}.{OTHERS}",
    )


def test_limits_that_come_with_the_next_start() -> None:
    process = Process(7, "redis-server", EL7.redis_unit, False, 4096, 0o022)
    assert judged(S1=with_process(process, 6379)) == Finding(
        True,
        "AtNextStart",
        f"In force only when the server is started the next time: {S1}: redis.service may open 4096 files instead of "
        "10240, the umask of redis.service is 0022 instead of 0077. It is written, and nothing is restarted for it. "
        "Restart replicas when it suits you; a master after a switch.",
    )
    assert judged(S1=with_process(replace(process, open_files=20000, umask=0o077), 6379)).reason == "PreflightPassed"
    assert judged(S1=with_process(replace(process, open_files=None, umask=None), 6379)).reason == "PreflightPassed"
    assert judged(S1=with_process(replace(process, unit=""), 6379)).reason == "PreflightPassed"


BOOT = (
    "The operator does not try again before. Boot the machines when it suits you; the kernel of a container is set on "
    "the machine under it."
)


def test_what_the_kernel_refused() -> None:
    refused = frozenset({OVERCOMMIT, HUGE_PAGES})
    change = with_machine(refused=refused, overcommit="0", pages="always")
    assert judged(S1=change) == Finding(
        True,
        "AtNextBoot",
        f"The kernel does not take now what is written for the next boot: {S1}: vm.overcommit_memory is 0 instead of "
        f"1, transparent huge pages is always instead of never. {BOOT}",
    )
    assert judged(S1=with_machine(refused=refused)).reason == "PreflightPassed", "it is in force by now"


def test_what_is_amiss_on_all_hosts_is_told_once() -> None:
    change = with_machine(refused=frozenset({OVERCOMMIT}), overcommit="0")
    assert judged(M=change, S1=change, S2=change, S3=change).message == (
        "The kernel does not take now what is written for the next boot: all hosts: vm.overcommit_memory is 0 instead "
        f"of 1. {BOOT}"
    )


def test_all_of_it_is_told_under_the_gravest_reason() -> None:
    refusing = with_machine(refused=frozenset({OVERCOMMIT}), overcommit="0")
    found = judged(S1=both(refusing, surveyed(restart="always")), S2=with_sentinel(my_id="1" * 40))
    assert (found.ok, found.reason) == (False, "SentinelIdTwice")
    heads = ["The sentinels of ", "systemd restarts redis by itself: ", "The kernel does not take now "]
    positions = [found.message.index(head) for head in heads]
    assert positions == sorted(positions)


def test_a_firewall_that_is_wider_is_told_as_before() -> None:
    own = desired(clients=("10.0.0.0/8",))
    found = preflight(own, ClusterFacts({S1: replace(alive(S1), firewall=Known(FirewallFacts("none")))}, 0.0))
    assert found.reason == "FirewallWider"


@pytest.mark.parametrize("host", [M, S1])
def test_nothing_is_told_of_what_was_not_read(host: str) -> None:
    assert preflight(desired(), ClusterFacts({host: alive(host)}, 0.0)).reason == "PreflightPassed"
