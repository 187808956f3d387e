"""What wakes a cluster and what kopf is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import islice
from types import SimpleNamespace
from typing import Any, cast

import pytest

from redis_sentinel_operator import handlers
from redis_sentinel_operator.errors import ObjectReplaced
from redis_sentinel_operator.handlers import (
    FINALIZER,
    Backoffs,
    Live,
    connection,
    is_ours_to_leave,
    kopf_settings,
    leave,
    live,
    wake,
)
from redis_sentinel_operator.judge.news import News
from redis_sentinel_operator.kube.access import Access
from redis_sentinel_operator.kube.events import Events
from redis_sentinel_operator.model.desired import ClusterRef
from redis_sentinel_operator.services import Services
from redis_sentinel_operator.settings import Settings


class Sleeper:
    """What is woken."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self, why: str, *, changed: bool = False) -> None:
        self.woken += 1


def body(generation: int = 1, annotations: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"generation": generation, "annotations": annotations, **metadata}, "status": {"phase": "any"}}


ACT = {"redis-sentinel-operator.io/act": "adopt-claim - 2026-11-22T18:00:00Z"}


@pytest.mark.parametrize(
    ("changed", "woken"),
    [
        (body(), 0),
        (body(resourceVersion="2"), 0),
        (body(annotations={"somebody": "else"}), 0),
        (body(generation=2, deletionTimestamp="2026-11-22T18:00:00Z"), 0),
        (body(generation=2), 1),
        (body(annotations=ACT), 1),
    ],
)
def test_the_spec_and_our_annotation_wake_and_nothing_else(changed: dict[str, Any], woken: int) -> None:
    sleeper = Sleeper()
    live = Live(cluster=sleeper)
    wake(live, body())
    assert sleeper.woken == 0  # it begins by itself
    wake(live, changed)
    wake(live, changed)
    assert sleeper.woken == woken


def test_a_change_while_no_cluster_lives_is_not_lost_and_hurts_nobody() -> None:
    live = Live()
    wake(live, body())
    wake(live, body(generation=2))
    sleeper = Sleeper()
    live.cluster = sleeper
    wake(live, body(generation=2))
    assert sleeper.woken == 0  # whoever begins reads generation 2 anyway
    wake(live, body(generation=3))
    assert sleeper.woken == 1


def test_requests_of_kopf_are_tried_for_ever_and_again_by_each() -> None:
    backoffs = Backoffs()
    for _ in range(2):
        first = list(islice(backoffs, 1000))
        assert all(0.5 <= seconds <= 30 for seconds in first)
        assert first[0] <= 1.0
        assert max(first[10:]) > 20
        assert len(set(first[10:])) > 900


def test_the_api_server_selects_so_that_kopf_sees_nothing_of_others() -> None:
    """It takes a finalizer of its name off everything that its handlers do not match."""
    assert dict(kopf_settings(Settings()).watching.label_selectors) == {}
    assert list(kopf_settings(Settings(), "team in (a)").watching.label_selectors.values()) == ["team in (a)"]


def test_kopf_writes_under_our_name_and_posts_nothing() -> None:
    made = kopf_settings(Settings(delete_timeout=7))
    assert made.persistence.finalizer == "redis-sentinel-operator.io/finalizer"
    assert (made.posting.enabled, made.scanning.disabled, made.peering.standalone) == (False, True, True)
    assert made.background.instant_exit_timeout == 7


@pytest.mark.parametrize(
    ("authorization", "scheme", "token"),
    [("bearer abc\n", "bearer", "abc"), ("Basic dTpw", "Basic", "dTpw"), (None, None, None)],
)
def test_kopf_goes_the_way_of_our_own_client(authorization: str | None, scheme: str | None, token: str | None) -> None:
    access = Access("https://server", "/ca.crt", "/client.crt", "/client.key", False, None, authorization)
    made = connection(access)
    assert (made.server, made.ca_path, made.insecure) == ("https://server", "/ca.crt", False)
    assert (made.certificate_path, made.private_key_path) == ("/client.crt", "/client.key")
    assert (made.scheme, made.token) == (scheme, token)
    assert "abc" not in repr(access)


# -- an object that is being deleted

REF = ClusterRef("redis", "redis-cluster", "uid-1")
SERVICES = cast(Services, SimpleNamespace(settings=Settings(departure_timeout=1.0)))
TOLD = News("LeftBehind", True, "one is left")


class Told:
    """Events that are told."""

    def __init__(self) -> None:
        self.news: list[News] = []

    def tell(self, ref: ClusterRef, what: News) -> None:
        self.news.append(what)


class Stop:
    """kopf's word, as a test gives it."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def __bool__(self) -> bool:
        return self.event.is_set()

    async def wait(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as kopf has it
        await asyncio.sleep(0)


class Run:
    """Stands for the cluster: what becomes of each of its lives is what the test says."""

    def __init__(self, *ends: object) -> None:
        self.ends, self.lives = list(ends), 0

    def __call__(self, ref: ClusterRef, services: Services) -> Run:
        return self

    def wake(self, why: str, *, changed: bool = False) -> None:
        """Nobody does."""

    async def run(self, stopped: Callable[[], bool], deleted: Callable[[], bool]) -> News | None:
        self.lives += 1
        while not deleted() and not stopped():  # noqa: ASYNC110 - the product is given no event either
            await asyncio.sleep(0)
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        if callable(end):
            end()
            return None
        return cast(News | None, end)


def test_only_what_is_being_deleted_and_waits_for_us_is_left() -> None:
    assert is_ours_to_leave(body(deletionTimestamp="2026-11-22T18:00:00Z", finalizers=[FINALIZER, "b"]))
    assert not is_ours_to_leave(body(finalizers=[FINALIZER]))
    assert not is_ours_to_leave(body(deletionTimestamp="2026-11-22T18:00:00Z", finalizers=["another"]))
    assert not is_ours_to_leave(body(deletionTimestamp="2026-11-22T18:00:00Z"))


async def _left(run: Run, monkeypatch: pytest.MonkeyPatch, *, daemon: bool, stop: Stop | None = None) -> list[News]:
    monkeypatch.setattr(handlers, "Cluster", run)
    shared, told, tasks = Live(), Told(), []
    if daemon:
        tasks.append(asyncio.create_task(live(REF, SERVICES, shared, Stop() if stop is None else stop)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    try:
        async with asyncio.timeout(0.3):
            await leave(REF, SERVICES, shared, cast(Events, told))
            await leave(REF, SERVICES, shared, cast(Events, told))  # another event of the same deletion
    finally:
        for task in tasks:
            task.cancel()
            await asyncio.wait({task})
    return told.news


@pytest.mark.looptime
@pytest.mark.parametrize("daemon", [True, False], ids=["as it lives", "after a start"])
@pytest.mark.parametrize(
    ("ends", "news"),
    [([TOLD], [TOLD]), ([None], []), ([ValueError("a mistake"), TOLD], [TOLD]), ([ObjectReplaced("gone")], [])],
    ids=["left behind", "nothing to tell", "once more after a mistake", "gone meanwhile"],
)
async def test_a_deletion_goes_on_once_the_hosts_are_left(
    monkeypatch: pytest.MonkeyPatch, daemon: bool, ends: list[object], news: list[News]
) -> None:
    monkeypatch.setattr(handlers, "_RESTART_SECONDS", 0.0)
    run = Run(*ends)
    assert await _left(run, monkeypatch, daemon=daemon) == news
    assert (run.lives, run.ends) == (len(ends), [])


@pytest.mark.looptime
async def test_an_operator_that_ends_lets_nothing_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once this returns kopf takes the finalizer off, and here the hosts are not left."""
    stop = Stop()
    with pytest.raises(TimeoutError):
        await _left(Run(stop.event.set), monkeypatch, daemon=True, stop=stop)


async def test_what_is_another_operators_from_now_on_is_let_go_and_not_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its labels changed: for the API server it is deleted, for us; the object is there, and its hosts are not left."""
    run, shared = Run(None), Live()
    monkeypatch.setattr(handlers, "Cluster", run)
    living = asyncio.create_task(live(REF, SERVICES, shared, Stop()))
    await asyncio.sleep(0)
    shared.gone.set()
    await living
    assert (run.lives, run.ends) == (1, [])
    assert not shared.left.is_set()


@pytest.mark.looptime
async def test_what_takes_too_long_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def for_ever(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(handlers, "live", for_ever)
    monkeypatch.setattr(handlers, "_FORCE_SECONDS", 0.0)
    quick = cast(Services, SimpleNamespace(settings=Settings(departure_timeout=0.01)))
    async with asyncio.timeout(0.3):
        await leave(REF, quick, Live(), cast(Events, Told()))
