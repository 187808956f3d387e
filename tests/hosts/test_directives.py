"""The directive table and the grammar, held against real servers: what we write, the server reads as the same value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, example, given
from hypothesis import settings as rounds
from hypothesis import strategies as st

from hosts.servers import ask, serving, settings, unpacked
from lab.families import FAMILIES
from redis_sentinel_operator.conf.directives import decode
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.conf.table import TABLE, Directive, Kind, Owner, directive
from redis_sentinel_operator.conf.values import plain, problem, same

pytestmark = pytest.mark.timeout(120)

# CONFIG GET shows them without a row: they are for the tests of redis itself.
_HIDDEN = {"watchdog-period", "key-load-delay", "rdb-key-save-delay", "use-exit-on-panic", "aof-disable-auto-gc"}
_SET_BY_THE_TEST = {"dir", "port", "bind"}
# What a machine or a build refuses: no jemalloc, no more file descriptors, no privilege.
_OF_THE_MACHINE = {"activedefrag", "jemalloc-bg-thread", "maxclients", "oom-score-adj", "bind"}
# Needs a rewrite of the data; writes to the machine's log; is written over by 3.2 when it starts (scriptingInit).
_NOT_READ_BACK = {"appendonly", "syslog-enabled", "lua-time-limit"}
_BOUNDS = {
    "hz": (1, 500),
    "active-expire-effort": (1, 10),
    "active-defrag-cycle-min": (1, 20),
    "active-defrag-cycle-max": (21, 90),
    "active-defrag-threshold-lower": (1, 90),
    "active-defrag-threshold-upper": (91, 500),
    "databases": (1, 64),
    "maxmemory-samples": (1, 64),
    "maxmemory-eviction-tenacity": (0, 100),
    "io-threads": (1, 2),
}


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(FAMILIES[request.param], tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def client(server: Path) -> Iterator[redis.Redis]:
    with serving(server) as running:
        yield running


@pytest.fixture(scope="module")
def version(client: redis.Redis) -> str:
    said = client.info("server")
    return str(said.get("valkey_version") or said["redis_version"])


def rows(version: str) -> list[Directive]:
    return [row for row in TABLE.values() if row.known_to(version) and not row.name.endswith("*")]


def test_the_table_has_every_directive_of_the_server(client: redis.Redis, version: str) -> None:
    unknown = [name for name in settings(client) if directive(name) is None]
    assert set(unknown) <= _HIDDEN
    foreign = [name for name in settings(client) if (row := directive(name)) and not row.known_to(version)]
    assert foreign == []


def test_defaults(client: redis.Redis, version: str) -> None:
    had = settings(client)
    wrong = {
        row.name: had[row.name]
        for row in rows(version)
        if row.name in had
        and row.name not in _SET_BY_THE_TEST | {"maxclients"}
        and not same(row.name, row.default(version) or "", decode(had[row.name]))
    }
    assert wrong == {}


def test_what_is_live_is_taken_and_what_is_not_is_refused(server: Path, version: str) -> None:
    with serving(server) as running:
        had = settings(running)
        for row in rows(version):
            if row.name not in had or row.name in _OF_THE_MACHINE:
                continue
            taken = _takes(running, row.name, had[row.name])
            assert taken is row.live(version), (row.name, taken)


def _takes(client: redis.Redis, name: str, value: bytes) -> bool:
    try:
        ask(client, "CONFIG", "SET", name, value)
    except redis.ResponseError:
        return False
    return True


def values(row: Directive) -> st.SearchStrategy[str]:
    """Values of a directive as a person writes them."""
    low, high = _BOUNDS.get(row.name, (1, 100))
    match row.kind:
        case Kind.BYTES:
            return st.builds("{}{}".format, st.integers(2, 999), st.sampled_from(["mb", "MB", "m"]))
        case Kind.INT:
            return st.integers(low, high).map(str)
        case Kind.FLAG:
            return st.sampled_from(["yes", "no", "YES", "No"])
        case Kind.WORD:
            return st.sampled_from([value for _, value in row.defaults])
        case Kind.EVENTS:
            return st.text("KEg$lshzxeA", max_size=12)
        case Kind.SAVE:
            pairs = st.lists(st.builds("{} {}".format, st.integers(1, 9999), st.integers(0, 9999)), max_size=4)
            return pairs.map(" ".join)
        case Kind.BUFFERS:
            limits = st.builds(
                "{} {}mb {}mb {}".format, st.sampled_from(["slave", "pubsub"]), *[st.integers(0, 99)] * 3
            )
            return st.lists(limits, min_size=1, max_size=2, unique_by=lambda each: each[:3]).map(" ".join)
    return st.just(row.defaults[0][1])


def _settable(version: str) -> list[Directive]:
    kinds = set(Kind) - {Kind.TEXT, Kind.SECRET, Kind.LINES, Kind.ADDRESSES, Kind.NUMBERS, Kind.FLAGS, Kind.OCTAL}
    free = [row for row in rows(version) if row.owner is Owner.FREE and row.kind in kinds]
    return [row for row in free if row.name not in _OF_THE_MACHINE | _NOT_READ_BACK]


@rounds(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_set_live_is_shown_as_the_same_value(client: redis.Redis, version: str, data: st.DataObject) -> None:
    for row in data.draw(st.lists(st.sampled_from(_settable(version)), max_size=12, unique_by=lambda each: each.name)):
        if not row.live(version):
            continue
        value = data.draw(values(row), label=row.name)
        assert problem(row.name, value) is None
        ask(client, "CONFIG", "SET", row.name, plain(row.name, value))
        (shown,) = {*settings(client, row.name).values()}
        assert same(row.name, value, decode(shown)), (row.name, value, shown)


@rounds(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_is_read_as_the_same_value(server: Path, version: str, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(st.sampled_from(_settable(version)), max_size=30, unique_by=lambda each: each.name))
    wanted = {row.name: data.draw(values(row), label=row.name) for row in drawn}
    shipped = "# a comment\nsave 900 1\nsave 300 10\nMAXMEMORY 5mb\nclient-output-buffer-limit pubsub 32mb 8mb 60\n"
    with serving(server, parse(shipped).edit(wanted)) as running:
        for name, value in wanted.items():
            shown = settings(running, name)
            assert all(same(name, value, decode(each)) for each in shown.values()), (name, value, shown)
        ask(running, "CONFIG", "REWRITE")
        rewritten = parse(Path(running.info("server")["config_file"]).read_text())
        for name, value in wanted.items():
            in_file = rewritten.get(name)
            kept = TABLE[name].default(version) if in_file is None else in_file
            assert same(name, value, kept or ""), (name, value, in_file)


WORDS = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF, exclude_categories=["Cs"]), min_size=1, max_size=40)


@rounds(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(word=WORDS)
@example(word=" ")
@example(word="a\"b'c\\d\n\r\t\a\b\x7f#e")
def test_any_word_that_is_quoted_arrives_as_it_is(server: Path, word: str) -> None:
    text = parse("").edit({"masterauth": word, "requirepass": word})
    with serving(server, text, word) as running:
        assert settings(running, "masterauth")["masterauth"] == word.encode()
