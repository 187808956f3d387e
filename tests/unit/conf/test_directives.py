"""The grammar of a line, by rules and by examples of what Redis reads."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator.conf.directives import (
    canonical,
    decode,
    encode,
    is_conf,
    join,
    parse_line,
    parse_lines,
    parse_text,
    quote,
    sha256,
    split,
)
from redis_sentinel_operator.conf.redis_conf import parse

WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ()),
        ("save 900 1", ("save", "900", "1")),
        ("  port\t6379  ", ("port", "6379")),
        ('requirepass "a b"', ("requirepass", "a b")),
        ("requirepass 'a b'", ("requirepass", "a b")),
        (r"requirepass 'it\'s'", ("requirepass", "it's")),
        (r"requirepass 'a\nb'", ("requirepass", r"a\nb")),
        (r'requirepass "a\n\r\t\a\b\x41\"\\b"', ("requirepass", 'a\n\r\t\a\bA"\\b')),
        (r'requirepass "a\xzz"', ("requirepass", "axzz")),
        (r"requirepass a\b", ("requirepass", r"a\b")),
        ('notify-keyspace-events ""', ("notify-keyspace-events", "")),
        ("requirepass a#b", ("requirepass", "a#b")),
        ('requirepass a"b c"', ("requirepass", "ab c")),
        ('requirepass "a', None),
        ('requirepass "a"b', None),
        ("requirepass it's", None),
        ("requirepass grün", ("requirepass", "grün")),
    ],
)
def test_a_line_is_split_as_redis_splits_it(line: str, words: tuple[str, ...] | None) -> None:
    assert split(line) == words


@given(WORDS)
def test_what_is_joined_is_read_back(words: list[str]) -> None:
    assert split(join(words)) == tuple(words)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_back_when_quoted(data: bytes) -> None:
    assert split(quote(decode(data))) == (decode(data),)


@given(st.text("abcABC019!#$%&()*+,./:;<=>?@[]^_{|}~-\\", min_size=1))
def test_a_word_is_quoted_only_where_it_must_be(word: str) -> None:
    assert quote(word) == word


@given(st.binary(max_size=200))
def test_a_file_comes_back_byte_by_byte(data: bytes) -> None:
    text = decode(data)
    assert encode(parse(text).edit({})) == data
    assert sha256(text) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("raw", ["# requirepass x", "   # x", "", " \t\r"])
def test_comments_and_blank_lines_hold_no_directive(raw: str) -> None:
    assert parse_line(raw) is None


def test_a_line_with_unbalanced_quotes_is_told_and_kept() -> None:
    (line,) = parse_lines(["# x", 'requirepass "x'])
    assert line.broken
    assert (line.at, line.raw, line.name, line.arguments) == (1, 'requirepass "x', "", ())


def test_a_file_that_is_asked_for_again_is_not_read_again_and_few_are_kept() -> None:
    """A plan asks for the same file some thirty times: reading it anew was a third of a pass's work."""
    text = "port 6379\nsave 900 1\n"
    assert parse_text(text) is parse_text("port 6379\n" + "save 900 1\n")
    assert parse_text(text + "port 6380\n")[1] != parse_text(text)[1]
    for port in range(100):
        parse_text(f"port {port}\n")
    assert parse_text.cache_info().currsize <= 32


def test_a_line_does_not_show_itself() -> None:
    assert "hidden" not in repr(parse_line("requirepass hidden"))


@pytest.mark.parametrize(
    ("name", "old"),
    [
        ("REPLICAOF", "slaveof"),
        ("replica-priority", "slave-priority"),
        ("repl-ping-replica-period", "repl-ping-slave-period"),
        ("min-replicas-max-lag", "min-slaves-max-lag"),
        ("primaryauth", "masterauth"),
        ("repl-timeout", "repl-timeout"),
        ("hash-max-listpack-entries", "hash-max-ziplist-entries"),
        ("busy-reply-threshold", "lua-time-limit"),
        ("replica-announced", "replica-announced"),
    ],
)
def test_both_vocabularies_have_one_name(name: str, old: str) -> None:
    assert canonical(name) == old


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("# mine\nport 6379\n\nREPLICAOF 10.0.0.1 6379\ntls-port 1\ncluster-enabled no\nsearch.timeout 5\n", True),
        (f"sentinel myid {'a' * 40}\nport 26379\n", True),
        ("", False),
        ("# only this\n", False),
        ("port 6379\nroot:x:0:0\n", False),
        ('port "6379\n', False),
    ],
)
def test_what_is_a_file_of_redis(text: str, is_it: bool) -> None:
    assert is_conf(text) is is_it
