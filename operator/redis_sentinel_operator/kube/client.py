"""The client of the API server: plain documents in and out, every failure one of two errors.

Documents are dicts as the API has them, not the models of the kubernetes package: those drop fields that the package's
release does not know.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTClientObject

from redis_sentinel_operator.api import GROUP, PLURAL, VERSION
from redis_sentinel_operator.errors import ApiUnavailable, KubeError
from redis_sentinel_operator.kube import access
from redis_sentinel_operator.kube.schema import missing_fields, served_status

APPLY: Final = "application/apply-patch+yaml"
JSON: Final = "application/json"
# kube-apiserver 1.36 answers 500, not 422, to an apply with a field that the schema lacks
_UNFIT_APPLY: Final = "failed to create typed patch object"
_TRY_LATER: Final = frozenset({408, 429, *range(500, 600)})
# Seconds: longer than the pause between two passes, so that a switch of the master finds connections that stand, and
# shorter than the 90 s after which kube-apiserver closes an idle one.
_KEPT_OPEN: Final = 80.0


def path_of(group: str, version: str, plural: str, namespace: str, name: str = "", *, subresource: str = "") -> str:
    """Return the path of an object or collection; group "" is the core group, namespace "" a cluster-wide kind."""
    parts = ["api", version] if not group else ["apis", group, version]
    parts += ["namespaces", namespace] if namespace else []
    parts += [part for part in (plural, name, subresource) if part]
    return "/" + "/".join(quote(part, safe="") for part in parts)


def cluster_path(namespace: str, name: str, subresource: str = "") -> str:
    """Return the path of a RedisSentinelCluster."""
    return path_of(GROUP, VERSION, PLURAL, namespace, name, subresource=subresource)


class _Connections(RESTClientObject):
    """Connections that stay open between requests; aiohttp closes them after 15 s, which costs a TLS handshake each."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=self.maxsize, ssl=self.ssl_context, keepalive_timeout=_KEPT_OPEN)


class KubeClient:
    """One API server, one identity, one event loop (the loop that first asks is the one that may go on asking)."""

    def __init__(self, configuration: Configuration, environment: Mapping[str, str], seconds: float = 10.0) -> None:
        self._environment = environment
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._api = self._client(configuration)
        self._renewing = asyncio.Lock()
        self._kube_system_uid = ""

    @classmethod
    async def connect(cls, environment: Mapping[str, str] | None = None, seconds: float = 10.0) -> KubeClient:
        """Return a client for the API server that the environment names; `seconds` is what a request may take.

        Raises:
            ApiUnavailable: the environment names none, or its credentials cannot be read.
        """
        environment = os.environ if environment is None else environment
        return cls(await access.load(environment), environment, seconds)

    @staticmethod
    def _client(configuration: Configuration) -> ApiClient:
        api = ApiClient(configuration=configuration)
        api.rest_client = _Connections(configuration)
        api.user_agent = "redis-sentinel-operator"
        return api

    async def access(self) -> access.Access:
        """Return how this client reaches the API server, read anew: kopf logs in with it."""
        return await access.describe(await access.load(self._environment))

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> Any:
        """Send one request and return the parsed answer.

        Raises:
            ApiUnavailable: no answer, or one that means "later" (408, 429, 5xx).
            KubeError: any other refusal.
        """
        api = self._api
        sending = functools.partial(self._send, method, path, query or {}, body, content_type=content_type)
        status, answer = await sending(api=api)
        if status == HTTPStatus.UNAUTHORIZED:
            await self._log_in_again(api)
            status, answer = await sending(api=self._api)
        if status in _TRY_LATER and _UNFIT_APPLY not in _words(answer):
            raise ApiUnavailable(f"the API server answers {status} to {method} {path}: {_words(answer)}")
        if status >= HTTPStatus.BAD_REQUEST:
            reason = str(answer.get("reason", "")) if isinstance(answer, dict) else ""
            raise KubeError(status, reason, f"the API server refuses {method} {path} ({status}): {_words(answer)}")
        return answer

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Any, *, api: ApiClient, content_type: str
    ) -> tuple[int, Any]:
        headers = {"Accept": JSON, "Content-Type": content_type}
        try:
            method, url, headers, body, _ = await api.param_serialize(
                method, path, query_params=list(query.items()), header_params=headers, body=body,
                auth_settings=["BearerToken"],
            )  # fmt: skip
            response = await api.call_api(method, url, headers, body, _request_timeout=self._timeout)
            text = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            why = str(error) or type(error).__name__
            raise ApiUnavailable(f"the API server does not answer {method} {path}: {why}") from None
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text.decode(errors="replace")

    async def _log_in_again(self, refused: ApiClient) -> None:
        """Read the credentials again (an expired token); those who waited for it use the new ones."""
        async with self._renewing:
            if self._api is refused:
                self._api = self._client(await access.load(self._environment))
                await refused.close()

    async def get_or_none(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path, None when there is none."""
        try:
            found: dict[str, Any] = await self.request("GET", path)
        except KubeError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    async def get_cluster(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return the RedisSentinelCluster as it is now, None when there is none.

        Raises:
            ApiUnavailable, KubeError: see `request`.
        """
        return await self.get_or_none(cluster_path(namespace, name))

    async def kube_system_uid(self) -> str:
        """Return the uid of the namespace kube-system: what tells one Kubernetes cluster from another."""
        if not self._kube_system_uid:
            found = await self.request("GET", path_of("", "v1", "namespaces", "", "kube-system"))
            self._kube_system_uid = str(found["metadata"]["uid"])
        return self._kube_system_uid

    async def served_schema_problems(self, schema: Mapping[str, Any]) -> list[str]:
        """Return a sentence for each status field that we write and the API server does not have.

        `schema` is the openAPIV3Schema of our own CRD. A status apply with one unknown field fails whole, so an older
        CRD under a newer operator would leave every status as it was; the operator does not start over one.
        """
        index = await self.request("GET", "/openapi/v3")
        entry = index.get("paths", {}).get(f"apis/{GROUP}/{VERSION}")
        if entry is None:
            return [f"the API server does not serve {PLURAL}.{GROUP} {VERSION}"]
        url, _, query = str(entry["serverRelativeURL"]).partition("?")
        pairs = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
        served = served_status(await self.request("GET", url, query=pairs))
        if served is None:
            return [f"the API server serves {PLURAL}.{GROUP} {VERSION} without a status subresource"]
        lacking = missing_fields(schema["properties"]["status"], served, "status")
        return [f"the served {PLURAL}.{GROUP} has no field {name}" for name in lacking]

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()


def _words(answer: Any) -> str:
    """Return what a Status object says, or the beginning of whatever came instead."""
    if isinstance(answer, dict):
        return str(answer.get("message") or answer.get("reason") or "no reason given")
    return str(answer).strip()[:200] or "no reason given"
