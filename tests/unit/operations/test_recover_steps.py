"""Each step of a recovery: what it does next, and when it is through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf import sentinel_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    HostFacts,
    Unknown,
)
from redis_sentinel_operator.model.operation import Promote, StartStopped
from redis_sentinel_operator.model.step import EditConf, Impact, StartUnit, StopUnit
from redis_sentinel_operator.model.verdict import Confirmed, Situation
from redis_sentinel_operator.operations.move import Scene, Wish
from redis_sentinel_operator.operations.procedures import failed, next_move
from unit.operations.recovering import (
    DOWN,
    OF_S2,
    WISH,
    at,
    begun,
    dead,
    down,
    gone,
)
from unit.operations.scenes import NOON, both, facts, redis
from unit.plan.world import (
    ADDRESS,
    NAME,
    S1,
    S2,
    S3,
    M,
    sees,
    sentinel_file,
    stopped_sentinel,
    verdict,
    with_file,
)

# -- start


def test_the_master_is_started_where_all_is_as_it_was() -> None:
    now = next_move(at(), begun())
    (step,) = now.steps
    assert (step.host, step.what, step.impact) == (M, "start the last master (redis.service)", Impact.RESTART)
    assert step.action == StartStopped("redis.service", EL7.redis_log, ADDRESS[M], 1)
    assert now.record == begun()


def test_it_is_through_when_the_master_answers_as_one() -> None:
    now = next_move(at(dead(M=lambda host: facts().hosts[M])), begun())
    assert (now.record.step, now.record.result) == ("restore", "Done")
    assert now.record.message == f"redis on {M} runs again as the master, with what was on its disk"


LOADING = dead(M=lambda host: redis(loading=True)(facts().hosts[M]))


@pytest.mark.parametrize(
    "found", [LOADING, dead(M=lambda host: replace(host, redis=Unknown("silent"))), dead(M=gone)], ids=["l", "s", "g"]
)
def test_one_that_does_not_answer_yet_is_waited_for(found: ClusterFacts) -> None:
    now = next_move(at(found), begun())
    assert (now.record, now.steps) == (begun(), ())


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (
            at(dead(S3=redis(role="master"))),
            f"redis on {S3} runs as a master, so it may be the master: look there first",
        ),
        (at(judged=verdict(Situation.ALIVE, S3)), f"{S3} is master at config epoch 1 by now"),
        (at(dead(M=lambda host: redis(role="slave")(facts().hosts[M]))), f"redis on {M} came up as a slave"),
        (at(after=601), "the step start did not end within 600 s"),
        (at(leaving="management became Paused"), "management became Paused"),
    ],
)
def test_it_is_not_started_where_anything_is_different(now: Scene, why: str) -> None:
    moved = next_move(now, begun())
    assert (moved.record.step, moved.record.result, moved.record.message) == ("restore", "Failed", why)
    assert moved.steps == ()


@pytest.mark.parametrize("wish", [WISH, OF_S2])
def test_a_refused_step_ends_it_and_one_that_may_have_been_done_is_looked_after(wish: Wish) -> None:
    record = begun(wish)
    (step,) = next_move(at(), record).steps
    assert failed(record, step, "no answer", begun=True, sure=False, now=NOON) is None
    back = failed(record, step, "another is master", begun=True, sure=True, now=NOON)
    assert back is not None
    assert (back.step, back.result, back.message) == ("restore", "Failed", f"{step.host}: another is master")


# -- promote, and one sentinel is told

NEW = redis(role="master", master_address="", link="")


def test_the_replica_is_promoted_where_all_is_as_it_was() -> None:
    now = next_move(at(), begun(OF_S2))
    (step,) = now.steps
    assert (step.host, step.what, step.impact) == (S2, f"make redis the master in place of {M}", Impact.FAILOVER)
    assert step.action == Promote(ADDRESS[M], 1, "r")


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (at(dead(S3=redis(offset=101))), f"{S3} has 1 bytes more of what the last master wrote than {S2}: name {S3}"),
        (at(judged=verdict(Situation.ALIVE, M)), f"{M} is master at config epoch 1 by now"),
        (at(after=61), "the step promote did not end within 60 s"),
        (at(leaving="management became Paused"), "management became Paused"),
    ],
)
def test_it_is_not_promoted_where_anything_is_different(now: Scene, why: str) -> None:
    moved = next_move(now, begun(OF_S2))
    assert (moved.record.step, moved.record.result, moved.record.message) == ("restore", "Failed", why)


TRYING = down(flags=DOWN | {"failover_in_progress"})


@pytest.mark.parametrize("more", [{}, {"leaving": "management became Paused"}, {"after": 61}])
@pytest.mark.parametrize("step", ["promote", "halt", "edit", "name"])
def test_once_promoted_a_sentinel_is_stopped_whatever_else_is_wanted(step: str, more: dict[str, object]) -> None:
    if step != "promote" and "after" in more:
        return
    now = next_move(at(dead(S2=NEW, S3=TRYING), **more), begun(OF_S2, step))
    (stop,) = now.steps
    assert (stop.host, stop.what) == (S1, "stop the sentinel (redis-sentinel.service)")
    assert stop.action == StopUnit("redis-sentinel.service")
    assert now.record.step == "halt"


HEARD = sentinel_file(M, 3) + f"sentinel leader-epoch {NAME} 8\nsentinel current-epoch 9\n"


def test_the_file_of_the_stopped_sentinel_names_the_new_master_above_all_epochs() -> None:
    heard = {"S1": both(stopped_sentinel, lambda host: with_file(host, EL7.sentinel_conf, HEARD)), "S2": NEW}
    now = next_move(at(dead(**heard)), begun(OF_S2, "halt"))
    (step,) = now.steps
    assert (step.host, step.what) == (S1, f"name the new master in {EL7.sentinel_conf}")
    assert isinstance(step.action, EditConf)
    conf = sentinel_conf.parse(step.action.text.reveal())
    assert conf.masters == {NAME: sentinel_conf.Monitor(ADDRESS[S2], 6379, 2)}
    assert conf.config_epoch(NAME) == 19
    assert now.record.step == "edit"


def told(host: HostFacts) -> HostFacts:
    text = sentinel_conf.parse(sentinel_file(M)).with_master(NAME, ADDRESS[S2], 6379, 19)
    return with_file(stopped_sentinel(host), EL7.sentinel_conf, text)


def test_then_it_is_started_and_the_others_are_waited_for() -> None:
    now = next_move(at(dead(S1=told, S2=NEW)), begun(OF_S2, "edit"))
    (step,) = now.steps
    assert step.what == "start the sentinel (redis-sentinel.service)"
    assert isinstance(step.action, StartUnit)
    assert step.action.sentinel
    assert now.record.step == "name"
    up = dead(S1=lambda host: replace(host, sentinel=sees(S2, config_epoch=19)), S2=NEW)
    waits = next_move(at(up), begun(OF_S2, "name"))
    assert (waits.record.step, waits.steps) == ("agree", ())


def test_it_is_through_when_the_new_master_is_confirmed() -> None:
    confirmed = replace(verdict(Situation.ALIVE, S2), master=Confirmed(S2, ADDRESS[S2], 6379, 19))
    now = next_move(at(dead(S2=NEW), confirmed), begun(OF_S2, "agree"))
    assert (now.record.step, now.record.result) == ("restore", "Done")
    assert now.record.message == f"{S2} is the master at config epoch 19, in place of {M}"


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (at(dead(S2=NEW), verdict(Situation.ALIVE, M)), f"{M} is master at config epoch 1 by now"),
        (
            at(dead(S2=NEW, S3=lambda host: replace(host, sentinel=sees(S3, config_epoch=2)))),
            f"the sentinel on {S3} names {S3} by now",
        ),
        (
            at(dead(S2=NEW), after=121),
            f"redis on {S2} runs again as a master, but no majority of the sentinels names it. Look at the sentinel on "
            f"{S1} and ask for recover {S2} again: the step agree did not end within 120 s",
        ),
    ],
)
def test_where_the_sentinels_do_not_follow_it_says_what_is(now: Scene, why: str) -> None:
    moved = next_move(now, begun(OF_S2, "agree"))
    assert (moved.record.step, moved.record.result, moved.record.message) == ("restore", "Failed", why)
    assert moved.steps == ()


def test_a_sentinel_that_cannot_be_seen_is_waited_for() -> None:
    for change in (gone, lambda host: replace(host, sentinel=Unknown("silent"))):
        now = next_move(at(dead(S1=change, S2=NEW)), begun(OF_S2, "halt"))
        assert (now.record.step, now.steps) == ("halt", ())
