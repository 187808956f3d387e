"""Directives that are live, that leave the spec, and what Redis 6 brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Unknown
from redis_sentinel_operator.model.step import (
    ConfigDrift,
    ConfigSet,
    EditConf,
    Impact,
    KeyRecord,
    RememberKeys,
)
from redis_sentinel_operator.plan.order import plan
from unit.plan.directing import (
    GB,
    on,
    planned,
    remembered,
    replace_host,
    running,
    until_settled,
    whole,
    with_data,
    with_keys,
    with_redis,
)
from unit.plan.living import ALIVE, alive, edited, with_config, with_version, without
from unit.plan.world import (
    CONFIG,
    DONE,
    S1,
    carried_out,
    cluster,
    desired,
    text_of,
    with_file,
)

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
    from unit.plan.living import NOBODY

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


def test_how_many_replicas_a_write_needs_goes_back_as_well() -> None:
    asked = {"min-slaves-to-write": "1", "min-slaves-max-lag": "10"}
    facts, done = until_settled(asked, whole(min_slaves_to_write="0", min_slaves_max_lag="10"))
    assert "set min-slaves-to-write on the running redis" in done
    assert parse(text_of(facts.hosts[S1], EL7.redis_conf)).get("min-slaves-to-write") == "1"
    back, _ = until_settled({}, facts)
    assert running(back.hosts[S1]).config["min-slaves-to-write"] == "0"
    assert parse(text_of(back.hosts[S1], EL7.redis_conf)).get("min-slaves-to-write") is None


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


# -- what CONFIG GET does not show


def written(config: Mapping[str, str], facts: ClusterFacts) -> tuple[ClusterFacts, list[str]]:
    """What one pass makes of it, and what it does on the host."""
    todo = planned(config, facts)
    return carried_out(facts, todo), on(todo, S1)


def test_what_no_server_shows_is_pending_until_another_run_of_it() -> None:
    config = {"syslog-ident": "cache"}
    facts, done = written(config, whole())
    assert done == [
        "write down which directives of /etc/redis.conf are ours: syslog-ident",
        "set syslog-ident in /etc/redis.conf",
    ]
    assert remembered(facts.hosts[S1])["syslog-ident"] == KeyRecord("cache", None, begun="r")
    todo = planned(config, facts)
    assert todo.drift[S1] == (ConfigDrift("syslog-ident", "cache", "(what it began with)", pending_restart=True),)
    restarted = replace_host(facts, S1, lambda host: with_redis(host, run_id="r2"))
    assert S1 not in planned(config, restarted).drift

    removed, done = written({}, restarted)
    assert done == [
        "write down which directives of /etc/redis.conf are ours: syslog-ident",
        "remove syslog-ident in /etc/redis.conf",
    ]
    assert planned({}, removed).drift[S1][0].pending_restart
    again = replace_host(removed, S1, lambda host: with_redis(host, run_id="r3"))
    assert S1 not in planned({}, again).drift


def test_what_the_file_has_already_when_it_is_declared_is_in_force() -> None:
    config = {"syslog-ident": "cache"}
    facts = replace_host(whole(), S1, lambda host: edited(host, syslog_ident="cache"))
    settled, _ = written(config, facts)
    assert remembered(settled.hosts[S1])["syslog-ident"] == KeyRecord("cache", "cache")
    assert S1 not in planned(config, settled).drift
