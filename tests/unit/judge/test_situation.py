"""Which life a cluster is in: one case a rule, with its sentence where a person reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator.judge.situation import situation
from redis_sentinel_operator.model.fact import ClusterFacts, Denied, HostFacts, Known, OsFacts
from redis_sentinel_operator.model.verdict import BootstrapRecord, MasterRecord, Situation
from unit.judge.clusters import (
    ADDRESS,
    AWAY,
    LAST,
    NAME,
    OWNER,
    S1,
    S2,
    S3,
    M,
    alive,
    bare,
    desired,
    facts,
    knows_only,
    master,
    owned,
    replica,
    running,
    sentinel,
    unreachable,
    with_conf,
    with_data,
    with_process,
)

WHOLE = desired()
BEGUN = BootstrapRecord("b1", M, "2026-01-31T12:00:00Z")
DONE = replace(BEGUN, completed_at="2026-01-31T12:01:00Z")
SHIPPED = "bind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 6379 2\n"


def of(read: ClusterFacts, bootstrap: BootstrapRecord | None = None, last: MasterRecord | None = None) -> Situation:
    return situation(WHOLE, read, OWNER, bootstrap, last).situation


def stopped(name: str) -> HostFacts:
    return replace(alive(name), redis=Known(None), sentinel=Known(None), processes=Known(()))


def test_one_that_joins_is_no_reason_not_to_start_what_is_stopped() -> None:
    hosts = tuple(replace(host, state="Joining") if host.name == S3 else host for host in WHOLE.hosts)
    read = facts(unreachable(S3), of=stopped)
    assert of(read, DONE, LAST) is Situation.UNREADABLE
    assert situation(replace(WHOLE, hosts=hosts), read, OWNER, DONE, LAST).situation is Situation.STOPPED


def test_nothing_anywhere_is_bare() -> None:
    assert of(facts()) is Situation.BARE


def test_the_packages_own_files_are_no_state() -> None:
    shipped = [
        with_conf(bare(name), "bind 127.0.0.1\nport 6379\n", SHIPPED + "sentinel myid " + "a" * 40) for name in ADDRESS
    ]
    assert of(facts(*shipped)) is Situation.BARE


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (with_data(bare(S2)), "data in /var/lib/redis/dump.rdb"),
        (with_process(bare(S2)), "a running redis-server (pid 4711)"),
        (replace(bare(S2), redis=master()), "a redis that answers"),
        (replace(bare(S2), redis=Known(Denied("NOAUTH"))), "a redis that answers"),
        (replace(bare(S2), sentinel=Known(Denied("DENIED"))), "a sentinel that answers"),
        (with_conf(bare(S2), "SLAVEOF 10.0.0.1 6379\n"), "slaveof 10.0.0.1 6379"),
        (with_conf(bare(S2), "replicaof 10.0.0.1 6379\n"), "slaveof 10.0.0.1 6379"),
        (
            with_conf(bare(S2), None, SHIPPED + "sentinel known-slave mymaster 127.0.0.1 6380\n"),
            "sentinel state of mymaster",
        ),
        (with_conf(bare(S2), None, SHIPPED + "sentinel config-epoch mymaster 1\n"), "sentinel state"),
    ],
)
def test_any_trace_of_others_is_foreign(host: HostFacts, said: str) -> None:
    found = situation(WHOLE, facts(host), OWNER, None, None)
    assert (found.situation, found.reason) == (Situation.FOREIGN, "ForeignData")
    assert found.message == (
        f"This resource did not make what is on redis_slave02: {said}. Nothing is changed on any host. If it is to be "
        "taken over, start its sentinels with master name redis-cluster; if it may go, remove it from the host."
    )


def test_one_unread_host_is_not_bare() -> None:
    found = situation(WHOLE, facts(unreachable(S3)), OWNER, None, None)
    assert found.situation is Situation.UNREADABLE
    assert found.message == "What the cluster is cannot be told. redis_slave03: no route to host."


@pytest.mark.parametrize("fact", ["files", "data", "processes", "claim", "redis", "sentinel"])
def test_one_unread_fact_is_not_bare(fact: str) -> None:
    assert of(facts(replace(bare(S1), **{fact: AWAY}))) is Situation.UNREADABLE


def test_a_host_without_facts_is_unread() -> None:
    assert of(ClusterFacts({name: bare(name) for name in (M, S1, S2)}, 0.0)) is Situation.UNREADABLE


def test_a_system_that_is_not_supported_is_not_bare() -> None:
    assert of(facts(replace(bare(S1), os=Known(OsFacts("debian", "12"))))) is Situation.UNREADABLE


def test_a_sentinel_that_knows_our_name_is_alive_whatever_else_is_unread() -> None:
    assert of(running()) is Situation.ALIVE
    assert of(facts(alive(S1), unreachable(M), unreachable(S2), unreachable(S3))) is Situation.ALIVE


def test_one_sentinel_is_enough_although_no_redis_can_be_asked() -> None:
    alone = replace(bare(S1), sentinel=sentinel(M), redis=AWAY)
    assert of(facts(alone, unreachable(M), unreachable(S2), unreachable(S3))) is Situation.ALIVE


def test_a_redis_answers_in_an_adopted_cluster_without_sentinels() -> None:
    hosts = [replace(alive(name), sentinel=Known(None)) for name in ADDRESS]
    assert of(facts(*hosts)) is Situation.ALIVE


def test_a_redis_answers_and_only_a_stopped_sentinels_file_names_it() -> None:
    """The hand-made cluster whose sentinels do not start: its own files say what it is."""
    files = with_conf(bare(S1), None, f"sentinel monitor {NAME} {ADDRESS[M]} 6379 2\nsentinel auth-pass wrong x\n")
    assert of(facts(files, replace(bare(M), redis=master()))) is Situation.ALIVE


def test_a_redis_answers_and_nobody_knows_it() -> None:
    assert of(facts(replace(bare(M), redis=master()), replace(bare(S1), redis=replica()))) is Situation.FOREIGN


def test_sentinels_of_another_name_are_named() -> None:
    other = "sentinel monitor other 192.168.3.41 6379 2\n"
    hosts = [replace(with_conf(alive(name), None, other), sentinel=knows_only("other")) for name in (S1, S2, S3)]
    found = situation(WHOLE, facts(*hosts, alive(M)), OWNER, None, None)
    assert (found.situation, found.reason) == (Situation.FOREIGN, "MasterNameDiffers")
    assert found.message == (
        "The hosts run a cluster of another name: other instead of redis-cluster. Nothing is touched. Create the "
        "resource anew with spec.masterName: other."
    )


def test_the_shipped_sentinel_started_by_hand_is_no_other_name() -> None:
    """Our redis runs, our sentinels are down but one that somebody started with the package's file."""
    odd = replace(with_conf(alive(S1), None, SHIPPED), sentinel=knows_only("mymaster"))
    rest = [replace(alive(name), sentinel=Known(None)) for name in (M, S2, S3)]
    assert of(facts(odd, *rest), DONE, LAST) is Situation.ALIVE


def test_all_stopped_with_our_claim() -> None:
    assert of(facts(of=stopped), DONE, LAST) is Situation.STOPPED
    assert of(facts(of=stopped)) is Situation.STOPPED


def test_all_stopped_without_a_claim_but_with_our_name_in_the_sentinels_files() -> None:
    hosts = [replace(stopped(name), claim=Known(None)) for name in ADDRESS]
    assert of(facts(*hosts)) is Situation.STOPPED


def test_stopped_data_of_nobody_is_foreign() -> None:
    stranger = with_data(bare(S3))
    ours = [stopped(name) for name in (M, S1, S2)]
    assert of(facts(stranger, *ours), DONE, LAST) is Situation.FOREIGN


def test_stopped_data_of_another_owner_is_foreign() -> None:
    assert of(facts(*(owned(stopped(name), owner="other/ns/x") for name in ADDRESS))) is Situation.FOREIGN


def test_one_process_left_is_not_stopped() -> None:
    assert of(facts(with_process(stopped(S1)), of=stopped), DONE, LAST) is Situation.ALIVE


def test_a_half_written_set_up_whose_record_was_lost_is_bare() -> None:
    """Our claim and our `slaveof`, but no data and no sentinel anywhere: nothing can be lost."""
    hosts = [with_conf(owned(bare(name)), "slaveof 192.168.3.41 6379\n", SHIPPED) for name in (S1, S2, S3)]
    assert of(facts(*hosts)) is Situation.BARE


def test_our_own_set_up_is_resumed() -> None:
    begun = replace(owned(with_data(with_process(bare(M)))), redis=master())
    assert of(facts(begun, owned(bare(S1))), BEGUN) is Situation.BOOTSTRAPPING
    assert of(facts(), BEGUN) is Situation.BOOTSTRAPPING


def test_a_set_up_does_not_take_what_bears_another_mark() -> None:
    assert of(facts(with_process(owned(bare(S1), "b0"))), BEGUN) is Situation.FOREIGN
    assert of(facts(with_data(bare(S1))), BEGUN) is Situation.FOREIGN


def test_a_set_up_waits_for_an_unread_host() -> None:
    assert of(facts(unreachable(S1)), BEGUN) is Situation.UNREADABLE


def test_a_set_up_in_which_the_sentinels_switched_is_alive() -> None:
    hosts = [replace(owned(alive(name)), sentinel=sentinel(S1, 1)) for name in (S1, S2, S3)]
    assert of(facts(*hosts, owned(stopped(M))), BEGUN) is Situation.ALIVE


def test_a_finished_set_up_is_alive() -> None:
    assert of(running(), DONE, LAST) is Situation.ALIVE


# -- a set-up that was cut off, and status.bootstrap is lost: its claims tell


def marked(host: HostFacts) -> HostFacts:
    return owned(host, first=ADDRESS[M])


def half_made() -> dict[str, HostFacts]:
    """The first master and two replicas are up, one sentinel already monitors it; redis_slave03 is only claimed."""
    made = {name: marked(replace(alive(name), sentinel=Known(None))) for name in (M, S1, S2)}
    made[S1] = marked(alive(S1))
    made[S2] = with_conf(made[S2], f"slaveof {ADDRESS[M]} 6379\n", SHIPPED)
    return made | {S3: marked(with_conf(bare(S3), "bind 127.0.0.1\n", SHIPPED))}


def test_a_set_up_whose_record_was_lost_goes_on_by_its_claims() -> None:
    found = situation(WHOLE, facts(*half_made().values()), OWNER, None, None)
    assert found.situation is Situation.BOOTSTRAPPING
    assert found.resumes == BootstrapRecord("b1", M, "")


def test_so_it_does_where_all_of_it_is_stopped_before_a_sentinel_was_told() -> None:
    begun = marked(with_data(with_conf(bare(M), "bind 0.0.0.0\n", SHIPPED)))
    assert situation(WHOLE, facts(begun, *(marked(bare(name)) for name in (S1, S2, S3))), OWNER, None, None).resumes


@pytest.mark.parametrize(
    "changed",
    [
        lambda made: {S2: marked(alive(S2))},  # a majority of the sentinels knows the name: they decide
        lambda made: {S1: replace(made[S1], sentinel=sentinel(S2, 1))},  # and one that was told of another master
        lambda made: {
            M: replace(made[M], redis=Known(None), processes=Known(()))
        },  # what a sentinel calls master is down
        lambda made: {M: with_conf(made[M], f"slaveof {ADDRESS[S1]} 6379\n", SHIPPED)},  # the first is a replica now
        lambda made: {S2: with_conf(made[S2], f"slaveof {ADDRESS[S3]} 6379\n", SHIPPED)},  # another one has a replica
        lambda made: {S3: owned(made[S3], first=ADDRESS[S2])},  # the marks tell of two first masters
        lambda made: {S3: with_data(owned(bare(S3), "b0"))},  # data under another mark
        lambda made: {S3: unreachable(S3)},
        lambda made: {name: owned(made[name], first="10.9.9.9") for name in made},  # a master that is not declared
        lambda made: {name: owned(made[name]) for name in made},  # a claim of an adopted cluster
    ],
)
def test_it_does_not_go_on_where_a_failover_may_have_been(changed: Callable[[dict[str, HostFacts]], object]) -> None:
    made = half_made()
    made |= changed(made)  # type: ignore[arg-type]
    assert situation(WHOLE, facts(*made.values()), OWNER, None, None).resumes is None


def test_a_recorded_master_is_word_enough() -> None:
    assert situation(WHOLE, facts(*half_made().values()), OWNER, None, LAST).resumes is None


HOSTS = [bare, alive, stopped, unreachable, lambda name: with_data(bare(name)), lambda name: with_process(bare(name))]


@given(st.lists(st.sampled_from(HOSTS), min_size=4, max_size=4), st.sampled_from([None, BEGUN, DONE]))
def test_bare_never_with_a_trace_or_an_unread_host(kinds: list[object], bootstrap: BootstrapRecord | None) -> None:
    hosts = [kind(name) for kind, name in zip(kinds, ADDRESS, strict=True)]  # type: ignore[operator]
    found = situation(WHOLE, facts(*hosts), OWNER, bootstrap, None)
    assert found.message
    if found.situation is Situation.BARE:
        assert set(kinds) == {bare}
    if found.situation is Situation.STOPPED:
        assert unreachable not in kinds
        assert alive not in kinds
