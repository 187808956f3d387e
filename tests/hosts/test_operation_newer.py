"""The fence from Redis 6.2 on, CLIENT PAUSE WRITE, on the servers of EL 9 and 10: no write gets through or is lost."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest

from hosts.operating import STATE, Operator, roles, switched
from hosts.passes import Passes, find_each_other, set_up, settled_passes
from hosts.stepping import redis, step
from lab.labs import Lab, hosts_lab
from lab.ledger import KINDS
from lab.observe import canary
from lab.resp import Resp
from lab.seedcluster import PASSWORD
from lab.workers import worker_lab
from redis_sentinel_operator.model.operation import Fence, ForgetOperation

pytestmark = [pytest.mark.timeout(240), pytest.mark.long]
LAB = os.environ.get("KINDS_LAB", "kinds 192.168.160.0/24").split()
PAUSE = 4.0  # seconds
WRITES: dict[str, tuple[tuple[str, ...], ...]] = {
    "plain": (("SET", "newer:plain", "{}"),),
    "eval": (("EVAL", "return redis.call('set', KEYS[1], ARGV[1])", "1", "newer:eval", "{}"),),
    "multi": (("MULTI",), ("SET", "newer:multi", "{}"), ("EXEC",)),
}


@pytest.fixture(scope="module", params=["el9", "el10"])
def newer(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The seed's cluster on four hosts of a family whose server can pause writes alone."""
    with hosts_lab(worker_lab(*LAB, families=(request.param,))) as lab, canary(PASSWORD, lab):
        set_up(lab)
        assert find_each_other(lab), "the sentinels did not find each other"
        yield lab


@pytest.fixture
async def loop(newer: Lab) -> AsyncIterator[Passes]:
    async with settled_passes(newer) as each:
        await each.until_settled()
        yield each


async def test_no_kind_of_write_gets_through_and_all_that_waited_is_written(loop: Passes, newer: Lab) -> None:
    master, replica = await roles(loop, newer)
    redis(master, "SET", "newer:before", "value")
    with ExitStack() as stack:
        links = {kind: stack.enter_context(Resp.to(master, password=PASSWORD)) for kind in WRITES}
        began = time.monotonic()
        result = await loop.do(step(master, Fence(6379, PAUSE, replica.name)))
        assert result.ok, result.message
        assert redis(replica, "GET", "newer:before") == "value"
        for kind, link in links.items():
            for words in WRITES[kind]:
                link.send(*(word.format(kind) for word in words))
        assert [redis(master, "GET", f"newer:{kind}") for kind in WRITES] == [None] * 3
        for kind, link in links.items():
            answers = [link.read() for _ in WRITES[kind]]
            assert answers[-1] in ("OK", ["OK"]), (kind, answers)
            assert time.monotonic() - began >= PAUSE, f"{kind} was let through"
    assert [redis(master, "GET", f"newer:{kind}") for kind in WRITES] == list(WRITES)


async def test_what_is_forgotten_lets_writes_in_at_once(loop: Passes, newer: Lab) -> None:
    master, replica = await roles(loop, newer)
    began = time.monotonic()
    assert (await loop.do(step(master, Fence(6379, 20.0, replica.name)))).ok
    assert (await loop.do(step(master, ForgetOperation(unpause=6379)))).ok
    assert redis(master, "SET", "newer:after", "value") == "OK"
    assert time.monotonic() - began < 20.0


async def test_a_whole_switchover_loses_no_acknowledged_write_of_any_kind(loop: Passes, newer: Lab) -> None:
    old, _ = await roles(loop, newer)
    sent = await switched(loop, newer, Operator(loop), kinds=KINDS)
    pauses = [each.words for each in sent if each.host == old.name and each.words[:2] == ("CLIENT", "PAUSE")]
    assert pauses == [("CLIENT", "PAUSE", "5000", "WRITE")] * 2, "once as the fence, once right before the question"
    assert "unfence" not in old.run(f"ls {os.path.dirname(STATE)}").stdout.split(), "nothing was armed"
