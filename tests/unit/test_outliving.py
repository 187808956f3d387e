"""A resource that another operator had before: its hosts remember a later epoch than ours, and we outlive it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.model.fact import Claim, ClusterFacts, Fact, Known, Unknown
from redis_sentinel_operator.model.step import Plan, StartUnit, Step
from redis_sentinel_operator.outliving import ANOTHER, outliving, overruled, refused, stands_aside

OURS = Guard("uid/redis/cluster", 10)


class Host:
    """A host of which only the claim is read."""

    def __init__(self, claim: Fact[Claim | None]) -> None:
        self.claim = claim


class Facts:
    """What hosts say."""

    def __init__(self, **claims: Fact[Claim | None]) -> None:
        self.hosts: Mapping[str, Host] = {name: Host(claim) for name, claim in claims.items()}


def facts(**claims: Fact[Claim | None]) -> ClusterFacts:
    return cast(ClusterFacts, Facts(**claims))


def claim(epoch: int, owner: str = OURS.owner) -> Known[Claim | None]:
    return Known(Claim(owner, lease_epoch=epoch))


UNREAD = Unknown("away")


@pytest.mark.parametrize(
    "read",
    [facts(), facts(a=claim(10), b=claim(3)), facts(a=Known(None), b=UNREAD), facts(a=claim(99, "uid/redis/another"))],
    ids=["nothing", "not later", "no claim", "another resource's"],
)
async def test_nothing_is_outlived_where_no_later_epoch_of_ours_is_remembered(read: ClusterFacts) -> None:
    async def never(epoch: int) -> int:
        raise AssertionError(f"asked to outlive {epoch}")

    assert await outliving(OURS, read, never) == OURS


async def test_the_latest_one_is_outlived() -> None:
    asked: list[int] = []

    async def outlive(epoch: int) -> int:
        asked.append(epoch)
        return epoch + 1

    read = facts(a=claim(20), b=claim(30), c=UNREAD)
    assert await outliving(OURS, read, outlive) == Guard(OURS.owner, 31)
    assert asked == [30]


async def test_where_it_may_not_be_the_epoch_stays_and_hosts_refuse() -> None:
    assert await outliving(OURS, facts(a=claim(20)), refused) == OURS


def test_another_operator_is_at_work_where_a_later_epoch_of_ours_stays() -> None:
    assert overruled(OURS, facts(a=claim(3), b=claim(11))) == ANOTHER
    for read in (facts(), facts(a=claim(10)), facts(a=UNREAD), facts(a=claim(99, "uid/redis/another"))):
        assert overruled(OURS, read) == ""


def test_what_is_due_waits_for_the_other_operator() -> None:
    step = Step("a", "start redis", "it is stopped", StartUnit("redis", 6379, sentinel=False), 1)
    assert stands_aside(Plan((step,), ("b is away",))) == Plan((), (ANOTHER, "b is away"))
    assert stands_aside(Plan(waiting=("b is away",))) == Plan(waiting=("b is away",)), "nothing is due"


def test_the_page_quotes_what_is_said() -> None:
    page = (Path(__file__).parents[2] / "docs/packaging.md").read_text()
    assert ANOTHER in " ".join(line.removeprefix("> ") for line in page.splitlines())
