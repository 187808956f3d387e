"""What the hosts show that forbids every change: another owner, foreign data, another password, a taken port."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.judge.findings import claimed_by_others, preflight
from redis_sentinel_operator.judge.installed import other_versions
from redis_sentinel_operator.judge.joining import foreign_data
from redis_sentinel_operator.judge.messages import CLAIMED, CREDENTIALS, PREFLIGHT, say
from redis_sentinel_operator.judge.telling import told
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Denied, Known
from redis_sentinel_operator.model.step import Refusal
from redis_sentinel_operator.model.verdict import Confirmed, Situation, Verdict
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.refuse_config import refuse_config


def refuse(
    desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict, owner: str, *, adopt: bool
) -> Refusal | None:
    """Return why nothing may be changed on any host, or None.

    A host that is left alone on purpose keeps nobody from anything, unless it is another's.
    """
    looked_after = [host for host in hosts if not host.want.aside]
    return (
        (None if adopt else _claimed(hosts, owner))
        or _foreign(verdict)
        or _foreign_on_new(desired, facts, verdict, owner)
        or _version(desired, facts, verdict)
        or refuse_config(desired, looked_after)
        or _preflight(desired, facts, verdict)
        or _password(desired, looked_after, verdict)
    )


def _claimed(hosts: Sequence[Host], owner: str) -> Refusal | None:
    message = claimed_by_others({host.name: host.facts.claim for host in hosts}, owner)
    return Refusal(CLAIMED, "HostClaimedByAnother", message) if message else None


def _foreign(verdict: Verdict) -> Refusal | None:
    if verdict.situation is not Situation.FOREIGN:
        return None
    return Refusal(PREFLIGHT, verdict.situation_reason or "ForeignData", verdict.situation_message)


def _foreign_on_new(desired: Desired, facts: ClusterFacts, verdict: Verdict, owner: str) -> Refusal | None:
    message = foreign_data(desired, facts, owner) if verdict.situation is Situation.ALIVE else ""
    return Refusal(PREFLIGHT, "ForeignDataOnNewHost", message) if message else None


def _version(desired: Desired, facts: ClusterFacts, verdict: Verdict) -> Refusal | None:
    """An older package is no reason in a cluster that lives: there it is upgraded, host by host."""
    aside = {host.name for host in desired.hosts_aside}
    others = other_versions(desired, facts, but_behind=verdict.situation is Situation.ALIVE)
    found = {name: said for name, said in others.items() if name not in aside}
    if not found:
        return None
    return Refusal(PREFLIGHT, "OtherVersion", say("OtherVersion", detail=told(desired, found)))


def _preflight(desired: Desired, facts: ClusterFacts, verdict: Verdict) -> Refusal | None:
    """A cluster that is not there yet is not begun where a port is taken; one that lives is mended all the same."""
    found = preflight(desired, facts)
    begins = verdict.situation in (Situation.BARE, Situation.BOOTSTRAPPING)
    if found.reason in ("UnsupportedSystem", "UndeclaredSentinels") or (found.reason == "PortTaken" and begins):
        return Refusal(PREFLIGHT, found.reason, found.message)
    return None


def _password(desired: Desired, hosts: Sequence[Host], verdict: Verdict) -> Refusal | None:
    """Refuse when the cluster that is there has another password than the Secret.

    What the confirmed master runs with is the cluster's password; another one elsewhere is drift, and mended.
    """
    if verdict.situation is Situation.BARE:
        return None
    redis_hosts = [host for host in hosts if host.want.redis]
    if isinstance(verdict.master, Confirmed):
        redis_hosts = [host for host in redis_hosts if host.name == verdict.master.host]
    wanted = "" if desired.password is None else desired.password.reveal()
    if not any(_another(host, wanted, verdict.situation) for host in redis_hosts):
        return None
    return Refusal(CREDENTIALS, "PasswordChanged", say("PasswordChanged"))


def _another(host: Host, wanted: str, situation: Situation) -> bool:
    """Whether a host shows that the cluster has another password."""
    if host.redis is not None:  # it let us in
        return host.redis.password not in (None, wanted)
    in_file = _file_password(host)
    if host.redis_stopped:  # its file counts only where all are stopped; one without a password may be a fresh one
        return situation is Situation.STOPPED and in_file not in ("", wanted)
    refused = isinstance(host.facts.redis, Known) and isinstance(host.facts.redis.value, Denied)
    return refused and in_file != wanted


def _file_password(host: Host) -> str:
    """Return the password in redis.conf, "" for none."""
    conf = host.conf()
    return (conf.get("requirepass") or "") if conf else ""
