"""redis.conf: the package's own file and one that CONFIG REWRITE has been at, edited directive by directive."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator.conf import users
from redis_sentinel_operator.conf.redis_conf import parse

CAPTURES = Path(__file__).with_name("captures")
SHIPPED = (CAPTURES / "redis-shipped.conf").read_text()
REWRITTEN = (CAPTURES / "redis-rewritten.conf").read_text()
OURS = {
    "bind": "0.0.0.0",
    "repl-ping-slave-period": "10",
    "repl-timeout": "60",
    "masterauth": "dusruffpeltm",
    "requirepass": "dusruffpeltm",
}
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)


def test_what_the_package_ships_is_read() -> None:
    conf = parse(SHIPPED)
    assert conf.get("bind") == "127.0.0.1"
    assert conf.get("requirepass") is None
    assert conf.get_all("save") == ("900 1", "300 10", "60 10000")
    assert conf.get("logfile") == "/var/log/redis/redis.log"
    assert conf.broken == ()
    assert conf.text == SHIPPED


def test_an_edit_changes_its_own_lines_only() -> None:
    before, after = SHIPPED.split("\n"), parse(SHIPPED).edit(OURS).split("\n")
    assert [line for line in after if line not in before] == [
        "bind 0.0.0.0",
        "repl-ping-slave-period 10",
        "repl-timeout 60",
        "masterauth dusruffpeltm",
        "requirepass dusruffpeltm",
    ]
    assert [line for line in before if line not in after] == ["bind 127.0.0.1"]
    assert after.index("bind 0.0.0.0") == before.index("bind 127.0.0.1")


def test_a_second_edit_changes_nothing() -> None:
    once = parse(SHIPPED).edit(OURS)
    assert parse(once).edit(OURS) == once


def test_quotes_that_redis_wrote_are_no_difference() -> None:
    assert parse(REWRITTEN).edit(OURS) == REWRITTEN


def test_the_last_line_counts_and_the_others_go_when_it_changes() -> None:
    conf = parse("requirepass old\n# between\nrequirepass older\n")
    assert conf.get("requirepass") == "older"
    assert conf.edit({"requirepass": "older"}) == conf.text
    assert conf.edit({"requirepass": "new"}) == "# between\nrequirepass new\n"


def test_the_file_keeps_its_own_word_for_a_directive() -> None:
    conf = parse("REPLICAOF 10.0.0.1 6379\n")
    assert conf.get("slaveof") == "10.0.0.1 6379"
    assert conf.edit({"slaveof": "10.0.0.2 6379"}) == "REPLICAOF 10.0.0.2 6379\n"
    assert conf.edit({}, remove=["slaveof"]) == ""


def test_several_words_stay_several_words() -> None:
    assert parse("").edit({"bind": "10.0.0.1 127.0.0.1"}) == "bind 10.0.0.1 127.0.0.1\n"
    assert parse("").edit({"masterauth": "a b"}) == 'masterauth "a b"\n'


def test_a_file_without_a_last_line_feed_gets_one() -> None:
    assert parse("port 6379").edit({"bind": "0.0.0.0"}) == "port 6379\nbind 0.0.0.0\n"


def test_carriage_returns_stay() -> None:
    assert parse("port 1\r\n# x\r\n").edit({"port": "2"}) == "port 2\r\n# x\r\n"


@pytest.mark.parametrize("name", ["include", "rename-command", "user", "loadmodule"])
def test_a_directive_that_repeats_has_no_single_value(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        parse("").edit({name: "x"})


def test_saves_are_one_value_of_several_lines() -> None:
    conf = parse(SHIPPED)
    assert conf.get("save") == "900 1 300 10 60 10000"
    text = conf.edit({"save": "3600 1 60 500"})
    assert parse(text).get_all("save") == ("3600 1", "60 500")
    assert parse(text).edit({"save": "3600 1 60 500"}) == text
    assert parse(text).edit({"save": ""}).count("\nsave ") == 1
    assert parse('save 900 1\nsave ""\n').get("save") == ""
    assert parse("# no line\n").get("save") is None
    assert parse("").edit({"save": ""}) == 'save ""\n'


def test_buffer_limits_are_set_a_class_at_a_time() -> None:
    conf = parse(SHIPPED)
    text = conf.edit({"client-output-buffer-limit": "replica 512mb 128mb 60"})
    assert parse(text).get_all("client-output-buffer-limit") == (
        "normal 0 0 0",
        "replica 512mb 128mb 60",
        "pubsub 32mb 8mb 60",
    )
    assert text.count("\n") == conf.text.count("\n")
    assert parse("").edit({"client-output-buffer-limit": "normal 0 0 0 pubsub 1mb 1mb 1"}) == (
        "client-output-buffer-limit normal 0 0 0\nclient-output-buffer-limit pubsub 1mb 1mb 1\n"
    )


def test_what_an_included_file_may_override_moves_behind_it() -> None:
    conf = parse("port 6379\nmaxmemory 1gb\nsave 900 1\nsave 60 5\ninclude /etc/redis-local.conf\n")
    assert conf.overridden("maxmemory")
    text = conf.edit({"maxmemory": "1gb", "save": "900 1 60 5"})
    assert text == 'port 6379\ninclude /etc/redis-local.conf\nmaxmemory 1gb\nsave ""\nsave 900 1\nsave 60 5\n'
    assert not parse(text).overridden("maxmemory")
    assert parse(text).edit({"maxmemory": "1gb", "save": "900 1 60 5"}) == text


LOCAL = "/etc/redis-local.conf"


@pytest.mark.parametrize(
    ("main", "local", "name", "value"),
    [
        ("maxmemory 1gb\ninclude {}\n", "maxmemory 2gb\n", "maxmemory", "2gb"),
        ("include {}\nmaxmemory 1gb\n", "maxmemory 2gb\n", "maxmemory", "1gb"),
        ("INCLUDE {}\n", "MaxMemory 2gb\n", "maxmemory", "2gb"),
        ("maxmemory 1gb\ninclude {}\n", "port 1\n", "maxmemory", "1gb"),
        ("save 900 1\ninclude {}\n", "save 60 5\n", "save", "900 1 60 5"),
        ("include {}\nsave 60 5\n", 'save ""\n', "save", "60 5"),
    ],
)
def test_an_included_file_is_read_in_its_place(main: str, local: str, name: str, value: str) -> None:
    conf = parse(main.format(LOCAL), {LOCAL: local})
    assert conf.get(name) == value
    assert not conf.overridden(name)
    assert conf.includes == (LOCAL,)
    assert conf.text == main.format(LOCAL)


def test_what_an_included_file_says_is_overruled_behind_it() -> None:
    files = {LOCAL: "maxmemory 2gb\nsave 60 5\nclient-output-buffer-limit replica 1mb 1mb 1\n"}
    conf = parse(f"maxmemory 1gb\nsave 900 1\nhz 10\ninclude {LOCAL}\n", files)
    wanted = {"maxmemory": "1gb", "save": "900 1", "client-output-buffer-limit": "slave 2mb 2mb 2", "hz": "10"}
    text = conf.edit(wanted)
    assert text == (
        f'hz 10\ninclude {LOCAL}\nmaxmemory 1gb\nsave ""\nsave 900 1\nclient-output-buffer-limit slave 2mb 2mb 2\n'
    )
    assert {name: parse(text, files).get(name) for name in wanted} == wanted
    assert parse(text, files).edit(wanted) == text
    assert parse(text, files).edit({"save": ""}).count("\nsave ") == 1


def test_files_that_include_each_other_end() -> None:
    conf = parse(f"include {LOCAL}\n", {LOCAL: f"port 1\ninclude {LOCAL}\n"})
    assert conf.get("port") == "1"


def test_the_default_user_of_an_included_file_counts_and_is_not_ours_to_edit() -> None:
    conf = parse(f"include {LOCAL}\n", {LOCAL: "user default on >bob ~* +@all\n"})
    assert not conf.lets_in("alice")
    assert parse(conf.edit({"requirepass": "alice"}), dict(conf.included)).lets_in("alice") is False


ALICE = hashlib.sha256(b"alice").hexdigest()


@pytest.mark.parametrize(
    ("line", "lets_in"),
    [
        (f"user default on #{ALICE} ~* &* +@all", True),
        ("user default on >alice ~* +@all", True),
        ("user default on >bob >alice <bob ~* +@all", True),
        ("user default on >bob resetpass >alice ~* +@all", True),
        ("user default on >bob >alice ~* +@all", False),
        ("user default on nopass ~* +@all", False),
        ("user default off ~* +@all", False),
        ("user other on >bob", True),
        ("requirepass bob", True),
    ],
)
def test_the_line_of_the_default_user_counts_before_requirepass(line: str, lets_in: bool) -> None:
    conf = parse(f"{line}\n")
    assert conf.lets_in("alice") is lets_in
    assert parse(conf.edit({"requirepass": "alice"})).lets_in("alice")


def test_the_rules_of_the_default_user_stay() -> None:
    conf = parse("user default on >bob ~app:* &* +@read\nuser other on >carol ~*\nrequirepass bob\n")
    assert conf.edit({"requirepass": "alice"}) == (
        f"user default on ~app:* &* +@read #{ALICE}\nuser other on >carol ~*\nrequirepass alice\n"
    )


@pytest.mark.parametrize(
    ("text", "takes", "after"),
    [
        (
            "user default on >bob ~app:* +@read\nuser carol on >c\n",
            False,
            f"user default on ~app:* +@read #{ALICE}\nuser carol on >c\n",
        ),
        (f"user carol on >c\nuser default on #{ALICE} ~* &* +@all\n", True, None),
        ("user default on nopass ~* +@all\n", False, f"user default on ~* +@all #{ALICE}\n"),
        ("user carol on >c\n", False, f"user default on ~* &* +@all #{ALICE}\nuser carol on >c\n"),
        ("", False, f"user default on ~* &* +@all #{ALICE}\n"),
    ],
)
def test_the_default_user_of_an_acl_file(text: str, takes: bool, after: str | None) -> None:
    assert users.file_takes_only(text, "alice") is takes
    assert users.file_with_password(text, "alice", channels=True) == (text if after is None else after) or takes
    assert users.file_takes_only(users.file_with_password(text, "alice", channels=False), "alice")


def test_a_line_that_redis_cannot_read_is_told_by_its_number() -> None:
    assert parse('port 1\nrequirepass "x\n').broken == (2,)


def test_a_password_is_not_shown() -> None:
    assert "dusruffpeltm" not in repr(parse(REWRITTEN))


@given(st.dictionaries(st.sampled_from(["masterauth", "requirepass", "maxmemory", "repl-timeout"]), VALUES))
def test_every_edit_is_read_back_and_is_its_own_fixed_point(directives: dict[str, str]) -> None:
    text = parse(SHIPPED).edit(directives)
    assert {name: parse(text).get(name) for name in directives} == directives
    assert parse(text).edit(directives) == text
    assert parse(text).get_all("save") == ("900 1", "300 10", "60 10000")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_foreign_lines_survive_any_edit(foreign: str) -> None:
    text = "\n".join(f"# {line}" for line in foreign.split("\n"))
    assert parse(text).edit({"port": "1"}).startswith(text.rstrip("\n"))
