"""EL8's redis 5.0 replaced by 6.2 of another module stream, host by host: newer replicas under an older master."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from hosts.operating import Operator, roles
from hosts.passes import Passes, find_each_other, set_up, settled_passes
from hosts.stepping import redis
from hosts.upgrading import asked, upgraded
from lab.families import EL8
from lab.labs import Lab, hosts_lab
from lab.observe import canary
from lab.seedcluster import PASSWORD
from lab.workers import worker_lab

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]
LAB = os.environ.get("KINDS_LAB", "kinds 192.168.160.0/24").split()
NEWER = EL8.others[0]


@pytest.fixture(scope="module")
def el8() -> Iterator[Lab]:
    """The seed's cluster on four hosts of EL8, with its redis 5.0."""
    with hosts_lab(worker_lab(*LAB, families=("el8",))) as lab, canary(PASSWORD, lab):
        set_up(lab)
        assert find_each_other(lab), "the sentinels did not find each other"
        yield lab


@pytest.fixture
async def loop(el8: Lab) -> AsyncIterator[Passes]:
    async with settled_passes(el8) as each:
        await each.until_settled()
        yield each


async def test_every_host_gets_the_other_stream_and_no_acknowledged_plain_write_is_lost(loop: Passes, el8: Lab) -> None:
    old, _ = await roles(loop, el8)
    asked(loop, f"{NEWER.version}-2.el8", module=NEWER.stream)
    done = await upgraded(loop, el8, Operator(loop))
    hosts = [host for host, what in done if what.startswith("upgrade")]
    assert len(hosts) == 4 and hosts[-1] == old.name
    raised = [host for host, what in done if "set slave-priority" in what and "for a while" not in what]
    assert hosts[0] in raised, "a newer replica is promoted after those that are like the master"
    for host in el8.hosts:
        assert f"redis_version:{NEWER.version}" in str(redis(host, "INFO", "server"))
        assert redis(host, "CONFIG", "GET", "slave-priority")[1] == "100"  # type: ignore[index]
