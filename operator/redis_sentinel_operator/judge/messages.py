"""The one table of condition reasons and their messages: what is, what the operator does, what a person can do.

Documentation renders it and tests compare with it in full; no other module writes a condition's message. A message is
a `str.format` template; `{detail}` is a sentence that another room said (a host's answer, a field's name), without
secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import Final

from redis_sentinel_operator.judge import messages_preflight

MASTER = "MasterConfirmed"
QUORUM = "QuorumHealthy"
REPLICATION = "ReplicationHealthy"
REACHABLE = "HostsReachable"
CLAIMED = "HostsClaimed"
CONFIG = "ConfigInSync"
CREDENTIALS = "CredentialsInSync"
PREFLIGHT = "PreflightPassed"
ENDPOINTS = "EndpointsInSync"
READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"


@dataclass(frozen=True, slots=True)
class Row:
    """A reason of a condition type and its message; `stalled`: nothing goes on without a person."""

    condition: str
    reason: str
    message: str
    stalled: bool = False


_TEXT: Final[dict[str, dict[str, str]]] = {
    MASTER: {
        "MasterConfirmed": (
            "{host} ({address}:{port}) is master at config epoch {epoch}: a majority of the declared sentinels vote "
            "for it and its ROLE says so."
        ),
        "NoClusterYet": "No cluster runs on the hosts yet, so there is no master.",
        "NotReadYet": "No sentinel was read yet. The operator reads all of them in its next pass.",
        "SentinelsUnreachable": (
            "Who is master is not known: {readable} of {sentinels} declared sentinels answer for {name}, a majority "
            "is {majority} ({missing}). The last confirmed master stays published and nothing is changed. Check the "
            "hosts and their sentinels."
        ),
        "MasterNameUnknown": (
            "Sentinels answer, but none of them monitors {name}: they know {found}. The operator changes nothing. Set"
            " spec.masterName to the name that is in use, or remove that monitor from the sentinels."
        ),
        "SentinelsDisagree": (
            "The sentinels name different masters at the same config epoch {epoch}: {names}. The operator changes "
            "nothing until they agree. If they still disagree after a minute, ask by the act `reset-stale`: what a "
            "majority names and is a master by its ROLE is given to the others. Where there is no majority, ask each "
            "`SENTINEL GET-MASTER-ADDR-BY-NAME {name}` and correct the wrong one with SENTINEL REMOVE and MONITOR."
        ),
        "SwitchGoingOn": (
            "A switch to {address}:{port} goes on: {votes} of {sentinels} declared sentinels name it at config epoch "
            "{epoch}, a majority is {majority}. The operator waits for the sentinels."
        ),
        "SentinelTilt": (
            "Sentinels are in tilt mode and do not count ({hosts}): their clock jumped or their host stood still. "
            "Without them no majority names a master. Tilt ends by itself after 30 calm seconds; if it returns, check"
            " the clocks."
        ),
        "UnknownMaster": (
            "The sentinels name {address}:{port} as master at config epoch {epoch}, which is no redis of a declared "
            "host. The operator changes nothing. Declare that host, or let the sentinels fail over to a declared one."
        ),
        "OlderEpoch": (
            "The sentinels name {address}:{port} at config epoch {epoch}, but {last} was confirmed at epoch "
            "{last_epoch}: {detail}. It is believed only when every declared sentinel agrees, none is in a transition"
            " and every other redis was read and is no master."
        ),
        "RoleDisagrees": (
            "The sentinels name {host} ({address}:{port}) as master, but its ROLE says {detail}. The operator waits for"
            " the sentinels to settle it: they switch when it has said so for down-after + 20 s. Only where they find "
            "no good replica then, send `SLAVEOF NO ONE` to the redis whose data are to stay."
        ),
        "RoleUndone": (
            "The master {detail}. Not the sentinels wrote that line: a person or a tool did, which undoes a failover "
            "each time it is run; take slaveof out of it. {outlook}"
        ),
        "MasterUnreadable": (
            "The sentinels name {host} ({address}:{port}) as master, but its ROLE could not be read: {detail}"
        ),
        "MasterStopped": (
            "The sentinels name {host} ({address}:{port}) as master, but no redis listens there. The sentinels fail "
            "over when they can; the operator does not start it, because a master that comes back empty empties its "
            "replicas."
        ),
        "MasterDeadNoSuccessor": (
            "The master {host} ({address}:{port}) is down and the sentinels found no successor in {seconds} s. The "
            "operator does not start it, because replicas would copy whatever it comes back with. Look why no replica"
            " can be promoted (link, priority 0, quorum), or say which is to be master by the act `recover`: {host} "
            "with what is on its disk, or a replica. {proposal}"
        ),
    },
    QUORUM: {
        "QuorumReached": "All {sentinels} declared sentinels answer, and a failover can be authorised.",
        "SentinelsLeftOut": (
            "{working} of {sentinels} declared sentinels work, and a failover can be authorised. Left out on purpose: "
            "{aside}."
        ),
        "SentinelMissing": (
            "{working} of {sentinels} declared sentinels work; a majority and the quorum of {quorum} hold. Missing: "
            "{missing}."
        ),
        "SentinelStale": (
            "{working} of {sentinels} declared sentinels name {master} at config epoch {epoch}, but {detail}. Such a "
            "one does not follow by itself: clients that ask it are led astray, and a failover has a vote less. {then}"
        ),
        "QuorumLost": (
            "No failover can be authorised: {working} of {sentinels} declared sentinels work, {needed} are needed. "
            "{detail} Start the missing sentinels; the operator starts those whose hosts it reaches."
        ),
        "SentinelsUnreadable": (
            "Whether a failover can be authorised is not known: only {working} of {sentinels} declared sentinels "
            "could be read ({missing})."
        ),
        "SentinelsCannotReachMaster": (
            "The sentinels call the master {host} ({address}) down, but it answers the operator as master with "
            "{replicas} replicas and no failover succeeded. Check the network between sentinels and master, and the "
            "auth-pass of the sentinels."
        ),
        "NotApplicable": "There is no running cluster yet.",
    },
    REPLICATION: {
        "ReplicasLinked": "All {expected} replicas follow {master} with their links up.",
        "ReplicasLeftOut": (
            "{linked} of {expected} replicas follow {master} with their links up. Left out on purpose: {aside}."
        ),
        "ReplicaMissing": (
            "{linked} of {expected} replicas follow {master}. {detail} With management Full the operator brings back "
            "what it may."
        ),
        "ReplicaSyncing": "{linked} of {expected} replicas follow {master}; still synchronising: {detail}",
        "ReplicationBroken": (
            "None of {expected} replicas follows {master}: a failover would find no successor. {detail}"
        ),
        "OlderThanMaster": (
            "{master} has {version}, but {older}: an older server may not be able to read what a newer master sends, "
            "and then keeps the data of before. {linked} of {expected} replicas are linked. Update the package of the "
            "older hosts to the master's version. Fail over to an older one only while it is linked: else what was "
            "written since the switch is lost."
        ),
        "NoMaster": "Replication cannot be judged while no master is confirmed.",
    },
    REACHABLE: {
        "AllReachable": "All {hosts} hosts can be read over SSH.",
        "HostsLeftOut": ("{reached} of {hosts} hosts can be read over SSH. Left out on purpose: {aside}."),
        "HostUnreachable": (
            "{detail}. The operator tries again by itself. Check that the machine is up, that address and port are "
            "right, and that its sshd can be reached from the operator's node."
        ),
        "CommandTimedOut": ("{detail}. The machine answers too slowly or hangs. The operator tries again by itself."),
        "SessionLost": "{detail}. The operator connects again and reads everything anew.",
        "ProbeFailed": "{detail}. The operator tries again by itself.",
        "HostKeyUnknown": "{detail}. Nothing is sent to a host that cannot be told apart from another.",
        "HostKeyChanged": "{detail}. Nothing is sent to a host with another key.",
        "AuthenticationFailed": "{detail}. Nothing is changed there until then.",
        "SudoRefused": "{detail}. Nothing is changed there until then.",
        "ForwardingRefused": "{detail}. Nothing is changed there until then.",
        "BadPrivateKey": "{detail}. No host can be reached without it.",
    },
    CLAIMED: {
        "AllClaimed": "All {hosts} hosts carry this resource's claim.",
        "NotClaimed": "Not claimed: {hosts}. A host is claimed before its first change; reading needs no claim.",
        "ClaimUnreadable": "The claim of {hosts} could not be read; nothing is changed there.",
        "HostClaimedByAnother": (
            "Owned by {owner}: {hosts}. Nothing is changed on any host of this resource. Remove the hosts from one "
            "of the two resources. If the other one is gone for good, take its hosts over: annotate this resource with "
            '`redis-sentinel-operator.io/act: "adopt-claim - <time>"` (the time as `date -u +%FT%TZ` prints it).'
        ),
    },
    CONFIG: {
        "AllAsDeclared": "Every declared setting is in the files and in the running servers.",
        "ConfigDrift": "Not as declared: {detail}. With management Full the operator sets it right when it may.",
        "RestartPending": (
            "Written, but in force only after a restart: {detail}. The operator restarts replicas one by one while all "
            "is calm, and never the master by itself: ask for it by the act `restart`, which switches to a replica "
            "first."
        ),
        "DirectiveNotInVersion": (
            "spec.redis.config.{directive}: the redis of {host} is of version {version}, which does not have it and "
            "would not start with it. Nothing is changed on any host. Remove it from the spec."
        ),
        "DirectiveAboveOwnVersion": (
            "spec.redis.config.{directive}: the redis of {host} is of version {version} and has it, but {own}, which "
            "{family} itself has{stream}, does not: what only a newer server has is not used, so that every host of "
            "the family can take what is declared. Nothing is changed on any host. Remove it from the spec{mend}."
        ),
        "ValueNotInVersion": (
            "spec.redis.config.{directive}: {host} is used as version {version} (its server's, or the EL's own where "
            "that is older), which does not know {want} and would not start with it. Nothing is changed on any host. "
            "Set it to one of {words}, or remove it from the spec."
        ),
        "NotWithData": (
            "spec.redis.config.{directive}: the redis of {host} has data, and {have} cannot become {want}: {why}. "
            "Nothing is changed on any host. Set it to {have}, or remove it."
        ),
        "WouldEvict": (
            "spec.redis.config.{directive}: the redis of {host} uses {used} bytes of memory, and {want} allows "
            "{allowed}, which is not a tenth more: keys would be dropped or writes refused at once. Nothing is changed "
            "on any host. Set maxmemory to {least} or more, or set spec.unsafe.allowEviction to true."
        ),
        "InvalidSpec": "{detail}",
        "NotSupportedYet": "{detail}",
        "NotReadYet": "The settings were not compared yet.",
        "NothingToCompare": "No redis runs on the hosts: there is nothing to compare.",
    },
    CREDENTIALS: {
        "CredentialsInSync": "The Secrets can be used and the servers accept the password{version}.",
        "PasswordChanging": (
            "Redis on {hosts} does not have the Secret's password{version} yet. With management Full the operator "
            "gives it to all servers as soon as no failover is going on, and ends no connection; whoever connects anew "
            "needs it from then on.{clients}"
        ),
        "PasswordNotDeclared": (
            "Redis on {hosts} has a password, and spec.auth is gone. With management Full the operator takes it from "
            "all servers as soon as no failover is going on, and ends no connection. Whoever connects anew and sends "
            "one is answered with an error from then on, and everybody else is let in.{clients} To keep it put "
            "spec.auth back."
        ),
        "PasswordNotProved": (
            "The servers that can be read accept the password{version}. Not read: redis on {hosts}; where it lacks the "
            "password it is given it once it answers."
        ),
        "SecretMissing": (
            "The Secret {secret} in namespace {namespace} ({field}) does not exist. Nothing is changed without it. "
            "Create it: `{command}`."
        ),
        "SecretWrongType": (
            "The Secret {secret} in namespace {namespace} ({field}) is of type {type}, not {expected}, so it is not "
            "read. Create it anew with that type, or say that it is meant for the operator: `{command}`."
        ),
        "SecretKeyMissing": (
            "The Secret {secret} in namespace {namespace} ({field}) {detail} `{key}`. Nothing is changed without it. "
            "Add it: `{command}`."
        ),
        "PasswordNotUsable": (
            "The password of {field} cannot be used: it {detail}. Sentinel keeps it unquoted in its file. Choose one "
            "of {usable}."
        ),
        "PasswordWrong": (
            "{host} accepts neither the password of the Secret nor one that stands in its files: {detail} Correct the "
            "Secret, or set requirepass there by hand to what the Secret has."
        ),
        "PasswordChanged": (
            "The declared password is not the one that the servers have, and nothing is changed. The operator changes "
            "a password, or takes it away, only in a running cluster of its own; it adopts and starts nothing with "
            "another password. Put the servers' password into the Secret of spec.auth."
        ),
        "NotReadYet": "The credentials were not used yet.",
        "PasswordNotTried": "The Secrets can be used. No redis runs on the hosts: nobody could try the password.",
    },
    PREFLIGHT: messages_preflight.TEXT,
    ENDPOINTS: {
        "ServicesFollow": "The Services {names} lead to the master, the replicas and the sentinels.",
        "ServicesHeadless": (
            "The Services {names} lead to the master, the replicas and the sentinels. They are headless, because this "
            "Kubernetes gives out no {family} service addresses: their names resolve to the hosts' own addresses."
        ),
        "EndpointsDisabled": "No Services are kept: spec.endpoints.enabled is false.",
        "ServicesNotMade": (
            "Not there: the Services {names}. With management Observe none is made; set it to Full or Paused to have "
            "them."
        ),
        "NotReadYet": "The Services were not looked at yet: they are made when a master is confirmed.",
        "ServiceNotOurs": (
            "{detail}. The operator leaves it as it is, and the Services of these names do not follow the cluster. "
            "Remove or rename what is there, and the operator makes its own within a minute; or set "
            "spec.endpoints.enabled to false."
        ),
        "SliceNotOurs": (
            "EndpointSlices of others belong to the Services {names}: {detail}. Clients may be led to what they list. "
            "The operator leaves them as they are. Remove them: `kubectl -n {namespace} delete endpointslice {first}`."
        ),
        "EndpointsRefused": (
            "The Services do not follow the cluster: {detail}. The operator tries again with each pass. Check its "
            "rights (kubectl apply -k deploy/) and what the message names."
        ),
    },
    READY: {
        "Healthy": "All as declared: {master} is master, {ready} hosts are ready.",
        "HealthyButForSome": (
            "All as declared: {master} is master, {ready} hosts are ready. Left out on purpose: {aside}."
        ),
        "Degraded": "{detail}",
        "Bootstrapping": "The cluster is being set up. {detail}",
        "FailingOver": "The sentinels are switching the master. {detail}",
        "ColdStart": "The whole cluster is stopped; it is started with the files it has. {detail}",
        "Unreadable": "The operator cannot see enough to act: {detail}",
        "Updating": "Generation {generation} is being applied. {detail}",
        "Deleting": "The resource is being deleted. {detail}",
        "HostLeaving": "{detail}",
        "UpgradeWaits": "{detail}",
        "NothingThere": "No redis and no sentinel is on the hosts. With management {management} nothing is set up.",
        "Unavailable": "{detail}",
        "Starting": "The operator has not read the hosts yet.",
    },
}
_STALLED: Final = frozenset(
    {
        "HostKeyUnknown",
        "HostKeyChanged",
        "AuthenticationFailed",
        "SudoRefused",
        "ForwardingRefused",
        "BadPrivateKey",
        "HostClaimedByAnother",
        "SecretMissing",
        "SecretWrongType",
        "SecretKeyMissing",
        "PasswordNotUsable",
        "PasswordWrong",
        "PasswordChanged",
        "InvalidSpec",
        "DirectiveNotInVersion",
        "DirectiveAboveOwnVersion",
        "ValueNotInVersion",
        "NotWithData",
        "WouldEvict",
        "NotSupportedYet",
        "ForeignData",
        "ForeignDataOnNewHost",
        "MasterNameDiffers",
        "UndeclaredSentinels",
        "PackageNotFound",
        "OtherVersion",
        "PortTaken",
        "UnsupportedSystem",
    }
)
ROWS: Final = tuple(
    Row(condition, reason, message, reason in _STALLED)
    for condition, rows in _TEXT.items()
    for reason, message in rows.items()
)
_BY_REASON: Final = {(row.condition, row.reason): row for row in ROWS}
_HOME: Final = {row.reason: row for row in ROWS}


def row(reason: str, condition: str = "") -> Row | None:
    """Return the row of a reason (of a condition type, where several types have it), or None: not in the table."""
    return _BY_REASON.get((condition, reason)) if condition else _HOME.get(reason)


def say(reason: str, of: str = "", /, **values: object) -> str:
    """Return the message of a reason (of the condition type `of`, where several types have the reason).

    Raises:
        KeyError: the reason is not in the table, or a value of its template is missing: an error of the program.
    """
    found = row(reason, of)
    if found is None:
        raise KeyError(f"no message for reason {reason!r}")
    return found.message.format(**values).strip()


def says_detail(reason: str) -> bool:
    """Whether the reason is in the table and its message is made of a detail alone: what became of a step is one."""
    found = row(reason)
    return found is not None and {name for _, name, _, _ in Formatter().parse(found.message) if name} == {"detail"}


def stalls(reason: str) -> bool:
    """Whether nothing goes on without a person."""
    return reason in _STALLED
