"""sentinel.conf: what the package ships, what a running sentinel keeps, and a fresh one."""

from __future__ import annotations

from pathlib import Path

import pytest

from redis_sentinel_operator.conf.sentinel_conf import Monitor, parse, render
from redis_sentinel_operator.model.desired import SentinelSettings
from redis_sentinel_operator.model.secret import Secret

CAPTURES = Path(__file__).with_name("captures")
SHIPPED = (CAPTURES / "sentinel-shipped.conf").read_text()
RUNNING = (CAPTURES / "sentinel-running.conf").read_text()


def fresh(**changes: object) -> str:
    arguments: dict[str, object] = {
        "master_name": "redis-cluster",
        "master": Monitor("192.168.3.41", 6379, 2),
        "settings": SentinelSettings(quorum=2),
        "port": 26379,
        "log_file": "/var/log/redis/sentinel.log",
        "password": Secret("dusruffpeltm"),
    }
    return render(**{**arguments, **changes}).reveal()  # type: ignore[arg-type]


def test_what_the_package_ships_is_read() -> None:
    conf = parse(SHIPPED)
    assert conf.masters == {"mymaster": Monitor("127.0.0.1", 6379, 2)}
    assert (conf.known, conf.my_id, conf.config_epoch("mymaster"), conf.auth_pass("mymaster")) == (0, "", 0, None)


def test_what_a_running_sentinel_keeps_is_read() -> None:
    conf = parse(RUNNING)
    assert conf.masters == {"redis-cluster": Monitor("192.168.34.41", 6379, 2)}
    assert conf.known == 5
    assert conf.my_id == "96e6da864a50de368dae8b87650711847e6e3b95"
    assert conf.auth_pass("redis-cluster") == Secret("dusruffpeltm")
    assert conf.setting("redis-cluster", "down-after-milliseconds") == "5000"
    assert conf.get("bind") == "0.0.0.0"
    assert conf.get("port") == "26379"


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("sentinel known-slave m 10.0.0.1 6379", 1),
        ("sentinel known-replica m 10.0.0.1 6379", 1),
        (f"sentinel known-sentinel m 10.0.0.1 26379 {'a' * 40}", 1),
        ("SENTINEL Known-Slave m 10.0.0.1 6379", 1),
        ("# sentinel known-slave m 10.0.0.1 6379", 0),
        ("sentinel config-epoch m 7", 0),
    ],
)
def test_what_counts_as_learnt(line: str, known: int) -> None:
    assert parse(line).known == known


def test_epochs_are_per_master_and_the_last_line_counts() -> None:
    conf = parse("sentinel config-epoch a 3\nsentinel config-epoch b 9\nsentinel config-epoch a 4\n")
    assert (conf.config_epoch("a"), conf.config_epoch("b"), conf.config_epoch("c")) == (4, 9, 0)


@pytest.mark.parametrize("line", ["sentinel", "sentinel monitor m 10.0.0.1", "sentinel monitor m 10.0.0.1 x 2", 'a "b'])
def test_a_damaged_line_monitors_nothing(line: str) -> None:
    assert parse(line).masters == {}


def test_a_fresh_file_names_its_master_before_anything_about_it() -> None:
    assert fresh() == (
        "bind 0.0.0.0\nport 26379\nprotected-mode no\ndir /tmp\nlogfile /var/log/redis/sentinel.log\n"
        "sentinel monitor redis-cluster 192.168.3.41 6379 2\n"
        "sentinel auth-pass redis-cluster dusruffpeltm\n"
        "sentinel down-after-milliseconds redis-cluster 5000\n"
        "sentinel failover-timeout redis-cluster 10000\n"
        "sentinel parallel-syncs redis-cluster 1\n"
    )


def test_a_fresh_file_without_a_password_has_no_auth_pass() -> None:
    assert "auth-pass" not in fresh(password=None)


def test_a_fresh_file_binds_in_the_family_of_its_master() -> None:
    assert fresh(master=Monitor("fd00::41", 6379, 2)).startswith("bind ::\n")


def test_a_fresh_file_is_read_back() -> None:
    conf = parse(fresh())
    assert conf.masters == {"redis-cluster": Monitor("192.168.3.41", 6379, 2)}
    assert conf.broken == ()
    assert "dusruffpeltm" not in repr(conf)


OWN = Secret("dusruffpeltm")
MONITOR = "sentinel monitor redis-cluster 10.0.0.1 6379 2\n"
LINE = "sentinel auth-pass redis-cluster dusruffpeltm\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (MONITOR + LINE, MONITOR + LINE),
        (f'{MONITOR}SENTINEL Auth-Pass redis-cluster "dusruffpeltm"\n', None),
        (MONITOR, MONITOR + LINE),
        (f"{MONITOR}# mine\nport 1\nsentinel auth-pass redis-cluster old\n", f"{MONITOR}{LINE}# mine\nport 1\n"),
        (f"{MONITOR}sentinel auth-pass mymaster old\n", MONITOR + LINE),
        (f"{MONITOR}{LINE}sentinel auth-pass mymaster old\n", MONITOR + LINE),
        (LINE + MONITOR, MONITOR + LINE),
        (
            f"sentinel monitor other 10.0.0.9 6379 2\nsentinel auth-pass other x\n{MONITOR}",
            f"sentinel monitor other 10.0.0.9 6379 2\nsentinel auth-pass other x\n{MONITOR}{LINE}",
        ),
    ],
)
def test_the_password_stands_once_and_after_its_master(before: str, after: str | None) -> None:
    assert parse(before).with_auth_pass("redis-cluster", OWN) == (before if after is None else after)
    again = parse(before if after is None else after)
    assert again.with_auth_pass("redis-cluster", OWN) == (before if after is None else after)


def test_without_a_password_only_the_one_of_an_unknown_master_goes() -> None:
    text = f"{MONITOR}sentinel auth-pass redis-cluster old\nsentinel auth-pass mymaster old\n"
    kept = f"{MONITOR}sentinel auth-pass redis-cluster old\n"
    assert parse(text).with_auth_pass("redis-cluster", None) == kept


def test_lines_about_a_master_that_is_not_monitored_are_found() -> None:
    text = f"port 1\nsentinel down-after-milliseconds mymaster 1\n{MONITOR}{LINE}sentinel myid {'a' * 40}\n"
    assert parse(text).astray == ((2, "down-after-milliseconds", "mymaster"),)
    assert parse(RUNNING).astray == ()
    assert parse(SHIPPED).astray == ()


def test_the_highest_epoch_that_a_sentinel_has_heard_of() -> None:
    text = "sentinel config-epoch m 3\nsentinel leader-epoch m 8\nsentinel current-epoch 9\nsentinel monitor m 1 1 99"
    assert parse(text).highest_epoch == 9
    assert parse(text.replace("leader-epoch m 8", "leader-epoch m 10")).highest_epoch == 10
    assert parse(SHIPPED).highest_epoch == 0


KNOWN = """port 26379
sentinel myid aa
sentinel monitor m 10.0.0.1 6379 2
sentinel down-after-milliseconds m 5000
sentinel config-epoch m 3
sentinel leader-epoch m 4
sentinel known-replica m 10.0.0.2 6379
sentinel known-replica m 10.0.0.3 6379
sentinel known-sentinel m 10.0.0.3 26379 bb
sentinel monitor other 10.0.0.1 6379 2
sentinel config-epoch other 1
sentinel known-replica other 10.0.0.2 6379
"""


def test_another_master_at_a_higher_epoch_is_written_as_sentinel_itself_would() -> None:
    after = KNOWN.replace(
        "sentinel monitor m 10.0.0.1 6379 2",
        "sentinel monitor m 10.0.0.2 6379 2\nsentinel config-epoch m 14\nsentinel known-replica m 10.0.0.1 6379",
    )
    after = after.replace("sentinel config-epoch m 3\n", "").replace("sentinel known-replica m 10.0.0.2 6379\n", "")
    assert parse(KNOWN).with_master("m", "10.0.0.2", 6379, 14) == after
    assert parse(after).with_master("m", "10.0.0.2", 6379, 14).count("10.0.0.2 6379 2") == 1
    bare = "sentinel monitor m 10.0.0.1 6379 2\n"
    assert "sentinel known-slave m 10.0.0.1 6379" in parse(bare).with_master("m", "10.0.0.2", 6379, 1)
