"""A sentinel without its file, as on a fresh machine: real ones know it again as the voter that it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hosts.passes import Passes
from hosts.stepping import PATIENCE, sentinel, until
from lab.hosts import Host
from lab.labs import Lab
from lab.seedcluster import MASTER_NAME
from redis_sentinel_operator.conf import sentinel_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.step import WriteSentinelConf

pytestmark = pytest.mark.timeout(240)


def conf(host: Host) -> sentinel_conf.SentinelConf:
    return sentinel_conf.parse(host.run(f"cat {EL7.sentinel_conf}").stdout)


def peers(host: Host) -> set[tuple[str, str]]:
    """Id and address of the other sentinels that are alive for this one."""
    rows = sentinel(host, "SENTINEL", "SENTINELS", MASTER_NAME)
    assert isinstance(rows, list)
    found = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows if isinstance(row, list)]
    return {(str(row["runid"]), str(row["ip"])) for row in found if row["flags"] == "sentinel"}


async def test_it_gets_the_id_by_which_the_others_know_it_and_their_highest_epoch(loop: Passes, whole: Lab) -> None:
    *others, lost = whole.replicas
    await until(lambda: all(len(peers(host)) == 2 for host in others))
    loop.desired = replace(loop.desired, sentinel=replace(loop.desired.sentinel, down_after=PATIENCE))
    await loop.until_settled()  # they hear it until this is over
    was, before = conf(lost).my_id, {host.name: peers(host) for host in others}
    lost.run(f"systemctl stop redis-sentinel && rm {EL7.sentinel_conf}")
    assert any("still hears it" in sentence for sentence in (await loop.read()).todo.waiting)
    loop.desired = replace(loop.desired, sentinel=replace(loop.desired.sentinel, down_after=5000))
    done = await loop.until_settled()
    assert [result.step.host for result in done if isinstance(result.step.action, WriteSentinelConf)] == [lost.name]
    await until(lambda: {host.name: peers(host) for host in others} == before)
    assert conf(lost).my_id == was
    assert conf(lost).highest_epoch >= max(conf(host).highest_epoch for host in others)
    await until(lambda: len(peers(lost)) == 2)
