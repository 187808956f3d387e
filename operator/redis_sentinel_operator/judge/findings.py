"""One judgement an aspect: quorum, replication, reach, claims, credentials, preflight. Reasons are of the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from redis_sentinel_operator.conf.family import family
from redis_sentinel_operator.conf.version import shown
from redis_sentinel_operator.judge.aside import is_excused, listed
from redis_sentinel_operator.judge.clients import strangers
from redis_sentinel_operator.judge.master import Sentinels, absences, views
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.risks import risks
from redis_sentinel_operator.judge.saving import saving
from redis_sentinel_operator.judge.telling import told
from redis_sentinel_operator.judge.versions import older_than_master, running
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import (
    Claim,
    ClusterFacts,
    Denied,
    Fact,
    HostFacts,
    Known,
    RedisFacts,
    SentinelFacts,
    SentinelView,
    Unknown,
)
from redis_sentinel_operator.model.verdict import Confirmed, Finding, Mastership

# The order in which reasons are told when hosts differ: those that need a person first.
_GRAVEST = (
    "BadPrivateKey",
    "HostKeyChanged",
    "HostKeyUnknown",
    "AuthenticationFailed",
    "SudoRefused",
    "ForwardingRefused",
    "HostUnreachable",
    "CommandTimedOut",
    "SessionLost",
)
_OURS = ("redis", "valkey", "sentinel")


def quorum(desired: Desired, sentinels: Sentinels) -> Finding:
    """Whether a failover can be authorised."""
    seen = views(desired, sentinels)
    total, needed = len(desired.sentinel_hosts), max(desired.majority, held_quorum(desired, seen))
    missing = "; ".join(absences(desired, sentinels))
    refusing = [name for name, view in seen.items() if view.quorum_ok is False]
    unread = sum(isinstance(sentinels.get(host.name, Unknown("")), Unknown) for host in desired.sentinel_hosts)
    counts = {"working": len(seen), "sentinels": total}
    if len(seen) < needed <= len(seen) + unread:
        return Finding(None, "SentinelsUnreadable", say("SentinelsUnreadable", **counts, missing=missing))
    if len(seen) < needed or len(refusing) == len(seen):
        detail = f"Missing: {missing}." if missing else f"NOQUORUM says {', '.join(refusing)}."
        return Finding(False, "QuorumLost", say("QuorumLost", **counts, needed=needed, detail=detail))
    away = [host for host in desired.sentinel_hosts if host.name not in seen]
    if away and not refusing and all(host.aside for host in away):
        return Finding(True, "SentinelsLeftOut", say("SentinelsLeftOut", **counts, aside=listed(away)))
    if refusing or away:
        missing = "; ".join(filter(None, (missing, *(f"{name} says NOQUORUM" for name in refusing))))
        message = say("SentinelMissing", **counts, quorum=desired.sentinel.quorum, missing=missing)
        return Finding(True, "SentinelMissing", message)
    return Finding(True, "QuorumReached", say("QuorumReached", sentinels=total))


def held_quorum(desired: Desired, seen: Mapping[str, SentinelView]) -> int:
    """Return the quorum that is wanted now: while a sentinel joins, no higher one than there is."""
    have = [view.quorum for view in seen.values()]
    joins = any(host.sentinel for host in desired.joining)
    return min(desired.sentinel.quorum, max(have)) if have and joins else desired.sentinel.quorum


def no_quorum_question() -> Finding:
    """Return the finding for hosts where no cluster runs."""
    return Finding(None, "NotApplicable", say("NotApplicable"))


def cannot_reach(desired: Desired, master: Mastership, seen: Mapping[str, SentinelView]) -> Finding | None:
    """Return the finding for a master that sentinels call down while it serves its replicas, None when it is not so."""
    down = [view for view in seen.values() if "o_down" in view.flags]
    if not isinstance(master, Confirmed) or not master.replicas or len(down) < desired.majority:
        return None
    message = say("SentinelsCannotReachMaster", host=master.host, address=master.address, replicas=master.replicas)
    return Finding(False, "SentinelsCannotReachMaster", message)


def linked_replicas(desired: Desired, facts: ClusterFacts, master: Mastership) -> frozenset[str]:
    """Return the hosts whose redis follows the confirmed master with its link up.

    A host that cannot be read counts when the master's own ROLE lists it: only replicas in touch are there.
    """
    if not isinstance(master, Confirmed):
        return frozenset()
    return frozenset(
        host.name
        for host in desired.redis_hosts
        if host.name != master.host and not trouble_of_replica(host, facts, master)
    )


def trouble_of_replica(host: DesiredHost, facts: ClusterFacts, master: Confirmed) -> str:
    """Return a phrase for what is wrong with a replica, "" when it follows the master with its link up."""
    fact = facts.hosts[host.name].redis if host.name in facts.hosts else Unknown("it was not read")
    if isinstance(fact, Unknown):
        return "" if host.address in _listed(facts, master) else fact.message.rstrip(". ")
    if fact.value is None:
        return "its redis does not run"
    if isinstance(fact.value, Denied):
        return f"its redis refuses: {fact.value.message.rstrip('. ')}"
    return _trouble_of_link(fact.value, master)


def _trouble_of_link(redis: RedisFacts, master: Confirmed) -> str:
    if redis.loading:
        return "its redis loads its data"
    if redis.role == "master":
        return "its redis says that it is a master"
    if redis.master_address != master.address:
        return f"its redis follows {redis.master_address}"
    if redis.syncing:
        return "it synchronises with the master"
    return "" if redis.link == "up" else "its link to the master is down"


def _listed(facts: ClusterFacts, master: Confirmed) -> frozenset[str]:
    fact = facts.hosts[master.host].redis if master.host in facts.hosts else None
    value = fact.value if isinstance(fact, Known) else None
    return frozenset(link.address for link in value.replicas) if isinstance(value, RedisFacts) else frozenset()


def replication(desired: Desired, facts: ClusterFacts, master: Mastership) -> Finding:
    """Whether every declared replica follows the confirmed master."""
    if not isinstance(master, Confirmed):
        return Finding(None, "NoMaster", say("NoMaster"))
    replicas = [host for host in desired.redis_hosts if host.name != master.host]
    troubles = {host.name: trouble_of_replica(host, facts, master) for host in replicas}
    linked = sum(not trouble for trouble in troubles.values())
    values = {"linked": linked, "expected": len(replicas), "master": master.host}
    older = older_than_master(desired, facts, master)
    if older:
        told_older = ", ".join(f"{name} has {shown(one)}" for name, one in older.items())
        version = shown(running(desired, facts)[master.host])
        return Finding(False, "OlderThanMaster", say("OlderThanMaster", **values, version=version, older=told_older))
    if linked == len(replicas):
        return Finding(True, "ReplicasLinked", say("ReplicasLinked", **values))
    away = [host for host in replicas if troubles[host.name] and is_excused(host, facts)]
    if linked and linked + len(away) == len(replicas):
        return Finding(True, "ReplicasLeftOut", say("ReplicasLeftOut", **values, aside=listed(away)))
    detail = "; ".join(f"{name}: {trouble}" for name, trouble in troubles.items() if trouble) + "."
    syncing = all("synchronises" in trouble for trouble in troubles.values() if trouble)
    reason = "ReplicaSyncing" if syncing else "ReplicaMissing" if linked else "ReplicationBroken"
    return Finding(False, reason, say(reason, **values, detail=detail))


def reachable(desired: Desired, facts: ClusterFacts) -> Finding:
    """Whether every declared host can be read over SSH, and RESP goes through it."""
    unknown = {host.name: _why_unreadable(facts.hosts.get(host.name)) for host in desired.staying}
    troubles = {name: why for name, why in unknown.items() if why is not None}
    if not troubles:
        return Finding(True, "AllReachable", say("AllReachable", hosts=len(desired.staying)))
    away = [host for host in desired.hosts_aside if host.name in troubles]
    if len(away) == len(troubles):
        counts = {"reached": len(desired.staying) - len(away), "hosts": len(desired.staying)}
        return Finding(True, "HostsLeftOut", say("HostsLeftOut", **counts, aside=listed(away)))
    troubles = {name: why for name, why in troubles.items() if not desired.host(name).aside}
    reason = min((why.reason for why in troubles.values()), key=_gravity)
    reason = reason if reason in _GRAVEST else "ProbeFailed"
    return Finding(
        False, reason, say(reason, detail=told(desired, {name: why.message for name, why in troubles.items()}))
    )


def _gravity(reason: str) -> int:
    return _GRAVEST.index(reason) if reason in _GRAVEST else len(_GRAVEST)


def _why_unreadable(facts: HostFacts | None) -> Unknown | None:
    if facts is None:
        return Unknown("it was not read")
    if isinstance(facts.os, Unknown):
        return facts.os
    refused = [fact for fact in (facts.redis, facts.sentinel) if isinstance(fact, Unknown)]
    return next((fact for fact in refused if fact.reason == "ForwardingRefused"), None)


def claimed(desired: Desired, facts: ClusterFacts, owner: str) -> Finding:
    """Whether every host carries our claim."""
    claims = {host.name: facts.hosts[host.name].claim for host in desired.staying if host.name in facts.hosts}
    others = claimed_by_others(claims, owner)
    if others:
        return Finding(False, "HostClaimedByAnother", others)
    unread = [name for name, fact in claims.items() if isinstance(fact, Unknown)]
    if unread:
        return Finding(None, "ClaimUnreadable", say("ClaimUnreadable", hosts=", ".join(unread)))
    free = [name for name, fact in claims.items() if isinstance(fact, Known) and fact.value is None]
    if free:
        return Finding(False, "NotClaimed", say("NotClaimed", hosts=", ".join(free)))
    return Finding(True, "AllClaimed", say("AllClaimed", hosts=len(claims)))


def claimed_by_others(claims: Mapping[str, Fact[Claim | None]], owner: str) -> str:
    """Return the message for hosts (by name) that another resource owns, "" when there are none."""
    read = {name: fact.value for name, fact in claims.items() if isinstance(fact, Known)}
    foreign = {name: claim.owner for name, claim in read.items() if claim is not None and claim.owner != owner}
    if not foreign:
        return ""
    first = next(iter(foreign.values()))
    hosts = [name for name, other in foreign.items() if other == first]
    return say("HostClaimedByAnother", owner=first, hosts=", ".join(hosts))


def credentials(desired: Desired, facts: ClusterFacts) -> Finding:
    """Whether the servers accept the password."""
    for name, fact in _redis_of(desired, facts):
        if isinstance(fact.value, Denied):
            return Finding(False, "PasswordWrong", say("PasswordWrong", host=name, detail=fact.value.message))
    version = f" of resourceVersion {desired.password_version}" if desired.password_version else ""
    lacking = _lacking(desired, facts)
    if lacking:
        reason = "PasswordChanging" if desired.password is not None else "PasswordNotDeclared"
        elsewhere = strangers(desired, facts.hosts)
        clients = f" Connected from elsewhere when last looked: {elsewhere}." if elsewhere else ""
        return Finding(False, reason, say(reason, version=version, hosts=", ".join(lacking), clients=clients))
    unread = [host.name for host in desired.redis_hosts if not _is_read(facts, host.name)]
    if unread and desired.password is not None:
        message = say("PasswordNotProved", version=version, hosts=", ".join(unread))
        return Finding(None, "PasswordNotProved", message)
    return Finding(True, "CredentialsInSync", say("CredentialsInSync", version=version))


def _lacking(desired: Desired, facts: ClusterFacts) -> list[str]:
    """Return the hosts whose redis has another password than the declared one, for who connects or for its master."""
    wanted = desired.password.reveal() if desired.password is not None else ""
    read = {name: fact.value for name, fact in _redis_of(desired, facts) if isinstance(fact.value, RedisFacts)}
    return [
        name
        for name, redis in read.items()
        if redis.password not in (None, wanted) or redis.config.get("masterauth", "") not in ("", wanted)
    ]


def _is_read(facts: ClusterFacts, name: str) -> bool:
    return name in facts.hosts and isinstance(facts.hosts[name].redis, Known)


def _redis_of(desired: Desired, facts: ClusterFacts) -> Iterable[tuple[str, Known[RedisFacts | Denied | None]]]:
    for host in desired.redis_hosts:
        fact = facts.hosts[host.name].redis if host.name in facts.hosts else None
        if isinstance(fact, Known):
            yield host.name, fact


def preflight(desired: Desired, facts: ClusterFacts) -> Finding:
    """Whether something on a host stands in the way: a system we do not know, a port that another program has."""
    seen = [(host, facts.hosts[host.name]) for host in desired.staying if host.name in facts.hosts]
    unsupported = next((finding for host, each in seen if (finding := _unsupported(host, each))), None)
    if unsupported is not None:
        return unsupported
    strangers = undeclared_sentinels(desired, facts)
    if strangers:
        message = say("UndeclaredSentinels", name=desired.master_name, sentinels=", ".join(strangers))
        return Finding(False, "UndeclaredSentinels", message)
    taken = "; ".join(phrase for host, each in seen for phrase in taken_ports(desired, host, each))
    if taken:
        return Finding(False, "PortTaken", say("PortTaken", detail=f"{taken[:1].upper()}{taken[1:]}."))
    return saving(desired, facts) or risks(desired, facts) or Finding(True, "PreflightPassed", say("PreflightPassed"))


def undeclared_sentinels(desired: Desired, facts: ClusterFacts) -> tuple[str, ...]:
    """Return `address:port` of each sentinel that is known to ours, alive, and of no declared host.

    One that announces another address than the declared one is told by its id; as long as ids of ours are not known,
    as many strangers may be ours.
    """
    known = _sentinels_that_answer(desired, facts)
    ids = {each.my_id for each in known} - {""}
    addresses = {host.address for host in desired.every_sentinel} | {host.address for host in desired.gone}
    peers = (peer for each in known if each.view for peer in each.view.peers if "s_down" not in peer.flags)
    strangers = {peer.id: f"{peer.address}:{peer.port}" for peer in peers if peer.address not in addresses | {""}}
    strangers = {key: where for key, where in strangers.items() if key not in ids}
    return tuple(sorted(strangers.values())) if len(strangers) > len(desired.every_sentinel) - len(ids) else ()


def _sentinels_that_answer(desired: Desired, facts: ClusterFacts) -> list[SentinelFacts]:
    found = [facts.hosts[host.name].sentinel for host in desired.every_sentinel if host.name in facts.hosts]
    values = [each.value for each in found if isinstance(each, Known)]
    return [value for value in values if isinstance(value, SentinelFacts)]


def _unsupported(host: DesiredHost, facts: HostFacts) -> Finding | None:
    if not isinstance(facts.os, Known) or family(facts.os.value) is not None:
        return None
    detail = f"{host.name} runs {facts.os.value.id} {facts.os.value.version_id}, which is not supported."
    return Finding(False, "UnsupportedSystem", say("UnsupportedSystem", detail=detail))


def taken_ports(desired: Desired, host: DesiredHost, facts: HostFacts) -> Iterable[str]:
    """Return a phrase for each of our ports that another program has.

    A listener without a name (no `ss` on the host) is another program where no redis runs at all.
    """
    ports = {desired.redis_port} if host.redis else set()
    ports |= {desired.sentinel_port} if host.sentinel else set()
    bare = isinstance(facts.processes, Known) and not facts.processes.value
    for each in facts.listeners.value if isinstance(facts.listeners, Known) else ():
        ours = any(word in each.process for word in _OURS) if each.process else not bare
        if each.port in ports and not ours:
            process = f"{each.process or 'a program'} (process {each.pid})" if each.pid else "another program"
            yield f"port {each.port} of {host.name} is taken by {process}"
