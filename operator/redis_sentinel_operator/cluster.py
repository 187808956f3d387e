"""The life of one cluster: its connections, followers, wake-ups and deadlines.

One `Cluster` lives as long as one object of the API server (one uid). Its loop runs passes; beside it `Listening`
publishes a new master without waiting for any pass, and the board writes status.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from redis_sentinel_operator.acts import FORGET, Act, answer, read_act
from redis_sentinel_operator.apply.executor import Guard, execute
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.connect.bastion import Bastions
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.declared import Declared, read_declared
from redis_sentinel_operator.errors import ApiUnavailable, ObjectReplaced, OperatorError
from redis_sentinel_operator.kube.client import KubeClient
from redis_sentinel_operator.kube.lease import Lease
from redis_sentinel_operator.kube.status import StatusWriter
from redis_sentinel_operator.listening import Listening
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.model.desired import ClusterRef, Desired
from redis_sentinel_operator.model.report import Outcome, Report
from redis_sentinel_operator.model.step import Plan, ReleaseClaim, Step
from redis_sentinel_operator.observe.gather import gather
from redis_sentinel_operator.observe.late import Late
from redis_sentinel_operator.operating import way_back
from redis_sentinel_operator.operations.move import Wish
from redis_sentinel_operator.operations.procedures import ACTS
from redis_sentinel_operator.publishing import Publishing
from redis_sentinel_operator.reconcile import Pass, WasRead, nothing, reconcile
from redis_sentinel_operator.returning import Returning
from redis_sentinel_operator.rounds import Rounds
from redis_sentinel_operator.settings import Settings
from redis_sentinel_operator.surveys import Surveys
from redis_sentinel_operator.switches import Switches
from redis_sentinel_operator.updates import ask_now_and_then

log = logging.getLogger(__name__)

_LOOK = 0.25  # seconds between two looks at whether the cluster's time has ended
_WAY_BACK = 5.0  # seconds that a deletion waits at most for what a procedure has to put back
_PUBLISH = 0.25  # seconds that a pass waits at most for a switch to be published


@dataclass(frozen=True, slots=True)
class Services:
    """What all clusters of the process share. `identity` is the uid of kube-system.

    `first_readings` are the places for clusters that no host is connected of: where hundreds are connected to at once,
    as after a start, each takes so long that all miss their deadlines, and again the next time.
    """

    kube: KubeClient
    lease: Lease
    settings: Settings
    pool: ThreadPoolExecutor
    metrics: Metrics
    identity: str
    first_readings: asyncio.Semaphore


class Cluster:
    """Keeps one RedisSentinelCluster true until it is told to stop."""

    def __init__(self, ref: ClusterRef, services: Services) -> None:
        self.ref = ref
        self._services = services
        self._settings = services.settings
        self._writer = StatusWriter(services.kube, ref)
        self._woken = asyncio.Event()
        self._why = "start"
        self._declared = Declared(None, None, None)
        self._links: dict[str, HostLink] = {}
        self._bastions = Bastions(services.pool, services.settings)
        self._late = Late(self._settings.late_after, lambda host: self.wake(f"{host} answers again"))
        self._board: Board | None = None
        self._listening: Listening | None = None
        self._urgent = asyncio.Event()
        self._returning = Returning(services.settings, self._returned)
        self._publishing: Publishing | None = None
        self._switches: Switches | None = None
        self._surveys = Surveys(services.settings)
        self._rounds = Rounds(services.settings, self._wake)
        self._retry = False
        self._ending = False
        self._changed = False
        self._failures = 0
        self._sentence = ""
        self._unchanged = 0

    def wake(self, why: str, *, changed: bool = False) -> None:
        """Ask for a pass now; `changed`: the resource itself was, so that a pass under way begins nothing more."""
        self._changed |= changed
        self._retry = True
        self._wake(why)

    def _returned(self, why: str) -> None:
        self._urgent.set()
        self.wake(why)

    def _wake(self, why: str) -> None:
        """Ask for a pass now, but leave hosts alone on which something has failed just now."""
        self._why = why
        self._woken.set()

    async def run(self, ended: Callable[[], bool], deleted: Callable[[], bool]) -> None:
        """Run passes until `ended()`; returns as well when the object is gone or replaced.

        `deleted()` tells whether it ended because the object is being deleted: then the hosts are left properly.
        """
        try:
            body = await self._first_reading(ended)
            if body is None:
                return
            self._board = Board(self.ref, body.get("status") or {}, self._store, lambda: datetime.now(UTC))
            self._listening = Listening(self._board, self._settings, self.wake)
            self._switches = Switches(self._board, self._services.metrics)
            stored = partial(self._switches.stored, "endpoint")
            self._publishing = Publishing(self._board, self._services.kube, self._services.lease.fresh, stored)
            await self._live(ended, deleted, self._board, self._publishing)
            if deleted():
                await self._depart()
        finally:
            self._ending = True
            await self._close()

    async def _live(
        self, ended: Callable[[], bool], deleted: Callable[[], bool], board: Board, publishing: Publishing
    ) -> None:
        """Run the loop and what writes until one of them ends or `ended()`; a pass in the middle is given up then.

        A deletion must not wait for hosts that do not answer, and a pass may end between any two commands anyway.
        """
        tasks = {
            asyncio.create_task(self._loop(), name=f"loop of {self.ref}"),
            asyncio.create_task(board.run(), name=f"board of {self.ref}"),
            asyncio.create_task(publishing.run(), name=f"publishing of {self.ref}"),
            asyncio.create_task(ask_now_and_then(board, self._reached, self._settings), name=f"updates of {self.ref}"),
            asyncio.create_task(self._surveys.run(self._reached, self.wake), name=f"surveys of {self.ref}"),
        }
        try:
            while not ended():
                done, _ = await asyncio.wait(tasks, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    break
            if deleted():
                board.deleting()
                with contextlib.suppress(TimeoutError, ObjectReplaced):
                    await asyncio.wait_for(board.flush(), timeout=_LOOK)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)
            await self._rounds.close()
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()

    def _reached(self) -> tuple[Desired | None, Mapping[str, HostLink]]:
        return self._declared.desired, self._links

    async def _depart(self) -> None:
        """Leave the hosts as they are and give up the claim where a connection is open (deletionPolicy Retain)."""
        desired = self._declared.desired
        if desired is None or desired.management == "Observe" or not self._services.lease.fresh():
            return
        guard, settings = self._guard(), self._settings
        if self._board is not None and self._board.operation is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_WAY_BACK):
                    await way_back(
                        desired,
                        lambda: gather(desired, self._links, settings, self._late),
                        lambda step: execute(step, self._links, desired, guard, settings),
                    )
        why = "the resource was deleted"
        releases = [
            execute(Step(name, "give up the claim", why, ReleaseClaim(), 0), self._links, desired, guard, settings)
            for name, link in self._links.items()
            if link.connected
        ]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*releases, return_exceptions=True), timeout=1.0)

    async def _first_reading(self, ended: Callable[[], bool]) -> Mapping[str, Any] | None:
        while not ended():
            try:
                return await self._body()
            except ApiUnavailable as error:
                log.warning("%s: %s; reading it again in %.0f s", self.ref, error, self._settings.backoff_min)
                await asyncio.sleep(self._settings.backoff_min)
        return None

    async def _store(self, status: Mapping[str, Any]) -> None:
        await self._writer.write(status)
        if self._switches and status.get("master"):
            self._switches.stored("status", status["master"]["address"])

    async def _body(self) -> Mapping[str, Any] | None:
        """Return the object as it is now, None when it is gone or another has its name."""
        body = await self._services.kube.get_cluster(self.ref.namespace, self.ref.name)
        return body if body is not None and body["metadata"]["uid"] == self.ref.uid else None

    async def _loop(self) -> None:
        while True:
            self._woken.clear()
            self._changed = False
            if self._retry:
                self._rounds.retry()
            self._retry = False
            self._services.metrics.beat(str(self.ref))
            if self._listening:
                await self._listening.out_of_the_way(self._urgent)
            await self._publish_first()
            started = time.monotonic()
            outcome = await self._one_pass()
            if outcome is None:
                return
            self._services.metrics.passed(str(self.ref), time.monotonic() - started)
            self._services.metrics.lags(str(self.ref), self._board.lags if self._board else {})
            if self._publishing:
                self._publishing.recheck()
            log.info("%s: %s", self.ref, outcome.sentence, extra={"woken_by": self._why})
            await self._rest(outcome)

    async def _publish_first(self) -> None:
        """A switch that was seen just now is stored before the hosts are read, unless the API server is slow."""
        board, publishing = self._board, self._publishing
        if board is None or publishing is None or board.switch_seen is None:
            return
        if time.monotonic() - board.switch_seen < _PUBLISH:
            with contextlib.suppress(TimeoutError, ObjectReplaced):
                async with asyncio.timeout(_PUBLISH):
                    await asyncio.gather(board.flush(), publishing.flush())

    async def _one_pass(self) -> Outcome | None:
        """Run one pass; every failure becomes an outcome, so that the loop never ends by one."""
        try:
            async with asyncio.timeout(self._settings.pass_timeout):
                outcome = await self._reconcile()
        except ObjectReplaced:
            raise
        except TimeoutError:
            outcome = Outcome(f"the pass took longer than {self._settings.pass_timeout:.0f} s and was ended", -1.0)
        except OperatorError as error:
            outcome = Outcome(str(error), -1.0)
        except Exception:
            log.exception("%s: a pass failed for a reason that is a mistake of the operator", self.ref)
            outcome = Outcome("the pass failed by a mistake of the operator; its log has the details", -1.0)
        else:
            self._failures = self._failures + 1 if outcome is not None and outcome.requeue_after < 0 else 0
            return outcome
        self._failures += 1
        if self._board and self._failures > 1:  # once is in the log: the API server may have been busy for a moment
            self._board.failed(outcome.sentence)
        return outcome

    async def _reconcile(self) -> Outcome | None:
        board, listening = self._board, self._listening
        assert board is not None and listening is not None  # noqa: S101 - set before the loop begins
        act = None
        try:
            body = await self._body()
            if body is None:
                return None
            self._declared = await read_declared(self._services.kube, body, self._declared)
            act = read_act(body, board.answered, datetime.now(UTC))
        except ApiUnavailable as error:
            log.warning("%s: %s; following goes on with what was declared before", self.ref, error)
        desired, refusal = self._declared.desired, self._declared.refusal
        if desired is None or self._declared.credentials is None:
            sentence = refusal.message if refusal else "the resource could not be read yet"
            generation = int(body["metadata"]["generation"]) if body else 0
            board.report(Report(generation, None, None, Plan(), (), sentence, refusal), desired)
            return Outcome(sentence, self._settings.resync)
        self._connect(desired)
        async with contextlib.AsyncExitStack() as place:
            if not any(link.connected for link in self._links.values()):
                await place.enter_async_context(self._services.first_readings)
            await listening.follow(desired, self._links)
            return await self._pass(board, listening, desired, act, place.aclose)

    async def _pass(
        self, board: Board, listening: Listening, desired: Desired, act: Act | None, was_read: WasRead = nothing
    ) -> Outcome:
        adopt = act is not None and not act.refused and act.verb == "adopt-claim"
        asked = Wish(act.verb, act.arg, act.at) if act and not act.refused else None
        before = board.last_master
        outcome = await reconcile(
            Pass(
                desired=desired,
                links=self._links,
                board=board,
                guard=self._guard(),
                settings=self._settings,
                since_switch=time.monotonic() - listening.switched_at,
                late=self._late,
                rounds=self._rounds,
                interrupted=self._interrupted,
                refusal=self._declared.refusal,
                adopt_claim=adopt,
                wish=asked if asked and asked.verb in ACTS else None,
                forget=asked if asked and asked.verb == FORGET else None,
                surveys=self._surveys.facts,
                was_read=was_read,
            )
        )
        self._surveys.passed(desired, changed=outcome.changed)
        after = board.last_master
        if after is not None and before is not None and before.address != after.address:
            listening.note_switch(before)
        self._returning.look_for(outcome.away, desired, self._links)
        if act is not None:
            answer(board, desired, act, outcome)
        return outcome

    def _guard(self) -> Guard:
        owner = f"{self._services.identity}/{self.ref.namespace}/{self.ref.name}"
        return Guard(owner, self._services.lease.epoch)

    def _interrupted(self, since: float) -> str | None:
        """Return why nothing more may be begun on facts read at `since` (time.monotonic()), None when it may."""
        if self._ending:
            return "the resource is being deleted or the operator stops"
        if not self._services.lease.fresh():
            return "the operator's Lease could not be renewed in time: nothing is changed until it is"
        if self._changed:
            return "the resource was changed since this pass began"
        if self._listening and max(self._listening.disturbed_at, self._listening.switched_at) > since:
            return "a sentinel reported something since the hosts were read"
        return None

    def _connect(self, desired: Desired) -> None:
        """Keep one link a host; a host whose access or whose Secret changed gets a new one."""
        credentials = self._declared.credentials
        assert credentials is not None  # noqa: S101 - the caller has checked
        wanted = {host.name: host for host in desired.hosts}
        for name, link in list(self._links.items()):
            host = wanted.get(name)
            if host is None or not link.serves(host, credentials):
                asyncio.get_running_loop().create_task(self._links.pop(name).close())
        for name, host in wanted.items():
            if name not in self._links:
                self._links[name] = HostLink(host, credentials, self._services.pool, self._settings, self._bastions)
        needed = {(host.ssh.bastion, credentials) for host in desired.hosts if host.ssh.bastion is not None}
        self._bastions.keep(needed)

    async def _close(self) -> None:
        await self._returning.close()
        if self._listening:
            await self._listening.close()
        await self._late.close()
        links, self._links = list(self._links.values()), {}
        if links:
            await asyncio.wait([asyncio.create_task(link.close()) for link in links], timeout=2.0)
        self._bastions.keep(())

    async def _rest(self, outcome: Outcome) -> None:
        """Wait until the next pass is due or somebody wakes us."""
        try:
            async with asyncio.timeout(self._delay(outcome)):
                await self._woken.wait()
        except TimeoutError:
            self._why = "its time had come"

    def _delay(self, outcome: Outcome) -> float:
        if outcome.requeue_after < 0:
            backoff = self._settings.backoff_min * 2 ** min(self._failures - 1, 10)
            return float(min(backoff, self._settings.backoff_max))
        # What does not change is looked at less and less often: a host may be away for a week.
        self._unchanged = self._unchanged + 1 if outcome.sentence == self._sentence else 0
        self._sentence = outcome.sentence
        delay = min(outcome.requeue_after * 1.2 ** min(self._unchanged, 50), self._settings.resync)
        spread = delay * self._settings.resync_jitter
        return min(outcome.retry_in, delay + random.uniform(-spread, spread))  # noqa: S311 - spreads load, no secret
