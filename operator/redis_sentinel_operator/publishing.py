"""Publishing where the master is to clients in Kubernetes: Services that follow what the board knows.

Neither a pass nor the fast path waits for it. What changes is written at once by one writer for each Service, so that a
slow answer for one holds up nobody else; whether all is still as written is looked at after each pass.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.board_writer import LatestWriter
from redis_sentinel_operator.errors import ApiUnavailable, KubeError
from redis_sentinel_operator.judge.endpoints import finding, offer
from redis_sentinel_operator.kube.client import KubeClient
from redis_sentinel_operator.kube.endpoints import (
    SERVICE_LABEL,
    Services,
    SliceWriter,
    Target,
    family_of,
    is_headless,
    of_a_former,
    owned,
    owner_of,
    same_slice,
    slice_document,
    slice_path,
)
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.endpoint import GROUPS, Endpoints, Group, Offer, ServicesSeen, service_name

log = logging.getLogger(__name__)

Slices = Sequence[Mapping[str, Any]]
_AFTER_THE_MASTER = 0.1  # seconds: the API server works on each write for as long as on that of the new master


class Publishing:
    """Keeps the three Services of one cluster.

    `fresh()`: whether this process may change anything now. `stored` is told the address of the master whenever the
    API server has it behind the Service.
    """

    def __init__(
        self, board: Board, kube: KubeClient, fresh: Callable[[], bool], stored: Callable[[str], None]
    ) -> None:
        self._board = board
        self._stored = stored
        self._ref = board.ref
        self._fresh = fresh
        self._services = Services(kube)
        names = {group: service_name(board.ref.name, group) for group in GROUPS}
        self._slices = {group: SliceWriter(kube, board.ref, name, fresh) for group, name in names.items()}
        self._writers = {
            group: LatestWriter(partial(self._write, group), {}, what=f"the EndpointSlice {board.ref.namespace}/{name}")
            for group, name in names.items()
        }
        self._offer = Offer()
        self._ours: set[Group] = set()  # whose Service is known to be ours: only there anything is put behind it
        self._due = asyncio.Event()
        self._looked = asyncio.Event()  # all looks that were asked for are done
        self._looked.set()

    def recheck(self) -> None:
        """Ask for a look at all Services; returns at once."""
        self._looked.clear()
        self._due.set()

    async def flush(self) -> None:
        """Wait until what is to be behind the Services now is stored."""
        await asyncio.gather(*(writer.flush() for writer in self._writers.values()))

    async def settled(self) -> None:
        """Wait until the looks that were asked for are done as well."""
        await self._looked.wait()
        await self.flush()

    async def run(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for group, writer in self._writers.items():
                tasks.create_task(writer.run(), name=f"endpoints of {self._ref}: {group}")
            tasks.create_task(self._follow(), name=f"endpoints of {self._ref}")
            tasks.create_task(self._keep(), name=f"services of {self._ref}")

    async def _write(self, group: Group, document: Mapping[str, Any]) -> None:
        await self._slices[group].write(document)
        if group == "master" and not self._slices[group].refused:
            for each in document["endpoints"]:
                self._stored(each["addresses"][0])

    async def _follow(self) -> None:
        """Put what the board knows into the writers at each change."""
        while True:
            await self._board.changed.wait()
            self._board.changed.clear()
            try:
                self._put()
            except Exception:  # a mistake here must not end the publishing
                log.exception("%s: where the Services lead to could not be derived", self._ref)

    def _put(self) -> None:
        known, first = self._board.known(), self._offer.master is None
        self._offer = offer(known, self._offer)
        desired = known.desired
        if desired is None or not desired.endpoints:
            return
        for group in self._ours:
            endpoints = self._offer.of(group)
            if endpoints is not None:
                patience = 0.0 if group == "master" else _AFTER_THE_MASTER
                self._writers[group].put(slice_document(_target(desired, group), endpoints), patience)
        if first and self._offer.master is not None:
            self.recheck()

    async def _keep(self) -> None:
        """Look at the Services whenever somebody asked for it."""
        while True:
            await self._due.wait()
            self._due.clear()
            desired = self._board.known().desired
            if desired is not None and self._fresh():
                await self._look_and_tell(desired)
            if not self._due.is_set():
                self._looked.set()

    async def _look_and_tell(self, desired: Desired) -> None:
        try:
            seen = await self._look(desired)
        except ApiUnavailable as error:
            log.info("%s: the Services were not looked at: %s", self._ref, error)
        except KubeError as error:
            self._board.services(finding(desired, ServicesSeen(refused=str(error))))
        except Exception:
            log.exception("%s: the Services could not be looked at", self._ref)
        else:
            if seen is not None:
                self._board.services(finding(desired, seen))

    async def _look(self, desired: Desired) -> ServicesSeen | None:
        """Make, repair or remove; return what was found, None while there is nothing to publish yet."""
        if desired.endpoints and self._offer.master is None:
            return None
        names = [service_name(self._ref.name, group) for group in GROUPS]
        slices = await self._services.slices(self._ref.namespace, names)
        seen = [await self._one(desired, group, slices) for group in GROUPS]
        return ServicesSeen(
            foreign=tuple(each for one in seen for each in one.foreign),
            strangers=tuple(each for one in seen for each in one.strangers),
            refused="; ".join(one.refused for one in seen if one.refused),
            absent=tuple(each for one in seen for each in one.absent),
            headless=any(one.headless for one in seen),
        )

    async def _one(self, desired: Desired, group: Group, slices: Slices) -> ServicesSeen:
        target = _target(desired, group)
        behind: Slices = [each for each in slices if each["metadata"]["labels"][SERVICE_LABEL] == target.name]
        ours = [each for each in behind if owned(each, self._ref.uid)]
        live = await self._services.look(target)
        if not desired.endpoints:
            await self._remove(group, target, live, ours)
            return ServicesSeen()
        if desired.management != "Observe":
            live, behind = await self._without_former(target, live, behind)
        if live is not None and not owned(live, self._ref.uid):
            await self._remove(group, target, None, ours)  # behind a Service of others nothing of ours may be
            return ServicesSeen(foreign=(f"The Service {self._ref.namespace}/{target.name} {owner_of(live)}",))
        if live is None and desired.management == "Observe":
            self._ours.discard(group)
            return ServicesSeen(absent=(target.name,))
        if live is None:
            live = await self._services.make(target)
            log.info("%s: the Service %s was made", self._ref, target.name)
        elif await self._services.repair(target, live):
            log.warning("%s: the Service %s was changed by somebody else; it was set right", self._ref, target.name)
        self._lead(group, target, ours)
        made_for_it = [each for each in behind if owned(each, str(live["metadata"]["uid"]))]
        for each in made_for_it:  # by a controller, while somebody's edit gave the Service a selector
            await self._services.remove(slice_path(self._ref.namespace, each["metadata"]["name"]), each)
        strangers = tuple(str(each["metadata"]["name"]) for each in behind if each not in [*ours, *made_for_it])
        return ServicesSeen(strangers=strangers, refused=self._slices[group].refused, headless=is_headless(live))

    async def _without_former(
        self, target: Target, live: dict[str, Any] | None, behind: Slices
    ) -> tuple[dict[str, Any] | None, Slices]:
        """Remove what a deleted resource of this name left; return the Service and the slices that remain."""
        former = {slice_path(self._ref.namespace, each["metadata"]["name"]): each for each in behind}
        if live is not None:
            former[target.service_path] = live
        former = {path: each for path, each in former.items() if of_a_former(each, self._ref)}
        if not former or not await self._services.stands(self._ref):
            return live, behind
        for path, each in former.items():
            await self._services.remove(path, each)
            log.info("%s: %s of the deleted resource of this name was removed", self._ref, path)
        return (
            None if target.service_path in former else live,
            [each for each in behind if not of_a_former(each, self._ref)],
        )

    def _lead(self, group: Group, target: Target, ours: Slices) -> None:
        """Have the slice written where it is not there, or not as it was written last."""
        endpoints: Endpoints | None = self._offer.of(group)
        self._ours.add(group)
        if endpoints is None:
            return
        wanted = slice_document(target, endpoints)
        self._writers[group].put(wanted)
        if not any(same_slice(each, wanted) for each in ours):
            self._slices[group].forget()
            self._writers[group].again()

    async def _remove(self, group: Group, target: Target, service: Mapping[str, Any] | None, ours: Slices) -> None:
        self._ours.discard(group)
        if service is not None and owned(service, self._ref.uid):
            await self._services.remove(target.service_path, service)
            log.info("%s: the Service %s was removed", self._ref, target.name)
        for each in ours:
            await self._services.remove(slice_path(self._ref.namespace, each["metadata"]["name"]), each)


def _target(desired: Desired, group: Group) -> Target:
    name, family = service_name(desired.ref.name, group), family_of(desired.hosts[0].address)
    if group == "sentinels":
        return Target(desired.ref, name, "sentinel", desired.sentinel_port, family)
    return Target(desired.ref, name, "redis", desired.redis_port, family)
