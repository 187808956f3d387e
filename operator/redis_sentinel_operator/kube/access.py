"""Where the API server is and as whom we speak to it: a kubeconfig, or the Pod's ServiceAccount.

Nothing here touches the global default configuration of the kubernetes package: kopf and other users of it in the
process must not be changed by us, nor we by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes.aio import config as kube_config
from kubernetes.aio.client import Configuration

from redis_sentinel_operator.errors import ApiUnavailable

OPERATOR_NAMESPACE = "redis-sentinel-operator"
_POD_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Access:
    """The way to one API server. `authorization` is the value of that HTTP header; None with a client certificate."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    private_key_path: str | None
    insecure: bool
    proxy: str | None
    authorization: str | None = field(repr=False)


def kubeconfig_path(environment: Mapping[str, str]) -> str | None:
    """Return the kubeconfig to use (KUBECONFIG, or ~/.kube/config outside a Pod), None: the ServiceAccount."""
    if environment.get("KUBECONFIG"):
        return environment["KUBECONFIG"]
    home = Path(environment.get("HOME") or "/") / ".kube" / "config"
    if not environment.get("KUBERNETES_SERVICE_HOST") and home.is_file():
        return str(home)
    return None


async def load(environment: Mapping[str, str]) -> Configuration:
    """Return a configuration of its own for the API server the environment names.

    In a Pod its token is read again from the file each minute. Proxies are taken from the kubeconfig only, as kopf
    does: an HTTPS_PROXY meant for the world must not swallow the way to the API server.

    Raises:
        ApiUnavailable: there is neither a usable kubeconfig nor a ServiceAccount.
    """
    configuration = Configuration(client_session_kwargs={"trust_env": False})
    configuration.connection_pool_maxsize = 32
    path = kubeconfig_path(environment)
    try:
        if path is None:
            kube_config.load_incluster_config(client_configuration=configuration)
        else:
            await kube_config.load_kube_config(
                config_file=path, client_configuration=configuration, persist_config=False
            )
    except (kube_config.ConfigException, OSError, TypeError, ValueError) as error:
        source = "the Pod's ServiceAccount" if path is None else f"the kubeconfig {path}"
        raise ApiUnavailable(f"{source} cannot be used: {type(error).__name__}: {error}") from None
    return configuration


async def describe(configuration: Configuration) -> Access:
    """Return what another client (kopf) needs to go the same way, with the token as it is now."""
    bearer = (await configuration.auth_settings()).get("BearerToken")
    return Access(
        server=str(configuration.host),
        ca_path=configuration.ssl_ca_cert,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        insecure=not configuration.verify_ssl,
        proxy=configuration.proxy,
        authorization=str(bearer["value"]) if bearer else None,
    )


def own_namespace(environment: Mapping[str, str]) -> str:
    """Return the namespace of the operator's Lease: POD_NAMESPACE, the Pod's, the kubeconfig's, else a fixed one."""
    if environment.get("POD_NAMESPACE"):
        return environment["POD_NAMESPACE"]
    path = kubeconfig_path(environment)
    if path is None:
        return _POD_NAMESPACE_FILE.read_text().strip() if _POD_NAMESPACE_FILE.is_file() else OPERATOR_NAMESPACE
    try:
        current: dict[str, Any] = kube_config.list_kube_config_contexts(config_file=path)[1]
    except (kube_config.ConfigException, OSError, TypeError, ValueError):
        return OPERATOR_NAMESPACE  # load() says what is wrong with the file
    return str(current.get("context", {}).get("namespace") or OPERATOR_NAMESPACE)
