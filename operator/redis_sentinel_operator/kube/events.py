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
from redis_sentinel_operator.judge.news import OF_CONDITIONS, News, news, remembered
from redis_sentinel_operator.kube.client import KubeClient, path_of
from redis_sentinel_operator.model.desired import ClusterRef

COMPONENT: Final = "redis-sentinel-operator"
State = Literal["good", "bad", "unknown"]
_MESSAGE_LIMIT: Final = 1024  # the API server refuses longer ones
_BURST: Final = 20  # of all Events about an object's conditions
_PER_SECOND: Final = 0.2
_BURST_OF_REASON: Final = 5  # of one reason: what flaps does not drown the rest
_PER_SECOND_OF_REASON: Final = 1 / 300
_WAITING: Final = 500
_STATES: Final[Mapping[str, State]] = {"True": "good", "False": "bad"}
_ALWAYS: Final = frozenset({"Ready"})  # news also when good from the beginning
# Reconciling comes and goes with each pass that has work; Stalled says what Ready says; of hosts each is told by itself
_NO_NEWS: Final = frozenset({"Reconciling", "Stalled", "HostsReachable"})
# What a set-up makes is bad until it is made: no news, and no warning
_IN_THE_MAKING: Final = frozenset(
    {"MasterConfirmed", "QuorumHealthy", "ReplicationHealthy", "HostsClaimed", "ConfigInSync"}
)
_SETTING_UP: Final = frozenset({"Starting", "Bootstrapping"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Aspect:
    """How a condition of a cluster is now."""

    name: str
    reason: str
    message: str
    state: State

    @property
    def as_told(self) -> tuple[str, ...]:
        """What makes it the same news."""
        return self.reason, self.state


class _Bucket:
    """How many Events there may still be now: `burst` at once, then `per_second`."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._tokens, self._at = burst, time.monotonic()

    def take(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Events:
    """Posts Events in the background of `run()`; `instance` names this process."""

    def __init__(self, client: KubeClient, instance: str) -> None:
        self._client = client
        self._instance = instance
        self._told: dict[tuple[str, str], Aspect] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}  # by uid and reason, "" for all of them
        self._last: dict[str, Mapping[str, Any]] = {}  # by uid, the status that the next one is compared with
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
        self._post(ref, News(seen.reason, seen.state != "good", seen.message))
        return True

    def tell(self, ref: ClusterRef, what: News) -> None:
        """Tell what no status has any more. Never waits, never raises."""
        self._post(ref, what, urgent=True)

    def status(self, ref: ClusterRef, status: Mapping[str, Any]) -> None:
        """Tell what changed in a stored status.

        The first look at an object that has a status already only remembers: another process told it. What gets bad,
        comes good again, or cannot be known any more is news; what is good or unknown from its beginning is not.
        """
        known = ref.uid in self._last or not status
        before = self._last.get(ref.uid, {})
        for each in news(before, status) if known else ():
            self._post(ref, each, urgent=True)
        self._last[ref.uid] = remembered(before, status)
        setting_up = status.get("phase") == "Bootstrapping"
        for seen in _aspects(status):
            if setting_up and seen.name in _IN_THE_MAKING:
                continue
            last = self._told.get((ref.uid, seen.name))
            if known and not _quiet(last, seen) and not _is_told(last, seen):
                self.transition(ref, seen)
            else:
                self._told[ref.uid, seen.name] = seen

    def forget(self, ref: ClusterRef) -> None:
        """Drop what is remembered of an object that is gone."""
        self._last.pop(ref.uid, None)
        for memory in (self._told, self._buckets):
            for key in [key for key in memory if key[0] == ref.uid]:
                del memory[key]

    async def run(self) -> None:
        """Post what was said until cancelled."""
        while True:
            namespace, document = await self._queue.get()
            try:
                await self._client.request("POST", path_of("", "v1", "events", namespace), body=document)
            except OperatorError as error:
                whose = f"{namespace}/{document['involvedObject']['name']}"
                extra = {"cluster": whose}  # here it is nobody's task
                log.info("%s: the Event %s was not posted: %s", whose, document["reason"], error, extra=extra)

    def _post(self, ref: ClusterRef, what: News, *, urgent: bool = False) -> None:
        """Post in the background. `urgent`: only others of the same reason may crowd it out."""
        if not self._may(ref, what.reason, urgent):
            log.warning("%s: the Event %s is left out, there are too many", ref, what.reason)
            return
        try:
            self._queue.put_nowait((ref.namespace, _document(ref, what, self._instance)))
        except asyncio.QueueFull:
            log.warning("%s: the Event %s is left out, the API server takes none", ref, what.reason)

    def _may(self, ref: ClusterRef, reason: str, urgent: bool) -> bool:
        now = time.monotonic()
        of_reason = self._buckets.setdefault((ref.uid, reason), _Bucket(_BURST_OF_REASON, _PER_SECOND_OF_REASON))
        of_all = self._buckets.setdefault((ref.uid, ""), _Bucket(_BURST, _PER_SECOND))
        return of_reason.take(now) and (urgent or of_all.take(now))


def _is_told(before: Aspect | None, now: Aspect) -> bool:
    """Whether it is told in words of its own (`judge.news`)."""
    bad, _ = OF_CONDITIONS.get(now.name, ("", ""))
    restored = now.state == "good" and (before is None or before.state != "good")
    return bool(bad) and (now.reason == bad or restored)


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


def _document(ref: ClusterRef, what: News, instance: str) -> dict[str, Any]:
    seconds = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    short = len(what.message) <= _MESSAGE_LIMIT
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
        "type": "Warning" if what.warning else "Normal",
        "reason": what.reason,
        "message": what.message if short else what.message[: _MESSAGE_LIMIT - 1] + "…",
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
        "firstTimestamp": seconds,
        "lastTimestamp": seconds,
        "count": 1,
    }
