"""redis.conf: the package's own file and one that CONFIG REWRITE has been at, edited directive by directive."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize("name", ["save", "client-output-buffer-limit", "include", "rename-command"])
def test_a_directive_that_repeats_has_no_single_value(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        parse("").edit({name: "x"})


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
