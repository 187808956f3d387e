"""From the resource and its Secrets to what is declared, or to the reason why it cannot be acted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from redis_sentinel_operator.api.desired import (
    check_config,
    check_password,
    living,
    password_ref,
    refuse_members,
    refuse_planned,
    refuse_unsupported,
    resolve,
    ssh_secret_name,
    with_members,
)
from redis_sentinel_operator.api.spec import RedisSentinelClusterSpec, parse
from redis_sentinel_operator.connect import Credentials
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.kube.client import KubeClient
from redis_sentinel_operator.kube.secrets import Password, SshKeys, read_password, read_ssh_secret
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import Refusal

_OF_CREDENTIALS = frozenset(
    {"SecretMissing", "SecretWrongType", "SecretKeyMissing", "PasswordNotUsable", "BadPrivateKey"}
)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the resource says now.

    `desired` and `credentials` are the last that could be read, so that following goes on while `refusal` tells what
    is wrong.
    """

    desired: Desired | None
    credentials: Credentials | None
    refusal: Refusal | None


async def read_declared(kube: KubeClient, body: Mapping[str, Any], before: Declared) -> Declared:
    """Read the resource's Secrets and resolve it, with what its status records of its hosts."""
    desired, credentials = before.desired, before.credentials
    try:
        spec = parse(body)
        keys = await read_ssh_secret(kube, body["metadata"]["namespace"], ssh_secret_name(spec))
        credentials = _credentials(keys)
        password = await _password(kube, body["metadata"]["namespace"], spec)
        desired = resolve(body, password.value if password else None)
        desired = replace(desired, password_version=password.resource_version if password else "")
    except SpecRefused as refused:
        # The refused generation is observed as well: else `kubectl wait` and GitOps tools wait for it for ever.
        seen = desired and replace(desired, generation=int(body["metadata"]["generation"]))
        return Declared(seen, credentials, _refusal(refused))
    try:
        refuse_planned(body)
        check_config(spec)
        refuse_unsupported(body, spec)
        refuse_members(body, spec)
    except SpecRefused as refused:
        return Declared(living(body, spec, desired), credentials, _refusal(refused))
    return Declared(with_members(body, desired), credentials, None)


async def _password(kube: KubeClient, namespace: str, spec: RedisSentinelClusterSpec) -> Password | None:
    reference = password_ref(spec)
    if reference is None:
        return None
    password = await read_password(kube, namespace, *reference)
    check_password(password.value)
    return password


def _credentials(keys: SshKeys) -> Credentials:
    passphrase = keys.passphrase.reveal() if keys.passphrase else None
    return Credentials(keys.private_key.reveal(), keys.known_hosts, passphrase)


def _refusal(refused: SpecRefused) -> Refusal:
    condition = "CredentialsInSync" if refused.reason in _OF_CREDENTIALS else "ConfigInSync"
    return Refusal(condition, refused.reason, str(refused))
