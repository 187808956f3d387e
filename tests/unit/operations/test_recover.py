"""When a recovery begins, and everything that keeps it from beginning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import (
    Denied,
    Known,
    ReplicaView,
    Unknown,
)
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.operations import recover
from redis_sentinel_operator.operations.move import Scene, Wish
from unit.operations.recovering import (
    DEAD,
    DOWN,
    LAST,
    LOST,
    OF_S2,
    STOPPED,
    WISH,
    at,
    begun,
    dead,
    down,
    gone,
)
from unit.operations.scenes import NOON_TEXT, facts, redis
from unit.plan.living import edited
from unit.plan.world import (
    ADDRESS,
    S1,
    S2,
    S3,
    M,
    desired,
    sees,
    stopped_redis,
    stopped_sentinel,
    verdict,
    with_file,
    with_unit,
)


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
        f"the sentinel on {S1} is in a failover (failover_in_progress): ask again when that is over",
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
