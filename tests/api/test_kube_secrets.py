"""The Secrets on a real API server, and each refusal in full."""

from __future__ import annotations

import base64

import pytest

from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.kube.client import KubeClient, path_of
from redis_sentinel_operator.kube.secrets import SshKeys, read_password, read_ssh_secret

pytestmark = pytest.mark.timeout(240)
SSH = "kubernetes.io/ssh-auth"
BASIC = "kubernetes.io/basic-auth"


async def make(admin: KubeClient, namespace: str, name: str, kind: str, label: str = "", **values: str | bytes) -> str:
    encoded = {
        key.replace("_privatekey", "-privatekey"): base64.b64encode(
            value.encode() if isinstance(value, str) else value
        ).decode()
        for key, value in values.items()
    }
    metadata = {"name": name, "labels": {"redis-sentinel-operator.io/use": label} if label else {}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": encoded}
    made = await admin.request("POST", path_of("", "v1", "secrets", namespace), body=body)
    return str(made["metadata"]["resourceVersion"])


async def test_the_keys_are_read_and_do_not_show_themselves(
    admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    version = await make(
        admin, namespace, "keys", SSH, ssh_privatekey="the-key\n", known_hosts="h ssh-ed25519 A\n", passphrase="open"
    )
    keys = await read_ssh_secret(operator_client, namespace, "keys")
    assert isinstance(keys, SshKeys)
    assert keys.private_key.reveal() == "the-key\n"
    assert keys.passphrase is not None and keys.passphrase.reveal() == "open"
    assert (keys.known_hosts, keys.resource_version) == ("h ssh-ed25519 A\n", version)
    assert "the-key" not in repr(keys) and "open" not in repr(keys)


async def test_a_passphrase_is_optional_and_a_label_allows_any_type(
    admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    await make(admin, namespace, "keys", "Opaque", "true", ssh_privatekey="k", known_hosts="h")
    assert (await read_ssh_secret(operator_client, namespace, "keys")).passphrase is None
    await make(admin, namespace, "auth", "Opaque", "true", secret="pass word")
    assert (await read_password(operator_client, namespace, "auth", "secret")).value.reveal() == "pass word"


async def test_a_password_is_read_as_it_is(admin: KubeClient, operator_client: KubeClient, namespace: str) -> None:
    await make(admin, namespace, "auth", BASIC, password="s3cret\n")
    assert (await read_password(operator_client, namespace, "auth", "password")).value.reveal() == "s3cret\n"


async def refusal(client: KubeClient, namespace: str, name: str, key: str = "") -> tuple[str, str]:
    with pytest.raises(SpecRefused) as caught:
        await (read_password(client, namespace, name, key) if key else read_ssh_secret(client, namespace, name))
    return caught.value.reason, str(caught.value)


async def test_a_secret_that_does_not_exist(operator_client: KubeClient, namespace: str) -> None:
    assert await refusal(operator_client, namespace, "keys") == (
        "SecretMissing",
        f"The Secret keys in namespace {namespace} (spec.ssh.secretRef) does not exist. Nothing is changed without "
        f"it. Create it: `kubectl -n {namespace} create secret generic keys --type=kubernetes.io/ssh-auth "
        "--from-file=ssh-privatekey=id_ed25519 --from-file=known_hosts=known_hosts`.",
    )
    assert await refusal(operator_client, namespace, "auth", "password") == (
        "SecretMissing",
        f"The Secret auth in namespace {namespace} (spec.auth.passwordSecretRef) does not exist. Nothing is changed "
        f"without it. Create it: `kubectl -n {namespace} create secret generic auth --type=kubernetes.io/basic-auth "
        "--from-file=password=password-file`.",
    )


async def test_a_secret_of_another_kind_is_not_handed_out(
    admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    await make(admin, namespace, "other", "Opaque", ssh_privatekey="k", known_hosts="h", password="p")
    await make(admin, namespace, "no", "Opaque", "false", ssh_privatekey="k", known_hosts="h", password="p")
    assert await refusal(operator_client, namespace, "other") == (
        "SecretWrongType",
        f"The Secret other in namespace {namespace} (spec.ssh.secretRef) is of type Opaque, not "
        "kubernetes.io/ssh-auth, so it is not read. Create it anew with that type, or say that it is meant for the "
        f"operator: `kubectl -n {namespace} label secret other redis-sentinel-operator.io/use=true`.",
    )
    assert (await refusal(operator_client, namespace, "other", "password"))[0] == "SecretWrongType"
    assert (await refusal(operator_client, namespace, "no", "password"))[0] == "SecretWrongType"


async def test_a_key_that_is_missing_empty_or_no_text(
    admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    await make(admin, namespace, "keys", SSH, ssh_privatekey="k")
    assert await refusal(operator_client, namespace, "keys") == (
        "SecretKeyMissing",
        f"The Secret keys in namespace {namespace} (spec.ssh.secretRef) has no key `known_hosts`. Nothing is changed "
        f"without it. Add it: `kubectl -n {namespace} patch secret keys --type=merge --patch-file=/dev/stdin "
        '<<< "{\\"data\\":{\\"known_hosts\\":\\"$(base64 -w0 known_hosts)\\"}}"`.',
    )
    await make(admin, namespace, "auth", BASIC, password=b"", other=b"\xff\xfe")
    assert (await refusal(operator_client, namespace, "auth", "password"))[1].startswith(
        f"The Secret auth in namespace {namespace} (spec.auth.passwordSecretRef) has nothing under the key `password`. "
    )
    reason, message = await refusal(operator_client, namespace, "auth", "other")
    assert reason == "SecretKeyMissing"
    assert "has no text under the key `other`. " in message
