"""What redis and sentinels answer, captured from Redis 3.2.6 and from the servers of EL8 to EL10, as facts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import ClusterRef, Desired, SentinelSettings
from redis_sentinel_operator.model.fact import RedisFacts, ReplicaLink, SentinelFacts, SentinelView, Unknown
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.observe import redis, sentinel
from redis_sentinel_operator.observe.exchange import Answers, Closed
from redis_sentinel_operator.settings import Settings

DESIRED = Desired(
    ref=ClusterRef("default", "redis-cluster", "uid"),
    generation=1,
    master_name="redis-cluster",
    management="Full",
    hosts=(),
    initial_master="",
    sentinel=SentinelSettings(2),
    redis_config={"repl-timeout": "60"},
)
KEYS = redis.keys(DESIRED)
SEED_CONFIG = {"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60"}
KEYS_OF_FAMILIES = redis.keys(replace(DESIRED, redis_config=SEED_CONFIG))


def answers(case: str) -> list[Any]:
    """The captured answers; an error answer is {"error": text} in the file."""
    values = json.loads((Path(__file__).parent / "answers" / f"{case}.json").read_text())
    return [ResponseError(value["error"]) if isinstance(value, dict) else value for value in values]


def test_a_master() -> None:
    facts = redis.parse(answers("master"), KEYS)
    assert facts is not None
    assert (facts.version, facts.role, facts.config_file, facts.loading) == (
        "3.2.6",
        "master",
        "/etc/redis.conf",
        False,
    )
    assert {each.address for each in facts.replicas} == {f"192.168.37.{last}" for last in (42, 43, 44)}
    assert all(isinstance(each, ReplicaLink) and each.port == 6379 for each in facts.replicas)
    assert {each.address[-2:]: each.lag for each in facts.replicas} == {"42": 0, "43": 0, "44": 1}
    assert (facts.master_address, facts.link) == ("", "")
    assert facts.config["bind"] == "0.0.0.0"


def test_a_replica() -> None:
    facts = redis.parse(answers("replica"), KEYS)
    assert facts is not None
    assert (facts.role, facts.master_address, facts.master_port, facts.link) == ("slave", "192.168.37.41", 6379, "up")
    assert (facts.syncing, facts.offset, facts.process_id, facts.replicas) == (False, 900, 154, ())
    assert facts.replid == "", "3.2 does not tell which stream the offset counts"


@pytest.mark.parametrize(
    ("family", "version", "server", "server_version", "config_file"),
    [
        ("el8", "5.0.6", "redis", "", "/etc/redis.conf"),
        ("el9", "6.2.14", "redis", "", "/etc/redis/redis.conf"),
        ("el10", "7.2.4", "valkey", "9.1.2", "/etc/valkey/valkey.conf"),
    ],
)
def test_the_servers_of_the_families(
    family: str, version: str, server: str, server_version: str, config_file: str
) -> None:
    facts = redis.parse(answers(f"{family}-replica"), KEYS_OF_FAMILIES)
    assert facts is not None
    assert len(facts.replid) == 40
    assert (facts.version, facts.server, facts.server_version, facts.config_file) == (
        version,
        server,
        server_version,
        config_file,
    )
    assert (facts.role, facts.link, facts.syncing) == ("slave", "up", False)
    assert facts.config["masterauth"] == facts.config["requirepass"] == "dusruffpeltm"
    assert (facts.config["slave-priority"], facts.config["min-slaves-to-write"]) == ("100", "0")
    master = redis.parse(answers(f"{family}-master"), KEYS_OF_FAMILIES)
    assert master is not None
    online = 2 if family == "el10" else 3  # one was still synchronising
    assert (master.role, len(master.replicas)) == ("master", online)


@pytest.mark.parametrize("family", ["el8", "el9", "el10"])
def test_the_sentinels_of_the_families(family: str) -> None:
    facts = sentinel.parse(answers(f"{family}-sentinel"))
    assert facts is not None and facts.view is not None
    view = facts.view
    assert (view.config_epoch, view.quorum, view.flags, view.quorum_ok) == (1, 2, frozenset({"master"}), True)
    assert {each.priority for each in view.replicas} == {100}
    assert len(view.replicas) == 3 and len(view.peers) == 2
    assert bool(facts.my_id) is (family != "el8")  # SENTINEL MYID came with 6.2


def test_passwords_are_read_and_never_shown() -> None:
    facts = redis.parse(answers("replica"), KEYS)
    assert facts is not None
    assert facts.config["requirepass"] == facts.config["masterauth"] == "dusruffpeltm"
    assert "dusruffpeltm" not in repr(facts)


@pytest.mark.parametrize(
    ("flags", "passwords", "only"),
    [
        (["on", "allkeys"], [sha256("it")], True),
        (["on", "allkeys"], [sha256("it"), sha256("another")], False),
        (["on", "allkeys"], [sha256("another")], False),
        (["on", "allkeys", "nopass"], [], False),
        (["off"], [sha256("it")], False),
    ],
)
def test_which_password_a_user_takes(flags: list[str], passwords: list[str], only: bool) -> None:
    said = ["flags", flags, "passwords", passwords, "commands", "+@all", "keys", ["*"], "channels", ["*"]]
    assert redis.takes_only(said, "it") is only


def test_who_may_not_ask_about_users_knows_nothing_of_them() -> None:
    assert redis.takes_only(ResponseError("NOPERM this user has no permissions"), "it") is False


@pytest.mark.parametrize("said", [Unknown("no answer within 5 s", "NoAnswer"), Closed("nobody listens")])
async def test_who_does_not_answer_about_users_was_not_read(monkeypatch: pytest.MonkeyPatch, said: object) -> None:
    """To have no password is another thing than not to tell it: it would be given one."""
    values = answers("el9-master")
    values[2 + KEYS.index("requirepass")] = ["requirepass", ""]

    async def ask(*asked: Any) -> object:
        return said if asked[3] == [("ACL", "GETUSER", "default")] else Answers(tuple(values))

    monkeypatch.setattr(redis, "ask", ask)
    declared = replace(DESIRED, password=Secret("it"))
    assert await redis.read(declared, cast(HostLink, None), Settings()) == said


def test_the_declared_keys_are_read_once() -> None:
    assert KEYS.count("repl-timeout") == 1
    assert set(DESIRED.redis_config) <= set(KEYS)


def with_info(case: str, **lines: str) -> list[Any]:
    """The captured answers with lines of INFO changed or added."""
    info, *rest = answers(case)
    for name, value in lines.items():
        info = "\r\n".join(line for line in info.split("\r\n") if not line.startswith(f"{name}:"))
        info += f"\r\n{name}:{value}"
    return [info, *rest]


@pytest.mark.parametrize(
    ("lines", "attribute", "value"),
    [
        ({"loading": "1"}, "loading", True),
        ({"master_link_status": "down"}, "link", "down"),
        ({"master_sync_in_progress": "1"}, "syncing", True),
        ({"db0": "keys=25,expires=0,avg_ttl=0", "db7": "keys=5,expires=5,avg_ttl=9"}, "keys", 30),
        ({"uptime_in_seconds": "77"}, "uptime", 77),
    ],
)
def test_lines_of_info(lines: dict[str, str], attribute: str, value: object) -> None:
    facts = redis.parse(with_info("replica", **lines), KEYS)
    assert getattr(facts, attribute) == value


def test_a_key_that_this_version_lacks_is_left_out_and_a_renamed_one_keeps_its_name() -> None:
    values = answers("replica")
    values[2 + KEYS.index("masterauth")] = ["primaryauth", "x"]
    values[2 + KEYS.index("repl-timeout")] = []
    values[2 + KEYS.index("bind")] = ResponseError("unknown command 'CONFIG'")
    facts = redis.parse(values, KEYS)
    assert facts is not None
    assert facts.config["masterauth"] == "x"
    assert "repl-timeout" not in facts.config and "bind" not in facts.config


def test_a_sentinel() -> None:
    facts = sentinel.parse(answers("sentinel"))
    assert facts is not None and facts.view is not None
    view = facts.view
    assert (facts.version, facts.tilt, facts.masters) == ("3.2.6", False, ("redis-cluster",))
    assert facts.my_id == ""  # 3.2 has no SENTINEL MYID
    assert (view.address, view.port, view.told_address, view.config_epoch) == (
        "192.168.37.41",
        6379,
        "192.168.37.41",
        0,
    )
    assert (view.quorum, view.down_after, view.failover_timeout, view.parallel_syncs) == (2, 5000, 10000, 1)
    assert (view.num_slaves, view.num_other_sentinels, view.flags) == (3, 2, frozenset({"master"}))
    assert {(each.address, each.link, each.priority) for each in view.replicas} == {
        (f"192.168.37.{last}", "ok", 100) for last in (42, 43, 44)
    }
    assert {each.address for each in view.peers} == {"192.168.37.43", "192.168.37.44"}
    assert all(len(each.id) == 40 for each in view.peers)
    assert view.quorum_ok is True


def test_a_sentinel_of_another_name_has_no_view_of_ours() -> None:
    facts = sentinel.parse(answers("sentinel-of-another-name"))
    assert isinstance(facts, SentinelFacts)
    assert (facts.view, facts.masters) == (None, ("redis-cluster",))


def view_of(values: list[Any]) -> SentinelView:
    facts = sentinel.parse(values)
    assert facts is not None and facts.view is not None
    return facts.view


def test_the_vote_and_what_is_told_differ_at_the_leader_during_a_failover() -> None:
    values = answers("sentinel")
    values[1] = ["192.168.37.43", "6379"]
    view = view_of(values)
    assert (view.address, view.told_address) == ("192.168.37.43", "192.168.37.41")


@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        ("OK 3 usable Sentinels. Quorum and failover authorization can be reached", True),
        (ResponseError("NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the majority"), False),
        (ResponseError("unknown sentinel subcommand"), None),
    ],
)
def test_ckquorum(answer: object, ok: bool | None) -> None:
    values = answers("sentinel")
    values[5] = answer
    assert view_of(values).quorum_ok is ok


def test_flags_tilt_and_an_id_where_the_sentinel_tells_it() -> None:
    values = with_info("sentinel", sentinel_tilt="1")
    flags = values[2].index("flags") + 1
    values[2][flags] = "s_down,o_down,master,failover_in_progress"
    values[6] = "a" * 40
    facts = sentinel.parse(values)
    assert facts is not None and facts.view is not None
    assert facts.tilt and facts.my_id == "a" * 40
    assert facts.view.flags == {"s_down", "o_down", "master", "failover_in_progress"}


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=20) | st.just(ResponseError("ERR")),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(anything, min_size=7, max_size=7))
def test_any_answer_of_a_sentinel_is_facts_or_none(values: list[Any]) -> None:
    values[0] = f"sentinel_masters:1\r\n{values[0]}"
    facts = sentinel.parse(values)
    assert facts is None or isinstance(facts, SentinelFacts)


@given(anything, st.lists(anything, min_size=len(KEYS), max_size=len(KEYS)))
def test_any_answer_of_a_redis_is_facts_or_none(role: Any, config: list[Any]) -> None:
    facts = redis.parse(["redis_version:3.2.6", role, *config], KEYS)
    assert facts is None or isinstance(facts, RedisFacts)


def test_a_sentinel_on_the_port_of_redis_is_told() -> None:
    facts = redis.parse(["redis_version:3.2.6", ["sentinel", ["redis-cluster"]], *[[] for _ in KEYS]], KEYS)
    assert facts is not None and facts.role == "sentinel"
