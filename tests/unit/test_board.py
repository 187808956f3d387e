"""The document, the master and the reports on the board."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.model.fact import ClusterFacts, Known
from redis_sentinel_operator.model.report import Report
from redis_sentinel_operator.model.step import ConfigDrift, Plan, Refusal
from redis_sentinel_operator.model.verdict import MasterRecord, Mastership, Uncertain
from unit.boarding import (
    CALM,
    DOWN,
    NEW,
    NO_MASTER,
    OLD,
    SERVING,
    START,
    SWITCHED,
    WHOLE,
    Clock,
    Store,
    condition,
    healthy,
    report,
)
from unit.judge.clusters import (
    ADDRESS,
    S1,
    S2,
    S3,
    M,
    alive,
    desired,
    facts,
    master,
    replica,
    running,
    sentinel,
    unreachable,
)

# -- the document


def test_a_new_resource_is_answered_at_once(board: Board) -> None:
    assert board.document()["phase"] == "Bootstrapping"
    assert condition(board, "Ready")["reason"] == "Starting"
    assert "observedGeneration" not in board.document()
    assert board.last_master is None
    assert board.members is None


def test_the_document_of_a_healthy_cluster(board: Board) -> None:
    document = healthy(board).document()
    assert document["phase"] == "Healthy"
    assert document["message"] == "All as declared: redis_master01 is master, 4/4 hosts are ready."
    assert document["observedGeneration"] == 1
    assert (document["ready"], document["replicas"], document["sentinels"]) == ("4/4", "3/3", "3/3")
    assert document["master"] == {
        "host": M,
        "address": "192.168.3.41",
        "port": 6379,
        "configEpoch": 0,
        "since": "2026-01-31T12:00:00Z",
    }
    assert document["hosts"][0] == {
        "name": M,
        "address": "192.168.3.41",
        "ssh": {"address": "192.168.3.41", "user": "root", "port": 22},
        "role": "Master",
        "redis": "Running",
        "joinedAt": "2026-01-31T12:00:00Z",
        "state": "Member",
    }
    assert document["hosts"][1]["sentinelID"] == "1" * 40
    told = {each["type"]: each["status"] for each in document["conditions"]}
    assert told.pop("EndpointsInSync") == "Unknown", "nobody has looked at the Services yet"
    assert told == dict.fromkeys(
        [
            "Ready",
            "MasterConfirmed",
            "QuorumHealthy",
            "ReplicationHealthy",
            "HostsReachable",
            "HostsClaimed",
            "ConfigInSync",
            "CredentialsInSync",
            "PreflightPassed",
        ],
        "True",
    )
    assert {each["observedGeneration"] for each in document["conditions"]} == {1}


def test_what_moves_by_itself_never_enters(board: Board, clock: Clock) -> None:
    """Passes and readings over an idle minute leave the document as it is."""
    before = healthy(board).document()
    for second in range(60):
        clock.seconds = second
        moved = {
            name: replace(host, redis=Known(replace(host.redis.value, offset=second, uptime=60 + second, keys=second)))  # type: ignore[union-attr, type-var]
            for name, host in running().hosts.items()
        }
        board.confirm(OLD, CALM, WHOLE)
        board.report(report(ClusterFacts(moved, float(second))), WHOLE)
        assert board.document() == before


def test_a_status_that_was_stored_is_taken_over_whole(board: Board, clock: Clock, store: Store) -> None:
    stored = healthy(board).document()
    clock.seconds = 600
    again = Board(WHOLE.ref, stored, store.write, clock)
    assert again.document() == stored
    assert again.last_master == MasterRecord(M, ADDRESS[M], 6379, 0, "2026-01-31T12:00:00Z")
    assert again.members == ADDRESS
    assert healthy(again).document() == stored


def test_fields_of_a_later_version_do_not_break_it(store: Store, clock: Clock) -> None:
    board = Board(WHOLE.ref, {"phase": "Dancing", "tomorrow": 1, "hosts": [{"name": 7}]}, store.write, clock)
    assert healthy(board).document()["phase"] == "Healthy"


# -- the master


def test_a_fresh_confirm_of_the_same_master_changes_nothing(board: Board, clock: Clock) -> None:
    before = healthy(board).document()
    clock.seconds = 30
    board.confirm(OLD, CALM)
    assert board.document() == before


def test_a_switch_replaces_the_master_in_one_document(board: Board, clock: Clock) -> None:
    healthy(board)
    clock.seconds = 30
    board.confirm(NEW, SWITCHED)
    assert board.document()["master"] == {
        "host": S1,
        "address": "192.168.3.42",
        "port": 6379,
        "configEpoch": 1,
        "since": "2026-01-31T12:00:30Z",
    }
    assert condition(board, "MasterConfirmed")["message"].startswith("redis_slave01 (192.168.3.42:6379) is master")


def test_a_failover_back_to_the_same_address_is_a_switch(board: Board, clock: Clock) -> None:
    healthy(board)
    clock.seconds = 30
    board.confirm(replace(OLD, config_epoch=2), CALM)
    assert board.document()["master"]["since"] == "2026-01-31T12:00:30Z"


def test_a_reading_that_began_before_one_that_is_told_tells_nothing(board: Board) -> None:
    """A slow host holds a pass up, the fast path sees the switch meanwhile: the old master must not come back."""
    board.confirm(OLD, CALM, WHOLE, at=1.0)
    board.confirm(NEW, SWITCHED, WHOLE, at=3.0)
    after = board.document()
    board.confirm(OLD, CALM, WHOLE, at=2.0)
    assert board.document() == after
    assert board.document()["master"]["host"] == S1


def test_a_pass_that_came_to_no_report_is_said(board: Board) -> None:
    healthy(board)
    board.failed("the API server refuses to show the Secret")
    assert board.document()["message"] == "the API server refuses to show the Secret"


def test_a_text_that_is_no_utf8_can_be_stored(board: Board) -> None:
    healthy(board)
    board.failed("data in sauvegarde\udce9.rdb")
    assert board.document()["message"] == "data in sauvegarde?.rdb"


def test_an_epoch_that_fell_at_the_same_address_is_no_switch(board: Board, clock: Clock) -> None:
    healthy(board).confirm(NEW, SWITCHED)
    clock.seconds = 30
    board.confirm(replace(NEW, config_epoch=0), SWITCHED)
    assert board.document()["master"]["since"] == "2026-01-31T12:00:00Z"
    assert board.document()["master"]["configEpoch"] == 0


def test_a_master_that_is_called_down_is_withdrawn_and_stays_named(board: Board, clock: Clock) -> None:
    healthy(board)
    clock.seconds = 10
    board.confirm(NO_MASTER, DOWN)
    assert board.document()["master"]["withdrawnSince"] == "2026-01-31T12:00:10Z"
    assert board.document()["master"]["host"] == M
    assert (board.document()["phase"], condition(board, "Ready")["status"]) == ("FailingOver", "False")
    assert condition(board, "MasterConfirmed")["status"] == "False"
    clock.seconds = 12
    board.confirm(Uncertain("SentinelsUnreachable", "Nobody answers."), {})
    assert board.document()["master"]["withdrawnSince"] == "2026-01-31T12:00:10Z"
    assert board.down_for == 2.0
    board.confirm(NEW, SWITCHED)
    assert "withdrawnSince" not in board.document()["master"]
    assert board.down_for == 0.0


def test_one_sentinel_is_not_enough_to_withdraw(board: Board) -> None:
    healthy(board).confirm(NO_MASTER, CALM | {S1: sentinel(M, 0, "o_down")})
    assert "withdrawnSince" not in board.document()["master"]
    assert condition(board, "MasterConfirmed")["status"] == "Unknown"


def confirmed(board: Board, master: Mastership) -> dict[str, Any]:
    board.confirm(master, CALM, WHOLE)
    return board.document()


def test_a_master_that_says_it_is_none_is_withdrawn(board: Board) -> None:
    healthy(board).confirm(Uncertain("RoleDisagrees", "It says slave.", ADDRESS[M]), CALM)
    assert board.document()["master"]["withdrawnSince"] == "2026-01-31T12:00:00Z"


def test_a_master_that_is_a_replica_by_now_is_withdrawn_though_the_sentinels_disagree(board: Board) -> None:
    healthy(board)
    split = Uncertain("SentinelsDisagree", "Two addresses.")
    assert "withdrawnSince" not in confirmed(board, split)["master"]
    assert confirmed(board, replace(split, demoted=True))["master"]["withdrawnSince"] == "2026-01-31T12:00:00Z"
    assert "withdrawnSince" in confirmed(board, split)["master"], "nobody has confirmed it since"
    assert "withdrawnSince" not in confirmed(board, OLD)["master"]


def test_a_successor_that_says_it_is_none_yet_does_not_withdraw_the_master(board: Board) -> None:
    healthy(board).confirm(Uncertain("RoleDisagrees", "It says slave.", ADDRESS[S1]), SWITCHED)
    assert "withdrawnSince" not in board.document()["master"]


def test_o_down_of_the_old_master_does_not_withdraw_the_new_one(board: Board) -> None:
    """Leader and a late observer still show o_down, of the old address."""
    leader = sentinel(S1, 1, "o_down", "failover_in_progress", told=M)
    healthy(board).confirm(NEW, {S1: leader, S2: sentinel(S1, 1), S3: sentinel(M, 0, "o_down")})
    assert board.document()["master"]["host"] == S1
    assert "withdrawnSince" not in board.document()["master"]
    assert board.document()["phase"] == "FailingOver"


def test_a_serving_master_that_sentinels_cannot_reach_comes_back_after_their_time(board: Board, clock: Clock) -> None:
    healthy(board).confirm(SERVING, DOWN)
    assert board.document()["master"]["withdrawnSince"] == "2026-01-31T12:00:00Z"
    clock.seconds = 19
    board.confirm(SERVING, DOWN)
    assert "withdrawnSince" in board.document()["master"]
    clock.seconds = 21
    board.confirm(SERVING, DOWN)
    assert "withdrawnSince" not in board.document()["master"]
    clock.seconds = 60
    board.confirm(SERVING, DOWN)
    assert "withdrawnSince" not in board.document()["master"]


def test_a_successor_that_is_called_down_as_well_gets_its_own_time(board: Board, clock: Clock) -> None:
    healthy(board).confirm(NO_MASTER, DOWN)
    clock.seconds = 15
    board.confirm(NEW, {name: sentinel(S1, 1, "o_down") for name in (S1, S2, S3)})
    assert board.down_for == 0.0
    assert board.document()["master"]["withdrawnSince"] == "2026-01-31T12:00:15Z"


def test_a_dead_master_without_successor_is_said_in_time(board: Board, clock: Clock) -> None:
    healthy(board).confirm(NO_MASTER, DOWN)
    clock.seconds = 25
    board.confirm(NO_MASTER, DOWN)
    assert board.document()["phase"] == "Unavailable"
    assert condition(board, "MasterConfirmed")["reason"] == "MasterDeadNoSuccessor"


def test_before_the_first_pass_only_the_master_is_said_anew(board: Board, clock: Clock, store: Store) -> None:
    stored = healthy(board).document()
    again = Board(WHOLE.ref, stored, store.write, clock)
    clock.seconds = 30
    again.confirm(NEW, SWITCHED, WHOLE)
    assert again.document()["master"]["host"] == S1
    changed = [each["type"] for each in again.document()["conditions"] if each not in stored["conditions"]]
    assert changed == ["MasterConfirmed"]
    assert again.document()["phase"] == "Healthy"


# -- reports


def test_the_generation_is_observed_when_nothing_is_left_to_do(board: Board) -> None:
    healthy(board).report(report(running(), Plan((START,)), 2), WHOLE)
    assert board.document()["observedGeneration"] == 1
    assert (board.document()["phase"], condition(board, "Reconciling")["status"]) == ("Updating", "True")
    assert condition(board, "Ready")["observedGeneration"] == 2
    board.report(report(running(), generation=2), WHOLE)
    assert board.document()["observedGeneration"] == 2
    assert "Reconciling" not in {each["type"] for each in board.document()["conditions"]}


def test_a_refused_generation_is_observed(board: Board) -> None:
    refusal = Refusal("ConfigInSync", "NotSupportedYet", "spec.minReplicasToWrite: not supported yet.")
    healthy(board).report(report(running(), generation=2, refusal=refusal), WHOLE)
    assert board.document()["observedGeneration"] == 2
    assert board.document()["phase"] == "Blocked"
    assert condition(board, "Stalled")["message"] == refusal.message


def test_a_resource_that_could_not_be_read_is_not_observed(board: Board) -> None:
    board.report(Report(3, None, None, Plan(), (), "the resource could not be read yet"), None)
    assert "observedGeneration" not in board.document()


def test_a_refusal_without_any_reading(board: Board) -> None:
    refusal = Refusal("CredentialsInSync", "SecretMissing", "The Secret redis-ssh does not exist.")
    board.report(Report(3, None, None, Plan(), (), "no", refusal), None)
    assert board.document()["observedGeneration"] == 3
    assert condition(board, "CredentialsInSync")["reason"] == "SecretMissing"


def test_observe_shows_the_plan_and_full_does_not(board: Board) -> None:
    watching = desired(management="Observe")
    board.report(report(running(), Plan((START,)), desired=watching), watching)
    assert board.document()["plan"] == [
        {"host": S1, "what": "start redis.service", "why": "it does not run", "impact": "None"}
    ]
    assert board.document()["observedGeneration"] == 1
    assert board.members is None
    board.report(report(running(), Plan((START,))), WHOLE)
    assert "plan" not in board.document()


def test_the_transition_time_moves_with_the_status_only(board: Board, clock: Clock) -> None:
    healthy(board)
    clock.seconds = 60
    board.report(report(facts(replace(alive(S3), sentinel=Known(None)), of=alive)), WHOLE)
    assert condition(board, "QuorumHealthy")["reason"] == "SentinelMissing"
    assert condition(board, "QuorumHealthy")["lastTransitionTime"] == "2026-01-31T12:00:00Z"
    down = [replace(alive(name), sentinel=Known(None)) for name in (S2, S3)]
    board.report(report(facts(*down, of=alive)), WHOLE)
    assert condition(board, "QuorumHealthy")["lastTransitionTime"] == "2026-01-31T12:01:00Z"


def test_hosts_that_are_not_well_say_so(board: Board) -> None:
    odd = replace(alive(S1), redis=replica(link="down"))
    quiet = replace(alive(S2), sentinel=Known(None))
    board.confirm(OLD, CALM, WHOLE)
    board.report(report(facts(odd, quiet, unreachable(S3), replace(alive(M), redis=master(S2)))), WHOLE)
    shown = {host["name"]: host for host in board.document()["hosts"]}
    assert shown[S1]["message"] == "its link to the master is down"
    assert (shown[S2]["sentinel"], shown[S2]["message"]) == ("Stopped", "no sentinel runs there")
    assert (shown[S3]["redis"], shown[S3]["message"]) == ("Unknown", "no route to host")
    assert (board.document()["ready"], board.document()["replicas"], board.document()["sentinels"]) == (
        "1/4",
        "1/3",
        "1/3",
    )


def message_of(board: Board, host: str) -> str | None:
    return next(each.get("message") for each in board.document()["hosts"] if each["name"] == host)


def test_a_newer_package_is_told_at_its_host_until_it_is_installed(board: Board) -> None:
    board.newer({S1: "redis 3.2.12-2.el7"})
    healthy(board)
    assert message_of(board, S1) == (
        "redis 3.2.12-2.el7 can be had: as package.version it is brought about, the replicas first"
    )
    assert message_of(board, S2) is None
    assert board.document()["phase"] == "Healthy"
    by_hand = tuple(replace(each, package=replace(each.package, manage="CheckOnly")) for each in WHOLE.hosts)
    board.report(report(facts(of=alive)), replace(WHOLE, hosts=by_hand))
    assert message_of(board, S1) == (
        "redis 3.2.12-2.el7 can be had: `yum --disableexcludes=main update redis` restarts redis, so replicas first"
    )
    updated = replace(alive(S1), packages=Known({"redis": "3.2.12-2.el7"}))
    board.report(report(facts(updated, of=alive)), WHOLE)
    assert message_of(board, S1) is None


def test_what_an_update_left_behind_is_told_at_its_host(board: Board) -> None:
    board.confirm(OLD, CALM, WHOLE)
    left = replace(alive(S1), leftovers=Known(("/etc/redis.conf.rpmnew", "/etc/redis-sentinel.conf.rpmsave")))
    board.report(report(facts(left, of=alive)), WHOLE)
    assert message_of(board, S1) == (
        "a package brought a new /etc/redis.conf, which lies in /etc/redis.conf.rpmnew: take over what is new and "
        "remove it; a removed package left /etc/redis-sentinel.conf.rpmsave: remove it when nothing in it is needed"
    )


def test_drift_is_shown_at_its_host(board: Board) -> None:
    drift = {S1: (ConfigDrift("repl-timeout", "60", "10"),)}
    healthy(board).report(report(running(), Plan((START,), drift=drift)), WHOLE)
    assert board.document()["hosts"][1]["config"] == [
        {"key": "repl-timeout", "want": "60", "have": "10", "pendingRestart": False}
    ]
    assert board.document()["ready"] == "3/4"


def test_members_are_those_that_were_once_whole_together(board: Board) -> None:
    board.confirm(OLD, CALM, WHOLE)
    board.report(report(running(), Plan((START,))), WHOLE)
    assert board.members is None
    board.report(report(running()), WHOLE)
    assert board.members == ADDRESS
    fewer = replace(WHOLE, hosts=WHOLE.hosts[:3])
    refusal = Refusal("ConfigInSync", "NotSupportedYet", "A host was removed.")
    board.report(report(running(), refusal=refusal, desired=fewer), fewer)
    assert board.members == ADDRESS
