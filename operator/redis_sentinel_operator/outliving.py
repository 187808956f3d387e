"""Hosts on which another operator has worked for the same resource: its epoch is outlived, once and by right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias

from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.model.fact import ClusterFacts, Known
from redis_sentinel_operator.model.step import Plan

Outlive: TypeAlias = Callable[[int], Awaitable[int]]

ANOTHER: Final = (
    "another operator works for this resource as well, and has changed its hosts under a later Lease: this one changes "
    "nothing there. No resource may be matched by two operators: narrow RSO_SELECTOR or RSO_NAMESPACES of one of them. "
    "When the other one is gone, restart this one"
)


async def refused(epoch: int) -> int:
    """Leave our epoch as it is: hosts that remember a later one refuse what we do."""
    return 0


async def outliving(guard: Guard, facts: ClusterFacts, outlive: Outlive) -> Guard:
    """Return the guard with an epoch that is not older than any that hosts remember of this resource.

    A Lease of its own gives each operator of a shared fleet its epochs, so one that takes over a resource may have the
    older one. `outlive` returns ours, made later than an epoch if it may be.
    """
    latest = _latest(guard, facts)
    if latest <= guard.lease_epoch:
        return guard
    return replace(guard, lease_epoch=max(guard.lease_epoch, await outlive(latest)))


def overruled(guard: Guard, facts: ClusterFacts) -> str:
    """Return why nothing may be changed where a later epoch stays: another operator is at work, "" where none is.

    The hosts would refuse each step; a procedure would be begun twice.
    """
    return ANOTHER if _latest(guard, facts) > guard.lease_epoch else ""


def stands_aside(todo: Plan) -> Plan:
    """Return what is told of a plan that the other operator is to carry out."""
    return replace(todo, steps=(), waiting=(ANOTHER, *todo.waiting)) if todo.steps else todo


def _latest(guard: Guard, facts: ClusterFacts) -> int:
    found = (host.claim.value for host in facts.hosts.values() if isinstance(host.claim, Known))
    return max((claim.lease_epoch for claim in found if claim is not None and claim.owner == guard.owner), default=0)
