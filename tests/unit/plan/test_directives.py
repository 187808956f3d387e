"""What is declared under spec.redis.config against file and running server: set, written, put back, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.model.fact import Claim, ClusterFacts, DataFile, HostFacts, Known, RedisFacts, Unknown
from redis_sentinel_operator.model.step import (
    ConfigSet,
    EditConf,
    Impact,
    KeyRecord,
    Need,
    Plan,
    RememberKeys,
    StartUnit,
    WriteDropIn,
)
from redis_sentinel_operator.plan.order import plan
from unit.plan.test_alive import ALIVE, alive, edited, with_config, with_version, without
from unit.plan.world import (
    ADDRESS,
    CONFIG,
    DONE,
    OWNER,
    S1,
    S2,
    S3,
    Change,
    M,
    carried_out,
    cluster,
    desired,
    sees,
    stopped_redis,
    text_of,
    with_file,
)

GB = 1 << 30


def running(host: HostFacts) -> RedisFacts:
    assert isinstance(host.redis, Known)
    assert isinstance(host.redis.value, RedisFacts)
    return host.redis.value


def with_redis(host: HostFacts, **changes: object) -> HostFacts:
    return replace(host, redis=Known(replace(running(host), **changes)))  # type: ignore[arg-type]


def with_keys(host: HostFacts, keys: Mapping[str, KeyRecord]) -> HostFacts:
    return replace(host, claim=Known(Claim(OWNER, "b1", keys=keys)))


def remembered(host: HostFacts) -> Mapping[str, KeyRecord]:
    assert isinstance(host.claim, Known)
    assert host.claim.value is not None
    return host.claim.value.keys


def whole(**config: str) -> ClusterFacts:
    """The cluster whose running servers also show these directives, as no file has them."""
    return cluster(lambda name: with_config(alive(name), **config))


def planned(declared: Mapping[str, str], facts: ClusterFacts, **changes: object) -> Plan:
    return plan(desired(redis_config={**CONFIG, **declared}, **changes), facts, ALIVE, DONE)


def on(todo: Plan, host: str) -> list[str]:
    return [step.what for step in todo.steps if step.host == host]


def until_settled(declared: Mapping[str, str], facts: ClusterFacts) -> tuple[ClusterFacts, list[str]]:
    done: list[str] = []
    for _ in range(8):
        todo = planned(declared, facts)
        if not todo.steps:
            assert todo.settled, todo
            return facts, done
        done += on(todo, S1)
        facts = carried_out(facts, todo)
    raise AssertionError(planned(declared, facts))


# -- live directives


def test_a_live_directive_is_remembered_set_and_written_in_this_order() -> None:
    facts, done = until_settled({"maxmemory": "1gb"}, whole(maxmemory="0"))
    assert done == [
        "write down which directives of /etc/redis.conf are ours: maxmemory",
        "set maxmemory on the running redis",
        "set maxmemory in /etc/redis.conf",
    ]
    assert remembered(facts.hosts[S1])["maxmemory"] == KeyRecord("1gb", None)
    assert parse(text_of(facts.hosts[S1], EL7.redis_conf)).get("maxmemory") == "1gb"
    assert running(facts.hosts[S1]).config["maxmemory"] == "1gb"


def test_what_stands_in_several_lines_is_one_directive() -> None:
    facts, done = until_settled({"save": "60 5 30 100"}, whole(save="900 1 300 10 60 10000"))
    assert done[1:] == ["set save on the running redis", "set save in /etc/redis.conf"]
    assert parse(text_of(facts.hosts[S1], EL7.redis_conf)).get_all("save") == ("60 5", "30 100")
    assert remembered(facts.hosts[S1])["save"] == KeyRecord("60 5 30 100", "900 1 300 10 60 10000")


DRIFT: dict[str, tuple[str, str, str]] = {
    "bytes": ("maxmemory", "1gb", "2147483648"),
    "seconds": ("repl-timeout", "60", "61"),
    "number": ("slowlog-max-len", "128", "129"),
    "yes or no": ("rdbcompression", "yes", "no"),
    "word": ("appendfsync", "everysec", "always"),
    "letters": ("notify-keyspace-events", "Ex", "AKE"),
    "pairs": ("save", "900 1", "300 10"),
    "limits": ("client-output-buffer-limit", "slave 512mb 64mb 60", "normal 0 0 0 slave 1 1 1 pubsub 1 1 1"),
}


@pytest.mark.parametrize(("name", "want", "other"), DRIFT.values(), ids=DRIFT.keys())
def test_every_class_of_directive_that_drifts_is_set_right(name: str, want: str, other: str) -> None:
    facts, _ = until_settled({name: want}, whole(**{name.replace("-", "_"): other}))
    live = planned(
        {name: want}, replace_host(facts, S1, lambda host: with_config(host, **{name.replace("-", "_"): other}))
    )
    assert on(live, S1) == [f"set {name} on the running redis"]
    assert [each.key for each in live.drift[S1]] == [name]
    written = planned(
        {name: want}, replace_host(facts, S1, lambda host: edited(host, **{name.replace("-", "_"): other}))
    )
    assert on(written, S1) == [f"set {name} in /etc/redis.conf"]
    assert all(step.impact is Impact.NONE for step in (*live.steps, *written.steps))


def replace_host(facts: ClusterFacts, name: str, change: Change) -> ClusterFacts:
    return ClusterFacts({**facts.hosts, name: change(facts.hosts[name])}, facts.at)


def test_a_value_in_other_words_is_no_drift() -> None:
    facts = whole(maxmemory="1073741824", save="900 1 300 10 60 10000", notify_keyspace_events="AKE")
    config = {"maxmemory": "1gb", "notify-keyspace-events": "KEA"}
    settled, done = until_settled(config, facts)
    assert done == [
        "write down which directives of /etc/redis.conf are ours: maxmemory, notify-keyspace-events",
        "set maxmemory, notify-keyspace-events in /etc/redis.conf",
    ]
    assert planned(config, settled).settled


def test_without_a_confirmed_master_nothing_is_set_and_no_limit_is_written() -> None:
    nobody = replace(ALIVE, master=replace_uncertain())
    todo = plan(desired(redis_config={**CONFIG, "maxmemory": "1gb"}), whole(maxmemory="0"), nobody, DONE)
    assert on(todo, S1) == ["write down which directives of /etc/redis.conf are ours: maxmemory"]


def replace_uncertain() -> object:
    from unit.plan.test_alive import NOBODY

    return NOBODY.master


# -- what leaves the spec


def test_a_removed_directive_goes_back_once_and_is_forgotten() -> None:
    facts, _ = until_settled({"save": "60 5", "maxmemory": "1gb"}, whole(maxmemory="0", save="900 1 300 10 60 10000"))
    back, done = until_settled({}, facts)
    assert [what.replace("save, maxmemory", "maxmemory, save") for what in done] == [
        "set maxmemory, save on the running redis",
        "set save and remove maxmemory in /etc/redis.conf",
        "write down which directives of /etc/redis.conf are ours: maxmemory, save",
    ]
    conf = parse(text_of(back.hosts[S1], EL7.redis_conf))
    assert conf.get_all("save") == ("900 1", "300 10", "60 10000")
    assert conf.get("maxmemory") is None
    assert running(back.hosts[S1]).config["maxmemory"] == "0"
    assert set(remembered(back.hosts[S1])) == set(CONFIG)


def test_what_somebody_else_has_set_since_is_left_to_him() -> None:
    facts, _ = until_settled({"slowlog-max-len": "500"}, whole(slowlog_max_len="128"))
    facts = ClusterFacts(
        {
            name: with_config(edited(host, slowlog_max_len="700"), slowlog_max_len="700")
            for name, host in facts.hosts.items()
        },
        0.0,
    )
    todo = planned({}, facts)
    assert on(todo, S1) == ["write down which directives of /etc/redis.conf are ours: slowlog-max-len"]


def test_a_removed_directive_is_not_forgotten_while_redis_cannot_be_asked() -> None:
    facts, _ = until_settled({"slowlog-max-len": "500"}, whole(slowlog_max_len="128"))
    silent = replace_host(
        facts, S1, lambda host: replace(without(host, "slowlog-max-len"), redis=Unknown("it does not answer"))
    )
    todo = planned({}, silent)
    assert on(todo, S1) == []


@pytest.mark.parametrize(
    ("name", "value", "shipped", "back"),
    [
        ("databases", "32", "16", False),
        ("dbfilename", "x.rdb", "dump.rdb", False),
        ("maxmemory", "4gb", "512mb", False),
        ("maxmemory", "4gb", "2gb", True),
        ("maxmemory", "4gb", None, True),
        ("slowlog-max-len", "500", None, True),
    ],
)
def test_what_would_cost_data_does_not_go_back(name: str, value: str, shipped: str | None, back: bool) -> None:
    def change(each: str) -> HostFacts:
        host = with_config(edited(alive(each), **{name: value}), **{name: value})
        keys = {**remembered(alive(each)), name: KeyRecord(value, shipped)}
        return with_keys(with_redis(with_data(host), used_memory=GB), keys)

    forgotten = f"write down which directives of /etc/redis.conf are ours: {name}"
    assert (on(planned({}, cluster(change)), S1) == [forgotten]) is not back


def test_an_old_word_in_the_file_is_the_same_directive() -> None:
    def change(host: HostFacts) -> HostFacts:
        text = parse(text_of(host, EL7.redis_conf)).edit({}, remove=["slave-read-only"]) + "replica-read-only no\n"
        return with_config(with_file(host, EL7.redis_conf, text), slave_read_only="no")

    todo = planned({"slave-read-only": "yes"}, cluster(alive, S1=change))
    edit = next(step.action for step in todo.steps if step.host == S1 and isinstance(step.action, EditConf))
    assert parse(edit.text.reveal()).get_all("slave-read-only") == ("yes",)
    assert "replica-read-only yes" in edit.text.reveal()


# -- restarts


def pending(**changed: Change) -> ClusterFacts:
    """All files have 32 databases, the running servers 16; a failover could be authorised."""

    def one(name: str) -> HostFacts:
        host = with_config(edited(alive(name), databases="32"), databases="16")
        return host if name == M else replace(host, sentinel=sees(M, quorum_ok=True))

    facts = cluster(one)
    keys = {**remembered(facts.hosts[S1]), "databases": KeyRecord("32", "16")}
    hosts = {name: with_keys(host, keys) for name, host in facts.hosts.items()}
    short = {"M": M, "S1": S1, "S2": S2, "S3": S3}
    for each, change in changed.items():
        hosts[short[each]] = change(hosts[short[each]])
    return ClusterFacts(hosts, 0.0)


def test_what_needs_a_restart_is_written_first() -> None:
    todo = planned({"databases": "32"}, whole(databases="16"))
    assert on(todo, S1)[1:] == ["set databases in /etc/redis.conf"]
    assert all(each.pending_restart for each in todo.drift[S1])


def test_replicas_are_restarted_one_at_a_time_behind_the_full_gate() -> None:
    todo = planned({"databases": "32"}, pending())
    (step,) = todo.steps
    assert (step.host, step.what, step.why) == (
        S1,
        "restart redis (redis.service)",
        "databases is in force only after a restart",
    )
    assert (step.impact, step.needs) == (Impact.RESTART, {Need.CLAIM, Need.CONFIRMED, Need.CALM})
    assert step.action == StartUnit("redis.service", 6379, False, EL7.redis_log, restart=True)
    done = {each: lambda host: with_config(host, databases="32") for each in ("S1", "S2")}
    assert [each.host for each in planned({"databases": "32"}, pending(**done)).steps] == [S3]


def test_the_master_waits_for_a_switch() -> None:
    done: dict[str, Change] = {each: lambda host: with_config(host, databases="32") for each in ("S1", "S2", "S3")}
    todo = planned({"databases": "32"}, pending(**done))
    assert todo.settled
    assert [(each.key, each.pending_restart) for each in todo.drift[M]] == [("databases", True)]


@pytest.mark.parametrize(
    "change",
    [
        lambda host: with_redis(host, link="down"),
        lambda host: with_redis(host, syncing=True),
        lambda host: replace(host, redis=Unknown("it does not answer")),
    ],
    ids=["link down", "synchronising", "unknown"],
)
def test_a_replica_that_is_not_well_is_not_restarted(change: Change) -> None:
    todo = planned({"databases": "32"}, pending(S1=change))
    assert todo.steps == ()
    assert todo.waiting[0].startswith((f"{S1} needs a restart and waits: it is no replica", f"redis on {S1} could not"))


def test_no_second_replica_is_restarted_before_the_first_is_back() -> None:
    def syncing(host: HostFacts) -> HostFacts:
        return with_redis(with_config(host, databases="32"), syncing=True)

    todo = planned({"databases": "32"}, pending(S1=syncing))
    assert (todo.steps, todo.waiting) == (
        (),
        (f"{S2} needs a restart and waits: {S1}: it synchronises with the master",),
    )


def test_nothing_is_restarted_without_a_quorum() -> None:
    todo = planned({"databases": "32"}, pending(S2=lambda host: replace(host, sentinel=sees(M, quorum_ok=False))))
    assert (todo.steps, todo.waiting) == (
        (),
        (f"{S1} needs a restart and waits: the sentinel on {S2} does not confirm that a failover can be authorised",),
    )


def test_nothing_is_restarted_while_there_is_other_work() -> None:
    todo = planned({"databases": "32"}, pending(S3=lambda host: with_config(host, repl_timeout="5")))
    assert [step.what for step in todo.steps] == ["set repl-timeout on the running redis"]


def test_a_replica_whose_file_names_another_master_is_not_restarted() -> None:
    todo = planned({"databases": "32"}, pending(S1=lambda host: edited(host, slaveof="10.9.9.9 6379")))
    assert todo.steps == ()
    assert todo.waiting == (
        f"{S1} needs a restart and waits: its /etc/redis.conf does not name the master (10.9.9.9 6379 instead of "
        f"{ADDRESS[M]} 6379), as redis could not write its role there, and it would come back as a master",
    )


# -- what endangers data


def with_data(host: HostFacts) -> HostFacts:
    return replace(with_redis(host, keys=7), data=Known((DataFile("/var/lib/redis/dump.rdb", 99),)))


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


# -- Redis 6 and later


def test_the_line_of_the_default_user_follows_the_password() -> None:
    def rewritten(host: HostFacts) -> HostFacts:
        text = text_of(host, EL7.redis_conf) + "user default on #" + "0" * 64 + " ~* &* +@all\n"
        return with_version(with_file(host, EL7.redis_conf, text), "6.2.14")

    facts = cluster(lambda name: with_version(alive(name), "6.2.14"), S1=rewritten)
    todo = planned({}, facts)
    assert on(todo, S1) == ["set requirepass in /etc/redis.conf"]
    assert planned({}, carried_out(facts, todo)).settled


def test_a_server_newer_than_the_els_own_is_not_trusted_with_more() -> None:
    facts = cluster(lambda name: with_version(with_config(alive(name), bind="127.0.0.1"), "6.2.14"))
    todo = planned({}, facts)
    assert "set bind on the running redis" not in on(todo, S1)
    assert [(each.key, each.pending_restart) for each in todo.drift[S1]] == [("bind", True)]


def test_remembering_holds_no_secret() -> None:
    todo = planned({"maxmemory": "1gb"}, whole(maxmemory="0"))
    keys = next(step.action for step in todo.steps if isinstance(step.action, RememberKeys)).keys
    assert set(keys) == {*CONFIG, "maxmemory"}
    sets = next(step.action for step in todo.steps if isinstance(step.action, ConfigSet))
    assert sets.values == {"maxmemory": "1gb"}
