"""An operator's passes over lab hosts with a procedure, without an API server: it may die at any of its commands."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from hosts.passes import Passes
from hosts.stepping import conf, redis
from lab.capture import Command, commands_seen
from lab.hosts import Host
from lab.labs import Lab
from lab.ledger import KINDS, Ledger, ledger
from lab.seedcluster import PASSWORD
from redis_sentinel_operator import reconcile
from redis_sentinel_operator.apply.executor import execute
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.board_unread import Patience
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import Step
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.observe.late import Late
from redis_sentinel_operator.operations.move import Wish
from redis_sentinel_operator.rounds import Rounds

log = logging.getLogger(__name__)
ASKED = ["SENTINEL", "FAILOVER"]
STATE = "/var/lib/redis-sentinel-operator/state.json"
TIMER = "systemctl is-active redis-sentinel-operator-unfence.timer"


async def roles(loop: Passes, lab: Lab) -> tuple[Host, Host]:
    """The master and one of its replicas."""
    master = (await loop.read()).verdict.master
    assert isinstance(master, Confirmed)
    return lab[master.host], next(host for host in lab.hosts if host.name != master.host)


async def switched(
    loop: Passes, lab: Lab, operator: Operator, *, asked: bool = True, kinds: tuple[str, ...] = ("plain",)
) -> list[Command]:
    """Play a switchover under writes; what must hold however it went: of these kinds nothing acknowledged is lost.

    Returns the commands that the operator sent.
    """
    old, new = await roles(loop, lab)
    before = files(lab)
    with commands_seen(lab) as seen:
        with ledger(lab, PASSWORD) as book:
            act = await operator.run(Wish("switchover", new.name, "2026-01-31T12:00:00Z"))
            await asyncio.to_thread(book.wait, 30, (new if asked else old).address)
        sent = seen.commands()
        questions = [each for each in sent if [word.upper() for word in each.words[:2]] == ASKED]
    assert len(questions) == (1 if asked else 0)
    assert act["result"] == ("Done" if asked else "Failed"), act
    await loop.until_settled()
    master = new if asked else old
    assert redis(master, "ROLE")[0] == "master"  # type: ignore[index]
    missing = book.missing(master)
    lost = {kind: sum(ack.kind == kind for ack in missing) for kind in KINDS}
    log.info("%d acknowledged, lost %s, no plain write for %.1f s", len(book.acks), lost, paused(book))
    assert {kind: lost[kind] for kind in kinds} == dict.fromkeys(kinds, 0)
    assert files(lab) == before
    return sent


def paused(book: Ledger) -> float:
    """The longest time without an acknowledged plain write, in seconds."""
    times = sorted(ack.at for ack in book.acks if ack.kind == "plain")
    return max(after - before for before, after in pairwise(times))


def files(lab: Lab) -> dict[str, list[str]]:
    """What is in the files of what a switchover changes for a while, and whether a host carries a record."""
    wanted = ("slave-priority", "replica-priority", "min-slaves", "min-replicas")
    return {
        host.name: [line for line in conf(host).splitlines() if line.startswith(wanted)]
        + [str(redis(host, "CONFIG", "GET", f"*{name}*")) for name in wanted]
        + [str(json.loads(host.run(f"cat {STATE}").stdout)["operation"])]
        + [host.run(f"{TIMER}; ls /var/lib/redis-sentinel-operator/unfence", check=False).stdout]
        for host in lab.hosts
    }


class Killed(Exception):
    """The operator's death."""


@dataclass
class Operator:
    """Passes of a procedure without an API server: dies once, and whoever follows has only what was stored."""

    loop: Passes
    dies: tuple[str, str] | None = None
    patience: Patience = field(default_factory=Patience)
    then: tuple[str, Callable[[], object]] | None = None  # what happens once right after a step, by its sentence
    spoils: tuple[str, Callable[[], object]] | None = None  # what happens once right before a step
    robbed: bool = False
    seconds: float = 120.0
    done: list[tuple[str, str]] = field(default_factory=list)  # host and sentence of each step that was done
    stored: dict[str, Any] = field(default_factory=lambda: {"phase": "Healthy"})

    async def run(self, wish: Wish | str) -> dict[str, Any]:
        """Passes until the act is answered, or the procedure of that name that the spec asks for; the answer."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reconcile, "execute", self.execute)
            return await self._lives(wish)

    async def until(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Passes without any act until that is true of status; the status."""
        board = Board(self.loop.desired.ref, self.stored, self._write, lambda: datetime.now(UTC))
        task = asyncio.create_task(board.run())
        try:
            async with asyncio.timeout(120):
                while not true(board.document()):
                    await self._one_pass(board, None)
            return board.document()
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _lives(self, wish: Wish | str) -> dict[str, Any]:
        async with asyncio.timeout(self.seconds):
            while True:
                try:
                    return await self._live(wish)
                except Killed:
                    self.dies = None
                    if self.robbed:
                        self.stored = {"phase": "Healthy"}

    async def _live(self, wish: Wish | str) -> dict[str, Any]:
        board = Board(self.loop.desired.ref, self.stored, self._write, lambda: datetime.now(UTC))
        task = asyncio.create_task(board.run())
        try:
            while True:
                await self._one_pass(board, wish if isinstance(wish, Wish) else None)
                acts = [act for act in board.document().get("acts", []) if wish in (act["verb"], _wish(act))]
                done = [act for act in acts if act["result"] != "Running"]
                if done:
                    await board.flush()  # the next act finds what this one has told
                    return dict(done[0])
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _write(self, document: Any) -> None:
        self.stored = dict(document)

    async def _one_pass(self, board: Board, wish: Wish | None) -> None:
        outcome = await reconcile.reconcile(
            reconcile.Pass(
                desired=self.loop.desired,
                links=self.loop.links,
                board=board,
                guard=self.loop.guard,
                settings=self.loop.settings,
                since_switch=math.inf,
                late=Late(2.0, lambda _: None),
                interrupted=lambda _: None,
                rounds=Rounds(self.loop.settings, lambda _: None),
                patience=self.patience,
                wish=None if wish is None or wish.at in board.answered else wish,
            )
        )
        await asyncio.sleep(0.3 if outcome.requeue_after else 0.0)

    async def execute(self, step: Step, *arguments: Any) -> StepResult:
        """Do a step, or die before or after it."""
        dies = self.dies if self.dies and step.what.startswith(self.dies[0]) else None
        if dies and dies[1] == "before":
            raise Killed
        if self.spoils and step.what.startswith(self.spoils[0]):
            happens, self.spoils = self.spoils[1], None
            await asyncio.to_thread(happens)
        result = await execute(step, *arguments)
        self.done.append((step.host, step.what))
        if self.then and step.what.startswith(self.then[0]):
            happens, self.then = self.then[1], None
            await asyncio.to_thread(happens)
        if dies:
            raise Killed
        return result


def _wish(act: dict[str, Any]) -> Wish:
    return Wish(act["verb"], act.get("arg", "-"), act["at"])
