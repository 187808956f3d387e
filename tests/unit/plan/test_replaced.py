"""A fresh machine at the address of a former one: when it may take its place, and as whom its sentinel comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from redis_sentinel_operator.conf import sentinel_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known, SentinelFacts, Unknown
from redis_sentinel_operator.model.step import Plan, StartUnit, TakeClaim, WriteSentinelConf
from unit.plan.scaling import ALL, ID, changed, knowing, planned, scaled, serving
from unit.plan.world import (
    ADDRESS,
    NAME,
    S1,
    S2,
    S3,
    M,
    bare,
    claimed,
    desired,
    installed,
    sentinel_file,
    stopped_sentinel,
    with_file,
)

GONE = serving(down=[S3])
FRESH = changed(GONE, bare(S3))
READY = changed(GONE, installed(claimed(bare(S3))))  # as far as its package


def file_of(todo: Plan, name: str = S3) -> sentinel_conf.SentinelConf | None:
    """The sentinel.conf that a plan writes on a host, None where it writes none."""
    found = [each.action for each in todo.steps if each.host == name and isinstance(each.action, WriteSentinelConf)]
    return sentinel_conf.parse(found[0].text.reveal()) if found else None


def test_one_that_nobody_hears_any_more_is_claimed_as_it_is() -> None:
    assert [step.host for step in planned(desired(), FRESH).steps if isinstance(step.action, TakeClaim)] == [S3]


@pytest.mark.parametrize(
    ("read", "heard"),
    [
        (serving(), f"the sentinel on {S1} still hears the sentinel of {S3}"),
        (
            changed(serving(down=[S3]), knowing(GONE.hosts[S1], ALL)),
            f"the sentinel on {S1} still hears the sentinel of {S3}",
        ),
        (
            changed(serving(), *(knowing(serving().hosts[name], down=[S3]) for name in (S1, S2))),
            f"the master still counts {S3} among its replicas",
        ),
    ],
)
def test_as_long_as_the_former_one_answers_nothing_is_set_up_in_its_place(read: ClusterFacts, heard: str) -> None:
    todo = planned(desired(), changed(read, bare(S3)))
    assert [step for step in todo.steps if step.host == S3] == []
    assert todo.waiting[0] == (
        f"no server runs on {S3}, but {heard}: as long as the former machine answers at {ADDRESS[S3]} nothing is set "
        "up in its place. Stop that one; if it is gone already, this takes a minute"
    )


def test_neither_does_a_host_join_where_another_answers() -> None:
    todo = planned(scaled("Joining"), changed(serving(), bare(S3)), [S3])
    assert [step for step in todo.steps if step.host == S3] == []
    assert f"{S3} joins the cluster: the sentinel on {S1} still hears the sentinel of {S3}" in todo.waiting


def test_a_host_whose_own_servers_run_is_heard_of_course_and_may_be_adopted() -> None:
    whole = serving()
    todo = planned(desired(), changed(whole, replace(whole.hosts[S3], claim=Known(None))))
    assert [step.host for step in todo.steps if isinstance(step.action, TakeClaim)] == [S3]


def test_its_sentinel_comes_as_the_former_one_and_votes_in_no_epoch_that_any_has_heard_of() -> None:
    texts = {S1: "sentinel current-epoch 7\nsentinel leader-epoch NAME 6\n", S2: "sentinel leader-epoch NAME 9\n"}
    hosts = [
        with_file(GONE.hosts[name], EL7.sentinel_conf, sentinel_file(M, 4) + text.replace("NAME", NAME))
        for name, text in texts.items()
    ]
    hosts = [knowing(host, down=[S3], config_epoch=4) for host in hosts]
    todo = planned(desired(), changed(READY, *hosts))
    conf = file_of(todo)
    assert conf is not None
    assert conf.my_id == ID[S3]
    assert (conf.config_epoch(NAME), conf.highest_epoch) == (4, 9)
    assert conf.setting(NAME, "leader-epoch") == "9"
    assert conf.masters[NAME].address == ADDRESS[M]
    assert conf.astray == ()
    assert any(isinstance(step.action, StartUnit) and "sentinel" in step.action.unit for step in todo.steps)
    said = next(step.why for step in todo.steps if isinstance(step.action, WriteSentinelConf))
    assert said == f"it takes the place of the one that the others know there as {ID[S3][:8]}, up to epoch 9"


def test_one_that_joins_where_a_former_host_is_remembered_comes_as_that_one() -> None:
    conf = file_of(planned(scaled("Joining"), READY, [S3]))
    assert conf is not None
    assert conf.my_id == ID[S3]
    assert file_of(planned(scaled("Joining"), changed(serving(known=[S1, S2]), READY.hosts[S3]), [S3])).my_id == ""  # type: ignore[union-attr]


def test_what_was_written_is_started_as_it_is_by_whoever_comes_next() -> None:
    conf = file_of(planned(desired(), READY))
    assert conf is not None
    written = with_file(READY.hosts[S3], EL7.sentinel_conf, "\n".join(conf.raws))
    todo = planned(desired(), changed(READY, written))
    assert file_of(todo) is None
    assert any(isinstance(step.action, StartUnit) and "sentinel" in step.action.unit for step in todo.steps)


Spoil = Callable[[HostFacts], HostFacts]


def with_id(id_: str) -> Spoil:
    """Another id of the sentinel that runs there."""

    def change(host: HostFacts) -> HostFacts:
        assert isinstance(host.sentinel, Known)
        assert isinstance(host.sentinel.value, SentinelFacts)
        return replace(host, sentinel=Known(replace(host.sentinel.value, my_id=id_)))

    return change


def knows_as(id_: str, flags: str = "s_down") -> Spoil:
    """Another id or other flags of the peer at the address of S3."""

    def change(host: HostFacts) -> HostFacts:
        assert isinstance(host.sentinel, Known)
        assert isinstance(host.sentinel.value, SentinelFacts)
        view = host.sentinel.value.view
        assert view is not None
        peers = tuple(
            replace(each, id=id_, flags=frozenset({flags})) if each.address == ADDRESS[S3] else each
            for each in view.peers
        )
        return replace(host, sentinel=Known(replace(host.sentinel.value, view=replace(view, peers=peers))))

    return change


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (knows_as("f" * 40), f"the others remember several sentinels there: {ID[S3][:8]} ({S1}), {'f' * 8} ({S2})"),
        (knows_as(ID[S3], "sentinel"), f"no sentinel runs on {S3}, but the one on {S2} still hears it"),
        (with_id(ID[S3]), f"the others know the sentinel of {S2} there as well (id {ID[S3][:8]})"),
        (lambda host: replace(host, sentinel=Unknown("no answer")), f"is set up anew when {S2} was read"),
        (lambda host: with_file(host, EL7.sentinel_conf, None), f"is set up anew when {S2} was read"),
    ],
)
def test_in_doubt_no_sentinel_is_set_up(spoil: Spoil, said: str) -> None:
    todo = planned(desired(), changed(READY, spoil(READY.hosts[S2])))
    assert file_of(todo) is None
    assert not any(isinstance(step.action, StartUnit) and "sentinel" in step.action.unit for step in todo.steps)
    assert any(said in sentence for sentence in todo.waiting), todo.waiting


def test_two_that_were_replaced_at_once_do_not_wait_for_each_other() -> None:
    two = changed(serving(down=[S2, S3]), *(installed(claimed(bare(name))) for name in (S2, S3)))
    todo = planned(desired(), two)
    found = [file_of(todo, name) for name in (S2, S3)]
    assert [conf.my_id for conf in found if conf] == [ID[S2], ID[S3]]
    earlier = changed(two, claimed(bare(S2)))  # not even its package is there
    assert file_of(planned(desired(), earlier)) is not None


def test_one_that_is_only_stopped_says_all_it_knew_before() -> None:
    whole = changed(READY, stopped_sentinel(with_file(READY.hosts[S2], EL7.sentinel_conf, sentinel_file(M, 1))))
    assert file_of(planned(desired(), whole)) is not None
