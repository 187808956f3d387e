"""Each step of a recovery: what it does next, when it is through, and everything that keeps it from beginning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf import sentinel_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    DataFile,
    Denied,
    HostFacts,
    Known,
    ReplicaView,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.model.operation import Operation, Promote, StartStopped
from redis_sentinel_operator.model.step import EditConf, Impact, StartUnit, StopUnit
from redis_sentinel_operator.model.verdict import Confirmed, Finding, MasterRecord, Situation, Uncertain, Verdict
from redis_sentinel_operator.operations import recover
from redis_sentinel_operator.operations.move import Scene, Wish
from redis_sentinel_operator.operations.procedures import failed, next_move
from unit.operations.scenes import NOON, NOON_TEXT, both, facts, redis, scene
from unit.plan.living import edited
from unit.plan.world import (
    ADDRESS,
    NAME,
    S1,
    S2,
    S3,
    Change,
    M,
    desired,
    sees,
    sentinel_file,
    stopped_redis,
    stopped_sentinel,
    unreachable,
    verdict,
    with_file,
    with_unit,
)

WISH = Wish("recover", M, "2026-01-31T11:59:59Z")
OF_S2 = replace(WISH, arg=S2)
LAST = MasterRecord(M, ADDRESS[M], 6379, 1, NOON_TEXT)
DEAD = replace(verdict(Situation.ALIVE), master=Uncertain("MasterDeadNoSuccessor", "it is dead", ADDRESS[M]))
STOPPED = replace(DEAD, master=Uncertain("MasterStopped", "it is stopped", ADDRESS[M]))
DOWN = frozenset({"master", "s_down", "o_down"})
LOST = replace(STOPPED, quorum=Finding(False, "QuorumLost", ""))


def down(*, tilt: bool = False, **changes: object) -> Change:
    """A sentinel that runs by its unit and calls the master down."""

    def change(host: HostFacts) -> HostFacts:
        found = sees(M, **{"flags": DOWN, **changes}).value
        assert isinstance(found, SentinelFacts)
        return replace(host, sentinel=Known(replace(found, process_id=9, tilt=tilt)))

    return change


def with_data(host: HostFacts) -> HostFacts:
    return replace(stopped_redis(host), data=Known((DataFile("/var/lib/redis/dump.rdb", 1),)))


def dead(**changed: Change) -> ClusterFacts:
    """The master is stopped with its data, all else answers; changed by short names."""
    replica = redis(link="down", offset=100)
    whole: dict[str, Change] = {"M": with_data, **{each: both(replica, down()) for each in ("S1", "S2", "S3")}}
    return facts(**{each: both(change, changed.get(each, lambda host: host)) for each, change in whole.items()})


def at(found: ClusterFacts | None = None, judged: Verdict = DEAD, **more: object) -> Scene:
    return scene(found or dead(), judged, **{"last": LAST, **more})  # type: ignore[arg-type]


def begun(wish: Wish = WISH, step: str = "") -> Operation:
    made = recover.begin(at(), wish)
    assert isinstance(made, Operation), made
    return replace(made, id="op5", step=step or made.step)


def gone(host: HostFacts) -> HostFacts:
    """The whole machine."""
    return unreachable(host)


def test_the_record_and_what_is_told_of_the_master_itself() -> None:
    record = begun()
    assert record == Operation(
        "op5", "recover", "start", NOON_TEXT, NOON_TEXT, WISH.at, M, ADDRESS[M], "", 1, "", 0, {}
    )
    assert recover.announce(at(), record) == (
        f"redis on {M} is to be started with what is on its disk; its replicas copy that"
    )


def test_the_record_and_what_is_told_of_a_replica() -> None:
    record = begun(OF_S2)
    assert (record.step, record.old, record.new, record.sentinel) == ("promote", ADDRESS[M], ADDRESS[S2], ADDRESS[S1])
    assert recover.announce(at(), record) == (
        f"redis on {S2} is to be made the master, and the sentinels are told; what {M} had not sent it is lost"
    )


EARLY = (
    "a failover may still succeed: the sentinels have 20 s from when they call the master down. Ask again when "
    "MasterConfirmed has the reason MasterDeadNoSuccessor, or when QuorumHealthy has had the reason QuorumLost for "
    "that long"
)
UNSEEN = ReplicaView(ADDRESS[S3], 6379, frozenset({"slave", "s_down"}), "err", 100, 1)
REFUSED: dict[str, tuple[Scene, Wish, str]] = {
    "stopped-cluster": (
        at(judged=replace(DEAD, situation=Situation.STOPPED)),
        WISH,
        "it is so; a master is recovered only in a living cluster",
    ),
    "never-confirmed": (
        at(last=None),
        WISH,
        "no master was ever confirmed, so that nobody can tell which data are the newest: start redis by hand on the "
        "host whose data are to stay",
    ),
    "not-in-the-spec": (
        at(),
        replace(WISH, arg="-"),
        f"- is no host of spec.hosts that runs redis: name {M} to start it again with what is on its disk, or the "
        f"replica that is to be master ({S1}, {S2}, {S3})",
    ),
    "not-in-the-spec-any-more": (
        at(last=replace(LAST, host="before")),
        replace(WISH, arg="before"),
        f"before is no host of spec.hosts that runs redis: name {M} to start it again with what is on its disk, or the "
        f"replica that is to be master ({S1}, {S2}, {S3})",
    ),
    "fenced": (
        at(what=desired(hosts=tuple(replace(each, aside="Fenced") for each in desired().hosts))),
        OF_S2,
        f"spec.fencedHosts names {S2}: take it out of there first",
    ),
    "confirmed": (
        at(facts(), verdict(Situation.ALIVE, M)),
        OF_S2,
        f"{M} is the confirmed master, so there is nothing to recover",
    ),
    "too-early": (at(judged=STOPPED), WISH, EARLY),
    "quorum-lost-just-now": (
        at(dead(**{each: down(down_for=20_000) for each in ("S1", "S2", "S3")}), LOST),
        WISH,
        EARLY,
    ),
    "quorum-lost-for-some": (at(dead(S1=down(down_for=21_000)), LOST), WISH, EARLY),
    "host-unreadable": (
        at(dead(S2=lambda host: replace(host, os=Unknown("too slow")))),
        OF_S2,
        f"{S2} could not be read and is left alone: too slow",
    ),
    "master-runs": (
        at(dead(M=lambda host: facts().hosts[M])),
        WISH,
        f"redis on {M} runs as a master, so there is nothing to start",
    ),
    "master-refuses-us": (
        at(dead(M=lambda host: replace(host, redis=Known(Denied("NOAUTH"))))),
        WISH,
        f"redis on {M} runs, so there is nothing to start",
    ),
    "master-silent": (
        at(dead(M=lambda host: replace(host, redis=Unknown("silent")))),
        WISH,
        f"redis on {M} could not be read",
    ),
    "master-not-at-rest": (
        at(dead(M=lambda host: with_unit(host, EL7.redis_unit, active="activating"))),
        WISH,
        f"redis on {M} does not listen, but is not stopped either (its unit is activating): stop it first",
    ),
    "master-without-a-file": (
        at(dead(M=lambda host: with_file(host, EL7.redis_conf, None))),
        WISH,
        f"redis on {M} cannot be started: its {EL7.redis_conf} or its unit is not in order",
    ),
    "master-without-a-unit": (
        at(dead(M=lambda host: with_unit(host, EL7.redis_unit, load="masked"))),
        WISH,
        f"redis on {M} cannot be started: its {EL7.redis_conf} or its unit is not in order",
    ),
    "master-says-slaveof": (
        at(dead(M=lambda host: edited(host, slaveof="10.0.0.9 6379"))),
        WISH,
        f"{EL7.redis_conf} on {M} says slaveof, so it would come up as a replica: take that line out",
    ),
    "master-empty": (
        at(dead(M=lambda host: replace(host, data=Known(())))),
        WISH,
        f"{M} has no data on its disk that could be read, and as master it would empty its replicas: name the replica "
        "that is to be master instead",
    ),
    "sentinels-unseen": (
        at(dead(S1=gone, S2=gone)),
        WISH,
        f"2 of 3 declared sentinels could not be read ({S1}, {S2}), and those may have made another one master: bring "
        "one of them back first",
    ),
    "sentinel-in-tilt": (
        at(dead(S1=down(tilt=True))),
        WISH,
        f"the sentinel on {S1} is in tilt mode: ask again in half a minute",
    ),
    "sentinel-names-another": (
        at(dead(S1=lambda host: replace(host, sentinel=sees(S3, config_epoch=2)))),
        WISH,
        f"the sentinel on {S1} names {S3} at config epoch 2, and the last confirmed epoch was 1: the sentinels are "
        "switching",
    ),
    "sentinel-at-another-epoch": (
        at(dead(S1=down(config_epoch=2))),
        OF_S2,
        f"the sentinel on {S1} names {M} at config epoch 2, and the last confirmed epoch was 1: the sentinels are "
        "switching",
    ),
    "failover-going-on": (
        at(dead(S1=down(flags=DOWN | {"failover_in_progress"}))),
        OF_S2,
        f"the sentinel on {S1} is in a failover (failover_in_progress)",
    ),
    "another-master": (
        at(dead(S3=redis(role="master"))),
        WISH,
        f"redis on {S3} runs as a master, so it may be the master: look there first",
    ),
    "replica-unseen": (
        at(dead(S3=lambda host: replace(host, redis=Unknown("silent")))),
        OF_S2,
        f"redis on {S3} could not be read, and not every sentinel calls it down: it may be a master, or have newer "
        "data. Bring it back or stop it first",
    ),
    "old-master-runs": (
        at(dead(M=lambda host: facts().hosts[M])),
        OF_S2,
        f"redis on {M}, which the sentinels name, runs: stop it first, or let it be the master",
    ),
    "old-master-unseen": (
        at(dead(M=gone, S1=down(flags=frozenset({"master"})))),
        OF_S2,
        f"redis on {M} could not be read, and not every sentinel calls it down: it may still be the master",
    ),
    "replica-stopped": (at(dead(S2=stopped_redis)), OF_S2, f"redis on {S2} could not be read, or does not run"),
    "replica-loading": (
        at(dead(S2=redis(loading=True))),
        OF_S2,
        f"redis on {S2} has only a part of the data yet: it is loading",
    ),
    "replica-syncing": (
        at(dead(S2=redis(syncing=True))),
        OF_S2,
        f"redis on {S2} has only a part of the data yet: it is synchronising",
    ),
    "replica-of-another": (
        at(dead(S2=redis(master_address="10.0.0.9"))),
        OF_S2,
        f"redis on {S2} follows 10.0.0.9, and not the last master",
    ),
    "another-has-more": (
        at(dead(S1=redis(offset=101), S3=redis(offset=107))),
        OF_S2,
        f"{S3} has 7 bytes more of what the last master wrote than {S2}: name {S3}",
    ),
    "no-sentinel-by-its-unit": (
        at(dead(**{each: lambda host: replace(host, processes=Known(())) for each in ("S1", "S2", "S3")})),
        OF_S2,
        "no sentinel that runs by its unit could be told who is master: start one first",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_does_not_begin(case: str) -> None:
    now, wish, message = REFUSED[case]
    assert recover.begin(now, wish) == message


BEGINS: dict[str, tuple[Scene, Wish]] = {
    "by-its-new-name": (at(last=replace(LAST, host="before")), WISH),
    "quorum-lost-for-long": (at(dead(**{each: down(down_for=20_001) for each in ("S1", "S2", "S3")}), LOST), WISH),
    "a-minority-of-sentinels-away": (
        at(dead(S3=gone, **{each: down(replicas=(UNSEEN,)) for each in ("S1", "S2")})),
        WISH,
    ),
    "a-sentinel-stopped": (at(dead(S1=stopped_sentinel, S2=stopped_sentinel)), WISH),
    "the-machine-of-the-master-gone": (at(dead(M=gone)), OF_S2),
    "the-master-stopped-and-one-sentinel-has-not-seen-it": (at(dead(S1=down(flags=frozenset({"master"})))), OF_S2),
    "another-replica-stopped": (at(dead(S3=stopped_redis)), OF_S2),
    "more-of-another-stream": (at(dead(S3=redis(offset=107, replid="b"), S2=redis(replid="a"))), OF_S2),
    "more-from-another-master": (at(dead(S3=redis(offset=107, master_address="10.0.0.9"))), OF_S2),
    "promoted-already": (at(dead(S2=redis(role="master", master_address=""))), OF_S2),
}


@pytest.mark.parametrize("case", BEGINS)
def test_it_begins(case: str) -> None:
    assert isinstance(recover.begin(*BEGINS[case]), Operation)


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
