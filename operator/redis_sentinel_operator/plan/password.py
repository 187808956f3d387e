"""The password that is in force in a cluster of ours, while another one, or none, is declared already."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.verdict import Confirmed, Verdict
from redis_sentinel_operator.plan.claim import ours
from redis_sentinel_operator.plan.host import readable


def in_force(desired: Desired, facts: ClusterFacts, verdict: Verdict, owner: str) -> Desired:
    """Return the declared cluster with the password that its servers use, by which it is kept until it is changed.

    That of the confirmed master, which may have none; while nobody is, the one that all redis have which can be read.
    Only hosts of ours count: a cluster that is being adopted with another password in the Secret is nobody's to change
    yet.
    """
    hosts, _ = readable(desired, facts)
    mine = [host for host in hosts if host.want.redis and ours(host, owner)]
    if isinstance(verdict.master, Confirmed):
        mine = [host for host in mine if host.name == verdict.master.host]
    found = {password for host in mine if (password := host.redis.password if host.redis else None) is not None}
    if len(found) != 1:
        return desired
    password = found.pop()
    return replace(desired, password=Secret(password) if password else None)
