"""redis.conf and sentinel.conf against real servers: what we write they read, what they write we read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis
from hypothesis import HealthCheck, example, given
from hypothesis import settings as rounds
from hypothesis import strategies as st

from hosts.servers import SERVERS, ask, running, settings, unpacked
from redis_sentinel_operator.conf import redis_conf, sentinel_conf, users
from redis_sentinel_operator.conf.directives import decode, encode
from redis_sentinel_operator.conf.sentinel_conf import Monitor, render
from redis_sentinel_operator.conf.values import same
from redis_sentinel_operator.model.desired import SentinelSettings
from redis_sentinel_operator.model.secret import Secret

pytestmark = pytest.mark.timeout(180)
ROUNDS = {"deadline": None, "suppress_health_check": list(HealthCheck)}
NAME = "redis-cluster"
PASSWORDS = st.text("abcXYZ019!#$%&()*+,./:;<=>?@[]^_{|}~-", min_size=1, max_size=40)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(request.param, tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def version(server: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("version") / "redis.conf"
    file.write_text(f"dir {file.parent}\n")
    with running(server, file) as client:
        said = client.info("server")
    return str(said.get("valkey_version") or said["redis_version"])


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as path:
        yield Path(path)


WITH_USERS = pytest.mark.parametrize("server", ["el9", "el10", "redis-7.0"], indirect=True)

# -- redis.conf with files that it includes

# (name, a value as people write it, another): of every way in which lines add up or overrule each other
_VALUES = {
    "maxmemory": ("64mb", "65mb"),
    "repl-timeout": ("61", "59"),
    "save": ("900 1 60 5", "300 10"),
    "client-output-buffer-limit": ("slave 1mb 1mb 1", "slave 2mb 2mb 2"),
    "slowlog-max-len": ("7", "9"),
    "masterauth": ('a"b #c', "x"),
}
_NAMES = st.sampled_from(sorted(_VALUES))
_LINE = st.builds(
    lambda name, which: redis_conf.parse("").edit({name: _VALUES[name][which]}).rstrip("\n"), _NAMES, st.booleans()
)
_OTHER = st.sampled_from(["# save 1 1", "", "   ", "#include /nowhere", "HZ 11", "tcp-keepalive '60'"])
_FILE = st.lists(_LINE | _OTHER, max_size=6).map("\n".join)


@rounds(max_examples=40, **ROUNDS)  # type: ignore[arg-type]
@given(before=_FILE, local=_FILE, after=_FILE, wanted=st.lists(_NAMES, min_size=1, max_size=4, unique=True))
@example(before="", local="save 900 1", after="", wanted=["save"])
@example(before="maxmemory 64mb", local="maxmemory 65mb", after="", wanted=["maxmemory"])
def test_with_included_files_the_server_reads_what_we_read_and_what_we_set(  # noqa: PLR0917
    server: Path, version: str, before: str, local: str, after: str, wanted: list[str]
) -> None:
    with TemporaryDirectory() as path:
        included, file = Path(path) / "local.conf", Path(path) / "redis.conf"
        included.write_text(local)
        text = f"dir {path}\n{before}\ninclude {included}\n{after}\n"
        files = {str(included): local}
        file.write_text(text)
        with running(server, file) as client:
            _agree(client, redis_conf.parse(text, files, version), sorted(_VALUES))
        values = {name: _VALUES[name][0] for name in wanted}
        edited = redis_conf.parse(text, files, version).edit(values)
        assert redis_conf.parse(edited, files, version).edit(values) == edited
        assert [line for line in text.splitlines() if line.startswith("#")] == [
            line for line in edited.splitlines() if line.startswith("#")
        ]
        file.write_text(edited)
        with running(server, file) as client:
            _has(client, values)
            ask(client, "CONFIG", "REWRITE")
            rewritten = redis_conf.parse(decode(file.read_bytes()), files, version)
        with running(server, file) as client:  # what an include overrules by now, as redis reuses the first line of all
            _agree(client, rewritten, sorted(_VALUES))
        file.write_text(rewritten.edit(values))
        with running(server, file) as client:
            _has(client, values)
        assert included.read_text() == local


def _agree(client: redis.Redis, conf: redis_conf.RedisConf, names: list[str]) -> None:
    """What the file says, where it says anything, is what the server has."""
    for name in names:
        in_file = conf.get(name)
        if in_file is not None:
            (shown,) = settings(client, name).values()
            assert same(name, in_file, decode(shown)), (name, in_file, shown)


def _has(client: redis.Redis, values: dict[str, str]) -> None:
    for name, value in values.items():
        (shown,) = settings(client, name).values()
        assert same(name, value, decode(shown)), (name, value, shown)


# -- the default user


@WITH_USERS
def test_after_a_rewrite_the_line_of_the_default_user_gets_the_password_too(server: Path, folder: Path) -> None:
    file = folder / "redis.conf"
    file.write_text(f"dir {folder}\nrequirepass old\n")
    with running(server, file, "old") as client:
        ask(client, "CONFIG", "REWRITE")
    text = file.read_text()
    assert "user default on #" in text
    file.write_text(text.replace("requirepass old", "requirepass new").replace('requirepass "old"', "requirepass new"))
    with running(server, file, "old"):
        pass  # as measured: the old one still counts
    file.write_text(redis_conf.parse(text).edit({"requirepass": "new"}))
    with running(server, file, "new") as client:
        assert settings(client, "requirepass")["requirepass"] == b"new"


@WITH_USERS
@pytest.mark.parametrize(
    "acl", ["user default on >old ~* &* +@all\nuser carol on >c ~* +get\n", "user carol on >c ~* +get\n"]
)
def test_with_an_acl_file_it_is_that_file_which_gets_the_password(server: Path, folder: Path, acl: str) -> None:
    file, people = folder / "redis.conf", folder / "users.acl"
    people.write_text(acl)
    file.write_text(f"dir {folder}\naclfile {people}\n")
    before = "old" if "default" in acl else None
    with running(server, file, before) as client:
        client.config_set("requirepass", "new")
        ask(redis.Redis(port=_port(client), password="new", protocol=2), "CONFIG", "REWRITE")
    with running(server, file, before):
        pass  # as measured: neither CONFIG SET nor CONFIG REWRITE outlives the restart
    assert not users.file_takes_only(people.read_text(), "new")
    people.write_text(users.file_with_password(people.read_text(), "new", channels=True))
    with running(server, file, "new") as client:
        listed = [decode(line) for line in ask(client, "ACL", "LIST")]
        assert any(line.startswith("user carol on") for line in listed)
        with pytest.raises(redis.AuthenticationError):
            ask(redis.Redis(port=_port(client), password="old", protocol=2), "PING")
        client.acl_save()
    assert users.file_takes_only(people.read_text(), "new"), "what the server writes is read as well"


def _port(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


# -- sentinel.conf


@rounds(max_examples=15, **ROUNDS)  # type: ignore[arg-type]
@given(
    password=st.none() | PASSWORDS,
    changed=PASSWORDS,
    quorum=st.integers(1, 9),
    down=st.integers(1, 10**6),
    timeout=st.integers(1, 10**7),
    syncs=st.integers(1, 50),
)
@example(password="p" * 512, changed="#", quorum=2, down=30000, timeout=180000, syncs=1)
def test_a_sentinel_reads_what_we_write_and_we_what_it_keeps(  # noqa: PLR0917
    server: Path, password: str | None, changed: str, quorum: int, down: int, timeout: int, syncs: int
) -> None:
    fresh = render(
        master_name=NAME,
        master=Monitor("127.0.0.1", 1, quorum),
        settings=SentinelSettings(quorum, down, timeout, syncs),
        port=26379,
        log_file="",
        password=None if password is None else Secret(password),
    ).reveal()
    want = {"quorum": quorum, "down-after-milliseconds": down, "failover-timeout": timeout, "parallel-syncs": syncs}
    with TemporaryDirectory() as path:
        file = Path(path) / "sentinel.conf"
        file.write_bytes(encode(f"# people's own\n{fresh}"))
        with running(server, file, sentinel=True) as client:
            _shows(client, want)
            ask(client, "SENTINEL", "FLUSHCONFIG")
        kept = sentinel_conf.parse(decode(file.read_bytes()))
        assert kept.masters == {NAME: Monitor("127.0.0.1", 1, quorum)}
        assert kept.auth_pass(NAME) == (None if password is None else Secret(password))
        assert len(kept.my_id) == 40
        _keeps(kept, want)
        text = kept.with_auth_pass(NAME, Secret(changed))
        assert set(text.split("\n")) ^ set(kept.raws) <= {
            *(line.raw for line in kept.lines if "auth-pass" in line.words),
            f"sentinel auth-pass {NAME} {changed}",
        }
        file.write_bytes(encode(text))
        with running(server, file, sentinel=True) as client:
            _shows(client, want)
            ask(client, "SENTINEL", "FLUSHCONFIG")
        again = sentinel_conf.parse(decode(file.read_bytes()))
        assert (again.auth_pass(NAME), again.my_id) == (Secret(changed), kept.my_id)


def _shows(client: redis.Redis, want: dict[str, int]) -> None:
    answer = ask(client, "SENTINEL", "MASTER", NAME)
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    have = {decode(name) if isinstance(name, bytes) else name: value for name, value in pairs}
    assert {name: int(have[name]) for name in want} == want


def _keeps(conf: sentinel_conf.SentinelConf, want: dict[str, int]) -> None:
    defaults = {"down-after-milliseconds": 30000, "failover-timeout": 180000, "parallel-syncs": 1}
    for name, default in defaults.items():
        assert int(conf.setting(NAME, name) or default) == want[name]


@pytest.mark.parametrize("stray", ["sentinel auth-pass mymaster x", "sentinel parallel-syncs mymaster 1"])
def test_a_line_about_a_master_that_is_not_monitored_ends_a_sentinel(server: Path, folder: Path, stray: str) -> None:
    file = folder / "sentinel.conf"
    text = f"dir {folder}\nsentinel monitor {NAME} 127.0.0.1 1 2\n{stray}\n"
    file.write_text(text)
    with pytest.raises(AssertionError, match="No such master"), running(server, file, sentinel=True):
        pass
    conf = sentinel_conf.parse(text)
    assert [each[2] for each in conf.astray] == ["mymaster"]
    if "auth-pass" in stray:
        file.write_text(conf.with_auth_pass(NAME, Secret("x")))
        with running(server, file, sentinel=True) as client:
            assert ask(client, "PING")
