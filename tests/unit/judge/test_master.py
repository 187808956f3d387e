"""Who is master: the cases that were measured on real failovers, and properties over any mix of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from redis_sentinel_operator.judge.master import candidate, mastership
from redis_sentinel_operator.model.fact import Denied, Known, RedisFacts, SentinelFacts, Unknown
from redis_sentinel_operator.model.verdict import Confirmed, MasterRecord, Mastership, Uncertain
from unit.judge.clusters import (
    ADDRESS,
    AWAY,
    LAST,
    S1,
    S2,
    S3,
    M,
    RedisFact,
    SentinelFact,
    desired,
    knows_only,
    master,
    replica,
    sentinel,
)

WHOLE = desired()
OLD_IS_MASTER: Mapping[str, RedisFact] = {M: master(), S1: replica(), S2: replica(), S3: replica()}
NEW_IS_MASTER: Mapping[str, RedisFact] = {M: Known(None), S1: master(), S2: replica(S1), S3: replica(S1)}


def judged(
    sentinels: Mapping[str, SentinelFact], redis: Mapping[str, RedisFact], last: MasterRecord | None = LAST
) -> Mastership:
    return mastership(WHOLE, sentinels, redis, last)


def reason(found: Mastership) -> str:
    assert isinstance(found, Uncertain), found
    return found.reason


def test_all_sentinels_agree_and_role_says_master() -> None:
    found = judged({S1: sentinel(M), S2: sentinel(M), S3: sentinel(M)}, OLD_IS_MASTER, None)
    assert found == Confirmed(M, ADDRESS[M], 6379, 0)


def test_two_of_three_are_a_majority() -> None:
    votes = {S1: sentinel(M), S2: sentinel(M), S3: AWAY}
    assert judged(votes, OLD_IS_MASTER) == Confirmed(M, ADDRESS[M], 6379, 0)


def test_a_majority_is_of_the_declared_sentinels_not_of_those_that_answer() -> None:
    found = judged({S1: sentinel(M), S2: AWAY, S3: Known(None)}, OLD_IS_MASTER)
    assert found == Uncertain(
        "SentinelsUnreachable",
        "Who is master is not known: 1 of 3 declared sentinels answer for redis-cluster, a majority is 2 "
        "(redis_slave02: no answer within 3 s; redis_slave03: no sentinel runs there). The last confirmed master stays "
        "published and nothing is changed. Check the hosts and their sentinels.",
    )


def test_a_sentinel_that_is_not_declared_has_no_vote() -> None:
    assert reason(judged({M: sentinel(M), S1: sentinel(M)}, OLD_IS_MASTER)) == "SentinelsUnreachable"


def test_the_leader_between_two_masters_votes_for_the_new_one() -> None:
    """Its SENTINEL MASTER shows the old address with the new epoch, GET-MASTER-ADDR already the new address."""
    leader = sentinel(S1, 1, "o_down", "failover_in_progress", told=M)
    votes = {S1: leader, S2: sentinel(S1, 1), S3: sentinel(M, 0, "s_down")}
    assert judged(votes, NEW_IS_MASTER) == Confirmed(S1, ADDRESS[S1], 6379, 1)
    assert candidate(WHOLE, votes) == S1


def test_observers_at_the_lower_epoch_do_not_confirm_the_old_master() -> None:
    """The leader has promoted, the two observers are a majority for the old master, but at a lower epoch."""
    leader = sentinel(S1, 1, "failover_in_progress", told=M)
    votes = {S1: leader, S2: sentinel(M), S3: sentinel(M)}
    found = judged(votes, OLD_IS_MASTER)
    assert found == Uncertain(
        "SwitchGoingOn",
        "A switch to 192.168.3.42:6379 goes on: 1 of 3 declared sentinels name it at config epoch 1, a majority is 2. "
        "The operator waits for the sentinels.",
        ADDRESS[S1],
    )
    assert candidate(WHOLE, votes) is None


def test_one_epoch_with_two_addresses_is_uncertain() -> None:
    """Three sentinels that are asked to fail over at once all use the same epoch."""
    votes = {S1: sentinel(S1, 3), S2: sentinel(M, 3), S3: sentinel(M, 3)}
    assert reason(judged(votes, OLD_IS_MASTER)) == "SentinelsDisagree"


def test_a_voter_in_tilt_does_not_count() -> None:
    votes = {S1: sentinel(M, tilt=True), S2: sentinel(M), S3: AWAY}
    assert reason(judged(votes, OLD_IS_MASTER)) == "SentinelTilt"
    assert isinstance(judged(votes | {S3: sentinel(M)}, OLD_IS_MASTER), Confirmed)


def test_role_has_the_last_word() -> None:
    votes = {S1: sentinel(S1, 1), S2: sentinel(S1, 1), S3: sentinel(S1, 1)}
    assert reason(judged(votes, {S1: replica()})) == "RoleDisagrees"
    assert reason(judged(votes, {S1: Known(None)})) == "MasterStopped"
    assert reason(judged(votes, {S1: AWAY})) == "MasterUnreadable"
    assert reason(judged(votes, {S1: Known(Denied("NOAUTH Authentication required."))})) == "PasswordWrong"
    assert reason(judged(votes, {})) == "MasterUnreadable"


def test_an_address_of_no_declared_redis_is_named() -> None:
    found = judged({S1: sentinel("10.9.9.9", 1), S2: sentinel("10.9.9.9", 1), S3: AWAY}, OLD_IS_MASTER)
    assert reason(found) == "UnknownMaster"
    assert isinstance(found, Uncertain)
    assert found.address == "10.9.9.9"
    assert found.message.startswith("The sentinels name 10.9.9.9:6379 as master at config epoch 1")


def test_another_redis_on_a_declared_host_is_no_declared_redis() -> None:
    odd = sentinel(M)
    assert isinstance(odd.value, SentinelFacts)
    assert odd.value.view is not None
    votes: SentinelFact = Known(replace(odd.value, view=replace(odd.value.view, port=6380)))
    assert reason(judged({S1: votes, S2: votes, S3: votes}, OLD_IS_MASTER)) == "UnknownMaster"


def test_sentinels_that_know_another_name_are_named() -> None:
    found = judged({S1: knows_only("mymaster"), S2: knows_only("mymaster"), S3: AWAY}, OLD_IS_MASTER)
    assert reason(found) == "MasterNameUnknown"


AT_FIVE = replace(LAST, host=S1, address=ADDRESS[S1], config_epoch=5)


def test_a_lower_epoch_is_believed_when_all_agree_and_nobody_else_is_master() -> None:
    """SENTINEL REMOVE and MONITOR on all sentinels: config epoch 0 is the truth."""
    votes = {S1: sentinel(M), S2: sentinel(M), S3: sentinel(M)}
    assert judged(votes, OLD_IS_MASTER, AT_FIVE) == Confirmed(M, ADDRESS[M], 6379, 0)


def test_a_lower_epoch_is_not_believed_when_a_sentinel_is_away() -> None:
    votes = {S1: sentinel(M), S2: sentinel(M), S3: AWAY}
    assert reason(judged(votes, OLD_IS_MASTER, AT_FIVE)) == "OlderEpoch"


def test_a_lower_epoch_is_not_believed_in_a_transition() -> None:
    votes = {S1: sentinel(M), S2: sentinel(M), S3: sentinel(M, 0, "s_down")}
    assert reason(judged(votes, OLD_IS_MASTER, AT_FIVE)) == "OlderEpoch"


def test_a_lower_epoch_is_not_believed_while_another_is_or_may_be_master() -> None:
    votes = {S1: sentinel(M), S2: sentinel(M), S3: sentinel(M)}
    assert reason(judged(votes, {**OLD_IS_MASTER, S1: master()}, AT_FIVE)) == "OlderEpoch"
    assert reason(judged(votes, {**OLD_IS_MASTER, S1: AWAY}, AT_FIVE)) == "OlderEpoch"


def test_the_last_epoch_with_another_address_is_no_switch() -> None:
    votes = {S1: sentinel(M, 5), S2: sentinel(M, 5), S3: AWAY}
    assert reason(judged(votes, OLD_IS_MASTER, AT_FIVE)) == "OlderEpoch"


# ---- properties ------------------------------------------------------------------------------------------------------

ADDRESSES = st.sampled_from([*ADDRESS, "10.9.9.9"])
FLAGS = st.sampled_from(["s_down", "o_down", "failover_in_progress", "disconnected"])


@st.composite
def a_sentinel(draw: st.DrawFn) -> SentinelFact:
    kind = draw(st.sampled_from(["view", "view", "view", "view", "away", "stopped", "denied", "other"]))
    if kind == "view":
        flags = draw(st.sets(FLAGS))
        epoch, tilt = draw(st.integers(0, 3)), draw(st.booleans())
        return sentinel(draw(ADDRESSES), epoch, *flags, told=draw(ADDRESSES), tilt=tilt)
    others: dict[str, SentinelFact] = {
        "away": AWAY,
        "stopped": Known(None),
        "denied": Known(Denied("DENIED protected mode")),
        "other": knows_only("mymaster"),
    }
    return others[kind]


@st.composite
def sentinels_that_mostly_agree(draw: st.DrawFn) -> dict[str, SentinelFact]:
    """What three sentinels say of one master at one epoch, except for those that say something else."""
    host, epoch = draw(st.sampled_from([M, S1])), draw(st.integers(0, 3))
    stray = draw(st.sets(st.sampled_from([S1, S2, S3]), max_size=2))
    return {name: draw(a_sentinel()) if name in stray else sentinel(host, epoch) for name in (S1, S2, S3)}


REDIS = st.sampled_from([master(), replica(), replica(S1), AWAY, Known(None), Known(Denied("NOAUTH"))])
SENTINELS = st.dictionaries(st.sampled_from([*ADDRESS, "stranger"]), a_sentinel()) | sentinels_that_mostly_agree()
REDISES = st.dictionaries(st.sampled_from(list(ADDRESS)), REDIS) | st.fixed_dictionaries(
    {name: st.sampled_from([replica(), replica(), master()]) for name in ADDRESS}
)
RECORDS = st.none() | st.builds(
    MasterRecord,
    st.sampled_from([M, S1]),
    st.sampled_from(list(ADDRESS.values())),
    st.just(6379),
    st.integers(0, 3),
    st.just(""),
)


def views_of(sentinels: Mapping[str, SentinelFact]) -> dict[str, SentinelFacts]:
    return {
        name: fact.value
        for name, fact in sentinels.items()
        if name in (S1, S2, S3)
        and isinstance(fact, Known)
        and isinstance(fact.value, SentinelFacts)
        and fact.value.view
    }


@given(SENTINELS, REDISES, RECORDS)
def test_confirmed_needs_a_majority_at_the_highest_epoch_and_role(
    sentinels: dict[str, SentinelFact], redis: dict[str, RedisFact], last: MasterRecord | None
) -> None:
    found = mastership(WHOLE, sentinels, redis, last)
    if isinstance(found, Uncertain):
        assert found.reason
        assert found.message
        return
    seen = [facts.view for facts in views_of(sentinels).values() if facts.view]
    assert found.config_epoch == max(view.config_epoch for view in seen)
    at_highest = {view.address for view in seen if view.config_epoch == found.config_epoch}
    assert at_highest == {found.address}
    voters = [
        facts
        for facts in views_of(sentinels).values()
        if facts.view and facts.view.address == found.address and facts.view.config_epoch == found.config_epoch
    ]
    assert sum(not facts.tilt for facts in voters) >= 2
    role = redis[found.host]
    assert isinstance(role, Known)
    assert isinstance(role.value, RedisFacts)
    assert role.value.role == "master"
    assert ADDRESS[found.host] == found.address
    assert candidate(WHOLE, sentinels) == found.host


def falls(found: Mastership, last: MasterRecord | None) -> bool:
    """Whether somebody is confirmed who is not newer than the last one: a lower epoch, or the same for another."""
    if isinstance(found, Uncertain) or last is None:
        return False
    lower = found.config_epoch < last.config_epoch
    return lower or (found.config_epoch == last.config_epoch and found.address != last.address)


@given(SENTINELS, REDISES, RECORDS)
def test_an_older_epoch_needs_all_sentinels_calm_and_all_others_no_masters(
    sentinels: dict[str, SentinelFact], redis: dict[str, RedisFact], last: MasterRecord | None
) -> None:
    found = mastership(WHOLE, sentinels, redis, last)
    if not falls(found, last) or isinstance(found, Uncertain):
        return
    seen = views_of(sentinels)
    assert seen.keys() == {S1, S2, S3}
    for facts in seen.values():
        assert facts.view is not None
        assert (facts.view.address, facts.view.config_epoch) == (found.address, found.config_epoch)
        assert not facts.tilt
        assert not facts.view.flags & {"s_down", "o_down", "failover_in_progress"}
    for name in ADDRESS.keys() - {found.host}:
        other = redis[name]
        assert isinstance(other, Known)
        assert not isinstance(other.value, Denied)
        assert other.value is None or other.value.role == "slave"


@pytest.mark.parametrize("older", [True, False], ids=["lower-epoch", "same-epoch-other-address"])
def test_the_property_is_asked_of_epochs_that_fall(older: bool) -> None:
    """There are such answers among those that are tried; else the property would say nothing."""

    def asked(case: tuple[dict[str, SentinelFact], dict[str, RedisFact], MasterRecord | None]) -> bool:
        found, last = mastership(WHOLE, *case), case[2]
        return falls(found, last) and (found.config_epoch < last.config_epoch) is older  # type: ignore[union-attr]

    cases = st.tuples(sentinels_that_mostly_agree(), REDISES, RECORDS)
    find(cases, asked, settings=settings(max_examples=20_000, phases=[Phase.generate], derandomize=True, database=None))


@given(SENTINELS)
def test_without_a_single_role_nobody_is_confirmed(sentinels: dict[str, SentinelFact]) -> None:
    assert isinstance(mastership(WHOLE, sentinels, {}, None), Uncertain)
    assert isinstance(mastership(WHOLE, sentinels, dict.fromkeys(ADDRESS, Unknown("x")), None), Uncertain)
