"""A resource that only plans: read as its cluster, told what would be done, deleted when it expires."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from redis_sentinel_operator.api.planned import expires_at, planned_for, with_records
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.errors import KubeError
from redis_sentinel_operator.kube.client import KubeClient, cluster_path
from redis_sentinel_operator.model.desired import ClusterRef, Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.report import Outcome, Report
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.model.verdict import Verdict
from redis_sentinel_operator.operations.foresee import foreseen

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Planned:
    """As which owner a resource plans, and when it is to be gone (None: never, it is refused then)."""

    owner: str
    expires: datetime | None

    @property
    def seconds(self) -> float:
        """How long it is still to be there."""
        if self.expires is None:
            return float("inf")
        return max(0.0, (self.expires - datetime.now(UTC)).total_seconds())


def planned(body: Mapping[str, Any], identity: str) -> Planned | None:
    """Return how a resource only plans, None where it is a cluster; `identity` is the uid of kube-system."""
    name = planned_for(body)
    return Planned(f"{identity}/{body['metadata']['namespace']}/{name}", expires_at(body)) if name else None


async def as_its_cluster(kube: KubeClient, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a resource with what is recorded of the cluster that it plans for; a cluster itself as it is.

    Raises:
        ApiUnavailable: it could not be read.
    """
    name = planned_for(body)
    return with_records(body, await kube.get_cluster(body["metadata"]["namespace"], name)) if name else body


async def delete(kube: KubeClient, ref: ClusterRef) -> Outcome:
    """Delete a resource that has expired, this very one; whether it goes shows in its being deleted.

    Raises:
        ApiUnavailable, KubeError: it was not deleted.
    """
    try:
        await kube.request("DELETE", cluster_path(ref.namespace, ref.name), body={"preconditions": {"uid": ref.uid}})
    except KubeError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise
    return Outcome("this resource only planned, and has expired: it is deleted", -1.0)


def tell(
    board: Board, desired: Desired, facts: ClusterFacts, verdict: Verdict, *, todo: Plan, secret: Secret | None
) -> str:
    """Tell what would be done; return it in a sentence. A procedure that goes on is the cluster's own and left alone.

    `desired` has the password that is in force, `secret` is the declared one.
    """
    todo = replace(todo, foreseen=foreseen(desired, facts, verdict, secret))
    count = len(todo.steps) + len(todo.foreseen)
    refused = todo.refusal.message if todo.refusal else ""
    sentence = refused or next(iter(todo.waiting), f"this resource only plans: {count} changes would be made, none is")
    board.report(Report(desired.generation, facts, verdict, todo, (), sentence, todo.refusal), desired)
    return sentence
