"""What wakes a cluster and what kopf is told."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from redis_sentinel_operator.handlers import Backoffs, Live, connection, kopf_settings, wake
from redis_sentinel_operator.kube.access import Access
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
