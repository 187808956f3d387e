"""spec.redis.config: what can be declared is taken in redis' own words, all else is refused with reason and mend."""

from __future__ import annotations

from typing import Any

import pytest

from api.examples import GONE, changed
from redis_sentinel_operator.api.redis_config import check_config, redis_config
from redis_sentinel_operator.api.spec import parse
from redis_sentinel_operator.conf.table import TABLE
from redis_sentinel_operator.errors import SpecRefused

ALL = {"bind": "0.0.0.0", "repl-ping-slave-period": 10, "repl-timeout": 60}


def config(values: dict[str, Any], **changes: object) -> dict[str, str]:
    spec = parse(changed({"spec.redis.config": values, **changes}))
    check_config(spec)
    return dict(redis_config(spec))


def refused(values: dict[str, Any], changes: dict[str, object] | None = None) -> str:
    with pytest.raises(SpecRefused) as error:
        check_config(parse(changed({"spec.redis.config": values, **(changes or {})})))
    assert error.value.reason == "InvalidSpec"
    return str(error.value).removeprefix("spec.redis.config.")


def test_what_can_be_declared_is_taken_by_its_one_name() -> None:
    assert config(ALL) == {"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60"}
    assert config(
        {"repl-ping-replica-period": 5, "maxmemory": "1gb", "save": "900 1", "notify-keyspace-events": ""}
    ) == {
        "repl-ping-slave-period": "5",
        "maxmemory": "1gb",
        "save": "900 1",
        "notify-keyspace-events": "",
    }


def test_how_many_replicas_a_write_needs_is_a_directive_too() -> None:
    assert config({}, **{"spec.minReplicasToWrite": 1}) == {"min-slaves-max-lag": "10", "min-slaves-to-write": "1"}
    both = {"spec.minReplicasToWrite": 0, "spec.minReplicasMaxLagSeconds": 7}
    assert config({}, **both) == {"min-slaves-max-lag": "7", "min-slaves-to-write": "0"}
    assert config({}, **{"spec.minReplicasMaxLagSeconds": 7}) == {"min-slaves-max-lag": "7"}
    assert config({}, **{"spec.minReplicasToWrite": 3})["min-slaves-to-write"] == "3"


def test_more_replicas_than_there_are_would_let_nobody_write() -> None:
    assert refused({}, {"spec.minReplicasToWrite": 4}) == (
        "spec.minReplicasToWrite: 4 is more than the 3 replicas there are, so that no write would ever be taken; set "
        "it to 2 or less."
    )
    alone: dict[str, object] = {f"spec.hosts[{at}].redis": False for at in (1, 2, 3)}
    assert refused({}, {"spec.minReplicasToWrite": 1, **alone}) == (
        "spec.minReplicasToWrite: 1 is more than the 0 replicas there are, so that no write would ever be taken; "
        "remove it."
    )


def test_a_cluster_can_be_followed_whose_config_is_refused() -> None:
    spec = parse(changed({"spec.redis.config": {"slaveof": "x 1", "nonsense": 1, "hz": 20, "databases": "x"}}))
    assert redis_config(spec) == {"hz": "20"}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a name that is nearly right": (
        {"repl-timeuot": 60},
        "repl-timeuot: no Redis has this directive; did you mean repl-timeout? Correct the name, or remove it.",
    ),
    "a name like no other": (
        {"xyzzy": 60},
        "xyzzy: no Redis has this directive; correct the name, or remove it.",
    ),
    "sentinel's": (
        {"replicaof": "10.0.0.1 6379"},
        "replicaof: it cannot be set here: the sentinels decide who follows whom; remove it.",
    ),
    "another field's": (
        {"requirepass": "x"},
        "requirepass: it cannot be set here: spec.auth.passwordSecretRef says it; remove it.",
    ),
    "systemd's": ({"daemonize": "yes"}, "daemonize: it cannot be set here: systemd runs redis; remove it."),
    "of a family": (
        {"cluster-enabled": "yes"},
        "cluster-enabled: it cannot be set here: Redis Cluster and Sentinel exclude each other; remove it.",
    ),
    "twice": (
        {"slave-read-only": "yes", "replica-read-only": "yes"},
        "replica-read-only: the same directive as slave-read-only; remove one of them.",
    ),
    "no such value": (
        {"appendonly": "on"},
        'appendonly: \'on\' is neither "yes" nor "no"; write one of them, in quotes.',
    ),
    "no number": ({"repl-timeout": "1m"}, "repl-timeout: '1m' is no whole number; write one."),
    "no time": (
        {"repl-ping-slave-period": 0},
        "repl-ping-slave-period: 0 is no number of seconds; write a whole number of at least 1.",
    ),
    "timeout shorter than the default ping": (
        {"repl-timeout": 10},
        "repl-timeout: 10 is not more than repl-ping-slave-period, which is 10; set it to 20 or more.",
    ),
    "bind to one address": (
        {"bind": "192.168.3.41"},
        "bind: '192.168.3.41' cannot be the same line on every host, with a first address that the others reach; "
        'write "0.0.0.0", and let the firewall choose who comes in.',
    ),
    "bind whose first address is loopback": (
        {"bind": "127.0.0.1 0.0.0.0"},
        "bind: '127.0.0.1 0.0.0.0' cannot be the same line on every host, with a first address that the others reach; "
        'write "0.0.0.0", and let the firewall choose who comes in.',
    ),
    "bind to nothing": (
        {"bind": ""},
        "bind: '' cannot be the same line on every host, with a first address that the others reach; "
        'write "0.0.0.0", and let the firewall choose who comes in.',
    ),
    "nothing on disk": (
        {"save": "", "appendonly": "no"},
        'save: with "" and without appendonly "yes" nothing is kept on disk, and a restart empties redis; set '
        'appendonly to "yes", or set spec.unsafe.noPersistence to true.',
    ),
}


@pytest.mark.parametrize(("values", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_made_true_is_refused(values: dict[str, Any], message: str) -> None:
    assert refused(values) == message


def test_all_is_said_at_once_up_to_five() -> None:
    said = refused({f"nonsense-{n}": 1 for n in range(7)})
    assert said.count("no Redis has this directive") == 5
    assert said.endswith(". And 2 more.")


def test_nothing_on_disk_can_be_asked_for() -> None:
    assert config({"save": ""}, **{"spec.unsafe.noPersistence": True})["save"] == ""
    assert config({"save": "", "appendonly": "yes"})["appendonly"] == "yes"


def test_an_ipv6_cluster_needs_a_bind_of_its_family() -> None:
    six = [{"name": f"h{n}", "address": f"fd00::{n}"} for n in range(1, 4)]
    changes: dict[str, object] = {"spec.hosts": six, "spec.initialMaster": GONE}
    assert refused({"bind": "0.0.0.0"}, changes).endswith('write "::", and let the firewall choose who comes in.')
    assert config({"bind": ":: 0.0.0.0"}, **changes)["bind"] == ":: 0.0.0.0"


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if not name.endswith("*")])
def test_every_directive_of_the_table_is_taken_or_refused_with_a_reason(name: str) -> None:
    value = dict(TABLE[name].defaults[:1]).get((0, 0), "")
    if name == "bind":
        value = "0.0.0.0"
    try:
        assert config({name: value, "appendonly": "yes"} if name != "appendonly" else {name: value})
    except SpecRefused as error:
        assert TABLE[name].why
        assert TABLE[name].why in str(error)
