"""On the way out: what is asked for anew before each round, what ends it, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from redis_sentinel_operator import departing
from redis_sentinel_operator.declared import Declared
from redis_sentinel_operator.departing import Departing, Way
from redis_sentinel_operator.errors import ApiUnavailable
from redis_sentinel_operator.judge.news import News
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import Refusal, Step
from redis_sentinel_operator.reconcile import Pass
from redis_sentinel_operator.settings import Settings
from unit.plan.scaling import serving
from unit.plan.test_depart import MASTER, REPLICAS, SENTINELS, carried_out
from unit.plan.world import OWNER, S1, S2, S3, M, desired

pytestmark = pytest.mark.looptime
STOP, RETAIN = desired(deletion_policy="Stop"), desired()
GONE = Refusal("CredentialsInSync", "SecretMissing", "the Secret redis-ssh is missing")
RELEASE = departing._RELEASE
QUICK = ("_BACK", "_BACK_REFUSED", "_PUT_BACK", "_DECLARED", "_RELEASE")


@dataclass
class World:
    """Hosts as facts, an API server as what it says, and what is done."""

    says: list[Declared | Exception | None]
    facts: ClusterFacts = field(default_factory=serving)
    fails: dict[str, str] = field(default_factory=dict)  # by sentence of a step
    done: list[tuple[str, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    operation: object = None
    passes: int = 0
    fresh: bool = True
    links: dict[str, Any] = field(default_factory=dict)

    async def declare(self) -> Declared | None:
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Exception):
            raise said
        return said

    async def one_pass(self) -> object:
        self.passes += 1
        return object()

    async def step(self, _this: Pass, step: Step) -> StepResult:
        if step.what in self.fails:
            return StepResult(step, False, self.fails[step.what], 0.0)
        self.done.append((step.host, step.what))
        self.facts = carried_out(self.facts, step)
        return StepResult(step, True, "", 0.0)

    async def read(self, *_: object) -> ClusterFacts:
        return self.facts

    def deleting(self, detail: str) -> None:
        self.shown.append(detail)

    async def flush(self) -> None:
        """At once."""

    ref = STOP.ref

    def pass_of(self, wanted: Desired) -> Pass:
        guard = SimpleNamespace(owner=OWNER)
        settings = Settings(waiting_poll=0.001, connect_timeout=0.01)
        return cast(Pass, SimpleNamespace(links=self.links, settings=settings, late=None, guard=guard, desired=wanted))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in QUICK:
        monkeypatch.setattr(departing, name, 0.01)
    monkeypatch.setattr(departing, "_PATIENCE", 0.0)
    yield


async def depart(world: World, monkeypatch: pytest.MonkeyPatch, seconds: float = 2.0) -> News | None:
    monkeypatch.setattr(departing, "gather", world.read)
    monkeypatch.setattr(departing, "do_step", world.step)
    monkeypatch.setattr(departing, "time", SimpleNamespace(monotonic=asyncio.get_running_loop().time))
    way = Way(cast(Any, world), world.declare, world.pass_of, world.one_pass, lambda: world.fresh)
    async with asyncio.timeout(5):
        return await Departing(way, seconds).run()


def declared(wanted: Desired | None, refusal: Refusal | None = None) -> Declared:
    return Declared(wanted, None, refusal)


async def test_stop_is_carried_out_round_by_round_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World([declared(STOP)])
    told = await depart(world, monkeypatch)
    assert [each for each in world.done if each[1] != "give up the claim"] == [*SENTINELS, *REPLICAS, *MASTER]
    assert told is not None
    assert told.reason == "HostsLeft"
    assert world.shown[0] == f"{S1}: disable redis-sentinel.service."


@pytest.mark.parametrize(
    ("says", "begins"),
    [
        ([declared(RETAIN)], None),
        ([declared(STOP, GONE)], "Its deletionPolicy Stop could not be carried out"),
        ([declared(None, GONE)], "Its deletionPolicy could not be carried out"),
        ([declared(replace(STOP, management="Paused"))], "Its deletionPolicy Stop could not be carried out"),
        ([declared(replace(STOP, management="Observe"))], "Its deletionPolicy Stop could not be carried out"),
        ([ApiUnavailable("the API server does not answer")], "Its deletionPolicy could not be carried out"),
        ([None], None),
    ],
    ids=["Retain", "no Secrets", "never had Secrets", "Paused", "Observe", "no API server", "gone meanwhile"],
)
async def test_nothing_is_changed_where_it_may_not_be(
    monkeypatch: pytest.MonkeyPatch, says: list[Declared | Exception | None], begins: str | None
) -> None:
    world = World(says)
    told = await depart(world, monkeypatch)
    assert world.done == []
    assert (told.message if told else "").startswith(f"The resource is gone. {begins}" if begins else "")
    assert (told is None) == (begins is None)


@pytest.mark.parametrize(
    "later", [declared(RETAIN), declared(STOP, GONE), None], ids=["Retain", "no Secrets", "gone meanwhile"]
)
async def test_what_is_declared_is_asked_for_before_each_round(
    monkeypatch: pytest.MonkeyPatch, later: Declared | None
) -> None:
    world = World([declared(STOP), declared(STOP), later])
    await depart(world, monkeypatch)
    assert world.done == SENTINELS


async def test_a_host_on_which_a_step_fails_twice_is_left_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World([declared(STOP)], fails={"save the data to disk": "its disk is full."})
    told = await depart(world, monkeypatch)
    assert world.done[-4:-3] == REPLICAS[-1:]
    assert {host for host, what in world.done if what == "give up the claim"} == {S1, S2, S3}
    assert [what for host, what in world.done if host == M] == []
    assert told is not None
    assert told.reason == "LeftBehind"
    assert f"Left: {M}: save the data to disk: its disk is full" in told.message


async def test_a_procedure_takes_its_way_back_first_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    record = SimpleNamespace(type="drill", step="watch", old="192.168.3.41")

    async def put_back(*_: object) -> None:
        world.done.append(("", "put back"))

    monkeypatch.setattr(departing, "way_back", put_back)
    world = World([declared(RETAIN)], operation=record)
    told = await depart(world, monkeypatch)
    assert (world.passes > 0, world.done) == (True, [("", "put back")])
    assert told is not None
    assert told.message.startswith("The resource is gone. The drill that went on (watch) did not come to its end in ")
    assert "192.168.3.41 may be stopped" in told.message
    assert world.shown[0] == "The drill that goes on (watch) takes its way back first."


async def test_without_the_lease_nothing_is_changed_and_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World([declared(STOP)], fresh=False)
    await depart(world, monkeypatch, 0.1)
    assert world.done == []


async def test_what_never_ends_is_ended_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: object) -> None:
        await asyncio.Event().wait()

    world = World([declared(STOP)])
    monkeypatch.setattr(World, "step", hangs)
    told = await depart(world, monkeypatch, 0.1)
    assert told is not None
    assert told.reason == "LeftBehind"
    assert "when the time was over there was still to be done: redis_slave01: disable" in told.message


class Dead:
    """The link to a host of which nothing comes back."""

    connected = False

    async def connect(self) -> None:
        await asyncio.Event().wait()


async def test_dead_hosts_keep_a_deletion_waiting_for_less_than_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departing, "_RELEASE", RELEASE)
    clock = asyncio.get_running_loop().time
    began = clock()
    await depart(World([declared(RETAIN)], links={name: Dead() for name in (M, S1, S2, S3)}), monkeypatch, 3600.0)
    assert 0.0 < clock() - began < 2.0
