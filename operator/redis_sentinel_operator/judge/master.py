"""Who is master: from the sentinels' votes and one ROLE. Evidence, never a guess; total over any mix of answers.

A vote is what GET-MASTER-ADDR-BY-NAME says, with the config epoch of SENTINEL MASTER from the same pipeline. From its
promotion to the end of the failover the leader's SENTINEL MASTER shows the *old* address with the *new* epoch
(sentinel.c of 3.2.6: the reply prints ri->addr, the epoch is set at the promotion), so that address is no vote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import Denied, Fact, Known, RedisFacts, SentinelFacts, SentinelView, Unknown
from redis_sentinel_operator.model.verdict import Confirmed, MasterRecord, Mastership, Uncertain

Sentinels = Mapping[str, Fact[SentinelFacts | Denied | None]]
Redises = Mapping[str, Fact[RedisFacts | Denied | None]]

_TRANSITION_FLAGS = frozenset({"s_down", "o_down", "failover_in_progress", "force_failover"})


@dataclass(frozen=True, slots=True)
class Vote:
    """What one declared sentinel says; `settled`: it shows no sign of a transition."""

    host: str
    address: str
    port: int
    epoch: int
    tilt: bool
    settled: bool


@dataclass(frozen=True, slots=True)
class Elected:
    """What a majority names at the highest epoch; `unanimous`: all declared sentinels, all settled."""

    host: str
    address: str
    port: int
    epoch: int
    unanimous: bool


def facts_of(fact: Fact[SentinelFacts | Denied | None] | None) -> SentinelFacts | None:
    """Return the facts of a sentinel that answers, else None."""
    value = fact.value if isinstance(fact, Known) else None
    return value if isinstance(value, SentinelFacts) else None


def redis_of(redis: Redises, host: str) -> RedisFacts | None:
    """Return the facts of a host's redis that answers, else None."""
    fact = redis.get(host)
    value = fact.value if isinstance(fact, Known) else None
    return value if isinstance(value, RedisFacts) else None


def views(desired: Desired, sentinels: Sentinels) -> dict[str, SentinelView]:
    """Return what each declared sentinel that answers says of our master, by host name."""
    found: dict[str, SentinelView] = {}
    for host in desired.sentinel_hosts:
        facts = facts_of(sentinels.get(host.name))
        if facts is not None and facts.view is not None:
            found[host.name] = facts.view
    return found


def views_of_others(desired: Desired, sentinels: Sentinels) -> dict[str, SentinelView]:
    """Return what sentinels say that have no vote, as they join or leave: they may still lead a failover."""
    found: dict[str, SentinelView] = {}
    for host in desired.every_sentinel:
        facts = facts_of(sentinels.get(host.name)) if host.state != "Member" else None
        if facts is not None and facts.view is not None:
            found[host.name] = facts.view
    return found


def votes(desired: Desired, sentinels: Sentinels) -> list[Vote]:
    """Return the votes of the declared sentinels that answer and know our master."""
    found: list[Vote] = []
    for host in desired.sentinel_hosts:
        facts = facts_of(sentinels.get(host.name))
        if facts is None or facts.view is None:
            continue
        view = facts.view
        settled = not facts.tilt and not (view.flags & _TRANSITION_FLAGS) and view.told_address in ("", view.address)
        found.append(Vote(host.name, view.address, view.port, view.config_epoch, facts.tilt, settled))
    return found


def candidate(desired: Desired, sentinels: Sentinels) -> str | None:
    """Return the declared host that a majority names, whose ROLE decides; None when no majority names one."""
    elected = elect(desired, sentinels)
    return elected.host if isinstance(elected, Elected) else None


def mastership(desired: Desired, sentinels: Sentinels, redis: Redises, last: MasterRecord | None) -> Mastership:
    """Say who is master, or why nobody is confirmed.

    Args:
        desired: the declared cluster; its sentinels are the voters.
        sentinels: what each sentinel answered, by host name; a missing one counts as unread.
        redis: what redis answered, by host name; only the candidate's is needed, all of them for an older epoch.
        last: the last confirmed master.
    """
    elected = elect(desired, sentinels)
    if isinstance(elected, Uncertain):
        return elected
    doubt = _doubt_of_history(desired, elected, redis, last) or _doubt_of_role(elected, redis.get(elected.host))
    return doubt or Confirmed(elected.host, elected.address, elected.port, elected.epoch, _online(redis[elected.host]))


def _online(fact: Fact[RedisFacts | Denied | None]) -> int:
    value = fact.value if isinstance(fact, Known) else None
    return len(value.replicas) if isinstance(value, RedisFacts) else 0


def elect(desired: Desired, sentinels: Sentinels) -> Elected | Uncertain:
    """Return what a majority of the declared sentinels names at the highest config epoch, or why none does."""
    ballot = votes(desired, sentinels)
    if not ballot:
        return _nobody_votes(desired, sentinels)
    epoch = max(vote.epoch for vote in ballot)
    leading = [vote for vote in ballot if vote.epoch == epoch]
    named = sorted({(vote.address, vote.port) for vote in leading})
    if len(named) > 1:
        names = ", ".join(f"{vote.host} says {vote.address}:{vote.port}" for vote in leading)
        return Uncertain(
            "SentinelsDisagree", say("SentinelsDisagree", epoch=epoch, names=names, name=desired.master_name)
        )
    address, port = named[0]
    counted = [vote for vote in leading if not vote.tilt]
    if len(counted) < desired.majority:
        return _no_majority(desired, sentinels, ballot, counted, leading[0])
    host = _redis_host(desired, address, port)
    if host is None:
        message = say("UnknownMaster", address=address, port=port, epoch=epoch)
        return Uncertain("UnknownMaster", message, address)
    unanimous = len(leading) == len(desired.sentinel_hosts) and all(vote.settled for vote in leading)
    return Elected(host.name, address, port, epoch, unanimous)


def _redis_host(desired: Desired, address: str, port: int) -> DesiredHost | None:
    host = desired.host_at(address)
    return host if host is not None and host.redis and port == desired.redis_port else None


def _nobody_votes(desired: Desired, sentinels: Sentinels) -> Uncertain:
    answering = [facts_of(sentinels.get(host.name)) for host in desired.sentinel_hosts]
    found = sorted({name for facts in answering if facts is not None for name in facts.masters})
    if found:
        message = say("MasterNameUnknown", name=desired.master_name, found=", ".join(found))
        return Uncertain("MasterNameUnknown", message)
    return _unreachable(desired, sentinels, [])


def _unreachable(desired: Desired, sentinels: Sentinels, ballot: Sequence[Vote]) -> Uncertain:
    message = say(
        "SentinelsUnreachable",
        name=desired.master_name,
        readable=len(ballot),
        sentinels=len(desired.sentinel_hosts),
        majority=desired.majority,
        missing="; ".join(absences(desired, sentinels)),
    )
    return Uncertain("SentinelsUnreachable", message)


def absences(desired: Desired, sentinels: Sentinels) -> list[str]:
    """Return a phrase for each declared sentinel that does not answer for our master: which, and why."""
    phrases: list[str] = []
    for host in desired.sentinel_hosts:
        fact = sentinels.get(host.name)
        facts = facts_of(fact)
        if facts is not None and facts.view is not None:
            continue
        phrases.append(f"{host.name}: {_absence(fact, desired.master_name)}")
    return phrases


def _absence(fact: Fact[SentinelFacts | Denied | None] | None, name: str) -> str:
    if fact is None:
        return "not read"
    if isinstance(fact, Unknown):
        return fact.message.rstrip(". ")
    if fact.value is None:
        return "no sentinel runs there"
    if isinstance(fact.value, Denied):
        return f"its sentinel refuses: {fact.value.message.rstrip('. ')}"
    return f"its sentinel does not know {name}"


def _no_majority(
    desired: Desired, sentinels: Sentinels, ballot: Sequence[Vote], counted: Sequence[Vote], leading: Vote
) -> Uncertain:
    tilted = [vote.host for vote in ballot if vote.tilt]
    if len(ballot) < desired.majority:
        return _unreachable(desired, sentinels, ballot)
    if len([vote for vote in ballot if not vote.tilt]) < desired.majority:
        return Uncertain("SentinelTilt", say("SentinelTilt", hosts=", ".join(tilted)))
    message = say(
        "SwitchGoingOn",
        address=leading.address,
        port=leading.port,
        votes=len(counted),
        sentinels=len(desired.sentinel_hosts),
        epoch=leading.epoch,
        majority=desired.majority,
    )
    return Uncertain("SwitchGoingOn", message, leading.address)


def _doubt_of_history(
    desired: Desired, elected: Elected, redis: Redises, last: MasterRecord | None
) -> Uncertain | None:
    """An epoch may fall (REMOVE and MONITOR make it 0), but only an undivided, calm and complete picture is believed.

    The epoch of the last master with another address is treated alike: sentinels that were asked to fail over at the
    same time used one epoch for two masters.
    """
    if last is None or elected.epoch > last.config_epoch:
        return None
    same = (elected.address, elected.port) == (last.address, last.port)
    if elected.epoch == last.config_epoch and same:
        return None
    doubt = "" if elected.unanimous else "not all declared sentinels agree and are calm"
    for host in desired.every_redis:
        if not doubt and host.name != elected.host:
            doubt = _may_be_master(host, redis.get(host.name))
    if not doubt:
        return None
    message = say(
        "OlderEpoch",
        address=elected.address,
        port=elected.port,
        epoch=elected.epoch,
        last=last.host,
        last_epoch=last.config_epoch,
        detail=doubt,
    )
    return Uncertain("OlderEpoch", message, elected.address)


def _may_be_master(host: DesiredHost, fact: Fact[RedisFacts | Denied | None] | None) -> str:
    if not isinstance(fact, Known) or isinstance(fact.value, Denied):
        return f"the role of {host.name} could not be read"
    if fact.value is not None and fact.value.role == "master":
        return f"{host.name} says that it is a master too"
    return ""


def _doubt_of_role(elected: Elected, fact: Fact[RedisFacts | Denied | None] | None) -> Uncertain | None:
    reason, detail = _role_reason(fact)
    if not reason:
        return None
    message = say(reason, host=elected.host, address=elected.address, port=elected.port, detail=detail)
    return Uncertain(reason, message, elected.address)


def _role_reason(fact: Fact[RedisFacts | Denied | None] | None) -> tuple[str, str]:
    if fact is None:
        return "MasterUnreadable", "it was not asked yet."
    if isinstance(fact, Unknown):
        return "MasterUnreadable", fact.message
    if fact.value is None:
        return "MasterStopped", ""
    if isinstance(fact.value, Denied):
        return "PasswordWrong", fact.value.message
    followed = f"slave of {fact.value.master_address}" if fact.value.role == "slave" else fact.value.role
    return ("", "") if fact.value.role == "master" else ("RoleDisagrees", followed)
