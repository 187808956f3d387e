"""A master that is to do nothing (maintenance, fence) is replaced first: a switchover that the spec asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redis_sentinel_operator.judge.aside import field_of
from redis_sentinel_operator.judge.spare import why_not_spared
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations import choose, switchover
from redis_sentinel_operator.operations.move import Scene, Wish, failed_lately
from redis_sentinel_operator.times import second

_ASK = "ask again when phase is Healthy"  # what a person who asked is told


def due(scene: Scene, acts: Sequence[Mapping[str, Any]]) -> Operation | str | None:
    """Return the record of a switchover that begins now, the sentence why it waits, None where none is needed.

    Args:
        scene: what is known.
        acts: status.acts, where an attempt that failed stands.
    """
    master = scene.verdict.master
    host = scene.desired.host(master.host) if isinstance(master, Confirmed) else None
    if host is None or not host.aside or scene.verdict.transition:
        return None
    reason = why_not_spared(host.name, scene.desired, scene.facts, scene.verdict)
    reason = reason or failed_lately(scene, acts, switchover.NAME, "the switchover away from it")
    begun = reason or switchover.begin(scene, Wish(switchover.NAME, choose.BEST, second(scene.now)))
    if isinstance(begun, Operation):
        return begun
    said = begun.rstrip(". ").replace(_ASK, "it begins by itself then")
    return f"{field_of(host)} names {host.name}, which is the master and is not stopped: {said}"
