"""The Lease: which process is the operator, and since which moment (the lease epoch that hosts remember).

Held before the operator touches anything. Two questions are answered apart: `fresh()`, may something be changed now
(the last renewal is young, by a clock that does not jump and that also ran while the process was stopped); and `lost`,
is somebody else the operator (then this process ends).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from redis_sentinel_operator.errors import ApiUnavailable, KubeError, LeaseLost
from redis_sentinel_operator.kube.client import KubeClient, path_of
from redis_sentinel_operator.kube.holder import proved_dead
from redis_sentinel_operator.scope import LEASE
from redis_sentinel_operator.settings import Settings

_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_TRIES: Final = 3

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seen:
    """The Lease of another holder as last seen: its version, and when by our own clock it ends if it does not move."""

    version: str
    ends: float


class Lease:
    """This process's hold on the Lease. `fresh` and `epoch` may be asked from any thread."""

    def __init__(
        self, client: KubeClient, namespace: str, identity: str, settings: Settings, name: str = LEASE
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._settings = settings
        self._object: dict[str, Any] = {}
        self._writing = asyncio.Lock()  # renewals, and what makes the epoch later
        self._standing_by = float("-inf")
        self._renewed_at = float("-inf")
        self._lost = False
        self.epoch = 0

    def fresh(self) -> bool:
        """Whether changes may be made: held, and the last renewal is younger than the renew deadline."""
        return not self._lost and time.monotonic() - self._renewed_at < self._settings.lease_renew_deadline

    def stands_by(self) -> bool:
        """Whether another process holds the Lease, as read just now, and this one would take it."""
        return time.monotonic() - self._standing_by < self._settings.lease_renew_deadline

    @property
    def lost(self) -> bool:
        """Whether another holder was seen: this process must end."""
        return self._lost

    async def acquire(self) -> None:
        """Wait until the Lease is ours; an API server that is away is waited for.

        Raises:
            KubeError: we may not read or write the Lease, or its namespace does not exist.
        """
        seen: _Seen | None = None
        while True:
            pause = self._settings.lease_retry
            try:
                found = await self._client.get_or_none(self._path(self._name))
                seen = self._watch(found, seen)
                self._standing_by = float("-inf") if seen is None else time.monotonic()
                if seen is None and await self._take(found):
                    return
                if seen is not None:  # as soon as it ends
                    pause = min(pause, max(0.0, seen.ends - time.monotonic()))
            except ApiUnavailable as error:
                log.warning("waiting for the API server to take the Lease: %s", error)
            await asyncio.sleep(pause)

    async def renew_forever(self, on_lost: Callable[[str], None]) -> None:
        """Renew until cancelled; call `on_lost` with a sentence, once, when somebody else is the holder."""
        while not self._lost:
            await asyncio.sleep(self._settings.lease_retry)
            try:
                await self.renew()
            except LeaseLost as error:
                self._lost = True
                on_lost(str(error))
            except (ApiUnavailable, KubeError) as error:
                age = time.monotonic() - self._renewed_at
                log.warning("the Lease could not be renewed, the last renewal is %.0f s old: %s", age, error)

    async def renew(self) -> None:
        """Renew once.

        Raises:
            LeaseLost: another process holds it.
            ApiUnavailable, KubeError: it was not renewed this time.
        """
        async with self._writing:
            await self._keep(self._object["spec"]["acquireTime"])

    async def outlive(self, epoch: int) -> int:
        """Make our epoch a later one than `epoch`, which hosts remember of another operator, and return it.

        That one had the resource before. Only who holds the Lease can do it, so it is no way back for one who lost it.

        Raises:
            LeaseLost: another process holds it.
            ApiUnavailable, KubeError: it is as it was.
        """
        async with self._writing:
            for _ in range(_TRIES):
                if self.epoch > epoch:
                    break
                await self._keep(self._later_than(epoch))
        return self.epoch

    async def _keep(self, acquired: str) -> None:
        begun = time.monotonic()
        spec = {**self._object["spec"], "acquireTime": acquired, "renewTime": datetime.now(UTC).strftime(_FORMAT)}
        try:
            await self._put({**self._object, "spec": spec}, begun)
        except KubeError as error:
            if error.status not in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
                raise
            await self._look_again()

    async def release(self) -> None:
        """Give the Lease up, so that the next operator need not wait; epoch and history stay in it."""
        if self._lost or not self._object:
            return
        spec = {key: value for key, value in self._object["spec"].items() if key != "holderIdentity"}
        self._renewed_at = float("-inf")
        try:
            await self._client.request("PUT", self._path(self._name), body={**self._object, "spec": spec})
        except (ApiUnavailable, KubeError) as error:
            log.warning("the Lease was not given up, it ends by itself: %s", error)

    def _watch(self, found: dict[str, Any] | None, seen: _Seen | None) -> _Seen | None:
        """Return what to remember of another holder's Lease; None when it is free to be taken."""
        if found is None or not (holder := found["spec"].get("holderIdentity")) or holder == self._identity:
            return None
        if proved_dead(holder):
            log.info("the Lease's holder %s has ended on this machine", holder)
            return None
        now, version = time.monotonic(), str(found["metadata"]["resourceVersion"])
        if seen is None or seen.version != version:
            if seen is None:
                log.info("the Lease is held by %s; waiting for it", holder)
            duration = float(found["spec"].get("leaseDurationSeconds") or self._settings.lease_duration)
            return _Seen(version, now + duration)
        return None if now >= seen.ends else seen

    async def _take(self, found: dict[str, Any] | None) -> bool:
        """Write ourselves in as the holder; False when somebody else was quicker."""
        begun = time.monotonic()
        before = found["spec"] if found else {}
        acquired = self._later_than(epoch_of(before.get("acquireTime")))
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._settings.lease_duration)),
            "acquireTime": acquired,
            "renewTime": acquired,
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (1 if found else 0),
        }
        metadata = found["metadata"] if found else {"name": self._name, "namespace": self._namespace}
        document = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        try:
            await self._put(document, begun, create=found is None)
        except KubeError as error:
            gone = error.status == HTTPStatus.NOT_FOUND and found is not None  # else it is the namespace that lacks
            if error.status == HTTPStatus.CONFLICT or gone:
                return False
            raise
        log.info("this process holds the Lease, epoch %d", self.epoch)
        return True

    def _later_than(self, epoch: int) -> str:
        """Return a MicroTime later than that epoch and than any of our own: now, where the clock allows it."""
        before = max(self.epoch, epoch)
        seconds, micro = divmod(max(int(time.time() * 1_000_000), before + 1), 1_000_000)
        moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)
        return moment.strftime(_FORMAT)

    async def _look_again(self) -> None:
        """The Lease is not as we left it: go on if it is ours, make it anew if it was deleted, else it is lost."""
        begun = time.monotonic()
        found = await self._client.get_or_none(self._path(self._name))
        if found is None:
            log.warning("the Lease was deleted; making it again")
            if not await self._take(None):
                raise ApiUnavailable("the Lease was deleted and made again by somebody")
            return
        holder = found["spec"].get("holderIdentity")
        if holder != self._identity:
            held = f"the Lease {self._namespace}/{self._name} is held by {holder or 'nobody'}"
            raise LeaseLost(f"{held}, not by this process")
        acquired = max(found["spec"].get("acquireTime"), self._object["spec"]["acquireTime"], key=epoch_of)
        spec = {**found["spec"], "acquireTime": acquired, "renewTime": datetime.now(UTC).strftime(_FORMAT)}
        await self._put({**found, "spec": spec}, begun)

    async def _put(self, document: dict[str, Any], begun: float, create: bool = False) -> None:
        method, path = ("POST", self._path("")) if create else ("PUT", self._path(self._name))
        self._object = await self._client.request(method, path, body=document)
        self.epoch = epoch_of(self._object["spec"]["acquireTime"])
        self._renewed_at = begun  # not now: the answer may have been on its way for long

    def _path(self, name: str) -> str:
        return path_of("coordination.k8s.io", "v1", "leases", self._namespace, name)


def epoch_of(acquire_time: str | None) -> int:
    """Return a MicroTime as microseconds since 1970; 0 for none or one that nobody can read."""
    try:
        moment = datetime.fromisoformat(acquire_time or "")
    except ValueError:
        return 0
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond
