"""That redis can rewrite its file is proved once on each host that is taken over; where it cannot, that is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hosts.passes import Passes, passes
from hosts.stepping import OF_THE_MACHINE, conf, stat
from lab.hosts import Host
from lab.labs import Lab
from lab.observe import untouched
from lab.seedcluster import HandMade, make_by_hand
from redis_sentinel_operator.model.fact import Known
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import ProveRewrite

pytestmark = pytest.mark.timeout(180)


@contextmanager
def unwritable(host: Host, path: str) -> Iterator[None]:
    """A file that nobody can write or replace, root neither: as with chattr +i, which the lab's disks do not know."""
    host.run(f"mount --bind {path} {path} && mount -o remount,bind,ro {path}")
    try:
        yield
    finally:
        host.run(f"umount {path}")


def proofs(results: list[StepResult]) -> dict[str, tuple[bool, str, str]]:
    return {
        each.step.host: (each.ok, each.reason, each.message)
        for each in results
        if isinstance(each.step.action, ProveRewrite)
    }


async def until_asked(loop: Passes) -> dict[str, tuple[bool, str, str]]:
    """Passes until every redis was asked."""
    found: dict[str, tuple[bool, str, str]] = {}
    for _ in range(150):
        reading, results = await loop.once()
        found |= proofs(results)
        if len(found) == len(loop.desired.redis_hosts):
            return found
        if not results:
            await asyncio.sleep(0.5)  # it waits for the hosts' own work
    raise AssertionError((reading.todo, found))


async def test_each_is_asked_once_and_where_the_kernel_refuses_it_is_told_until_it_does_not(bare_lab: Lab) -> None:
    made: HandMade = make_by_hand(bare_lab)
    host, other = made.replicas[0], made.replicas[1]
    other.run("chown root: /etc/redis.conf")
    async with passes(bare_lab) as loop:
        loop.bootstrap = None
        # What is declared is in the file already: only redis itself has a reason to write into it.
        loop.desired = replace(loop.desired, redis_config={})
        with unwritable(host, "/etc/redis.conf"):
            found = await until_asked(loop)
            assert {name: each[:2] for name, each in found.items()} == {
                each.name: (False, "RewriteRefused") if each == host else (True, "") for each in bare_lab.hosts
            }
            assert found[host.name][2] == (
                f"redis on {host.name} cannot rewrite /etc/redis.conf: Rewriting config file: Read-only file system"
            )
            again = proofs((await loop.once())[1])
            assert again.keys() == {host.name}, "it is asked again, and nobody else is"
        await loop.until_settled()
        claims = [facts.claim for facts in (await loop.read()).facts.hosts.values()]
        notes = [claim.value.notes for claim in claims if isinstance(claim, Known) and claim.value]
        assert notes == [{"rewritten": "/etc/redis.conf"}] * 4
        assert all('\nrequirepass "' in conf(each) for each in bare_lab.hosts), "redis itself puts it into quotes"
        assert stat(other, "/etc/redis.conf") == "640 redis:root"
        with untouched(*bare_lab.hosts, but=OF_THE_MACHINE):
            assert await loop.until_settled() == []
