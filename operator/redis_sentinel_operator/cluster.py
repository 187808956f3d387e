"""The life of one cluster: its connections, followers, wake-ups and deadlines.

One `Cluster` lives as long as one object of the API server (one uid). Its loop runs passes; beside it `Listening`
publishes a new master without waiting for any pass, and the board writes status.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from redis_sentinel_operator import planning
from redis_sentinel_operator.acts import FORGET, Act, answer, read_act
from redis_sentinel_operator.apply.executor import Guard
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.board_acts import keep
from redis_sentinel_operator.board_unread import Patience
from redis_sentinel_operator.connect.bastion import Bastions
from redis_sentinel_operator.connect.link import HostLink, keep_links
from redis_sentinel_operator.declared import Declared, read_declared
from redis_sentinel_operator.departing import Departing, Way
from redis_sentinel_operator.errors import ApiUnavailable, ObjectReplaced, OperatorError
from redis_sentinel_operator.judge.news import News
from redis_sentinel_operator.kube.status import StatusWriter
from redis_sentinel_operator.listening import Listening
from redis_sentinel_operator.model.desired import ClusterRef, Desired
from redis_sentinel_operator.model.report import Outcome, Report
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.observe.late import Late
from redis_sentinel_operator.operations.move import Wish
from redis_sentinel_operator.operations.procedures import ACTS
from redis_sentinel_operator.pace import Pace
from redis_sentinel_operator.publishing import Publishing
from redis_sentinel_operator.reconcile import Pass, WasRead, nothing, reconcile
from redis_sentinel_operator.returning import Returning
from redis_sentinel_operator.rounds import Rounds
from redis_sentinel_operator.services import Services
from redis_sentinel_operator.surveys import Surveys
from redis_sentinel_operator.switches import Switches
from redis_sentinel_operator.updates import ask_now_and_then

log = logging.getLogger(__name__)

_LOOK = 0.25  # seconds between two looks at whether the cluster's time has ended
_PUBLISH = 0.25  # seconds that a pass waits at most for a switch to be published


class Cluster:
    """Keeps one RedisSentinelCluster true until it is told to stop."""

    def __init__(self, ref: ClusterRef, services: Services) -> None:
        self.ref = ref
        self._services = services
        self._settings = services.settings
        self._writer = StatusWriter(services.kube, ref, keep)
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
        self._patience = Patience()
        self._retry = False
        self._ending = False
        self._deleted = ""
        self._planned: planning.Planned | None = None
        self._changed = False
        self._outlived = False
        self._pace = Pace(services.settings)

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

    async def run(self, stopped: Callable[[], bool], deleted: Callable[[], bool]) -> News | None:
        """Run passes until `stopped()` or `deleted()`; returns as well when the object is gone or replaced.

        Where the object is being deleted the hosts are left properly, unless `stopped()` comes in between; what is to
        be told of that is returned, None for nothing.
        """
        try:
            body = await self._first_reading(stopped)
            if body is None:
                return None
            self._board = Board(self.ref, body.get("status") or {}, self._store, lambda: datetime.now(UTC))
            self._listening = Listening(self._board, self._settings, self.wake)
            self._switches = Switches(self._board, self._services.metrics)
            stored = partial(self._switches.stored, "endpoint")
            self._publishing = Publishing(self._board, self._services.kube, self._services.lease.fresh, stored)
            return await self._live(stopped, deleted, self._board, self._publishing)
        finally:
            self._ending = True
            await self._close()

    async def _live(
        self, stopped: Callable[[], bool], deleted: Callable[[], bool], board: Board, publishing: Publishing
    ) -> News | None:
        """Run the loop and what writes until one of them ends or they are to; a pass in the middle is given up then.

        A deletion must not wait for hosts that do not answer, and a pass may end between any two commands anyway. Who
        is master is followed and told until the hosts are left.
        """
        told = None
        loop = asyncio.create_task(self._loop(), name=f"loop of {self.ref}")
        tasks: set[asyncio.Task[Any]] = {
            loop,
            asyncio.create_task(board.run(), name=f"board of {self.ref}"),
            asyncio.create_task(publishing.run(), name=f"publishing of {self.ref}"),
            asyncio.create_task(self._surveys.run(self._reached, self.wake), name=f"surveys of {self.ref}"),
        }
        if self._planned is None:
            asking = ask_now_and_then(board, self._reached, self._settings)
            tasks.add(asyncio.create_task(asking, name=f"updates of {self.ref}"))
        try:
            while not stopped() and not deleted():
                done, _ = await asyncio.wait(tasks, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    break
            if deleted() and self._planned is None:  # what only plans has nothing to leave, nor to give up
                board.deleting()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(board.flush(), timeout=_LOOK)
                loop.cancel()
                await asyncio.wait({loop}, timeout=1.0)
                departing = asyncio.create_task(self._depart(board), name=f"departure of {self.ref}")
                tasks.add(departing)
                while not departing.done() and not stopped():
                    await asyncio.wait({departing}, timeout=_LOOK)
                told = departing.result() if departing.done() else None
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)
            await self._rounds.close()
        for task in tasks:
            if task.done() and not task.cancelled():
                task.result()
        return told

    def _reached(self) -> tuple[Desired | None, Mapping[str, HostLink]]:
        return self._declared.desired, self._links

    async def _depart(self, board: Board) -> News | None:
        """Leave the hosts, as the resource is deleted; return what is to be told of it."""
        self._deleted = "the resource is being deleted"
        way = Way(board, self._declare, self._pass_of, self._one_pass, self._services.lease.fresh)
        return await Departing(way, self._settings.departure_timeout).run()

    async def _declare(self) -> Declared | None:
        """Read the resource and its Secrets anew, and keep links to what they name; None when it is gone."""
        body = await self._body()
        if body is None:
            return None
        self._declared = await read_declared(self._services.kube, body, self._declared)
        if self._declared.desired is not None and self._declared.credentials is not None:
            self._connect(self._declared.desired)
        return self._declared

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
        if self._board and self._writer.stored.get("bootstrap") != status.get("bootstrap"):
            self._board.begun_by_another(self._writer.stored)
        if self._switches and status.get("master"):
            self._switches.stored("status", status["master"]["address"])

    async def _body(self) -> Mapping[str, Any] | None:
        """Return the object as it is now, None when it is gone, another has its name, or it is another operator's."""
        body = await self._services.kube.get_cluster(self.ref.namespace, self.ref.name)
        if body is None or not self._services.scope.has(body, self.ref.uid):
            return None
        self._planned = planning.planned(body, self._services.identity)
        return await planning.as_its_cluster(self._services.kube, body)

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
            measured = self._board.measured if self._board else None
            self._services.metrics.passed(str(self.ref), time.monotonic() - started, measured)
            if self._publishing:
                self._publishing.recheck()
            level = logging.INFO if self._pace.is_news(outcome) else logging.DEBUG  # the rest is a heartbeat
            log.log(level, "%s: %s", self.ref, outcome.sentence, extra={"woken_by": self._why})
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
            failed = outcome is not None and outcome.requeue_after < 0
            self._pace.failures = self._pace.failures + 1 if failed else 0
            return outcome
        self._pace.failures += 1
        # once is in the log: the API server may have been busy for a moment
        if self._board and self._pace.failures > 1:
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
            if self._planned is not None and not self._planned.seconds and self._services.lease.fresh():
                return await planning.delete(self._services.kube, self.ref)
            self._declared = await read_declared(self._services.kube, body, self._declared)
            act = None if self._deleted or self._planned else read_act(body, board.answered, datetime.now(UTC))
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
        before = board.last_master
        outcome = await reconcile(self._pass_of(desired, act, was_read))
        self._surveys.passed(desired, changed=outcome.changed)
        after = board.last_master
        if after is not None and before is not None and before.address != after.address:
            listening.note_switch(before)
        self._returning.look_for(outcome.away, desired, self._links)
        if act is not None:
            answer(board, desired, act, outcome)
        return outcome

    def _pass_of(self, desired: Desired, act: Act | None = None, was_read: WasRead = nothing) -> Pass:
        """Return what a pass works with now."""
        assert self._board is not None and self._listening is not None  # noqa: S101 - set before the loop begins
        asked = Wish(act.verb, act.arg, act.at) if act and not act.refused else None
        return Pass(
            desired=desired,
            links=self._links,
            board=self._board,
            guard=self._guard(),
            settings=self._settings,
            since_switch=time.monotonic() - self._listening.switched_at,
            late=self._late,
            rounds=self._rounds,
            patience=self._patience,
            interrupted=self._interrupted,
            refusal=self._declared.refusal,
            adopt_claim=asked is not None and asked.verb == "adopt-claim",
            wish=asked if asked and asked.verb in ACTS else None,
            forget=asked if asked and asked.verb == FORGET else None,
            surveys=self._surveys.facts,
            was_read=was_read,
            deleted=self._deleted,
            outlive=self._outlive,
            plans_as=self._planned.owner if self._planned else "",
        )

    async def _outlive(self, epoch: int) -> int:
        """Return the epoch to work under where hosts remember `epoch`, a later one: of who had this resource before.

        Once in the life of a cluster. Who comes later still takes it away from this operator, and keeps it.
        """
        if self._outlived:
            return self._services.lease.epoch
        ours = await self._services.outlive(epoch)
        self._outlived = True
        log.info("%s: its hosts were looked after by another operator until now, epoch %d", self.ref, epoch)
        return ours

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
        how = (credentials, self._services.pool, self._settings, self._bastions)
        keep_links(self._links, desired.hosts, credentials, lambda host: HostLink(host, *how))
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
            async with asyncio.timeout(self._due(outcome)):
                await self._woken.wait()
        except TimeoutError:
            self._why = "its time had come"

    def _due(self, outcome: Outcome) -> float:
        """Return the seconds until the next pass, or until a resource that only plans is to be gone."""
        due = self._pace.delay(outcome)
        return min(due, self._planned.seconds) if self._planned else due
