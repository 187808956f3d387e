"""The directive table and the grammar, held against real servers: what we write, the server reads as the same value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, example, given
from hypothesis import settings as rounds
from hypothesis import strategies as st

from hosts.servers import SERVERS, ask, serving, settings, unpacked
from redis_sentinel_operator.conf.directives import decode
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.conf.table import TABLE, Directive, Kind, Owner, directive
from redis_sentinel_operator.conf.values import plain, problem, same

pytestmark = pytest.mark.timeout(120)

# CONFIG GET shows them without a row: they are for the tests of redis itself.
_HIDDEN = {"watchdog-period", "key-load-delay", "rdb-key-save-delay", "use-exit-on-panic", "aof-disable-auto-gc"}
_SET_BY_THE_TEST = {"dir", "port", "bind"}
# What a machine or a build refuses: no jemalloc, no more file descriptors, no privilege.
_OF_THE_MACHINE = {"activedefrag", "jemalloc-bg-thread", "maxclients", "oom-score-adj"}
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
_PROCESSORS = st.sampled_from(["", "0", "0-1", "0,1"])
# What a server takes of each row of texts or numbers that a person may declare; one without an entry is an error.
_OF_A_ROW = {
    "oom-score-adj-values": st.lists(st.integers(-2000, 2000), min_size=3, max_size=3).map(
        lambda numbers: " ".join(map(str, sorted(numbers)))
    ),
    "latency-tracking-info-percentiles": st.lists(st.sampled_from(["50", "99.0", "99.9", "0.5"]), max_size=3).map(
        " ".join
    ),
    "aof_rewrite_cpulist": _PROCESSORS,
    "bgsave_cpulist": _PROCESSORS,
    "bio_cpulist": _PROCESSORS,
    "server_cpulist": _PROCESSORS,
    "availability-zone": st.text("abc -_#\"'\\é1", max_size=12),
    "ignore-warnings": st.sampled_from(["", "ARM64-COW-BUG"]),
    "locale-collate": st.sampled_from(["", "C", "POSIX"]),
    "logfile": st.sampled_from(["", "/dev/null"]),
    "proc-title-template": st.sampled_from(["{title} of mine", "{title} #1 {listen-addr}", 'a "b" {config-file}']),
    "syslog-ident": st.text("abc -_#\"'\\é1", min_size=1, max_size=12),
    "unixsocket": st.sampled_from(["", "redis.sock", "its own.sock"]),
    "unixsocketgroup": st.sampled_from(["", "root"]),
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(request.param, tmp_path_factory.mktemp("server"))


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


def test_each_word_is_known_since_the_version_that_the_table_has(server: Path, version: str) -> None:
    with serving(server) as running:
        had = settings(running)
        for row in (row for row in rows(version) if row.kind is Kind.WORD and row.name in had and row.live(version)):
            for word in sorted(row.words) if row.name not in _OF_THE_MACHINE else ():
                assert _takes(running, row.name, word.encode()) is row.understood_by(word, version), (row.name, word)


def _takes(client: redis.Redis, name: str, value: bytes) -> bool:
    try:
        ask(client, "CONFIG", "SET", name, value)
    except redis.ResponseError:
        return False
    return True


_BYTES = st.builds("{}{}".format, st.integers(2, 999), st.sampled_from(["mb", "MB", "m"]))
_PAIRS = st.lists(st.builds("{} {}".format, st.integers(1, 9999), st.integers(0, 9999)), max_size=4)
_LIMITS = st.builds("{} {}mb {}mb {}".format, st.sampled_from(["slave", "pubsub"]), *[st.integers(0, 99)] * 3)
_SIGNS = st.builds(
    lambda first, more: " ".join([first, *sorted(more)]),
    st.sampled_from(["save", "nosave", "SAVE"]),
    st.sets(st.sampled_from(["now", "force"])),
)
_RARE = {Kind.TEXT, Kind.OCTAL, Kind.NUMBERS, Kind.FLAGS, Kind.ADDRESSES}  # a handful each: all of them each time
_OF_A_KIND = {
    Kind.BYTES: _BYTES,
    Kind.FLAG: st.sampled_from(["yes", "no", "YES", "No"]),
    Kind.FLAGS: st.just("default") | _SIGNS,
    Kind.EVENTS: st.text("KEg$lshzxeA", max_size=12),
    Kind.SAVE: _PAIRS.map(" ".join),
    Kind.BUFFERS: st.lists(_LIMITS, min_size=1, max_size=2, unique_by=lambda each: each[:3]).map(" ".join),
    Kind.OCTAL: st.sampled_from(["0", "700", "0770", "777"]),
    Kind.ADDRESSES: st.sampled_from(["127.0.0.1", "127.0.0.1 127.0.0.2", "127.0.0.3 127.0.0.1"]),
}


def values(row: Directive, version: str) -> st.SearchStrategy[str]:
    """Values of a directive as a person writes them."""
    match row.kind:
        case Kind.INT:
            return st.integers(*_BOUNDS.get(row.name, (1, 100))).map(str)
        case Kind.WORD:
            return st.sampled_from(sorted(word for word in row.words if row.understood_by(word, version)))
        case Kind.NUMBERS | Kind.TEXT:
            return _OF_A_ROW[row.name]
    return _OF_A_KIND[row.kind]


def _settable(version: str) -> list[Directive]:
    kinds = set(Kind) - {Kind.SECRET, Kind.LINES}
    free = [row for row in rows(version) if row.owner is Owner.FREE and row.kind in kinds]
    return [row for row in free if row.name not in _OF_THE_MACHINE | _NOT_READ_BACK]


@rounds(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_set_live_is_shown_as_the_same_value(client: redis.Redis, version: str, data: st.DataObject) -> None:
    for row in data.draw(st.lists(st.sampled_from(_settable(version)), max_size=12, unique_by=lambda each: each.name)):
        if not row.live(version):
            continue
        value = data.draw(values(row, version), label=row.name)
        assert problem(row.name, value) is None
        ask(client, "CONFIG", "SET", row.name, plain(row.name, value))
        (shown,) = {*settings(client, row.name).values()}
        assert same(row.name, value, decode(shown)), (row.name, value, shown)


@rounds(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_is_read_as_the_same_value(server: Path, version: str, data: st.DataObject) -> None:
    free = _settable(version)
    drawn = data.draw(st.lists(st.sampled_from(free), max_size=30, unique_by=lambda each: each.name))
    drawn += [row for row in free if row.kind in _RARE and row not in drawn]
    wanted = {row.name: data.draw(values(row, version), label=row.name) for row in drawn}
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
