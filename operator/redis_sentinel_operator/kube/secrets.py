"""The Secrets a resource refers to: read by name when they are needed, never listed, watched or kept.

Whoever may write a RedisSentinelCluster must not be able to make the operator hand out any Secret of the namespace, so
only Secrets of the fitting type, or labelled for this use, are read at all.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.kube.client import KubeClient, path_of
from redis_sentinel_operator.model.secret import Secret

USE_LABEL: Final = "redis-sentinel-operator.io/use"
SSH_TYPE: Final = "kubernetes.io/ssh-auth"
PASSWORD_TYPE: Final = "kubernetes.io/basic-auth"  # noqa: S105 - a type's name
SSH_FIELD: Final = "spec.ssh.secretRef"
PASSWORD_FIELD: Final = "spec.auth.passwordSecretRef"  # noqa: S105 - a field's name


@dataclass(frozen=True, slots=True)
class SshKeys:
    """What opens the hosts: `private_key` in OpenSSH or PEM form, `known_hosts` as the file of that name."""

    private_key: Secret
    passphrase: Secret | None
    known_hosts: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class _Source:
    """A Secret as a field of the spec refers to it; `files` are the keys it is made from, for the line that mends."""

    field: str
    namespace: str
    name: str
    type: str
    files: Mapping[str, str]

    def refused(self, reason: str, command: str, **values: object) -> SpecRefused:
        """Return the error with the reason's message; `command` is the kubectl line that mends."""
        where = {"secret": self.name, "namespace": self.namespace, "field": self.field}
        return SpecRefused(reason, say(reason, **where, command=command, **values))

    def create_line(self) -> str:
        files = " ".join(f"--from-file={key}={path}" for key, path in self.files.items())
        return f"kubectl -n {self.namespace} create secret generic {self.name} --type={self.type} {files}"


async def read_ssh_secret(client: KubeClient, namespace: str, name: str, field: str = SSH_FIELD) -> SshKeys:
    """Return the SSH keys of a Secret with `ssh-privatekey`, `known_hosts` and perhaps `passphrase`.

    Raises:
        SpecRefused: SecretMissing, SecretWrongType or SecretKeyMissing; the message names the kubectl line that mends.
        ApiUnavailable, KubeError: the Secret could not be asked for.
    """
    files = {"ssh-privatekey": "id_ed25519", "known_hosts": "known_hosts"}
    source = _Source(field, namespace, name, SSH_TYPE, files)
    secret = await _read(client, source)
    passphrase = _value(secret, source, "passphrase") if "passphrase" in (secret.get("data") or {}) else None
    return SshKeys(
        private_key=Secret(_value(secret, source, "ssh-privatekey")),
        passphrase=Secret(passphrase) if passphrase else None,
        known_hosts=_value(secret, source, "known_hosts"),
        resource_version=str(secret["metadata"]["resourceVersion"]),
    )


@dataclass(frozen=True, slots=True)
class Password:
    """The password of redis, and which version of the Secret it is from."""

    value: Secret
    resource_version: str


async def read_password(
    client: KubeClient, namespace: str, name: str, key: str, field: str = PASSWORD_FIELD
) -> Password:
    """Return the password under `key` of a Secret, exactly as it is there.

    Raises:
        SpecRefused: SecretMissing, SecretWrongType or SecretKeyMissing; the message names the kubectl line that mends.
        ApiUnavailable, KubeError: the Secret could not be asked for.
    """
    source = _Source(field, namespace, name, PASSWORD_TYPE, {key: "password-file"})
    secret = await _read(client, source)
    return Password(Secret(_value(secret, source, key)), str(secret["metadata"]["resourceVersion"]))


async def _read(client: KubeClient, source: _Source) -> dict[str, Any]:
    secret = await client.get_or_none(path_of("", "v1", "secrets", source.namespace, source.name))
    if secret is None:
        raise source.refused("SecretMissing", source.create_line())
    labels = secret["metadata"].get("labels") or {}
    if secret.get("type") != source.type and labels.get(USE_LABEL) != "true":
        command = f"kubectl -n {source.namespace} label secret {source.name} {USE_LABEL}=true"
        raise source.refused("SecretWrongType", command, type=secret.get("type"), expected=source.type)
    return secret


def _value(secret: Mapping[str, Any], source: _Source, key: str) -> str:
    encoded = (secret.get("data") or {}).get(key)
    if not encoded:
        detail = "has no key" if encoded is None else "has nothing under the key"
        raise source.refused("SecretKeyMissing", _add_line(source, key), detail=detail, key=key)
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        detail = "has no text under the key"
        raise source.refused("SecretKeyMissing", _add_line(source, key), detail=detail, key=key) from None


def _add_line(source: _Source, key: str) -> str:
    """Return a kubectl line that adds a key and shows no secret: the value comes from a file."""
    file = source.files.get(key, key)
    return (
        f"kubectl -n {source.namespace} patch secret {source.name} --type=merge --patch-file=/dev/stdin "
        f"""<<< "{{\\"data\\":{{\\"{key}\\":\\"$(base64 -w0 {file})\\"}}}}\""""
    )
