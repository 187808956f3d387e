"""What of a change of status a person is told as an Event, and in which words: the one table of these messages.

Only transitions are news. A message says what is, what the operator does about it, and what the reader can do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis_sentinel_operator.model.event import Cause

Document = Mapping[str, Any]
MESSAGES: Final[Mapping[str, str]] = {
    "MasterConfirmed": "{host} ({address}:{port}) is the master.",
    "MasterChanged": (
        "{host} ({address}:{port}) is the master now, at config epoch {epoch}; before it was {old}. {why} The operator "
        "brings {old} back as a replica when it may. Clients that ask the sentinels follow by themselves."
    ),
    "MasterRestarted": (
        "The redis of the master {host} ({address}:{port}) was restarted, and the sentinels kept it as master. Writes "
        "that it had not saved are lost, on the replicas as well. The operator changes nothing. Look why it restarted, "
        "and whether your data is whole."
    ),
    "EpochReset": (
        "The sentinels' config epoch fell from {before} to {epoch}, {host} is master: somebody removed the master from "
        "all sentinels and added it again (SENTINEL REMOVE, SENTINEL MONITOR). All declared sentinels agree, so the "
        "operator goes on with it. If it was nobody of yours, look at the sentinels' logs."
    ),
    "FailoverStarted": (
        "The sentinels replace the master {old}: {cause}. The operator publishes the new master when a majority names "
        "it, and changes nothing on the hosts until then."
    ),
    "FailoverAborted": "A failover that was to replace {old} came to nothing: {message}",
    "QuorumLost": "{message}",
    "QuorumRestored": "A failover can be authorised again. {message}",
    "ReplicationBroken": "{message}",
    "ReplicationRestored": "{message}",
    "HostUnreachable": (
        "{detail}. The operator tries again by itself and works on with the other hosts. Check that the machine is up "
        "and that its sshd can be reached from the operator's node, with the declared key."
    ),
    "ActBegun": "{verb} {arg}, asked for at {at}: {message}.",
    "ActDone": "{verb} {arg}, asked for at {at}, is done: {message}.",
    "ActRefused": "{verb} {arg}, asked for at {at}, was refused and nothing was done: {message}.",
    "ActFailed": "{verb} {arg}, asked for at {at}, has failed; settings are as before: {message}.",
    "HostJoined": (
        "{host} ({address}) is part of the cluster now: its redis follows the master, and the sentinels know "
        "each other."
    ),
    "HostLeft": (
        "{host} ({address}) is no part of the cluster any more: it was stopped, or a person said that it is gone. The "
        "sentinels that still count it forget it one after the other. Its packages, configuration and data stay."
    ),
    "HostBack": "Read again: {hosts}. The operator looks what changed there and mends what it may.",
}
REASONS: Final = tuple(MESSAGES)
_CAUSES: Final[Mapping[Cause, str]] = {
    "Failure": "they agreed that it is down",
    "Requested": "a person asked one of them to (SENTINEL FAILOVER)",
    "Ours": "the operator asked one of them to, for a switchover",
    "Drill": "the operator had stopped redis there, for a drill",
    "Recover": "a person said who is to be master (recover)",
    "Unknown": "why is not known",
}
_ENDS: Final[Mapping[Cause, str]] = {
    "Failure": "It was down.",
    "Requested": "A person asked a sentinel for it (SENTINEL FAILOVER).",
    "Ours": "The operator asked a sentinel for it, for a switchover.",
    "Drill": "The operator had stopped redis there, for a drill.",
    "Recover": "A person said who is to be master, as no failover could succeed (recover).",
    "Unknown": "How it came is not known.",
}
_ACTS: Final[Mapping[str, str]] = {
    "Running": "ActBegun",
    "Done": "ActDone",
    "Refused": "ActRefused",
    "Failed": "ActFailed",
}
_BAD: Final = frozenset(
    {"MasterRestarted", "EpochReset", "FailoverStarted", "FailoverAborted", "QuorumLost", "ReplicationBroken"}
    | {"HostUnreachable", "ActRefused", "ActFailed"}
)
_MEMBERS: Final = ("Member", "Maintenance", "Fenced")
# Of a condition: the reason that is told when it gets bad, and the word for when it is good again.
OF_CONDITIONS: Final[Mapping[str, tuple[str, str]]] = {
    "QuorumHealthy": ("QuorumLost", "QuorumRestored"),
    "ReplicationHealthy": ("ReplicationBroken", "ReplicationRestored"),
}


@dataclass(frozen=True, slots=True)
class News:
    """One Event: its reason, whether it is a warning, its message."""

    reason: str
    warning: bool
    message: str


def news(before: Document, after: Document) -> tuple[News, ...]:
    """Return what is to be told of a change from one status to the next, in the order in which it happened."""
    return (
        *_acts(before, after),
        *_failovers(before, after),
        *_master(before, after),
        *_conditions(before, after),
        *_members(before, after),
        *_hosts(before, after),
    )


def remembered(before: Document, after: Document) -> Document:
    """Return what the next status is compared with: what is not known of it now is as it was."""
    known = {each["type"]: each for each in before.get("conditions") or ()}
    seen = [each if each["status"] != "Unknown" else known.get(each["type"], each) for each in _conditions_of(after)]
    return {**after, "conditions": seen}


def said(reason: str, **values: object) -> News:
    """Return the Event of a reason.

    Raises:
        KeyError: the reason is not in the table, or a value of its template is missing: an error of the program.
    """
    return News(reason, reason in _BAD, MESSAGES[reason].format(**values))


def _acts(before: Document, after: Document) -> Iterator[News]:
    """Each answer to an act is told once, and again where it is another later."""
    known = {(act.get("at"), act.get("verb"), act.get("result")) for act in before.get("acts") or ()}
    for act in after.get("acts") or ():
        if (act.get("at"), act.get("verb"), act.get("result")) not in known:
            message = str(act.get("message") or "it needed nothing").rstrip(". ")
            arg = act.get("arg") or "-"
            yield said(_ACTS[str(act["result"])], verb=act["verb"], arg=arg, at=act.get("at", ""), message=message)


def _failovers(before: Document, after: Document) -> Iterator[News]:
    known = {str(entry.get("at")): entry for entry in before.get("failovers") or ()}
    for entry in after.get("failovers") or ():
        old = known.get(str(entry.get("at")))
        if old is None and not entry.get("result"):
            yield said("FailoverStarted", old=entry["from"], cause=_CAUSES[_cause(entry)])
        if entry.get("result") == "Aborted" and (old is None or old.get("result") != "Aborted"):
            yield said("FailoverAborted", old=entry["from"], message=_sentence(str(entry.get("message", ""))))


def _master(before: Document, after: Document) -> Iterator[News]:
    old, new = before.get("master"), after.get("master")
    if not new:
        return
    where = {"host": new["host"], "address": new["address"], "port": new["port"], "epoch": new["configEpoch"]}
    if not old:
        yield said("MasterConfirmed", **where)
        return
    if new["host"] != old["host"]:
        yield said("MasterChanged", **where, old=old["host"], why=_why(after, str(new["host"])))
    elif new.get("restartedAt") and new.get("restartedAt") != old.get("restartedAt"):
        yield said("MasterRestarted", **where)
    if int(new["configEpoch"]) < int(old["configEpoch"]):
        yield said("EpochReset", **where, before=old["configEpoch"])


def _why(after: Document, host: str) -> str:
    """Why the last failover made `host` master, as a sentence."""
    entries: Sequence[Document] = after.get("failovers") or ()
    last: Document = next((entry for entry in reversed(entries) if entry.get("to")), {})
    return _ENDS[_cause(last) if last.get("to") == host else "Unknown"]


def _cause(entry: Document) -> Cause:
    """Of a later operator there may be one that is not known here."""
    return next((cause for cause in _CAUSES if cause == entry.get("cause")), "Unknown")


def _conditions(before: Document, after: Document) -> Iterator[News]:
    if "Bootstrapping" in (before.get("phase"), after.get("phase")):
        return  # what a set-up makes is bad until it is made
    for kind, (bad, good) in OF_CONDITIONS.items():
        was, now = _condition(before, kind), _condition(after, kind)
        message = str(now.get("message", ""))
        if now.get("reason") == bad and was.get("reason") != bad:
            yield said(bad, message=message)
        if now.get("status") == "True" and was.get("status") == "False":
            yield said(good, message=message)


def _members(before: Document, after: Document) -> Iterator[News]:
    """Hosts that have joined a cluster that lives, and hosts that have left it."""
    was, now = ({str(each.get("address")): each for each in status.get("hosts") or ()} for status in (before, after))
    for address, host in now.items():
        if was.get(address, {}).get("state") == "Joining" and host.get("state") in _MEMBERS:
            yield said("HostJoined", host=host["name"], address=address)
    for address, host in was.items():
        leaves = host.get("state") == "Leaving" and not host.get("leftAt")
        if leaves and (address not in now or now[address].get("leftAt")):
            yield said("HostLeft", host=host["name"], address=address)


def _hosts(before: Document, after: Document) -> Iterator[News]:
    """Hosts that cannot be read any more, and those that can be read again; all of one moment are one Event."""
    was, now = _unreadable(before), _unreadable(after)
    lost = {name: why for name, why in now.items() if name not in was and _has(before, name)}
    if lost:
        detail = "; ".join(f"{name}: {why}" if name not in why else why for name, why in lost.items())
        yield said("HostUnreachable", detail=detail)
    back = [name for name in was if name not in now and _has(after, name)]
    if back:
        yield said("HostBack", hosts=", ".join(back))


def _unreadable(status: Document) -> dict[str, str]:
    """The hosts of whose servers nothing is known, with the reason; one that answers is not away if its redis hangs."""
    found: dict[str, str] = {}
    if _condition(status, "HostsReachable").get("status") == "True":
        return found
    for host in status.get("hosts") or ():
        if host.get("state") in ("Maintenance", "Fenced"):
            continue
        servers = {host[each] for each in ("redis", "sentinel") if each in host}
        if servers == {"Unknown"}:
            found[str(host["name"])] = str(host.get("message", "it cannot be read")).rstrip(". ")
    return found


def _has(status: Document, name: str) -> bool:
    return any(host["name"] == name for host in status.get("hosts") or ())


def _condition(status: Document, kind: str) -> Document:
    return next((each for each in _conditions_of(status) if each["type"] == kind), {})


def _conditions_of(status: Document) -> Sequence[Document]:
    return status.get("conditions") or ()


def _sentence(text: str) -> str:
    return f"{text.rstrip('. ')}." if text else ""
