"""From the resource to what is desired: every default resolved, and what cannot be acted on refused."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from redis_sentinel_operator.api import GROUP
from redis_sentinel_operator.api.members import living, refuse_members, with_members
from redis_sentinel_operator.api.password import check_password
from redis_sentinel_operator.api.planned import planned_for, refuse_planned
from redis_sentinel_operator.api.redis_config import check_config, redis_config
from redis_sentinel_operator.api.spec import RedisSentinelClusterSpec, parse
from redis_sentinel_operator.api.spec_hosts import Host, Package, Ssh
from redis_sentinel_operator.api.unsupported import refuse_unsupported
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.model.desired import (
    Aside,
    BastionAccess,
    ClusterRef,
    Desired,
    DesiredHost,
    PackageWish,
    SentinelSettings,
    SshAccess,
)
from redis_sentinel_operator.model.secret import Secret

__all__ = [
    "check_config",
    "check_password",
    "living",
    "password_ref",
    "refuse_members",
    "refuse_planned",
    "refuse_unsupported",
    "resolve",
    "ssh_secret_name",
    "with_members",
]

DELETE_DATA = f"{GROUP}/delete-data"  # annotation: the name of the resource whose data may go
Overridable = TypeVar("Overridable", Ssh, Package)


def resolve(body: Mapping[str, Any], password: Secret | None) -> Desired:
    """Return what a whole resource (metadata, spec, status) declares, every value effective.

    What is not supported yet or cannot be set is resolved as well, so that a cluster can be followed whose spec is
    refused (`refuse_unsupported`, `check_config`). The password is taken as it is (`check_password`).

    Raises:
        SpecRefused: InvalidSpec; the message names field and mend.
    """
    spec = parse(body)
    metadata = body["metadata"]
    return Desired(
        ref=ClusterRef(namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"]),
        generation=metadata["generation"],
        master_name=spec.master_name or planned_for(body) or metadata["name"],
        management=spec.management,
        hosts=tuple(_host(host, spec) for host in spec.hosts),
        initial_master=_initial_master(spec, body.get("status") or {}),
        sentinel=_sentinel(spec),
        redis_port=spec.redis.port,
        sentinel_port=spec.sentinel.port,
        redis_config=redis_config(spec),
        allow_eviction=spec.unsafe.allow_eviction,
        no_persistence=spec.unsafe.no_persistence,
        shared_failure_domain=spec.unsafe.shared_failure_domain,
        password=password,
        firewall=spec.firewall.manage,
        clients=_clients(spec),
        firewall_exclusive=spec.firewall.exclusive,
        endpoints=spec.endpoints.enabled,
        deletion_policy=spec.deletion_policy,
        delete_data=(metadata.get("annotations") or {}).get(DELETE_DATA) == metadata["name"],
        recovery=spec.recovery,
        supervised=spec.update_strategy == "Supervised",
    )


def ssh_secret_name(spec: RedisSentinelClusterSpec) -> str:
    """Return the name of the Secret with the SSH key and the known hosts."""
    return spec.ssh.secret_ref.name


def password_ref(spec: RedisSentinelClusterSpec) -> tuple[str, str] | None:
    """Return name and key of the Secret with the password; None for a cluster without one."""
    ref = spec.auth.password_secret_ref
    return (ref.name, ref.key) if ref else None


def _host(host: Host, spec: RedisSentinelClusterSpec) -> DesiredHost:
    ssh = _overridden(spec.ssh, host.ssh)
    package = _overridden(spec.package, host.package)
    return DesiredHost(
        name=host.name,
        address=host.address,
        ssh=SshAccess(
            address=host.ssh_address or host.address,
            port=ssh.port,
            user=ssh.user,
            sudo=ssh.sudo,
            resp=ssh.resp,
            bastion=_bastion(ssh),
        ),
        redis=host.redis,
        sentinel=host.sentinel,
        replica_priority=host.replica_priority,
        own_priority="replica_priority" in host.model_fields_set,
        failure_domain=host.failure_domain or "",
        package=PackageWish(
            manage=package.manage,
            name=package.name,
            version=package.version,
            module=package.module,
            repositories=tuple(package.repositories),
            lock=package.lock,
        ),
        aside=_aside(host.name, spec),
    )


def _aside(name: str, spec: RedisSentinelClusterSpec) -> Aside:
    """Return why a host is to do nothing; a fence holds through maintenance."""
    if name in spec.fenced_hosts:
        return "Fenced"
    return "Maintenance" if name in spec.maintenance_hosts else ""


def _bastion(ssh: Ssh) -> BastionAccess | None:
    return BastionAccess(ssh.bastion.address, ssh.bastion.port, ssh.bastion.user) if ssh.bastion else None


def _overridden(common: Overridable, own: Overridable | None) -> Overridable:
    """What a host sets itself wins, field by field."""
    if own is None:
        return common
    return common.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


def _initial_master(spec: RedisSentinelClusterSpec, status: Mapping[str, Any]) -> str:
    """The host that becomes the first master. One that has left since is harmless once the cluster lives."""
    candidates = [host.name for host in spec.hosts if host.redis]
    if not candidates:
        raise SpecRefused("InvalidSpec", "spec.hosts: no host runs redis; let redis be true on at least one")
    if spec.initial_master is None or spec.initial_master in candidates:
        return spec.initial_master or candidates[0]
    if status.get("master") or (status.get("bootstrap") or {}).get("completedAt"):
        return candidates[0]
    raise SpecRefused(
        "InvalidSpec",
        f"spec.initialMaster: {spec.initial_master} is no host that runs redis; name one of {', '.join(candidates)}, "
        "or remove the field",
    )


def _clients(spec: RedisSentinelClusterSpec) -> tuple[str, ...] | None:
    """The networks in canonical form, each once; an address is a network of one."""
    if spec.firewall.clients is None:
        return None
    return tuple(dict.fromkeys(_client(text, spec.hosts[0].address) for text in spec.firewall.clients))


def _client(text: str, address: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise SpecRefused("InvalidSpec", f"spec.firewall.clients: {_mended(text)}") from None
    if network.prefixlen == 0:
        said = f"{text} is everybody; remove the field to let anybody connect"
        raise SpecRefused("InvalidSpec", f"spec.firewall.clients: {said}")
    if network.version != ip_address(address).version:
        said = f"{text} is of another family than the hosts' addresses ({address}); remove it"
        raise SpecRefused("InvalidSpec", f"spec.firewall.clients: {said}")
    return str(network)


def _mended(text: str) -> str:
    try:
        return f"{text} has bits of a host in it; write {ip_network(text, strict=False)}"
    except ValueError:
        return f"{text} is no address and no network; write it like 10.1.0.0/16 or 10.1.2.3"


def _sentinel(spec: RedisSentinelClusterSpec) -> SentinelSettings:
    voters = sum(host.sentinel for host in spec.hosts)
    majority = voters // 2 + 1
    quorum = majority if spec.sentinel.quorum is None else spec.sentinel.quorum
    if quorum > voters:
        raise SpecRefused(
            "InvalidSpec",
            f"spec.sentinel.quorum: {quorum} is more than the {voters} sentinels there are; set it to {majority}, or "
            "remove the field",
        )
    if quorum < majority and not spec.unsafe.quorum_below_majority:
        raise SpecRefused(
            "InvalidSpec",
            f"spec.sentinel.quorum: {quorum} is less than the majority of {voters} sentinels; set it to {majority} or "
            "more, or remove the field",
        )
    return SentinelSettings(
        quorum=quorum,
        down_after=spec.sentinel.down_after_milliseconds,
        failover_timeout=spec.sentinel.failover_timeout_milliseconds,
        parallel_syncs=spec.sentinel.parallel_syncs,
    )
