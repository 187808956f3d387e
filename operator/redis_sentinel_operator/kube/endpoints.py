"""The Services of a cluster and the EndpointSlices behind them: made, followed, repaired, removed; only our own.

Ours is what has our resource among its owners. What a deleted resource of the same name left, which Kubernetes removes
sooner or later, is removed at once: until then clients would be led where nobody looks any more. Everything else of our
names is left as it is, and nothing is put behind it. A Service has no selector, so that nobody but us makes slices for
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final

from redis_sentinel_operator.api import API_VERSION, GROUP, KIND
from redis_sentinel_operator.errors import ApiUnavailable, KubeError
from redis_sentinel_operator.kube.client import APPLY, KubeClient, cluster_path, path_of
from redis_sentinel_operator.kube.status import FIELD_MANAGER
from redis_sentinel_operator.model.desired import ClusterRef
from redis_sentinel_operator.model.endpoint import Endpoints

SERVICE_LABEL: Final = "kubernetes.io/service-name"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
_MERGE: Final = "application/merge-patch+json"
_ATTEMPTS: Final = 5
_CHANGED: Final = (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND)
# Fields that a Service of ours never has: each would lead clients past our slices.
_NEVER: Final = ("selector", "externalIPs", "externalName", "loadBalancerIP", "publishNotReadyAddresses")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """One Service: its name, its port, and the family of the addresses behind it."""

    ref: ClusterRef
    name: str
    port_name: str
    port: int
    family: str  # IPv4, IPv6

    @property
    def service_path(self) -> str:
        """Where the Service is."""
        return path_of("", "v1", "services", self.ref.namespace, self.name)


def slice_path(namespace: str, name: str = "") -> str:
    """Return the path of an EndpointSlice, or of all of a namespace."""
    return path_of("discovery.k8s.io", "v1", "endpointslices", namespace, name)


def owned(live: Document, uid: str) -> bool:
    """Whether the object of that uid is among the owners: our resource, or a Service."""
    owners: Sequence[Document] = live["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == uid for owner in owners)


def of_a_former(live: Document, ref: ClusterRef) -> bool:
    """Whether an object belongs to a resource of this name that was there before ours, and to nobody else."""
    owners: Sequence[Document] = live["metadata"].get("ownerReferences") or ()
    return bool(owners) and all(
        (owner.get("kind"), owner.get("apiVersion"), owner.get("name")) == (KIND, API_VERSION, ref.name)
        and owner.get("uid") != ref.uid
        for owner in owners
    )


def owner_of(live: Document) -> str:
    """Return who owns an object, in words."""
    owners = [f"{owner.get('kind')} {owner.get('name')}" for owner in live["metadata"].get("ownerReferences") or ()]
    return f"belongs to {', '.join(owners)}" if owners else "was not made by this resource"


def _metadata(target: Target, **labels: str) -> dict[str, Any]:
    return {
        "name": target.name,
        "namespace": target.ref.namespace,
        "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER, f"{GROUP}/cluster": target.ref.name} | labels,
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": target.ref.name,
                "uid": target.ref.uid,
                "controller": True,
            }
        ],
    }


def slice_document(target: Target, endpoints: Endpoints) -> dict[str, Any]:
    """Return the whole EndpointSlice."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata(target, **{SERVICE_LABEL: target.name, MANAGED_BY: GROUP}),
        "addressType": target.family,
        "ports": [{"name": target.port_name, "port": target.port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [each.address], "conditions": {"ready": each.ready}} for each in endpoints],
    }


def service_document(target: Target, *, headless: bool) -> dict[str, Any]:
    """Return the whole Service; a headless one has no address of its own."""
    port = {"name": target.port_name, "port": target.port, "targetPort": target.port, "protocol": "TCP"}
    spec = {"type": "ClusterIP", "ipFamilyPolicy": "SingleStack", "ipFamilies": [target.family], "ports": [port]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(target),
        "spec": spec | ({"clusterIP": "None"} if headless else {}),
    }


def same_slice(live: Document, wanted: Document) -> bool:
    """Whether a slice of ours is as wanted; what others add to its labels and annotations is theirs."""
    return _same_metadata(live, wanted) and all((live.get(key) or []) == wanted[key] for key in ("ports", "endpoints"))


def same_service(live: Document, wanted: Document) -> bool:
    """Whether a Service of ours is as wanted, and has nothing that it must not have."""
    spec: Document = live["spec"]
    as_wanted = all(spec.get(key) == value for key, value in wanted["spec"].items())
    return as_wanted and _same_metadata(live, wanted) and not any(spec.get(key) for key in _NEVER)


def _same_metadata(live: Document, wanted: Document) -> bool:
    labels: Mapping[str, str] = live["metadata"].get("labels") or {}
    return all(labels.get(name) == value for name, value in wanted["metadata"]["labels"].items())


def family_of(address: str) -> str:
    """Return IPv4 or IPv6."""
    return f"IPv{ip_address(address).version}"


class SliceWriter:
    """The one writer of one EndpointSlice. What is behind the Service changes in one request.

    `fresh()` says whether this process may write: one that was frozen and resumed does not know who is master now.
    """

    def __init__(self, client: KubeClient, ref: ClusterRef, name: str, fresh: Callable[[], bool]) -> None:
        self._client = client
        self._ref = ref
        self._name = name
        self._path = slice_path(ref.namespace, name)
        self._fresh = fresh
        self._version: str | None = None  # of ours as it was last seen, "": there is none, None: not known
        self.refused = ""  # why the API server does not take it

    def forget(self) -> None:
        """Look again before the next write: somebody may have changed it."""
        self._version = None

    async def write(self, document: Document) -> None:
        """Make it the slice; a slice of that name that is not ours is left alone.

        Raises:
            ApiUnavailable: try again later; it may or may not be stored.
        """
        self.refused = ""
        for _ in range(_ATTEMPTS):
            if not self._fresh():
                raise ApiUnavailable("the operator's Lease could not be renewed in time")
            try:
                if self._version is None and await self._as_wanted(document):
                    return
                self._version = await self._apply(document)
            except KubeError as error:
                if error.status not in _CHANGED:
                    self.refused, self._version = str(error), None
                    return
                self._version = None
            else:
                return
        raise ApiUnavailable(f"the EndpointSlice {self._name} changes faster than it can be written")

    async def _as_wanted(self, document: Document) -> bool:
        """Look; return whether there is nothing to write."""
        live = await self._client.get_or_none(self._path)
        if live is None:
            self._version = ""
            return False
        if not owned(live, self._ref.uid):
            self.refused = f"the EndpointSlice {self._ref.namespace}/{self._name} {owner_of(live)}"
            return True
        self._version = str(live["metadata"]["resourceVersion"])
        return same_slice(live, document)

    async def _apply(self, document: Document) -> str:
        """A new one is not forced: what somebody made meanwhile is not taken over."""
        metadata = document["metadata"] | ({"resourceVersion": self._version} if self._version else {})
        answer = await self._client.request(
            "PATCH",
            self._path,
            query={"fieldManager": FIELD_MANAGER, "force": "true" if self._version else "false"},
            body={**document, "metadata": metadata},
            content_type=APPLY,
        )
        return str(answer["metadata"]["resourceVersion"])


class Services:
    """The Services of one cluster, looked at with each pass."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def look(self, target: Target) -> dict[str, Any] | None:
        """Return the Service of that name as it is, ours or not."""
        return await self._client.get_or_none(target.service_path)

    async def slices(self, namespace: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return all EndpointSlices that belong to Services of these names, whoever made them."""
        query = {"labelSelector": f"{SERVICE_LABEL} in ({','.join(names)})"}
        found: list[dict[str, Any]] = (await self._client.request("GET", slice_path(namespace), query=query))["items"]
        return found

    async def stands(self, ref: ClusterRef) -> bool:
        """Whether the resource of that name is still the one that we work for."""
        live = await self._client.get_or_none(cluster_path(ref.namespace, ref.name))
        return live is not None and live["metadata"]["uid"] == ref.uid

    async def make(self, target: Target) -> dict[str, Any]:
        """Make a Service where there is none, headless where the API server has no address of the family."""
        try:
            return await self._create(service_document(target, headless=False), target)
        except KubeError as error:
            if error.status != HTTPStatus.UNPROCESSABLE_ENTITY or "ipFamilies" not in str(error):
                raise
        return await self._create(service_document(target, headless=True), target)

    async def _create(self, document: Document, target: Target) -> dict[str, Any]:
        """Not forced: what somebody made meanwhile is not taken over."""
        query = {"fieldManager": FIELD_MANAGER}
        made: dict[str, Any] = await self._client.request(
            "PATCH", target.service_path, query=query, body=document, content_type=APPLY
        )
        return made

    async def repair(self, target: Target, live: Document) -> bool:
        """Set a Service of ours right; return whether it was changed. Its address stays as it was given."""
        wanted = service_document(target, headless=is_headless(live))
        if same_service(live, wanted):
            return False
        labels, version = wanted["metadata"]["labels"], live["metadata"]["resourceVersion"]
        body = {
            "metadata": {"labels": labels, "resourceVersion": version},
            "spec": dict.fromkeys(_NEVER) | wanted["spec"],
        }
        query = {"fieldManager": FIELD_MANAGER}
        await self._client.request("PATCH", target.service_path, query=query, body=body, content_type=_MERGE)
        return True

    async def remove(self, path: str, live: Document) -> None:
        """Remove an object of ours, this very one."""
        options = {"preconditions": {"uid": live["metadata"]["uid"]}}
        try:
            await self._client.request("DELETE", path, body=options)
        except KubeError as error:
            if error.status not in _CHANGED:
                raise


def is_headless(live: Document) -> bool:
    """Whether a Service has no address of its own."""
    spec: Document = live["spec"]
    return spec.get("clusterIP") == "None"
