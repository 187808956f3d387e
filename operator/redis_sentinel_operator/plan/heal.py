"""After a switch: what runs and does not follow the confirmed master is pointed to it, or left to the sentinels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.master import Sentinels, views
from redis_sentinel_operator.judge.superseded import in_failover
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Known, RedisFacts
from redis_sentinel_operator.model.step import Impact, MakeReplica, Need, RestoreMaster, Step
from redis_sentinel_operator.model.verdict import Confirmed, Verdict
from redis_sentinel_operator.plan.host import Host, answering
from redis_sentinel_operator.plan.part import CONFIRMED, Part, Stage, only, together, wait

_UNDONE = frozenset({Need.CLAIM, Need.UNDONE})
_SUPERSEDED = frozenset({Need.CLAIM, Need.CONFIRMED, Need.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class _Now:
    """One reading with a confirmed master. `online` are the replicas that the master itself shows, None: not read.

    `members` are the hosts that are known to have been part of the cluster.
    """

    desired: Desired
    facts: ClusterFacts
    verdict: Verdict
    master: Confirmed
    online: frozenset[str] | None
    members: frozenset[str]

    @property
    def sentinels(self) -> Sentinels:
        """What each sentinel answered."""
        return {name: each.sentinel for name, each in self.facts.hosts.items()}

    def belongs(self, host: Host) -> bool:
        """Whether the redis of a host is of this cluster: what never was may have data that are nobody's to replace."""
        seen = views(self.desired, self.sentinels).values()
        # One that joins was bare when it was claimed, one that leaves was a member.
        moves = host.want.state != "Member" and host.claim is not None
        return (
            moves
            or host.name in self.members
            or any(each.address == host.want.address for view in seen for each in view.replicas)
        )


def heal(
    desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict, members: frozenset[str]
) -> Part:
    """Return the steps that make replicas of what is none; the settle time is not waited for.

    A replica of the master that sentinels do not know yet needs no step: they find it when they ask the master.
    """
    if not isinstance(verdict.master, Confirmed):
        return together(_restored(host, facts, verdict) for host in hosts if host.name == verdict.restores)
    now = _Now(desired, facts, verdict, verdict.master, _online(facts, verdict.master), members)
    return together(_one(now, host) for host in hosts if host.want.redis) + _unknown_to_sentinels(now)


def _restored(host: Host, facts: ClusterFacts, verdict: Verdict) -> Part:
    """Return the step that gives a master its role back; what judge/restoring.py asks for holds."""
    epochs = [each.view.config_epoch for each in map(answering, facts.hosts.values()) if each and each.view]
    if host.redis is None or not epochs:
        return Part()
    action = RestoreMaster(max(epochs), host.redis.run_id)
    why = f"{verdict.undone}; all sentinels name it, and none can promote another"
    return only(Step(host.name, "make redis the master again", why, action, Stage.ROLE, Impact.RESTART, _UNDONE))


def _one(now: _Now, host: Host) -> Part:
    redis, master = host.redis, now.master
    if redis is None or redis.loading or host.name == master.host or host.want.address in (now.online or ()):
        return Part()
    if redis.role == "slave" and redis.master_address != master.address:
        reason = why_not(Need.CONFIRMED, host.name, now.desired, now.facts, now.verdict)
        reason = reason or in_failover(now.desired, now.sentinels)
        reason = reason or (f"redis on {master.host} could not be read" if now.online is None else None)
        what, why = f"follows {redis.master_address}", f"it follows {redis.master_address}, which is not the master"
        action = MakeReplica(master.address, master.port, master.config_epoch, redis.run_id, "slave")
        return _step(now, host, action, why, CONFIRMED) if reason is None else _left(now, host, what, reason)
    if redis.role == "master":
        reason = why_not(Need.SUPERSEDED, host.name, now.desired, now.facts, now.verdict)
        what, why = "is a master too", f"it came back as a master, and {master.host} is one since before it started"
        action = MakeReplica(master.address, master.port, master.config_epoch, redis.run_id, "master")
        return _step(now, host, action, why, _SUPERSEDED) if reason is None else _left(now, host, what, reason)
    return Part()


def _step(now: _Now, host: Host, action: MakeReplica, why: str, needs: frozenset[Need]) -> Part:
    if not now.belongs(host):
        what = "is a master" if action.was == "master" else "follows another server"
        return wait(
            f"redis on {host.name} {what} and was never seen in this cluster, so its data are not replaced. If they "
            f"may go, send `SLAVEOF {action.address} {action.port}` to it"
        )
    what = f"make redis a replica of {now.master.host} ({action.address}:{action.port})"
    return only(Step(host.name, what, why, action, Stage.ROLE, Impact.RESTART, needs))


def _left(now: _Now, host: Host, what: str, reason: str) -> Part:
    """Say why it is left to the sentinels, who point what they know to the master themselves."""
    return wait(
        f"redis on {host.name} {what}. The sentinels make it a replica of {now.master.host} within some ten seconds; "
        f"the operator does not now: {reason.rstrip('. ')}. If it stays so, send `SLAVEOF {now.master.address} "
        f"{now.master.port}` to it"
    )


def _unknown_to_sentinels(now: _Now) -> Part:
    """Say which replicas a sentinel does not know: after SENTINEL RESET, or because it never heard of them.

    One that announces another address than the declared one is known by that: it is the number that tells.
    """
    declared = {host.address: host.name for host in now.desired.redis_hosts}
    online = (now.online or frozenset()) & declared.keys()
    waiting = []
    for name, view in views(now.desired, now.sentinels).items():
        missing = online - {each.address for each in view.replicas}
        if missing and view.address == now.master.address and len(view.replicas) < len(online):
            told = ", ".join(host for address, host in declared.items() if address in missing)
            waiting.append(
                f"the sentinel on {name} does not know {told} as a replica, so it could not promote it; it finds it "
                "when it asks the master again, within ten seconds"
            )
    return Part(waiting=tuple(waiting))


def _online(facts: ClusterFacts, master: Confirmed) -> frozenset[str] | None:
    """The addresses of the replicas that the master itself shows in touch with it."""
    fact = facts.hosts[master.host].redis if master.host in facts.hosts else None
    value = fact.value if isinstance(fact, Known) else None
    return frozenset(each.address for each in value.replicas) if isinstance(value, RedisFacts) else None
