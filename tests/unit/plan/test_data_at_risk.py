"""What endangers data is refused, or done in the order that keeps it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.model.fact import DataFile, HostFacts, Known, Unknown
from redis_sentinel_operator.model.step import (
    EditConf,
    WriteDropIn,
)
from unit.plan.directing import GB, on, planned, replace_host, until_settled, whole, with_data, with_redis
from unit.plan.living import alive, edited, with_config, without
from unit.plan.world import (
    S1,
    M,
    carried_out,
    cluster,
    stopped_redis,
    text_of,
)

# -- what endangers data


@pytest.mark.parametrize(
    ("name", "want", "have", "why"),
    [
        ("dir", "/srv", "/var/lib/redis", "redis would look for its data elsewhere and come up empty"),
        ("dbfilename", "x.rdb", "dump.rdb", "redis would look for its data elsewhere and come up empty"),
        ("appendfilename", "x.aof", "appendonly.aof", "redis would look for its data elsewhere and come up empty"),
        ("databases", "8", "16", "redis would not load what is in the databases that go"),
    ],
)
def test_a_server_with_data_keeps_its_place(name: str, want: str, have: str, why: str) -> None:
    todo = planned({name: want}, cluster(lambda host: with_data(with_config(alive(host), **{name: have}))))
    assert todo.refusal is not None
    assert (todo.refusal.condition, todo.refusal.reason) == ("ConfigInSync", "NotWithData")
    assert todo.refusal.message == (
        f"spec.redis.config.{name}: the redis of {M} has data, and {have} cannot become {want}: {why}. Nothing is "
        f"changed on any host. Set it to {have}, or remove it."
    )
    assert (
        planned({name: have}, cluster(lambda host: with_data(with_config(alive(host), **{name: have})))).refusal is None
    )


def test_more_databases_are_fine() -> None:
    assert (
        planned({"databases": "32"}, cluster(lambda host: with_data(with_config(alive(host), databases="16")))).refusal
        is None
    )


def test_data_that_could_not_be_looked_for_counts_as_data() -> None:
    facts = cluster(lambda name: replace(with_config(alive(name), dir="/var/lib/redis"), data=Unknown("no answer")))
    todo = planned({"dir": "/srv"}, facts)
    assert todo.refusal is not None


def test_a_server_without_data_can_be_given_another_place() -> None:
    todo = planned({"dbfilename": "x.rdb"}, cluster(lambda name: with_config(alive(name), dbfilename="dump.rdb")))
    assert todo.refusal is None
    assert on(todo, S1)[1:] == ["set dbfilename on the running redis", "set dbfilename in /etc/redis.conf"]


@pytest.mark.parametrize(
    ("declared", "maxmemory", "policy", "refused"),
    [
        ({"maxmemory": "1gb"}, "0", "noeviction", "maxmemory"),
        ({"maxmemory": "1gb"}, "4294967296", "noeviction", "maxmemory"),
        ({"maxmemory": "1gb"}, "1073741824", "allkeys-lru", None),  # it is so already
        ({"maxmemory": "2gb"}, "0", "noeviction", None),
        ({"maxmemory": "0"}, "1073741824", "allkeys-lru", None),
        ({"maxmemory-policy": "allkeys-lru"}, "1073741824", "noeviction", "maxmemory-policy"),
        ({"maxmemory-policy": "allkeys-lru"}, "1073741824", "volatile-ttl", "maxmemory-policy"),
        ({"maxmemory-policy": "volatile-lru"}, "1073741824", "allkeys-lru", None),
        ({"maxmemory-policy": "allkeys-lru"}, "0", "noeviction", None),
        ({"maxmemory-policy": "allkeys-lru"}, "4294967296", "noeviction", None),
    ],
)
def test_nothing_is_evicted_by_a_change(
    declared: dict[str, str], maxmemory: str, policy: str, refused: str | None
) -> None:
    def change(name: str) -> HostFacts:
        return with_redis(with_config(alive(name), maxmemory=maxmemory, maxmemory_policy=policy), used_memory=GB)

    todo = planned(declared, cluster(change))
    assert (todo.refusal and todo.refusal.reason) == ("WouldEvict" if refused else None)
    assert planned(declared, cluster(change), allow_eviction=True).refusal is None
    if todo.refusal and refused:
        shown = declared[refused]
        assert todo.refusal.message == (
            f"spec.redis.config.{refused}: the redis of {M} uses {GB} bytes of memory, and {refused} {shown} allows "
            f"{GB}, which is not a tenth more: keys would be dropped or writes refused at once. Nothing is changed "
            f"on any host. Set maxmemory to {GB + GB // 10} or more, or set spec.unsafe.allowEviction to true."
        )


def test_the_append_only_file_is_whole_before_a_start_depends_on_it() -> None:
    config = {"appendonly": "yes"}
    facts = whole(appendonly="no")
    first = planned(config, facts)
    assert on(first, S1) == [
        "write down which directives of /etc/redis.conf are ours: appendonly",
        "set appendonly on the running redis",
    ]
    facts = carried_out(facts, first)
    writing = replace_host(facts, S1, lambda host: with_redis(host, aof_at_work=True))
    assert on(planned(config, writing), S1) == []
    assert planned(config, writing).waiting == (
        f"the append-only file of {S1} is being written; /etc/redis.conf gets appendonly yes when it is whole",
    )
    failed = replace_host(facts, S1, lambda host: with_redis(host, aof_ok=False))
    assert on(planned(config, failed), S1) == []
    assert on(planned(config, facts), S1) == ["set appendonly in /etc/redis.conf"]


@pytest.mark.parametrize(("data", "written"), [((), True), ((DataFile("/var/lib/redis/dump.rdb", 9),), False)])
def test_a_stopped_redis_with_data_is_not_given_an_empty_append_only_file(
    data: tuple[DataFile, ...], written: bool
) -> None:
    facts = cluster(
        lambda name: with_config(alive(name), appendonly="yes", maxmemory="1073741824"),
        S1=lambda host: replace(stopped_redis(host), data=Known(data)),
    )
    todo = planned({"appendonly": "yes", "maxmemory": "1gb"}, facts)
    edits = [step.action for step in todo.steps if step.host == S1 and isinstance(step.action, EditConf)]
    assert bool(edits and "appendonly" in edits[0].directives) is written
    assert bool(edits and "maxmemory" in edits[0].directives) is written


def test_a_file_without_save_lines_gets_what_redis_runs_with() -> None:
    def change(host: HostFacts) -> HostFacts:
        return with_config(without(host, "save"), save="300 5")

    todo = planned({}, cluster(alive, S1=change))
    assert on(todo, S1) == ["set save in /etc/redis.conf"]
    settled = carried_out(cluster(alive, S1=change), todo)
    assert parse(text_of(settled.hosts[S1], EL7.redis_conf)).get_all("save") == ("300 5",)
    assert planned({}, settled).settled


def test_each_directive_has_one_drift() -> None:
    """status.hosts[].config is a list by key: a second entry of a key would be refused with the whole status."""
    facts, _ = until_settled({"save": "60 5"}, whole(save="900 1 300 10 60 10000"))
    gone = replace_host(facts, S1, lambda host: without(host, "save"))
    keys = [each.key for each in planned({}, gone).drift.get(S1, ())]
    assert sorted(keys) == sorted(set(keys))
    _, done = until_settled({}, gone)
    assert done[-1] == "set save in /etc/redis.conf"


def test_nothing_on_disk_is_told_until_somebody_says_that_it_is_meant() -> None:
    facts = cluster(lambda name: with_config(edited(alive(name), save=""), save="", appendonly="no"))
    todo = planned({}, facts)
    assert todo.waiting[0] == (
        f"redis on {M} keeps nothing on disk, and a restart empties it; set save or appendonly in spec.redis.config, "
        "or spec.unsafe.noPersistence to true"
    )
    assert planned({}, facts, no_persistence=True).waiting == ()


def test_what_is_kept_nowhere_is_never_restarted_by_systemd() -> None:
    todo = planned({"save": "", "appendonly": "no"}, whole(save="", appendonly="no"), no_persistence=True)
    drop_in = next(step.action for step in todo.steps if isinstance(step.action, WriteDropIn))
    assert "\nRestart=no\n" in drop_in.text


def test_a_file_that_redis_cannot_write_is_given_back_to_it() -> None:
    def foreign(host: HostFacts) -> HostFacts:
        assert isinstance(host.files, Known)
        file = host.files.value[EL7.redis_conf]
        assert file is not None
        return replace(host, files=Known({**host.files.value, EL7.redis_conf: replace(file, owner="root")}))

    todo = planned({}, cluster(alive, S1=foreign))
    assert [(step.what, step.why) for step in todo.steps] == [
        ("give /etc/redis.conf to redis alone", "redis (redis) cannot write its role into it")
    ]
