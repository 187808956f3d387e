"""spec of a RedisSentinelCluster, as the API server hands it out.

The descriptions are what `kubectl explain` prints; the schema adds each field's default to its description. There is no
`default:` in the schema: tools that compare what is stored with what was applied must find no difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from redis_sentinel_operator.api.fields import (
    ApiModel,
    ConfigValue,
    HostName,
    Items,
    MasterName,
    Milliseconds,
    Network,
    Port,
    list_map,
)
from redis_sentinel_operator.api.spec_hosts import SET, Host, Package, PasswordRef, Ssh
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.model.desired import DeletionPolicy, FirewallManage, Management

HostNames = Annotated[Items[HostName], Field(max_length=64, json_schema_extra=SET)]


class Auth(ApiModel):
    """How clients, replicas and sentinels authenticate."""

    password_secret_ref: PasswordRef | None = Field(
        None,
        description="Secret of type kubernetes.io/basic-auth with the password of redis (requirepass and masterauth on "
        "all hosts, auth-pass of the sentinels). A Secret of another type needs the label "
        'redis-sentinel-operator.io/use: "true". Letters, digits and !#$%&()*+,./:;<=>?@[]^_{|}~- only: sentinel '
        "cannot keep others. Without it redis has no password: it is taken from the running servers of a cluster that "
        "is this resource's, and from then on everybody is let in who reaches the port.",
    )


class Redis(ApiModel):
    """Settings of redis."""

    port: Port = Field(6379, description="TCP port of redis. It cannot be changed, and others are not supported yet.")
    config: Annotated[dict[str, ConfigValue], Field(max_length=128)] = Field(
        default_factory=dict,
        description="Directives of redis.conf that hold on all hosts, in either vocabulary (slave or replica): a "
        'string or an integer, so "yes" and "no" are quoted. What may stand in several lines is one string, such as '
        'save: "900 1 300 10". The operator owns what is written here and leaves the rest of the file alone; what is '
        "removed here goes back to what the host had before. Where redis takes a directive only at its start, replicas "
        "are restarted one by one, and the master waits for a switch. Default: none.",
    )


class Sentinel(ApiModel):
    """Settings of the sentinels, changed while they run."""

    port: Port = Field(
        26379, description="TCP port of the sentinels. It cannot be changed, and others are not supported yet."
    )
    quorum: Annotated[int, Field(ge=1, le=64)] | None = Field(
        None,
        description="How many sentinels must find the master down before one of them is elected to fail over. Default: "
        "the majority of the hosts that run a sentinel; less needs unsafe.quorumBelowMajority.",
    )
    down_after_milliseconds: Milliseconds = Field(
        5000, description="How long the master must be silent before a sentinel finds it down, in milliseconds."
    )
    failover_timeout_milliseconds: Milliseconds = Field(
        10000,
        description="How long a failover may take, in milliseconds. After a failed one sentinel waits twice as long "
        "before the next.",
    )
    parallel_syncs: int = Field(
        1,
        ge=1,
        le=64,
        description="How many replicas may fetch the data from a new master at the same time. A replica answers "
        "nothing while it loads.",
    )


class Firewall(ApiModel):
    """What lets packets in to redis and sentinel."""

    manage: FirewallManage = Field(
        "Auto",
        description="Which firewall the operator keeps open for redis and sentinel on the hosts, now and after a "
        "reboot. Auto: the one that runs, firewalld or iptables.service; where none runs, nothing is done. Firewalld, "
        "Iptables: that one, and it must run. None: you look after it, and what the operator opened before stays. Only "
        "rules of its own are made, in iptables in a chain of its own; those of SSH are never touched.",
    )
    clients: Annotated[Items[Network], Field(max_length=64, json_schema_extra=SET)] | None = Field(
        None,
        description="Networks or addresses that may connect to redis and sentinel beside the hosts of the cluster, such"
        " as 10.1.0.0/16. Without it anybody may; with an empty list only the hosts. The operator itself comes through "
        "SSH and needs no entry, except where ssh.resp is Direct. Who is taken away keeps the connections that it has.",
    )
    exclusive: bool = Field(
        False,
        description="Also close what others opened wider than clients says. Without it that is only told. What lets in "
        "to other ports as well (a range, a trusted zone of firewalld) stays and is told.",
    )


class Endpoints(ApiModel):
    """Services that follow the master."""

    enabled: bool = Field(
        True,
        description="Keep Services in the namespace of this resource: one of its name for the master (port 6379), and "
        "`<name>-replicas` and `<name>-sentinels` (26379). They have no selector; their EndpointSlices follow the "
        "sentinels. A Service of that name that this resource did not make is left alone and told "
        "(EndpointsInSync). false: those that were made are removed. With management Observe none is made.",
    )


class Unsafe(ApiModel):
    """Rules that you take upon yourself to break."""

    few_sentinels: bool = Field(
        False, description="Allow fewer than 3 sentinels: no failover is sure. Not supported yet."
    )
    even_sentinels: bool = Field(
        False, description="Allow an even number of sentinels, as it is between two changes of the hosts."
    )
    quorum_below_majority: bool = Field(
        False,
        description="Allow a quorum of less than half of the sentinels: a few can start a failover. Not supported yet.",
    )
    shared_failure_domain: bool = Field(
        False,
        description="Allow that one failure domain holds every redis, or so many sentinels that without it there is no "
        "majority: PreflightPassed does not tell it then.",
    )
    allow_eviction: bool = Field(
        False,
        description="Allow a maxmemory below what redis uses and a tenth more, or a stricter maxmemory-policy: keys "
        "are dropped at once.",
    )
    no_persistence: bool = Field(
        False,
        description='Allow a redis that keeps nothing on disk (save "" without appendonly): a restart empties it, so '
        "it is never restarted by systemd.",
    )
    remove_many: bool = Field(False, description="Allow to remove more than one host at a time.")


class RedisSentinelClusterSpec(ApiModel):
    """Which hosts there are and what must be true on them."""

    master_name: MasterName | None = Field(
        None,
        description="Name under which the sentinels know the master; applications ask them by it. Default: the name of "
        "this resource. It cannot be changed. For a cluster that is alive it must be the name its sentinels use.",
    )
    management: Management = Field(
        "Full",
        description="Full: make true what is declared. Paused: follow the master and publish it, change nothing. "
        "Observe: as Paused, and show in status.plan what Full would do; also the hosts stay unclaimed.",
    )
    hosts: Annotated[Items[Host], Field(min_length=1, max_length=64, json_schema_extra=list_map("name"))] = Field(
        description="The hosts of the cluster, each known by its address. One that is added joins it, one that is "
        "taken out leaves it, one at a time and while all others are well."
    )
    maintenance_hosts: HostNames = Field(
        (),
        description="Hosts that somebody works on: their redis and sentinel are stopped once, and then they are left "
        "alone and not complained about. A master is replaced first. Leave it out of the files you apply. Default: "
        "none.",
    )
    fenced_hosts: HostNames = Field(
        (),
        description="Hosts whose redis and sentinel are stopped and kept from starting, also when the machine boots. A "
        "master is replaced first. Leave it out of the files you apply. Default: none.",
    )
    initial_master: HostName | None = Field(
        None,
        description="Host that becomes the first master. Read once, when the cluster is set up on bare hosts; after "
        "that the sentinels decide. Default: the first host with redis.",
    )
    ssh: Ssh = Field(Ssh(), description="How the hosts are reached. Default: as root on port 22 with redis-ssh.")
    auth: Auth = Field(
        Auth(), description="How clients, replicas and sentinels authenticate. Without it redis has no password."
    )
    package: Package = Field(
        Package(), description="What is installed on the hosts. Default: the newest of their own repositories, once."
    )
    redis: Redis = Field(Redis(), description="Settings of redis. Default: those that are on the hosts.")
    sentinel: Sentinel = Field(
        Sentinel(), description="Settings of the sentinels, changed while they run. Default: those of its fields."
    )
    min_replicas_to_write: Annotated[int, Field(ge=0, le=64)] | None = Field(
        None,
        description="How many replicas: with fewer in touch the master refuses plain writes (min-replicas-to-write), "
        "so that a master that is cut off acknowledges nothing for long. Up to Redis 3.2 it also refuses them after "
        "each failover, until a replica has got all data anew. Default: 1 from Redis 4 on with two replicas or more "
        "that are not left out (maintenanceHosts, fencedHosts), none else; a cluster that was adopted keeps what it "
        "has. 0: none.",
    )
    min_replicas_max_lag_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = Field(
        None,
        description="A replica silent for longer, in seconds, does not count for minReplicasToWrite. Default: 10, "
        "where that is in force.",
    )
    firewall: Firewall = Field(
        Firewall(), description="What lets packets in to redis and sentinel. Default: anybody is let in to both ports."
    )
    endpoints: Endpoints = Field(Endpoints(), description="Services that follow the master. Default: they are kept.")
    update_strategy: Literal["Automatic", "Supervised"] = Field(
        "Automatic",
        description="How far a package is upgraded by itself, when package.version asks for a newer one. Automatic: on "
        "all hosts, the master's last, after a switchover. Supervised: on all but the master's, until a person asks "
        "for that (act upgrade).",
    )
    recovery: Literal["Manual", "Automatic"] = Field(
        "Manual",
        description="What happens with sentinels that do not get over something by themselves: one that stays with a "
        "wrong master, one that still counts others that another has replaced, one that runs with its package's "
        "file. Manual: it is told, and mended by the act reset-stale. Automatic: it is mended when it has been so for "
        "a minute and nothing speaks against it. A dead master without a successor waits for the act recover in "
        "either case.",
    )
    deletion_policy: DeletionPolicy = Field(
        "Retain",
        description="What happens on the hosts when this resource is deleted. Retain: redis and the sentinels run on, "
        "nobody looks after them. Stop: sentinels, replicas and last the master, its data saved, are stopped and "
        "disabled. Uninstall: also what the operator made on the hosts and the package are removed; the data only with "
        "the annotation redis-sentinel-operator.io/delete-data: <name of the resource>.",
    )
    unsafe: Unsafe = Field(Unsafe(), description="Rules that you take upon yourself to break. Default: none.")


def parse(body: Mapping[str, Any]) -> RedisSentinelClusterSpec:
    """Return the spec of a whole resource as the API server hands it out.

    Raises:
        SpecRefused: InvalidSpec; a field is missing, of a wrong type or out of its bounds. The message names each.
    """
    try:
        return RedisSentinelClusterSpec.model_validate(dict(body.get("spec") or {}))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise SpecRefused("InvalidSpec", ". ".join(_sentence(each) for each in found[:5])) from None


def _sentence(error: ErrorDetails) -> str:
    """`spec.hosts[2].port: Input should be a valid integer`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"])
    return f"spec{''.join(steps)}: {error['msg']}"
