"""Kubernetes Events: one when something changes, none when it stays, never more than a trickle.

An Event is a courtesy to a person who types `kubectl describe`; that it could not be posted is logged and forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from redis_sentinel_operator.api import API_VERSION, KIND
from redis_sentinel_operator.errors import OperatorError
from redis_sentinel_operator.kube.client import KubeClient, path_of
from redis_sentinel_operator.model.desired import ClusterRef

COMPONENT: Final = "redis-sentinel-operator"
_MESSAGE_LIMIT: Final = 1024  # the API server refuses longer ones
_BURST: Final = 20
_PER_SECOND: Final = 0.2
_WAITING: Final = 500
_NO_NEWS: Final = frozenset({"Reconciling"})  # comes and goes with each pass that has work

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Bucket:
    """How many Events an object may still have now."""

    tokens: float
    at: float

    def take(self, now: float) -> bool:
        self.tokens = min(float(_BURST), self.tokens + (now - self.at) * _PER_SECOND)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Events:
    """Posts Events in the background of `run()`; `instance` names this process."""

    def __init__(self, client: KubeClient, instance: str) -> None:
        self._client = client
        self._instance = instance
        self._said: dict[tuple[str, str], tuple[str, str]] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._seen: set[str] = set()
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_WAITING)

    def transition(
        self, ref: ClusterRef, aspect: str, reason: str, message: str, *, warning: bool = False, state: str = ""
    ) -> bool:
        """Say that `aspect` of a cluster (a condition's type, say) is now as `reason` tells; return whether it is news.

        News is what differs in reason or `state` from the last said of the aspect; a message that merely changed its
        numbers is none. Never waits, never raises.
        """
        key = (ref.uid, aspect)
        if self._said.get(key) == (reason, state):
            return False
        self._said[key] = (reason, state)
        now = time.monotonic()
        if not self._buckets.setdefault(ref.uid, _Bucket(_BURST, now)).take(now):
            log.warning("%s: the Event %s is left out, there are too many", ref, reason)
            return True
        document = _document(ref, reason, message, "Warning" if warning else "Normal", self._instance)
        try:
            self._queue.put_nowait((ref.namespace, document))
        except asyncio.QueueFull:
            log.warning("%s: the Event %s is left out, the API server takes none", ref, reason)
        return True

    def conditions(self, ref: ClusterRef, status: Mapping[str, Any]) -> None:
        """Tell what changed in a stored status: its conditions and its master. The first look only remembers."""
        first = ref.uid not in self._seen
        if first and not status:
            self._seen.add(ref.uid)  # a new object: all that it becomes is news
            return
        for aspect, reason, message, warning, state in _aspects(status):
            if first:
                self._said[ref.uid, aspect] = (reason, state)
            else:
                self.transition(ref, aspect, reason, message, warning=warning, state=state)
        self._seen.add(ref.uid)

    def forget(self, ref: ClusterRef) -> None:
        """Drop what is remembered of an object that is gone."""
        self._buckets.pop(ref.uid, None)
        self._seen.discard(ref.uid)
        for key in [key for key in self._said if key[0] == ref.uid]:
            del self._said[key]

    async def run(self) -> None:
        """Post what was said until cancelled."""
        while True:
            namespace, document = await self._queue.get()
            try:
                await self._client.request("POST", path_of("", "v1", "events", namespace), body=document)
            except OperatorError as error:
                log.info("the Event %s was not posted: %s", document["reason"], error)


def _aspects(status: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bool, str]]:
    """Yield aspect, reason, message, whether it is a warning, and state for all in a status that is worth an Event."""
    for condition in status.get("conditions") or ():
        kind, state = str(condition["type"]), str(condition["status"])
        if kind not in _NO_NEWS:
            warning = state != ("False" if kind == "Stalled" else "True")
            yield kind, str(condition["reason"]), f"{kind} is {state}: {condition.get('message', '')}", warning, state
    master = status.get("master")
    if master:
        where = f"{master['host']} ({master['address']}:{master['port']})"
        yield "master", "MasterConfirmed", f"the master is {where}", False, str(master["host"])


def _document(ref: ClusterRef, reason: str, message: str, kind: str, instance: str) -> dict[str, Any]:
    seconds = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if len(message) > _MESSAGE_LIMIT:
        message = message[: _MESSAGE_LIMIT - 1] + "…"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{ref.name}.{uuid.uuid4().hex[:16]}", "namespace": ref.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "count": 1,
    }
