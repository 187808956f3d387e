"""A resource is deleted: what is stopped in which order, what is left and why, what is removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from redis_sentinel_operator.conf import iptables, kernel
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.departure import RemovePackage, RemoveTraces, SaveData
from redis_sentinel_operator.model.desired import Desired, PackageWish
from redis_sentinel_operator.model.fact import (
    Claim,
    ClusterFacts,
    DataFile,
    Denied,
    FileFacts,
    FirewalldRule,
    FirewallFacts,
    HostFacts,
    Known,
    Process,
    RedisFacts,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.model.package import LockPackage
from redis_sentinel_operator.model.step import EditFirewalld, FillChain, SaveChain, Step
from redis_sentinel_operator.plan.depart import Departure, depart
from unit.plan.scaling import after, changed, serving
from unit.plan.world import (
    ADDRESS,
    OWNER,
    S1,
    S2,
    S3,
    M,
    desired,
    restored,
    stopped_redis,
    stopped_sentinel,
    unreachable,
    with_file,
    with_unit,
)

STOP = desired(deletion_policy="Stop")
UNINSTALL = desired(deletion_policy="Uninstall")
RULES = (FirewalldRule("permanent", "public", "6379/tcp"), FirewalldRule("runtime", "public", "6379/tcp"))


def departed(wanted: Desired, facts: ClusterFacts, failed: Mapping[str, str] | None = None) -> Departure:
    return depart(wanted, facts, OWNER, failed or {})


def told(todo: Departure) -> list[tuple[str, str]]:
    return [(step.host, step.what) for step in todo.steps]


def carried_out(facts: ClusterFacts, step: Step) -> ClusterFacts:
    """The reading after a step on the way out."""
    host = facts.hosts[step.host]
    match step.action:
        case SaveData():
            return facts
        case RemovePackage(name, data):
            assert isinstance(host.data, Known)
            assert isinstance(host.packages, Known)
            kept = tuple(each for each in host.data.value if each.path not in data)
            rest = {each: version for each, version in host.packages.value.items() if each != name}
            return changed(facts, replace(host, data=Known(kept), packages=Known(rest)))
        case RemoveTraces():
            return changed(facts, replace(host, claim=Known(None)))
        case EditFirewalld():
            return changed(facts, replace(host, firewall=Known(FirewallFacts("firewalld", "public"))))
        case LockPackage(path, text):
            return changed(facts, with_file(host, path, text.reveal()))
    return after(facts, step)


def whole_way(wanted: Desired, facts: ClusterFacts) -> tuple[list[tuple[str, str]], Departure]:
    done = []
    while (todo := departed(wanted, facts)).steps:
        for step in todo.steps:
            done.append((step.host, step.what))
            facts = carried_out(facts, step)
        assert len(done) < 60
    return done, todo


def rested(facts: ClusterFacts, *names: str) -> ClusterFacts:
    """The reading with all of ours stopped and disabled on some hosts."""
    for name in names:
        host = stopped_sentinel(stopped_redis(facts.hosts[name]))
        for unit in EL7.units:
            host = with_unit(host, unit, active="inactive", enabled="disabled")
        facts = changed(facts, host)
    return facts


SENTINELS = [
    (name, what)
    for name in (S1, S2, S3)
    for what in ("disable redis-sentinel.service", "stop sentinel (redis-sentinel.service)")
]
REPLICAS = [(name, what) for name in (S1, S2, S3) for what in ("disable redis.service", "stop redis (redis.service)")]
MASTER = [(M, "save the data to disk"), (M, "disable redis.service"), (M, "stop redis (redis.service)")]


def test_sentinels_then_replicas_then_the_master_once_it_has_saved_and_the_claims_last() -> None:
    done, end = whole_way(STOP, serving())
    assert done == [*SENTINELS, *REPLICAS, *MASTER, *((name, "give up the claim") for name in (M, S1, S2, S3))]
    assert end == Departure()


def test_each_is_planned_only_when_the_ones_before_are_proved_to_be_stopped() -> None:
    facts = serving()
    assert told(departed(STOP, facts)) == SENTINELS
    hangs = with_unit(stopped_sentinel(facts.hosts[S1]), EL7.sentinel_unit, active="deactivating", enabled="disabled")
    hangs = replace(hangs, processes=facts.hosts[S1].processes)
    without = changed(rested_sentinels(facts), hangs)
    todo = departed(STOP, without)
    assert (told(todo), todo.waiting) == ([], (f"{S1}: redis-sentinel.service is deactivating",))


def rested_sentinels(facts: ClusterFacts) -> ClusterFacts:
    for name in (S1, S2, S3):
        host = with_unit(stopped_sentinel(facts.hosts[name]), EL7.sentinel_unit, enabled="disabled")
        facts = changed(facts, host)
    return facts


def test_the_master_waits_for_every_replica_that_may_be_stopped() -> None:
    facts = rested(rested_sentinels(serving()), S1, S2)
    assert told(departed(STOP, facts)) == [(S3, "disable redis.service"), (S3, "stop redis (redis.service)")]
    assert told(departed(STOP, facts, {S3: "it failed"})) == MASTER


def test_where_no_master_has_the_data_each_replica_saves_them() -> None:
    facts = rested(rested_sentinels(serving()), M)
    assert told(departed(STOP, facts))[:3] == [(S1, what) for _, what in MASTER]
    away = changed(rested_sentinels(serving()), unreachable(serving().hosts[M]))
    assert told(departed(STOP, away))[:3] == [(S1, what) for _, what in MASTER]


def test_two_masters_save_both() -> None:
    facts = rested_sentinels(serving())
    other = facts.hosts[S1].redis
    assert isinstance(other, Known)
    assert isinstance(other.value, RedisFacts)
    facts = rested(changed(facts, replace(facts.hosts[S1], redis=Known(replace(other.value, role="master")))), S2, S3)
    assert [step for step in told(departed(STOP, facts)) if "save" in step[1]] == [
        (M, "save the data to disk"),
        (S1, "save the data to disk"),
    ]


def _watching(*masters: str) -> HostFacts:
    host = serving().hosts[S1]
    assert isinstance(host.sentinel, Known)
    assert isinstance(host.sentinel.value, SentinelFacts)
    return replace(host, sentinel=Known(replace(host.sentinel.value, masters=masters)))


def _by_hand() -> HostFacts:
    host = with_unit(serving().hosts[S1], EL7.sentinel_unit, active="inactive", enabled="disabled")
    return replace(host, processes=Known((Process(8, "redis-sentinel", "", True),)))


LEFT: dict[str, tuple[HostFacts, str]] = {
    "cannot be read": (unreachable(serving().hosts[S1]), "it could not be read (no route to host)"),
    "another's": (replace(serving().hosts[S1], claim=Known(Claim("x/y/z"))), "it belongs to x/y/z"),
    "nobody's": (replace(serving().hosts[S1], claim=Known(None)), "it does not carry this resource's claim"),
    "watches others too": (
        _watching("redis-cluster", "theirs"),
        "its sentinel watches theirs and runs on, as redis there does",
    ),
    "watches only others": (_watching("theirs"), "its sentinel watches theirs and runs on, as redis there does"),
    "does not know ours": (_watching(), "its sentinel watches nothing of ours and runs on, as redis there does"),
    "a sentinel that says nothing": (
        replace(serving().hosts[S1], sentinel=Unknown("no answer")),
        "its sentinel could not be asked (no answer) and runs on",
    ),
    "by hand": (_by_hand(), "its sentinel was not started by redis-sentinel.service and runs on: stop it there"),
}


@pytest.mark.parametrize("wanted", [STOP, UNINSTALL], ids=["Stop", "Uninstall"])
@pytest.mark.parametrize(("host", "why"), LEFT.values(), ids=LEFT)
def test_what_is_not_ours_to_stop_is_left_and_named_and_holds_up_nobody(
    wanted: Desired, host: HostFacts, why: str
) -> None:
    done, end = whole_way(wanted, changed(serving(), host))
    assert [what for name, what in done if name == S1] == []
    assert end.left == {S1: why}
    assert {name for name, what in done if what.startswith("stop redis")} == {M, S2, S3}


@pytest.mark.parametrize(
    "fact", [Unknown("no answer"), Known(Denied("NOAUTH"))], ids=["no answer", "does not let us in"]
)
def test_a_redis_that_does_not_say_what_it_is_runs_on(fact: Unknown | Known[RedisFacts | Denied | None]) -> None:
    facts = rested_sentinels(serving())
    for name in (S1, M):
        done, end = whole_way(STOP, changed(facts, replace(facts.hosts[name], redis=fact)))
        assert [what for host, what in done if host == name] == []
        assert end.left[name].startswith("its redis could not be asked (")


def test_a_host_of_which_nothing_is_left_is_done() -> None:
    facts = rested(serving(), S1)
    facts = changed(facts, replace(facts.hosts[S1], claim=Known(None)))
    assert departed(STOP, facts).left == {}


def test_what_cannot_be_read_and_a_failover_are_waited_for_at_first() -> None:
    away = changed(serving(), unreachable(serving().hosts[S1]))
    todo = depart(STOP, away, OWNER, {}, patient=True)
    assert (todo.steps, todo.waiting) == ((), (f"{S1}: it could not be read (no route to host)",))
    assert depart(STOP, serving(), OWNER, {}, patient=True).steps
    failing = serving(flags=frozenset({"master", "s_down", "o_down", "failover_in_progress"}))
    waiting = depart(STOP, failing, OWNER, {}, patient=True)
    assert waiting.steps == ()
    assert "failover" in waiting.waiting[0]
    assert depart(STOP, failing, OWNER, {}).steps
    silent = changed(serving(), replace(serving().hosts[S1], sentinel=Unknown("no answer")))
    assert depart(STOP, silent, OWNER, {}, patient=True).waiting == (
        f"{S1}: its sentinel could not be asked (no answer)",
    )


def ready(host: HostFacts, **changes: object) -> ClusterFacts:
    """All rested; S1 as an Uninstall finds it."""
    facts = rested(serving(), M, S1, S2, S3)
    for name in (M, S2, S3):
        facts = changed(facts, replace(facts.hosts[name], claim=Known(None)))
    made = {
        "data": Known((DataFile("/var/lib/redis/dump.rdb", 9), DataFile("/var/lib/redis/of-a-person.rdb", 9))),
        "firewall": Known(FirewallFacts("firewalld", "public", opened=frozenset(RULES))),
        **changes,
    }
    kept = replace(facts.hosts[host.name], **made)  # type: ignore[arg-type]
    return changed(facts, with_file(kept, EL7.yum_conf, "[main]\nexclude=kernel redis\n", 0o644))


THERE = serving().hosts[S1]


def test_uninstall_removes_the_package_then_what_is_ours_and_the_claim_with_the_last_step() -> None:
    done, end = whole_way(UNINSTALL, ready(THERE))
    assert done == [
        (S1, "remove the package redis"),
        (S1, "close what we opened in firewalld"),
        (S1, "let redis be updated in /etc/yum.conf"),
        (S1, "remove drop-ins, settings of the kernel, and the claim"),
    ]
    assert end == Departure()


def test_data_go_only_where_the_resource_says_so_and_only_what_this_redis_wrote() -> None:
    step = departed(UNINSTALL, ready(THERE)).steps[0]
    assert step.action == RemovePackage("redis", ())
    step = departed(replace(UNINSTALL, delete_data=True), ready(THERE)).steps[0]
    assert step.action == RemovePackage("redis", ("/var/lib/redis/dump.rdb",))
    assert step.what == "remove the package redis and the data (/var/lib/redis/dump.rdb)"
    assert whole_way(replace(STOP, delete_data=True), ready(THERE))[0] == [(S1, "give up the claim")]


def test_a_package_that_the_operator_never_installs_stays() -> None:
    hosts = tuple(replace(host, package=PackageWish(manage="CheckOnly")) for host in UNINSTALL.hosts)
    done, _ = whole_way(replace(UNINSTALL, hosts=hosts), ready(THERE))
    assert [what for _, what in done] == [
        "close what we opened in firewalld",
        "remove drop-ins, settings of the kernel, and the claim",
    ]


def test_nothing_is_removed_where_others_use_it() -> None:
    other = Process(99, "redis-server", "redis-7001.service", False)
    end = departed(UNINSTALL, ready(THERE, processes=Known((other,))))
    why = "redis-server runs there too (process 99, redis-7001.service)"
    assert (end.steps, end.left) == ((), {S1: f"ours is stopped there, but nothing is removed: {why}"})
    conf = f"sentinel monitor theirs {ADDRESS[M]} 6379 2\nsentinel monitor mymaster 127.0.0.1 6379 2\n"
    facts = ready(THERE)
    end = departed(UNINSTALL, changed(facts, with_file(facts.hosts[S1], EL7.sentinel_conf, conf)))
    assert end.left[S1].endswith(f"{EL7.sentinel_conf} is also about theirs")


def test_an_unreadable_firewall_is_no_closed_one() -> None:
    end = departed(UNINSTALL, ready(THERE, packages=Known({}), firewall=Unknown("no answer")))
    assert (end.steps, end.left) == (
        (),
        {S1: "ours is stopped there, but its firewall could not be read: no answer"},
    )


def test_our_chain_of_iptables_goes_from_force_and_from_the_file() -> None:
    wanted = iptables.chain({6379: None}, exclusive=False)
    others = ("-P INPUT ACCEPT", "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT")
    rules = restored(others, iptables.transaction(others, wanted))
    text = iptables.saved("*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p icmp -j ACCEPT\nCOMMIT\n", wanted)
    saved = FileFacts("/etc/sysconfig/iptables", 0o600, "root", "root", text)
    have = FirewallFacts("iptables", rules=rules, saved=saved)
    steps = departed(UNINSTALL, ready(THERE, packages=Known({}), firewall=Known(have))).steps
    chain, lines = steps[0].action, steps[1].action
    assert isinstance(chain, FillChain)
    assert chain.text.splitlines() == [
        "*filter",
        f":{iptables.CHAIN} - [0:0]",
        f"-D INPUT -p tcp -j {iptables.CHAIN}",
        f"-X {iptables.CHAIN}",
        "COMMIT",
    ]
    assert isinstance(lines, SaveChain)
    assert lines.text == "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p icmp -j ACCEPT\nCOMMIT\n"


def test_the_last_step_names_every_file_of_ours() -> None:
    action = departed(UNINSTALL, ready(THERE, packages=Known({}))).steps[-1].action
    assert isinstance(action, RemoveTraces)
    assert set(action.paths) >= {EL7.redis_drop_in, EL7.sentinel_drop_in, *kernel.FILES}
    assert "/etc/systemd/system/redis.service.d/zz-redis-sentinel-operator-fence.conf" in action.paths
    assert action.saved == (f"{EL7.redis_conf}.rpmsave", f"{EL7.sentinel_conf}.rpmsave")
