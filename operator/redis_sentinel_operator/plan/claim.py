"""Whose the hosts are: the first change on a host is its claim."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.model.fact import Claim
from redis_sentinel_operator.model.step import Step, TakeClaim
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, together


def foreign(host: Host, owner: str) -> bool:
    """Whether another resource owns the host."""
    return host.claim is not None and host.claim.owner not in ("", owner)


def ours(host: Host, owner: str, bootstrap_id: str = "") -> bool:
    """Whether the host carries our claim (with that bootstrap id, where one is asked for)."""
    claim = host.claim
    return claim is not None and claim.owner == owner and bootstrap_id in ("", claim.bootstrap_id)


def claims(hosts: Sequence[Host], claim: Claim, *, adopt: bool = False) -> Part:
    """Return a step for each host that does not carry our `claim`; those of others only with `adopt` (a person's act).

    Without a bootstrap id in `claim` any claim of ours will do.
    """
    return together(
        only(_take(host, claim, foreign(host, claim.owner)))
        for host in hosts
        if not ours(host, claim.owner, claim.bootstrap_id) and (adopt or not foreign(host, claim.owner))
    )


def _take(host: Host, claim: Claim, force: bool) -> Step:
    before = host.claim.owner if host.claim and force else ""
    why = f"a person said so; it belonged to {before}" if before else "a host is claimed before its first change"
    return Step(
        host=host.name,
        what="claim the host for this resource",
        why=why,
        action=TakeClaim(claim.owner, claim.bootstrap_id, claim.first_master, force),
        stage=Stage.CLAIM,
        needs=frozenset(),
    )
