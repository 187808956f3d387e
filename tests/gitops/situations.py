"""The rows of the table of situations as the API server has them: each status is made by the product's own board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from redis_sentinel_operator.api import API_VERSION, KIND
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Known
from redis_sentinel_operator.model.report import Report, StepResult
from redis_sentinel_operator.model.step import ConfigDrift, Plan, Refusal
from unit.boarding import CALM, DOWN, NO_MASTER, OLD, START, WHOLE, Store, healthy, report
from unit.judge.clusters import S1, S2, S3, M, alive, bare, desired, facts, owned, running, unreachable, with_data

Object = dict[str, Any]
NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
LATER = {M: (ConfigDrift("databases", "32", "16", pending_restart=True),)}
REFUSED = Refusal("ConfigInSync", "NotSupportedYet", "spec.redis.port: another port is not supported yet.")


@dataclass(frozen=True, slots=True)
class Situation:
    """A row: `make` brings a board there; the generation is 1 unless said."""

    what: str
    phase: str
    kstatus: str
    argo: str
    make: Callable[[Board], None]
    generation: int = 1
    deleted: bool = False

    def object(self) -> Object:
        """The resource as it is stored."""
        board = Board(WHOLE.ref, {}, Store().write, lambda: NOON)
        self.make(board)
        metadata: Object = {"name": WHOLE.ref.name, "namespace": WHOLE.ref.namespace, "generation": self.generation}
        if self.deleted:
            metadata |= {"deletionTimestamp": "2026-01-31T12:00:00Z", "finalizers": ["redis-sentinel-operator.io/f"]}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "status": board.document()}


def situations() -> tuple[Situation, ...]:
    """All of them."""
    return (
        Situation("new", "Bootstrapping", "InProgress", "Progressing", lambda _: None),
        Situation("installing", "Bootstrapping", "InProgress", "Progressing", _installing),
        Situation("all as declared", "Healthy", "Current", "Healthy", _healthy),
        Situation("one replica down", "Degraded", "Current", "Healthy", _seen(replace(alive(S3), redis=Known(None)))),
        Situation(
            "one sentinel down", "Degraded", "Current", "Healthy", _seen(replace(alive(S3), sentinel=Known(None)))
        ),
        Situation("failover going on", "FailingOver", "InProgress", "Progressing", _failing_over),
        Situation("no quorum", "Unavailable", "InProgress", "Degraded", _no_quorum),
        Situation("replication broken", "Unavailable", "InProgress", "Degraded", _replication_broken),
        Situation("no quorum, and a new generation", "Unavailable", "InProgress", "Degraded", _no_quorum, generation=2),
        Situation(
            "a new generation that nobody saw yet", "Healthy", "InProgress", "Progressing", _healthy, generation=2
        ),
        Situation("a new generation being applied", "Updating", "InProgress", "Progressing", _updating, generation=2),
        Situation("restart pending", "WaitingForYou", "Current", "Suspended", _restart_pending),
        Situation("Paused", "Paused", "Current", "Suspended", _managed("Paused")),
        Situation("Observe", "Observing", "Current", "Suspended", _managed("Observe")),
        Situation("Paused, without a quorum", "Paused", "InProgress", "Degraded", _paused_without_quorum),
        Situation("Paused, failover going on", "Paused", "InProgress", "Progressing", _paused_in_a_failover),
        Situation("spec refused", "Blocked", "Failed", "Degraded", _refused, generation=2),
        Situation("mended after it was refused", "Blocked", "InProgress", "Progressing", _refused, generation=3),
        Situation("Secret missing, never read", "Blocked", "Failed", "Degraded", _no_secret),
        Situation("key wrong on a new resource", "Blocked", "Failed", "Degraded", _key_wrong),
        Situation("claimed by another", "Blocked", "Failed", "Degraded", _claimed, generation=2),
        Situation("foreign data", "Blocked", "Failed", "Degraded", _foreign),
        Situation("one host waits for a person", "Degraded", "Failed", "Degraded", _one_host_waits, generation=2),
        Situation("deleting", "Deleting", "Terminating", "Progressing", _deleting, generation=2, deleted=True),
    )


def _healthy(board: Board) -> None:
    healthy(board)


def _told(board: Board, read: ClusterFacts, plan: Plan | None = None, *, declared: Desired = WHOLE) -> Board:
    told = report(read, plan, declared.generation, desired=declared)
    if told.verdict is not None:
        board.confirm(told.verdict.master, {name: host.sentinel for name, host in read.hosts.items()}, declared)
    board.report(told, declared)
    return board


def _seen(*changed: Any) -> Callable[[Board], None]:
    """Healthy at first, then this was read, with the change that mends it."""
    return lambda board: void(_told(healthy(board), facts(*changed, of=alive), Plan((START,))))


def void(_: object) -> None:
    """Nothing is returned."""


def _installing(board: Board) -> None:
    _told(board, facts(), Plan((START,)))


def _failing_over(board: Board) -> None:
    healthy(board).confirm(NO_MASTER, DOWN)


def _no_quorum(board: Board) -> None:
    _told(healthy(board), facts(*(replace(alive(name), sentinel=Known(None)) for name in (S2, S3)), of=alive))


def _replication_broken(board: Board) -> None:
    _told(healthy(board), facts(*(replace(alive(name), redis=Known(None)) for name in (S1, S2, S3)), of=alive))


def _updating(board: Board) -> None:
    _told(healthy(board), running(), Plan((START,)), declared=replace(WHOLE, generation=2))


def _restart_pending(board: Board) -> None:
    _told(healthy(board), running(), Plan(drift=LATER))


def _managed(management: str) -> Callable[[Board], None]:
    return lambda board: void(_told(board, running(), declared=desired(management=management)))


def _paused_without_quorum(board: Board) -> None:
    less = facts(*(replace(alive(name), sentinel=Known(None)) for name in (S2, S3)), of=alive)
    _told(healthy(board), less, declared=desired(management="Paused"))


def _paused_in_a_failover(board: Board) -> None:
    declared = desired(management="Paused")
    _told(board, running(), declared=declared).confirm(NO_MASTER, DOWN, declared)


def _refused(board: Board) -> None:
    healthy(board).report(report(running(), generation=2, refusal=REFUSED), replace(WHOLE, generation=2))


def _no_secret(board: Board) -> None:
    refusal = Refusal("CredentialsInSync", "SecretMissing", "The Secret redis-ssh does not exist.")
    board.report(Report(1, None, None, Plan(), (), "no", refusal), None)


def _key_wrong(board: Board) -> None:
    hosts = (unreachable(name, "AuthenticationFailed", "it refuses the key") for name in (M, S1, S2, S3))
    _told(board, facts(*hosts), Plan(waiting=("no host can be read",)))


def _claimed(board: Board) -> None:
    others = facts(owned(alive(S1), owner="uid/other/cluster"), of=alive)
    _told(healthy(board), others, Plan(waiting=("a host is another's",)), declared=replace(WHOLE, generation=2))


def _foreign(board: Board) -> None:
    _told(board, facts(with_data(bare(S1))), Plan(waiting=("there is data that nobody knows",)))


def _one_host_waits(board: Board) -> None:
    taken = StepResult(START, False, "port 6379 is taken by nginx", 0.1, "PortTaken")
    declared = replace(WHOLE, generation=2)
    board.confirm(OLD, CALM, declared)
    healthy(board).report(replace(report(running(), Plan((START,)), 2), results=(taken,)), declared)


def _deleting(board: Board) -> None:
    healthy(board).deleting("Redis on redis_slave01 is being stopped.")
