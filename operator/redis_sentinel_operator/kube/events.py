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
from typing import Any, Final, Literal

from redis_sentinel_operator.api import API_VERSION, KIND
from redis_sentinel_operator.errors import OperatorError
from redis_sentinel_operator.kube.client import KubeClient, path_of
from redis_sentinel_operator.model.desired import ClusterRef

COMPONENT: Final = "redis-sentinel-operator"
State = Literal["good", "bad", "unknown"]
_MESSAGE_LIMIT: Final = 1024  # the API server refuses longer ones
_BURST: Final = 20
_PER_SECOND: Final = 0.2
_WAITING: Final = 500
_STATES: Final[Mapping[str, State]] = {"True": "good", "False": "bad"}
_ALWAYS: Final = frozenset({"Ready", "master"})  # news also when good from the beginning
# Reconciling comes and goes with each pass that has work; Stalled says what Ready says
_NO_NEWS: Final = frozenset({"Reconciling", "Stalled"})
# What a set-up makes is bad until it is made: no news, and no warning
_IN_THE_MAKING: Final = frozenset(
    {"MasterConfirmed", "QuorumHealthy", "ReplicationHealthy", "HostsClaimed", "ConfigInSync"}
)
_SETTING_UP: Final = frozenset({"Starting", "Bootstrapping"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Aspect:
    """How something about a cluster is now: a condition, or who is master. `detail` is what else makes it another."""

    name: str
    reason: str
    message: str
    state: State
    detail: str = ""

    @property
    def as_told(self) -> tuple[str, ...]:
        """What makes it the same news."""
        return self.reason, self.state, self.detail


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
        self._told: dict[tuple[str, str], Aspect] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._seen: set[str] = set()
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_WAITING)

    def transition(self, ref: ClusterRef, seen: Aspect) -> bool:
        """Tell how an aspect of a cluster is now; return whether that was news.

        News is what differs from the last told of the aspect; a message that merely changed its numbers is none. Never
        waits, never raises.
        """
        before = self._told.get((ref.uid, seen.name))
        if before is not None and before.as_told == seen.as_told:
            return False
        self._told[ref.uid, seen.name] = seen
        now = time.monotonic()
        if not self._buckets.setdefault(ref.uid, _Bucket(_BURST, now)).take(now):
            log.warning("%s: the Event %s is left out, there are too many", ref, seen.reason)
            return True
        try:
            self._queue.put_nowait((ref.namespace, _document(ref, seen, self._instance)))
        except asyncio.QueueFull:
            log.warning("%s: the Event %s is left out, the API server takes none", ref, seen.reason)
        return True

    def conditions(self, ref: ClusterRef, status: Mapping[str, Any]) -> None:
        """Tell what changed in a stored status: its conditions and its master.

        The first look at an object that has a status already only remembers: another process told it. What gets bad,
        comes good again, or cannot be known any more is news; what is good or unknown from its beginning is not.
        """
        known = ref.uid in self._seen or not status
        self._seen.add(ref.uid)
        setting_up = status.get("phase") == "Bootstrapping"
        for seen in _aspects(status):
            if setting_up and seen.name in _IN_THE_MAKING:
                continue
            if known and not _quiet(self._told.get((ref.uid, seen.name)), seen):
                self.transition(ref, seen)
            else:
                self._told[ref.uid, seen.name] = seen

    def forget(self, ref: ClusterRef) -> None:
        """Drop what is remembered of an object that is gone."""
        self._buckets.pop(ref.uid, None)
        self._seen.discard(ref.uid)
        for key in [key for key in self._told if key[0] == ref.uid]:
            del self._told[key]

    async def run(self) -> None:
        """Post what was said until cancelled."""
        while True:
            namespace, document = await self._queue.get()
            try:
                await self._client.request("POST", path_of("", "v1", "events", namespace), body=document)
            except OperatorError as error:
                log.info("the Event %s was not posted: %s", document["reason"], error)


def _quiet(before: Aspect | None, now: Aspect) -> bool:
    """Whether nobody need be told: it is good or unknown and was never otherwise."""
    if now.state == "good":
        return now.name not in _ALWAYS and (before is None or before.state == "unknown")
    return now.state == "unknown" and before is None


def _aspects(status: Mapping[str, Any]) -> Iterator[Aspect]:
    """Yield all in a status that can be worth an Event."""
    for condition in status.get("conditions") or ():
        kind = str(condition["type"])
        if kind not in _NO_NEWS:
            message = f"{kind} is {condition['status']}: {condition.get('message', '')}"
            state = _STATES.get(str(condition["status"]), "unknown")
            expected = kind == "Ready" and condition["reason"] in _SETTING_UP
            yield Aspect(kind, str(condition["reason"]), message, "good" if expected else state)
    master = status.get("master")
    if master:
        where = f"{master['host']} ({master['address']}:{master['port']})"
        yield Aspect("master", "MasterConfirmed", f"the master is {where}", "good", str(master["host"]))


def _document(ref: ClusterRef, seen: Aspect, instance: str) -> dict[str, Any]:
    seconds = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    short = len(seen.message) <= _MESSAGE_LIMIT
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
        "type": "Normal" if seen.state == "good" else "Warning",
        "reason": seen.reason,
        "message": seen.message if short else seen.message[: _MESSAGE_LIMIT - 1] + "…",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "count": 1,
    }
