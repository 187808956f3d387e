"""One entry a failover, out of what all sentinels say: real streams of Redis 3.2.6, and orders that a network makes.

All four families' streams, each whole: test_streams.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_sentinel_operator.follow.grammar import parse
from redis_sentinel_operator.follow.history import History, published, record, shown
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.event import Failover, SentinelEvent
from redis_sentinel_operator.model.verdict import Confirmed
from unit.examples import tried

Streams = Callable[[str], list[SentinelEvent]]
NO_GOOD_SLAVE = "no replica could be promoted (-failover-abort-no-good-slave)"
NO_GOOD_SLAVE_HINT = (
    "Each of them is down, has priority 0, or was without its master for too long. Look at replica-priority and at the "
    "links of the replicas. The sentinels try again after twice failover-timeout."
)


def told(desired: Desired, events: Iterable[SentinelEvent], history: History = ()) -> History:
    for event in events:
        history = record(history, event, desired)
    return history


def when(stream: Iterable[SentinelEvent], channel: str) -> float:
    return next(event.at for event in stream if event.channel == channel)


def test_a_failover_is_one_entry_with_the_first_time_of_each_step(desired: Desired, stream: Streams) -> None:
    assert told(desired, stream("stopped")) == (
        Failover(
            from_host="redis_master01",
            to_host="redis_slave03",
            cause="Failure",
            at="2026-11-25T14:56:42.181Z",
            detected="2026-11-25T14:56:42.315Z",
            elected="2026-11-25T14:56:42.397Z",
            promoted="2026-11-25T14:56:43.375Z",
            switched="2026-11-25T14:56:43.436Z",
            config_epoch=1,
            result="Succeeded",
        ),
    )


def test_a_master_that_returns_changes_nothing(desired: Desired, stream: Streams) -> None:
    before = told(desired, stream("stopped"))
    assert told(desired, stream("returns"), before) is before


def test_a_failover_that_was_asked_for(desired: Desired, stream: Streams) -> None:
    (entry,) = told(desired, stream("requested"))
    assert (entry.from_host, entry.to_host, entry.cause) == ("redis_slave03", "redis_slave01", "Requested")
    assert (entry.detected, entry.config_epoch, entry.result) == ("", 2, "Succeeded")
    assert entry.at < entry.elected < entry.promoted < entry.switched


def test_a_master_that_hangs(desired: Desired, stream: Streams) -> None:
    (entry,) = told(desired, stream("hung"))
    assert (entry.from_host, entry.to_host, entry.cause, entry.config_epoch) == (
        "redis_slave01",
        "redis_master01",
        "Failure",
        3,
    )


def test_an_attempt_in_vain_and_the_one_that_succeeds(desired: Desired, stream: Streams) -> None:
    first = told(desired, stream("aborted"))
    (aborted,) = shown(first)
    assert (aborted.result, aborted.message, aborted.to_host) == (
        "Aborted",
        f"{NO_GOOD_SLAVE}. {NO_GOOD_SLAVE_HINT}",
        "",
    )
    second = told(desired, stream("after-abort"), first)
    assert second[0] == aborted
    assert [(each.result, each.cause, each.detected) for each in second] == [
        ("Aborted", "Failure", aborted.detected),
        ("Aborted", "Failure", aborted.detected),  # two sentinels asked for votes at once, none got two
        ("Succeeded", "Failure", aborted.detected),
    ]


def test_failovers_follow_one_another(desired: Desired, stream: Streams) -> None:
    names = ("stopped", "returns", "requested", "hung", "aborted", "after-abort")
    history = told(desired, chain.from_iterable(map(stream, names)))
    assert [(each.from_host, each.to_host, each.result) for each in history] == [
        ("redis_master01", "redis_slave03", "Succeeded"),
        ("redis_slave03", "redis_slave01", "Succeeded"),
        ("redis_slave01", "redis_master01", "Succeeded"),
        ("redis_master01", "", "Aborted"),
        ("redis_master01", "", "Aborted"),
        ("redis_master01", "redis_slave03", "Succeeded"),
    ]


@pytest.mark.parametrize("name", ["stopped", "requested", "hung"])
@pytest.mark.parametrize("sentinel", ["redis_slave01", "redis_slave02", "redis_slave03"])
def test_any_one_sentinel_is_enough(desired: Desired, stream: Streams, name: str, sentinel: str) -> None:
    whole = told(desired, stream(name))[0]
    (entry,) = told(desired, [event for event in stream(name) if event.sentinel == sentinel])
    assert (entry.from_host, entry.to_host, entry.result) == (whole.from_host, whole.to_host, "Succeeded")
    assert entry.cause == whole.cause


def merged(events: list[SentinelEvent], seed: int) -> list[SentinelEvent]:
    """The same messages as another network would bring them: in order for each sentinel, the sentinels anyhow."""
    chance = random.Random(seed)
    queues = [[event for event in events if event.sentinel == name] for name in {event.sentinel for event in events}]
    found: list[SentinelEvent] = []
    while queues := [queue for queue in queues if queue]:
        found.append(chance.choice(queues).pop(0))
    return found


@pytest.mark.parametrize("name", ["stopped", "requested", "hung"])
@pytest.mark.parametrize("seed", range(40))
def test_the_order_between_sentinels_does_not_matter(desired: Desired, stream: Streams, name: str, seed: int) -> None:
    whole = told(desired, stream(name))[0]
    (entry,) = told(desired, merged(stream(name), seed))
    assert (entry.from_host, entry.to_host, entry.result) == (whole.from_host, whole.to_host, "Succeeded")
    assert entry.elected and entry.promoted and entry.switched
    assert entry.config_epoch == whole.config_epoch


@pytest.mark.parametrize("name", ["stopped", "requested", "hung"])
def test_hearing_all_of_it_again_changes_nothing(desired: Desired, stream: Streams, name: str) -> None:
    once = told(desired, stream(name))
    assert told(desired, stream(name), once) == once


def test_a_sentinel_that_was_away_tells_it_an_hour_later(desired: Desired, stream: Streams) -> None:
    once = told(desired, stream("stopped"))
    late = [replace(event, at=event.at + 3600) for event in stream("stopped") if event.sentinel == "redis_slave01"]
    assert told(desired, late, once) == once


def test_a_sentinel_that_was_away_for_two_switches(desired: Desired, stream: Streams) -> None:
    twice = told(desired, [*stream("stopped"), *stream("requested")])
    jump = parse("redis_slave02", twice_at(stream), "+switch-master", switch(41, 42))
    assert told(desired, [jump], twice) == twice


def test_a_sentinel_that_missed_a_switch_does_not_disturb_the_next_one(desired: Desired, stream: Streams) -> None:
    """While 44 -> 42 goes on, one sentinel still speaks of 41."""
    once = told(desired, stream("stopped"))
    events = stream("requested")
    middle = next(at for at, event in enumerate(events) if event.channel == "+promoted-slave")
    stray = [
        parse("redis_slave01", events[middle].at, "+odown", "master redis-cluster 192.168.37.41 6379 #quorum 2/2"),
        parse("redis_slave01", events[middle].at, "+switch-master", switch(41, 42)),
    ]
    history = told(desired, [*events[: middle + 1], *stray, *events[middle + 1 :]], once)
    assert [(each.from_host[-2:], each.to_host[-2:], each.result) for each in history] == [
        ("01", "03", "Succeeded"),
        ("03", "01", "Succeeded"),
    ]


def twice_at(stream: Streams) -> float:
    return stream("requested")[-1].at + 5


def switch(old: int, new: int) -> str:
    return f"redis-cluster 192.168.37.{old} 6379 192.168.37.{new} 6379"


def at(seconds: float, channel: str, payload: str = "master redis-cluster 192.168.37.41 6379") -> SentinelEvent:
    return parse("redis_slave01", 1_800_000_000 + seconds, channel, payload)


def test_a_suspicion_is_not_shown_and_goes_when_the_master_answers(desired: Desired) -> None:
    suspected = told(desired, [at(0, "+sdown"), at(1, "+odown")])
    assert len(suspected) == 1
    assert shown(suspected) == ()
    assert told(desired, [at(2, "-odown"), at(2, "-sdown")], suspected) == ()


def test_a_forgotten_suspicion_does_not_make_a_request_a_failure(desired: Desired) -> None:
    events = [at(0, "+sdown"), at(3600, "+try-failover"), at(3601, "+switch-master", switch(41, 42))]
    (entry,) = told(desired, events)
    assert (entry.cause, entry.at) == ("Requested", "2027-01-15T09:00:00.000Z")


def test_attempts_that_fail_alike_are_one_entry(desired: Desired) -> None:
    history = told(desired, [at(0, "+sdown"), at(0, "+odown")])
    for start in range(0, 400, 20):
        tried = [
            at(start, "+new-epoch", str(start)),
            at(start, "+try-failover"),
            at(start + 0.1, "+vote-for-leader", f"{'a' * 40} {start + 1}"),
            at(start + 0.2, "+elected-leader"),
            at(start + 0.3, "-failover-abort-no-good-slave"),
        ]
        history = told(desired, tried, history)
    (entry,) = history
    assert (entry.result, entry.cause, entry.config_epoch) == ("Aborted", "Failure", 381)
    assert entry.at == "2027-01-15T08:00:00.000Z"
    assert entry.message == f"{NO_GOOD_SLAVE}; tried again at 2027-01-15T08:06:20.300Z. {NO_GOOD_SLAVE_HINT}"


IN_VAIN = ("+sdown", "+odown", "+try-failover", "-failover-abort-not-elected")


@pytest.mark.parametrize(
    ("between", "cause", "detected"),
    [
        ([], "Failure", "2027-01-15T08:00:00.000Z"),
        (["-sdown"], "Requested", ""),
        (["-sdown", "-sdown"], "Requested", ""),
        (["-sdown", "+sdown", "+odown"], "Failure", "2027-01-15T08:00:10.000Z"),
        (["-sdown", "+sdown", "+odown", "-failover-abort-not-elected"], "Failure", "2027-01-15T08:00:00.000Z"),
    ],
    ids=["still down", "back", "back, told twice", "down again", "down again, in vain again"],
)
def test_an_attempt_after_the_master_was_back_is_another_one(
    desired: Desired, between: list[str], cause: str, detected: str
) -> None:
    history = told(desired, [at(0, channel) for channel in IN_VAIN] + [at(10, channel) for channel in between])
    *_, entry = told(desired, [at(20, "+try-failover"), at(21, "+elected-leader")], history)
    assert (entry.cause, entry.detected) == (cause, detected)


@pytest.mark.parametrize(
    "other",
    [
        parse("redis_slave03", 1_800_000_010, "-sdown", "master redis-cluster 192.168.37.41 6379"),
        parse("redis_slave01", 1_800_000_010, "-sdown", "master redis-cluster 192.168.37.42 6379"),
    ],
    ids=["another sentinel", "another master"],
)
def test_the_master_is_back_for_the_sentinel_that_says_so(desired: Desired, other: SentinelEvent) -> None:
    *_, entry = told(desired, [*(at(0, channel) for channel in IN_VAIN), other, at(20, "+try-failover")])
    assert entry.cause == "Failure"


def test_a_loser_of_the_election_does_not_abort_the_winner(desired: Desired) -> None:
    (entry,) = told(
        desired,
        [at(0, "+odown"), at(0, "+try-failover"), at(1, "+elected-leader"), at(10, "-failover-abort-not-elected")],
    )
    assert entry.result == ""


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        (
            "-failover-abort-not-elected",
            "no sentinel got the votes of a majority (-failover-abort-not-elected). Too few sentinels work or reach "
            "each other. Start those that are down, and look for ghosts: SENTINEL SENTINELS must list the declared "
            "ones and no others.",
        ),
        (
            "-failover-abort-slave-timeout",
            "the chosen replica did not become master (-failover-abort-slave-timeout). It hangs, or refuses SLAVEOF or "
            "CONFIG REWRITE. Look at its log, whether its redis.conf can be written, and whether rename-command hides "
            "CONFIG.",
        ),
        ("-failover-abort-no-good-slave", f"{NO_GOOD_SLAVE}. {NO_GOOD_SLAVE_HINT}"),
    ],
)
def test_why_an_attempt_was_given_up(desired: Desired, channel: str, message: str) -> None:
    (entry,) = told(desired, [at(0, "+odown"), at(0, "+try-failover"), at(1, channel)])
    assert (entry.result, entry.message) == ("Aborted", message)


def test_replicas_that_did_not_follow_in_time(desired: Desired, stream: Streams) -> None:
    once = told(desired, stream("stopped"))
    end = parse(
        "redis_slave03",
        stream("stopped")[-1].at,
        "+failover-end-for-timeout",
        "master redis-cluster 192.168.37.41 6379",
    )
    (entry,) = told(desired, [end], once)
    assert entry.message == "not every replica was pointed to the new master within failover-timeout"


def test_masters_of_others_are_not_ours(desired: Desired) -> None:
    events = [
        at(0, "+odown", "master other 192.168.37.41 6379 #quorum 2/2"),
        at(1, "+switch-master", "other 192.168.37.41 6379 192.168.37.42 6379"),
    ]
    assert told(desired, events) == ()


def test_an_address_that_nobody_declared_stands_for_itself(desired: Desired) -> None:
    (entry,) = told(desired, [at(0, "+switch-master", switch(99, 41))])
    assert (entry.from_host, entry.to_host) == ("192.168.37.99", "redis_master01")


def test_the_last_ten_are_kept(desired: Desired) -> None:
    addresses = [41, 42, 43, 44]
    events = [at(200 * n, "+switch-master", switch(addresses[n % 4], addresses[(n + 1) % 4])) for n in range(14)]
    history = told(desired, events)
    assert len(history) == 10
    assert history[-1].switched == "2027-01-15T08:43:20.000Z"


def test_published_is_told_once_and_brings_the_epoch(desired: Desired, stream: Streams) -> None:
    history = told(desired, stream("stopped"))
    confirmed = Confirmed("redis_slave03", "192.168.37.44", 6379, 1)
    once = published(history, confirmed, "2026-11-25T14:56:43.450Z")
    assert once == (replace(history[0], published="2026-11-25T14:56:43.450Z"),)
    assert published(once, confirmed, "2026-11-25T14:57:00.000Z") is once


def test_published_before_the_switch_was_told(desired: Desired, stream: Streams) -> None:
    events = stream("stopped")
    before = [event for event in events if event.at < when(events, "+switch-master")]
    confirmed = Confirmed("redis_slave03", "192.168.37.44", 6379, 1)
    history = published(told(desired, before), confirmed, "2026-11-25T14:56:43.440Z")
    (entry,) = told(desired, events[len(before) :], history)
    assert (entry.published, entry.switched) == ("2026-11-25T14:56:43.440Z", "2026-11-25T14:56:43.436Z")


def test_another_master_is_not_what_was_published(desired: Desired, stream: Streams) -> None:
    history = told(desired, stream("stopped"))
    assert published(history, Confirmed("redis_slave01", "192.168.37.42", 6379, 1), "x") is history
    assert published((), Confirmed("redis_slave01", "192.168.37.42", 6379, 1), "x") == ()


CHANNELS = [
    "+sdown",
    "-sdown",
    "+odown",
    "-odown",
    "+try-failover",
    "+new-epoch",
    "+vote-for-leader",
    "+elected-leader",
    "+promoted-slave",
    "+switch-master",
    "+failover-end-for-timeout",
    "-failover-abort-not-elected",
    "-failover-abort-no-good-slave",
]
PAYLOADS = [
    "master redis-cluster 192.168.37.41 6379",
    "master redis-cluster 192.168.37.42 6379",
    "slave 192.168.37.42:6379 192.168.37.42 6379 @ redis-cluster 192.168.37.41 6379",
    switch(41, 42),
    switch(42, 41),
    f"{'a' * 40} 7",
    "8",
]


@settings(max_examples=tried(60))
@given(st.lists(st.tuples(st.floats(0, 4000), st.sampled_from(CHANNELS), st.sampled_from(PAYLOADS)), max_size=40))
def test_whatever_is_said_the_record_stays_in_shape(said: list[tuple[float, str, str]]) -> None:
    desired = Desired(
        ref=None,  # type: ignore[arg-type]
        generation=1,
        master_name="redis-cluster",
        management="Full",
        hosts=(),
        initial_master="",
        sentinel=None,  # type: ignore[arg-type]
    )
    history: History = ()
    for seconds, channel, payload in said:
        history = record(history, at(seconds, channel, payload), desired)
        assert len(history) <= 10
        assert all(each.result for each in history[:-1])
        for each in shown(history):
            assert each.cause in ("Failure", "Requested") and each.result in ("", "Succeeded", "Aborted")
            assert bool(each.switched) == (each.result == "Succeeded")
            assert each.at and each.from_host
