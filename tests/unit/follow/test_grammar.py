"""Every event that sentinels publish, and words that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator.follow.grammar import (
    Epoch,
    Instance,
    Other,
    Switch,
    View,
    Vote,
    disturbs,
    parse,
    view,
)

ID = "703d0861254275546329ad451119c88092d88db0"
MASTER = "master redis-cluster 10.0.0.1 6379"
SLAVE = "slave 10.0.0.2:6379 10.0.0.2 6379 @ redis-cluster 10.0.0.1 6379"
SENTINEL = f"sentinel {ID} 10.0.0.3 26379 @ redis-cluster 10.0.0.1 6379"
OF_MASTER = Instance("master", "redis-cluster", "10.0.0.1", 6379, "redis-cluster", "10.0.0.1", 6379)


def of_slave(extra: str = "") -> Instance:
    return Instance("slave", "10.0.0.2:6379", "10.0.0.2", 6379, "redis-cluster", "10.0.0.1", 6379, extra)


def of_sentinel(extra: str = "") -> Instance:
    return Instance("sentinel", ID, "10.0.0.3", 26379, "redis-cluster", "10.0.0.1", 6379, extra)


def with_extra(extra: str) -> Instance:
    return Instance("master", "redis-cluster", "10.0.0.1", 6379, "redis-cluster", "10.0.0.1", 6379, extra)


# channel, payload, what it says, whether it makes older facts unfit
TABLE: list[tuple[str, str, View, bool]] = [
    (
        "+switch-master",
        "redis-cluster 10.0.0.1 6379 10.0.0.2 6379",
        Switch("redis-cluster", "10.0.0.1", 6379, "10.0.0.2", 6379),
        True,
    ),
    ("+config-update-from", SENTINEL, of_sentinel(), True),
    ("+promoted-slave", SLAVE, of_slave(), True),
    ("+sdown", MASTER, OF_MASTER, True),
    ("-sdown", MASTER, OF_MASTER, True),
    ("+sdown", SLAVE, of_slave(), True),
    ("-sdown", SLAVE, of_slave(), True),
    ("+sdown", SENTINEL, of_sentinel(), False),
    ("-sdown", SENTINEL, of_sentinel(), False),
    ("+odown", f"{MASTER} #quorum 3/2", with_extra("#quorum 3/2"), True),
    ("-odown", MASTER, OF_MASTER, True),
    ("+new-epoch", "7", Epoch(7), True),
    ("+try-failover", MASTER, OF_MASTER, True),
    ("+elected-leader", MASTER, OF_MASTER, True),
    ("+failover-state-select-slave", MASTER, OF_MASTER, True),
    ("+failover-state-reconf-slaves", MASTER, OF_MASTER, True),
    ("+failover-end", MASTER, OF_MASTER, True),
    ("+failover-end-for-timeout", MASTER, OF_MASTER, True),
    ("+vote-for-leader", f"{ID} 7", Vote(ID, 7), True),
    ("+selected-slave", SLAVE, of_slave(), True),
    ("+failover-state-send-slaveof-noone", SLAVE, of_slave(), True),
    ("+failover-state-wait-promotion", SLAVE, of_slave(), True),
    ("+slave-reconf-sent", SLAVE, of_slave(), False),
    ("+slave-reconf-inprog", SLAVE, of_slave(), False),
    ("+slave-reconf-done", SLAVE, of_slave(), False),
    ("+slave-reconf-sent-be", SLAVE, of_slave(), False),
    ("-slave-reconf-sent-timeout", SLAVE, of_slave(), False),
    ("-failover-abort-not-elected", MASTER, OF_MASTER, True),
    ("-failover-abort-no-good-slave", MASTER, OF_MASTER, True),
    ("-failover-abort-slave-timeout", MASTER, OF_MASTER, True),
    ("+slave", SLAVE, of_slave(), False),
    ("+sentinel", SENTINEL, of_sentinel(), False),
    ("+sentinel-invalid-addr", SENTINEL, of_sentinel(), False),
    ("+sentinel-address-switch", f"{MASTER} ip 10.0.0.9 port 26379 for {ID}",
     with_extra(f"ip 10.0.0.9 port 26379 for {ID}"), False),
    ("+sentinel-address-update", f"{SENTINEL} 2 additional matching instances",
     of_sentinel("2 additional matching instances"), False),
    ("+role-change", f"{SLAVE} new reported role is slave", of_slave("new reported role is slave"), True),
    ("-role-change", f"{SLAVE} new reported role is master", of_slave("new reported role is master"), True),
    ("+convert-to-slave", SLAVE, of_slave(), True),
    ("+fix-slave-config", SLAVE, of_slave(), False),
    ("+reboot", MASTER, OF_MASTER, True),
    ("+reboot", SLAVE, of_slave(), False),
    ("+monitor", f"{MASTER} quorum 2", with_extra("quorum 2"), False),
    ("-monitor", MASTER, OF_MASTER, True),
    ("+reset-master", MASTER, OF_MASTER, True),
    ("+set", f"{MASTER} quorum 3", with_extra("quorum 3"), False),
    ("+tilt", "#tilt mode entered", Other(), True),
    ("-tilt", "#tilt mode exited", Other(), False),
    ("-script-error", "/usr/local/bin/notify 0 1", Other(), False),
    ("-script-timeout", "/usr/local/bin/notify 71", Other(), False),
]  # fmt: skip


@pytest.mark.parametrize(("channel", "payload", "says", "fresh"), TABLE)
def test_an_event(channel: str, payload: str, says: View, fresh: bool) -> None:
    event = parse("redis_slave01", 5.0, channel, payload)
    assert (event.sentinel, event.at, event.channel, event.payload) == ("redis_slave01", 5.0, channel, payload)
    assert event.master_name == ("redis-cluster" if isinstance(says, Instance | Switch) else "")
    assert view(event) == says
    assert disturbs(event) is fresh


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (f"{MASTER} auth-pass s3cret", f"{MASTER} auth-pass ***"),
        (f"{MASTER} auth-user operator", f"{MASTER} auth-user ***"),
        (f"{MASTER} rename-command CONFIG s3cret", f"{MASTER} rename-command ***"),
        (f"{MASTER} auth-pass s3cret with words", f"{MASTER} auth-pass ***"),
        (f"{MASTER} down-after-milliseconds 5000", f"{MASTER} down-after-milliseconds 5000"),
        ("s3cret s3cret s3cret s3cret auth-pass s3cret", "s3cret s3cret s3cret s3cret auth-pass ***"),
    ],
)
def test_values_of_set_are_not_kept(payload: str, shown: str) -> None:
    event = parse("h", 0.0, "+set", payload)
    assert event.payload == shown


def test_ipv6_and_names_of_hosts() -> None:
    assert view(parse("h", 0.0, "+sdown", "slave [::1]:6379 2001:db8::2 6379 @ m 2001:db8::1 6379")) == Instance(
        "slave", "[::1]:6379", "2001:db8::2", 6379, "m", "2001:db8::1", 6379
    )


@pytest.mark.parametrize(
    ("channel", "payload"),
    [
        ("+switch-master", "redis-cluster 10.0.0.1 6379 10.0.0.2"),
        ("+switch-master", "redis-cluster 10.0.0.1 x 10.0.0.2 6379"),
        ("+vote-for-leader", ID),
        ("+new-epoch", "seven"),
        ("+sdown", "replica x 10.0.0.1 6379 @ m 10.0.0.1 6379"),
        ("+sdown", "slave x 10.0.0.1 6379 at m 10.0.0.1 6379"),
        ("+sdown", "master m 10.0.0.1"),
        ("", ""),
    ],
)
def test_words_that_are_no_event_say_nothing(channel: str, payload: str) -> None:
    event = parse("h", 0.0, channel, payload)
    assert view(event) == Other()
    assert event.master_name == ""


@given(st.sampled_from([row[0] for row in TABLE]) | st.text(max_size=30), st.text(max_size=200))
def test_nothing_raises(channel: str, payload: str) -> None:
    event = parse("h", 0.0, channel, payload)
    view(event)
    disturbs(event)
