"""When an upgrade begins, by the spec or by an act, and why it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.model.fact import HostFacts, Known, Process
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.step import ConfigSet, Plan, Step
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.operations import upgrade
from redis_sentinel_operator.operations.move import Scene, Wish
from redis_sentinel_operator.plan.part import Stage
from unit.operations.scenes import (
    NEVER,
    NEWER,
    NOBODY,
    NOBODY_CAN,
    NOON_TEXT,
    OLDER,
    asking,
    late,
    redis,
    scene,
    unread,
    upgraded,
)
from unit.plan.living import edited
from unit.plan.world import ADDRESS, S1, S2, S3, Change, M, stopped_redis, unreachable, verdict

WISH = Wish("upgrade", "-", "2026-01-31T11:59:59Z")
REPLICAS: dict[str, Change] = {each: upgraded() for each in ("S1", "S2", "S3")}
OTHER = Step(S3, "set repl-timeout", "why", ConfigSet({}, 6379), Stage.FILES)


def test_the_record_has_all_that_whoever_goes_on_must_know() -> None:
    begun = upgrade.begin(late(), WISH)
    assert isinstance(begun, Operation)
    assert begun == Operation(
        begun.id, "upgrade", "fetch", NOON_TEXT, NOON_TEXT, WISH.at, "-", ADDRESS[M], ADDRESS[S1], 1, ""
    )
    assert upgrade.announce(late(), begun) == (
        f"redis-{NEWER} is to be installed on {S1}, {S2}, {S3}, {M}, one after the other, the last one after a "
        "switchover"
    )


def test_the_spec_alone_begins_it_and_its_version_is_the_argument() -> None:
    begun = upgrade.due(late(), ())
    assert isinstance(begun, Operation)
    assert (begun.type, begun.step, begun.arg, begun.at) == ("upgrade", "fetch", NEWER, "2026-01-31T12:00:00Z")
    assert begun.new == ADDRESS[S1]


@pytest.mark.parametrize(
    "now",
    [
        scene(),
        late(asking(OLDER)),
        late(asking("3.2.6")),
        late(asking("3.2.5-1.el7")),
        late(asking(manage="CheckOnly")),
        late(asking("1:3.2.6-3.el7")),
        late(M=upgraded(), **REPLICAS),
        late(None, replace(verdict(Situation.ALIVE, M), transition=("the sentinel on S1 runs a failover",))),
    ],
    ids=["no-version", "same", "less-exact", "older", "check-only", "epoch", "done", "in-transition"],
)
def test_it_is_not_due(now: Scene) -> None:
    assert upgrade.due(now, ()) is None


CALM = "; ask again when phase is Healthy or WaitingForYou"
NOTHING = "nothing is to be upgraded: no host has an older package than package.version asks for"
BY_HAND = Process(77, "redis-server", "", False)


def by_hand(host: HostFacts) -> HostFacts:
    return redis(process_id=77)(replace(host, processes=Known((BY_HAND,))))


def test_a_server_of_others_that_was_started_by_hand_keeps_nobody_from_anything() -> None:
    def beside(host: HostFacts) -> HostFacts:
        assert isinstance(host.processes, Known)
        return replace(host, processes=Known((*host.processes.value, BY_HAND)))

    assert isinstance(upgrade.begin(late(S1=beside), WISH), Operation)


REFUSED: dict[str, tuple[Scene, Wish, str]] = {
    **unread(WISH, "something is to be done first: {}" + CALM, what=asking()),
    "nobody-confirmed": (late(None, NOBODY), WISH, f"{M} cannot be upgraded now: No majority names one{CALM}"),
    "settling": (
        late(None, verdict(Situation.ALIVE, M, "the last switch is younger than 10 s")),
        WISH,
        f"{S1} cannot be upgraded now: the last switch is younger than 10 s{CALM}",
    ),
    "a-sentinel-away": (
        late(S3=unreachable),
        WISH,
        f"something is to be done first: {S3} could not be read and is left alone: no route to host{CALM}",
    ),
    "a-replica-down": (
        late(S2=stopped_redis),
        WISH,
        f"{S1} cannot be upgraded now: {S2}: its redis does not run{CALM}",
    ),
    "another-one-synchronises": (
        late(S2=redis(syncing=True)),
        WISH,
        f"{S1} cannot be upgraded now: {S2}: it synchronises with the master{CALM}",
    ),
    "the-first-one-synchronises": (
        late(S1=redis(syncing=True)),
        WISH,
        f"{S1} cannot be upgraded now: it is no replica that is in touch with the master{CALM}",
    ),
    "it-would-come-back-as-a-master": (
        late(S1=lambda host: edited(host, slaveof="10.9.9.9 6379")),
        WISH,
        f"{S1} cannot be upgraded now: its /etc/redis.conf does not name the master (10.9.9.9 6379 instead of "
        f"{ADDRESS[M]} 6379), as redis could not write its role there, and it would come back as a master{CALM}",
    ),
    "it-would-not-stop": (
        late(S1=redis(saved_ok=False)),
        WISH,
        f"{S1} cannot be upgraded now: its data cannot be saved to disk, and it would not stop without{CALM}",
    ),
    "started-by-hand": (
        late(S1=by_hand),
        WISH,
        f"{S1} cannot be upgraded now: process 77 was started by hand there, which nothing restarts: start it by its "
        f"unit first{CALM}",
    ),
    "a-host-is-named": (
        late(),
        replace(WISH, arg=S1),
        f"an upgrade is for every host with an older package, so {S1} cannot be named: ask with -",
    ),
    "nothing-to-do": (scene(), WISH, NOTHING),
    "older-than-installed": (late(asking("3.2.5")), WISH, NOTHING),
    "other-work": (
        replace(late(), todo=Plan((OTHER,))),
        WISH,
        f"something is to be done first: {S3}: set repl-timeout{CALM}",
    ),
    "nobody-to-switch-to": (
        late(**NEVER),
        WISH,
        NOBODY_CAN,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_does_not_begin(case: str) -> None:
    now, wish, message = REFUSED[case]
    assert upgrade.begin(now, wish) == message


def test_what_it_waits_for_is_told_where_the_spec_asks_for_it() -> None:
    assert upgrade.due(late(S2=stopped_redis), ()) == (
        f"redis-{NEWER} is to be installed on {M}, {S1}, {S2}, {S3} and is not: {S1} cannot be upgraded now: {S2}: its "
        "redis does not run; it begins by itself then"
    )


FAILED = {"verb": "upgrade", "arg": NEWER, "at": "2026-01-31T11:55:00Z", "result": "Failed", "message": "it was so."}


def test_one_that_failed_is_not_tried_again_at_once() -> None:
    said = (
        f"redis-{NEWER} is to be installed on {M}, {S1}, {S2}, {S3} and is not: the last attempt has failed (it was "
        "so). It is tried again 10 minutes after that, or when you ask for it (act: upgrade -)"
    )
    assert upgrade.due(late(), (FAILED,)) == said
    assert upgrade.due(late(), ({**FAILED, "arg": "-"},)) == said
    assert isinstance(upgrade.due(late(after=301), (FAILED,)), Operation)
    assert isinstance(upgrade.due(late(), ({**FAILED, "arg": "3.2.9"},)), Operation), "the version was corrected"
    assert isinstance(upgrade.due(late(), ({**FAILED, "result": "Done"},)), Operation)
    assert isinstance(upgrade.begin(late(), WISH), Operation)
