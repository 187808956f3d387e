"""status of a RedisSentinelCluster: all that is told about a cluster. The board fills it, nobody else writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from redis_sentinel_operator.api.fields import ApiModel, Count, Items, LongText, Text, Time, Word, first, last, list_map

ConditionStatus = Literal["True", "False", "Unknown"]
Phase = Literal[
    "Bootstrapping",
    "Healthy",
    "Degraded",
    "FailingOver",
    "Unavailable",
    "Updating",
    "WaitingForYou",
    "Paused",
    "Observing",
    "Blocked",
    "Deleting",
]
HostState = Literal["Joining", "Member", "Maintenance", "Fenced", "Leaving"]
MEMBERS: frozenset[HostState] = frozenset({"Member", "Maintenance", "Fenced"})  # of the cluster, whatever they do now
Role = Literal["Master", "Replica"]
Link = Literal["Up", "Down"]
ServiceState = Literal["Running", "Loading", "Denied", "Stopped", "Unknown"]
ActResult = Literal["Running", "Done", "Refused", "Failed"]
PlanImpact = Literal["None", "Reload", "Restart", "Failover"]
Number = Annotated[int, Field(ge=0)]
PortNumber = Annotated[int, Field(ge=0, le=65535)]


def _empty(value: tuple[object, ...]) -> bool:
    return not value


class Condition(ApiModel):
    """One aspect of the cluster, in the shape that all Kubernetes tools know."""

    type: Word = Field(description="Which aspect.")
    status: ConditionStatus = Field(description="Whether it holds. Unknown: it could not be found out.")
    observed_generation: Number | None = Field(None, description="The generation of the spec that was looked at.")
    last_transition_time: Time = Field(None, description="When `status` became what it is.")
    reason: Word = Field(description="Why, in one word; the words are listed in the documentation.")
    message: LongText = Field("", description="Why, and what to do, in sentences.")


class MasterStatus(ApiModel):
    """The last master that was confirmed: a majority of the sentinels votes for it and it says so itself."""

    host: Word = Field(description="Name of the host.")
    address: Word = Field(description="Address of its redis.")
    port: PortNumber = Field(description="TCP port of its redis.")
    config_epoch: Number = Field(description="Sentinel's config epoch of it: it grows with each failover.")
    since: Time = Field(None, description="Since when it is master, as far as the operator saw.")
    withdrawn_since: Time = Field(
        None, description="Since when it is not to be used, although no other is confirmed yet: a failover goes on."
    )
    restarted_at: Time = Field(
        None, description="When a sentinel told that its redis was restarted (+reboot) and it stayed master."
    )


class ConfigItem(ApiModel):
    """A directive of redis.conf that is not as declared."""

    key: Word = Field(description="The directive.")
    want: Text = Field(description="The declared value.")
    have: Text = Field(description="The value that redis has now.")
    pending_restart: bool = Field(description="The file has the declared value; redis takes it at its next start.")


class HostSsh(ApiModel):
    """Where and as whom the host is reached."""

    address: Annotated[str, Field(max_length=253)] = Field(description="Address or name of its sshd.")
    user: Word = Field(description="User that logs in.")
    port: PortNumber = Field(description="TCP port of its sshd.")


class HostStatus(ApiModel):
    """One declared host as it was last seen."""

    name: Word = Field(description="Its name in spec.hosts.")
    address: Word = Field(description="Its address in spec.hosts.")
    ssh: HostSsh | None = Field(None, description="Where and as whom it is reached.")
    role: Role | None = Field(None, description="What its redis says it is.")
    redis: ServiceState | None = Field(
        None,
        description="Its redis. Denied: it answers, but not to our password. Unset: the host shall have none.",
    )
    link: Link | None = Field(
        None,
        description="Whether its redis follows the master, in touch with it. Unset: it is the master, the host shall "
        "have no redis, or nobody is known to be master.",
    )
    sentinel: ServiceState | None = Field(None, description="Its sentinel. Unset: the host shall have none.")
    sentinel_id: Word | None = Field(None, alias="sentinelID", description="The id of its sentinel (myid).")
    followed: bool | None = Field(
        None,
        description="Whether the operator hears what its sentinel publishes; `message` says why not. Unset: the host "
        "shall have none.",
    )
    config: Annotated[Items[ConfigItem], Field(max_length=128, json_schema_extra=list_map("key")), first(128)] = Field(
        (), exclude_if=_empty, description="Directives that are not as declared."
    )
    joined_at: Time = Field(None, description="When it became a member.")
    left_at: Time = Field(
        None,
        description="When it was proved that its servers are stopped and disabled and the operator gave it up, or a "
        "person said forget-host. It stays here until no sentinel remembers it any more.",
    )
    state: HostState | None = Field(
        None, description="Where it is on its way in or out of the cluster. Unset: nothing was changed on it yet."
    )
    message: Text | None = Field(None, description="What is wrong with it.")


class Bootstrap(ApiModel):
    """How the cluster was set up on bare hosts, once."""

    id: Word = Field(description="Mark of this set-up; the claim files on the hosts carry the same.")
    master: Word = Field(description="Host that it made the first master.")
    started_at: Time = Field(None, description="When it began.")
    completed_at: Time = Field(None, description="When it was done; unset while it goes on.")


class FailoverEntry(ApiModel):
    """One failover as the sentinels told it; times are unset while not reached."""

    from_host: Word = Field(alias="from", description="Host that was master before, or its address.")
    to_host: Word | None = Field(None, alias="to", description="Host that is master after, or its address.")
    cause: Word = Field(
        description="Failure: the sentinels called the master down. Requested: SENTINEL FAILOVER by a person. "
        "Ours: the operator asked a sentinel, for a switchover. Drill: it had stopped redis there. Recover: a "
        "person said who is master, as no failover could succeed. Unknown: the "
        "operator did not hear how it began."
    )
    at: Time = Field(None, description="When it was first heard of.")
    detected: Time = Field(None, description="When the sentinels agreed that the master is down (+odown).")
    elected: Time = Field(None, description="When a sentinel was elected to fail over (+elected-leader).")
    promoted: Time = Field(None, description="When the new master said that it is one (+promoted-slave).")
    switched: Time = Field(None, description="When the sentinels switched (+switch-master).")
    published: Time = Field(None, description="When this status named the new master.")
    config_epoch: Number | None = Field(None, description="The config epoch that it brought.")
    result: Word | None = Field(None, description="Succeeded or Aborted; unset while it goes on.")
    message: Text | None = Field(None, description="What else is to be said: why it came to nothing, and what to do.")


class Operation(ApiModel):
    """A procedure of several steps that goes on."""

    id: Word = Field(description="Mark of this run.")
    type: Word = Field(description="Which procedure.")
    step: Word = Field(description="The step it is at.")
    started_at: Time = Field(None, description="When it began.")
    since: Time = Field(None, description="When its step began.")
    act: Time = Field(None, description="The time of the act that asked for it.")
    arg: Word | None = Field(None, description="The argument of that act.")
    from_address: Word | None = Field(None, alias="from", description="Address of the master when it began.")
    to_address: Word | None = Field(None, alias="to", description="Address of the host that is to be master.")
    config_epoch: Number | None = Field(None, description="Sentinel's config epoch when it began.")
    sentinel: Word | None = Field(None, description="Address of the sentinel that is asked for the failover.")
    offset: Number | None = Field(None, description="Replication offset of the master when it began, in bytes.")
    result: Word | None = Field(None, description="How it ends, once that is decided: Done or Failed.")
    message: Text | None = Field(None, description="Whom it concerns, and in the end why it ends like that.")


class Act(ApiModel):
    """What became of an annotation redis-sentinel-operator.io/act."""

    verb: Word = Field(description="What was asked for.")
    arg: Word | None = Field(None, description="Of what; unset where there is no argument.")
    at: Time = Field(None, description="The time in the annotation.")
    result: ActResult = Field(description="What became of it.")
    message: Text | None = Field(None, description="Why, in sentences.")


class PlanItem(ApiModel):
    """A change that the operator would make."""

    host: Word = Field(description="On which host.")
    what: Text = Field(description="What it would do.")
    why: Text = Field(description="Why.")
    impact: PlanImpact = Field(description="What it does to clients.")


class Status(ApiModel):
    """What is known about the cluster."""

    observed_generation: Number | None = Field(
        None,
        description="The last generation of the spec that is true on the hosts, or that was refused for the reason "
        "that the conditions give.",
    )
    phase: Phase | None = Field(None, description="All in one word.")
    message: LongText | None = Field(None, description="All in one sentence.")
    master: MasterStatus | None = Field(None, description="The last master that was confirmed.")
    ready: Count | None = Field(None, description="How many hosts are as declared, of all, such as 4/4.")
    replicas: Count | None = Field(
        None, description="How many replicas are in touch with the master, of those declared, such as 3/3."
    )
    sentinels: Count | None = Field(None, description="How many sentinels answer, of those declared, such as 3/3.")
    hosts: Annotated[Items[HostStatus], Field(max_length=128, json_schema_extra=list_map("name")), first(128)] = Field(
        (), exclude_if=_empty, description="The hosts as they were last seen."
    )
    bootstrap: Bootstrap | None = Field(None, description="How the cluster was set up on bare hosts, once.")
    conditions: Annotated[Items[Condition], Field(max_length=32, json_schema_extra=list_map("type")), first(32)] = (
        Field(
            (),
            exclude_if=_empty,
            description="Ready; Reconciling and Stalled while they hold; MasterConfirmed, QuorumHealthy, "
            "ReplicationHealthy, HostsReachable, HostsClaimed, ConfigInSync, CredentialsInSync, PreflightPassed, "
            "EndpointsInSync.",
        )
    )
    failovers: Annotated[Items[FailoverEntry], Field(max_length=10), last(10)] = Field(
        (), exclude_if=_empty, description="The last 10 failovers, oldest first."
    )
    operation: Operation | None = Field(None, description="The procedure that goes on.")
    acts: Annotated[Items[Act], Field(max_length=10), last(10)] = Field(
        (),
        exclude_if=_empty,
        description="The last 10 answers to the annotation redis-sentinel-operator.io/act, oldest first.",
    )
    plan: Annotated[Items[PlanItem], Field(max_length=256), first(256)] = Field(
        (),
        exclude_if=_empty,
        description="With management Observe: what the operator would do now. Empty: all is as declared.",
    )

    def to_document(self) -> dict[str, Any]:
        """Return the status as it is stored: camelCase, without what is unset."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Status:
        """Return the status that is stored; fields that it cannot read (a later version's words) are left out."""
        readable = dict(document)
        while True:
            try:
                return cls.model_validate(readable)
            except ValidationError as error:
                _forget(readable, [each["loc"] for each in error.errors()])


def _forget(document: dict[str, Any], places: list[tuple[int | str, ...]]) -> None:
    """Take out what is at fault: the item where it is in a list, else the whole field."""
    for name in {str(place[0]) for place in places}:
        value = document[name]
        wrong = {place[1] for place in places if place[0] == name and len(place) > 1}
        if isinstance(value, list | tuple) and wrong:
            document[name] = [item for index, item in enumerate(value) if index not in wrong]
        else:
            del document[name]
