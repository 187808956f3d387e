"""Writing the status of one object, whole, and only if it still is that object.

What was measured on kube-apiserver 1.36 decides the form: a status apply ignores a wrong metadata.uid, a stale
resourceVersion is refused with 409, and an apply that leaves out a field removes it. So each write is the whole
document with the resourceVersion that was read together with the uid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from redis_sentinel_operator.api import API_VERSION, KIND
from redis_sentinel_operator.errors import KubeError, ObjectReplaced
from redis_sentinel_operator.kube.client import APPLY, KubeClient, cluster_path
from redis_sentinel_operator.model.desired import ClusterRef

FIELD_MANAGER: Final = "redis-sentinel-operator"
Document: TypeAlias = Mapping[str, Any]
Keep: TypeAlias = Callable[[Document, Document], Document]
_ATTEMPTS: Final = 10  # a spec that somebody edits ten times within one write is not worth waiting for


def nothing(document: Document, _: Document) -> Document:
    """Keep nothing of the stored document."""
    return document


class StatusWriter:
    """The one writer of the status of the object `ref`. Not for two tasks at once: the board is its only caller.

    `keep` adds to a document what must not be lost of the stored one.
    """

    def __init__(self, client: KubeClient, ref: ClusterRef, keep: Keep = nothing) -> None:
        self._client = client
        self._ref = ref
        self._keep = keep
        self._version = ""
        self._stored: Mapping[str, Any] | None = None

    @property
    def stored(self) -> Document:
        """What is stored, as far as this one knows."""
        return self._stored or {}

    async def read(self) -> dict[str, Any]:
        """Return the status as it is stored ({} when there is none yet).

        Raises:
            ObjectReplaced: the object is gone or another has its name.
            ApiUnavailable, KubeError: it could not be read.
        """
        found = await self._client.get_cluster(self._ref.namespace, self._ref.name)
        if found is None:
            raise ObjectReplaced(f"{self._ref} is gone")
        return self._take(found)

    async def write(self, document: Mapping[str, Any]) -> str:
        """Store the whole status and return the resourceVersion it is stored under; an equal one is not sent.

        The document is kept to compare the next one with: it must not be changed afterwards.

        Raises:
            ObjectReplaced: the object is gone or another has its name: nothing was written.
            ApiUnavailable: try again later; the write may or may not be stored.
            KubeError: the API server refuses the document.
        """
        for _ in range(_ATTEMPTS):
            if not self._version:
                await self.read()
            whole = self._keep(document, self.stored)
            if self._stored == whole:
                return self._version
            try:
                return await self._apply(whole)
            except KubeError as error:
                if error.status not in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
                    raise
                self._version = ""
        raise KubeError(HTTPStatus.CONFLICT, "Conflict", f"{self._ref} changes faster than its status can be written")

    async def _apply(self, document: Mapping[str, Any]) -> str:
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": self._ref.name,
                "namespace": self._ref.namespace,
                "resourceVersion": self._version,
            },
            "status": document,
        }
        answer = await self._client.request(
            "PATCH",
            cluster_path(self._ref.namespace, self._ref.name, "status"),
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=body,
            content_type=APPLY,
        )
        self._take(answer)
        self._stored = document
        return self._version

    def _take(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Remember what was read; version, uid and status come from one answer."""
        metadata = found["metadata"]
        if metadata["uid"] != self._ref.uid:
            raise ObjectReplaced(f"{self._ref} was deleted and made again: this was the object {self._ref.uid}")
        self._version = str(metadata["resourceVersion"])
        status: dict[str, Any] = found.get("status") or {}
        self._stored = status
        return status
