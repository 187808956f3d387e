"""The part of spec that says which hosts there are, how they are reached, and what is installed on them.

The descriptions are what `kubectl explain` prints; the schema adds each field's default to its description.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from redis_sentinel_operator.api.fields import (
    Address,
    ApiModel,
    HostName,
    Items,
    Label,
    PackageName,
    PackageVersion,
    Port,
    SecretKey,
    SecretName,
    SshAddress,
    UserName,
)
from redis_sentinel_operator.model.desired import PackageManage, RespMode

SET = {"x-kubernetes-list-type": "set"}
"""For a list whose items are their own key: server-side apply merges it item by item."""


class SecretRef(ApiModel):
    """A Secret in the namespace of this resource."""

    name: SecretName = Field(description="Name of the Secret, in the namespace of this resource.")


class PasswordRef(ApiModel):
    """A key of a Secret in the namespace of this resource."""

    name: SecretName = Field(description="Name of the Secret, in the namespace of this resource.")
    key: SecretKey = Field("password", description="Key of the Secret that holds the password.")


class Bastion(ApiModel):
    """A host that SSH goes through."""

    address: SshAddress = Field(description="Address or name of the bastion.")
    port: Port = Field(22, description="TCP port of the bastion's sshd.")
    user: UserName = Field("root", description="User to log in as on the bastion.")


class Ssh(ApiModel):
    """How a host is reached."""

    secret_ref: SecretRef = Field(
        SecretRef(name="redis-ssh"),
        description="Secret of type kubernetes.io/ssh-auth with the keys ssh-privatekey, known_hosts (the output of "
        "`ssh-keyscan` for all hosts) and, where the key has one, passphrase. A Secret of another type needs the "
        'label redis-sentinel-operator.io/use: "true". Default: the Secret redis-ssh.',
    )
    user: UserName = Field("root", description="User to log in as. It must be root, or have `sudo: true`.")
    port: Port = Field(22, description="TCP port of sshd.")
    sudo: bool = Field(
        False,
        description="Run commands through `sudo -n`. The user needs NOPASSWD and no requiretty in the host's sudoers.",
    )
    resp: RespMode = Field(
        "Tunnel",
        description="How the operator talks to redis and sentinel. Tunnel: through the SSH connection, so that only "
        "the SSH port must be open for it. Direct: by TCP to the host's address, for hosts whose sshd forbids "
        "forwarding; the operator's network must then reach both ports.",
    )
    bastion: Bastion | None = Field(
        None,
        description="Host to go through, as with `ssh -J`: the Secret's key logs in there, and its known_hosts needs a "
        "line for it. Without it hosts are reached directly.",
    )


class Package(ApiModel):
    """What is installed."""

    manage: PackageManage = Field(
        "Install",
        description="Install: install the package with yum when it is missing, and upgrade an older one than `version` "
        "says. CheckOnly: never install, only say what is missing.",
    )
    name: PackageName | None = Field(
        None,
        description="Name of the package, which must have the files and units of the distribution's own. Without it "
        "that: redis, or valkey where redis is gone.",
    )
    version: PackageVersion | None = Field(
        None,
        description="Version as yum writes it, such as 3.2.12 or 3.2.12-2.el7. Without it the newest of the host's "
        "repositories is installed once, and what is installed is kept. A newer one than is installed is an upgrade, "
        "host by host; an older one is refused.",
    )
    module: PackageName | None = Field(
        None,
        description="Module stream to enable before the package is installed or upgraded, such as redis:6, on EL8 and "
        "EL9. Without `version` a change of it does nothing to what is installed.",
    )
    repositories: Annotated[Items[PackageName], Field(max_length=16, json_schema_extra=SET)] = Field(
        (),
        description="Ids of the yum repositories to take the package from. Without it all that are enabled on the "
        "host.",
    )
    lock: bool = Field(
        True,
        description="Keep the package from being updated with all others, as an update restarts redis: its name is put "
        "among the excluded packages of yum's configuration. `yum --disableexcludes=main update redis` updates it.",
    )


class Host(ApiModel):
    """A machine that runs redis, a sentinel, or both."""

    name: HostName = Field(
        description="What you call the host. It may be changed at any time: a host is its address, and nothing happens "
        "on it when it gets another name."
    )
    address: Address = Field(
        description="IP address where redis and sentinel listen and where the other hosts and the applications reach "
        "them; no host name. All hosts have addresses of one family. It is never changed: to move a host, remove "
        "this entry and add one with another name."
    )
    redis: bool = Field(True, description="Run redis on this host.")
    sentinel: bool = Field(
        True, description="Run a sentinel on this host. The number of sentinels should be odd and at least 3."
    )
    failure_domain: Label | None = Field(
        None,
        description="What this host shares its fate with, such as a rack or a hypervisor; without it the host is "
        "alone. Replicas in the master's domain are promoted after the others.",
    )
    replica_priority: int = Field(
        100,
        ge=0,
        le=2_147_483_647,
        description="Redis's replica-priority (slave-priority): of two replicas sentinel promotes the one with the "
        "lower number, and never one with 0. Without it the host keeps what it has, or gets what failureDomain asks "
        "for.",
        json_schema_extra={"default": None},  # 100 is what redis has, not what a host is given
    )
    ssh_address: SshAddress | None = Field(
        None,
        description="Address or name where the host's sshd is reached. The known_hosts of the Secret must have a line "
        "for it. Default: as `address`.",
    )
    ssh: Ssh | None = Field(
        None,
        description="How this host is reached, where it differs from spec.ssh. What is not set here is as in spec.ssh.",
        json_schema_extra={"inherits": "spec.ssh"},
    )
    package: Package | None = Field(
        None,
        description="What is installed on this host, where it differs from spec.package. What is not set here is as in "
        "spec.package.",
        json_schema_extra={"inherits": "spec.package"},
    )
