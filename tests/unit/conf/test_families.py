"""redis.conf and sentinel.conf of the families after a failover, captured: each writes its own words, all are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from redis_sentinel_operator.conf import redis_conf, sentinel_conf

CAPTURES = Path(__file__).with_name("captures")
WORDS = {"el8": ("replicaof", "masterauth"), "el9": ("replicaof", "masterauth"), "el10": ("replicaof", "primaryauth")}


@pytest.mark.parametrize("family", WORDS)
def test_a_rewritten_redis_conf_is_read_by_any_word(family: str) -> None:
    text = (CAPTURES / f"{family}-redis-rewritten.conf").read_text()
    conf = redis_conf.parse(text)
    assert all(f"\n{word} " in text for word in WORDS[family])
    assert (conf.get("slaveof") or "").startswith("192.168.80.4")
    assert conf.get("masterauth") == conf.get("primaryauth") == conf.get("requirepass") == "dusruffpeltm"
    assert (conf.get("bind"), conf.get("repl-ping-slave-period"), conf.broken) == ("0.0.0.0", "10", ())


@pytest.mark.parametrize("family", WORDS)
def test_what_is_as_wanted_is_not_written_again(family: str) -> None:
    text = (CAPTURES / f"{family}-redis-rewritten.conf").read_text()
    wanted = {"bind": "0.0.0.0", "masterauth": "dusruffpeltm", "slave-priority": "100", "repl-timeout": "60"}
    assert redis_conf.parse(text).edit(wanted) == text


@pytest.mark.parametrize("family", WORDS)
def test_another_priority_is_written_in_the_servers_own_word(family: str) -> None:
    conf = redis_conf.parse((CAPTURES / f"{family}-redis-rewritten.conf").read_text())
    assert "\nreplica-priority 1100\n" in conf.edit({"slave-priority": "1100"})


@pytest.mark.parametrize("family", WORDS)
def test_a_running_sentinel_conf_is_read(family: str) -> None:
    conf = sentinel_conf.parse((CAPTURES / f"{family}-sentinel-running.conf").read_text())
    monitor = conf.masters["redis-cluster"]
    assert (monitor.address[:12], monitor.port, monitor.quorum) == ("192.168.80.4", 6379, 2)
    assert (conf.known, conf.config_epoch("redis-cluster"), len(conf.my_id)) == (5, 1, 40)
    password = conf.auth_pass("redis-cluster")
    assert password is not None and password.reveal() == "dusruffpeltm"  # valkey 9 writes it in quotes
