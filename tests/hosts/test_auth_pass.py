"""A wrong password of the sentinels on real hosts, before and after it shows: mended, and no redis is restarted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest

from hosts.passes import Passes, find_each_other, set_up, settled_passes
from hosts.stepping import redis, sentinel, until
from lab.families import FAMILIES
from lab.hosts import Host
from lab.labs import Lab, hosts_lab
from lab.processes import wait_until
from lab.resp import Resp, RespError
from lab.seedcluster import MASTER_NAME, PASSWORD
from lab.workers import worker_lab
from redis_sentinel_operator.conf.sentinel_conf import parse
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import SentinelSet, StartUnit, StopUnit

pytestmark = pytest.mark.timeout(240)
LAB = os.environ.get("FAMILIES_LAB", "fams 192.168.180.0/24").split()


@pytest.fixture(
    scope="module", params=["el7", "el9", *(pytest.param(each, marks=pytest.mark.long) for each in ("el8", "el10"))]
)
def whole(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The seed's cluster on hosts of a family."""
    with hosts_lab(worker_lab(*LAB, families=(request.param,))) as lab:
        set_up(lab)
        assert find_each_other(lab), "the sentinels did not find each other"
        yield lab


def pids(lab: Lab, at: int) -> dict[str, str]:
    """The processes of redis (0) or of the sentinels (1)."""
    return {host.name: host.run(f"systemctl show -p MainPID {host.family.units[at]}").stdout for host in lab.hosts}


def flags(host: Host) -> str:
    words = sentinel(host, "SENTINEL", "MASTER", MASTER_NAME)
    assert isinstance(words, list)
    return str(words[words.index("flags") + 1])


def kept(host: Host) -> bool:
    """Whether the file of its sentinel has the password."""
    found = parse(host.run(f"cat {host.family.sentinel_conf}").stdout).auth_pass(MASTER_NAME)
    return found is not None and found.reveal() == PASSWORD


def in_touch(lab: Lab) -> bool:
    try:
        return all(flags(host) == "master" for host in lab.replicas)
    except ConnectionRefusedError:  # one that is stopped to be started with the right password
        return False


def forget(lab: Lab) -> None:
    """Every sentinel gets another password; what it is connected to stays so before Redis 7."""
    for host in lab.replicas:
        assert sentinel(host, "SENTINEL", "SET", MASTER_NAME, "auth-pass", "another") == "OK"


def cut(lab: Lab) -> None:
    """End the sentinels' connections to every redis, so that they must log in again."""
    for host in lab.hosts:
        for line in str(redis(host, "CLIENT", "LIST")).splitlines():
            words = dict(word.partition("=")[::2] for word in line.split())
            if words.get("name", "").startswith("sentinel-"):
                redis(host, "CLIENT", "KILL", words["addr"])


async def test_it_is_set_before_any_sentinel_must_connect_again(whole: Lab) -> None:
    before = pids(whole, 0), pids(whole, 1)
    async with settled_passes(whole) as loop:
        forget(whole)
        reading = await loop.read()
        assert {host for host, each in reading.todo.drift.items() if each[0].key == "sentinel auth-pass"} == {
            host.name for host in whole.replicas
        }
        done = await loop.until_settled()
    assert {type(each.step.action) for each in done} == {SentinelSet}
    assert all(kept(host) for host in whole.replicas)
    assert wait_until(lambda: in_touch(whole), 60.0, 0.2)
    assert (pids(whole, 0), pids(whole, 1)) == before


async def test_sentinels_that_call_the_master_down_for_it_come_back(whole: Lab) -> None:
    before = pids(whole, 0)
    async with settled_passes(whole) as loop:
        forget(whole)
        cut(whole)
        down: Callable[[], bool] = lambda: all("down" in flags(host) for host in whole.replicas)  # noqa: E731
        await until(down if whole.hosts[0].family != FAMILIES["el10"] else lambda: True)
        done = await _mended(loop, whole)
    stops = {each.step.host for each in done if isinstance(each.step.action, StopUnit)}
    restarted = {host.name for host in whole.replicas} if whole.hosts[0].family.name in ("el8", "el9") else set()
    assert stops == restarted, "5.0 to 6.2 do not connect again by SENTINEL SET"
    starts = [each.step.action for each in done if isinstance(each.step.action, StartUnit)]
    assert all(each.sentinel for each in starts)
    assert all(kept(host) for host in whole.replicas)
    assert pids(whole, 0) == before


async def _mended(loop: Passes, lab: Lab) -> list[StepResult]:
    """Passes until the sentinels are in touch with the master; what each saw may be old when the next one looks."""
    done: list[StepResult] = []
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        _, results = await loop.once()
        done += results
        if in_touch(lab):
            return done + await loop.until_settled()
    raise AssertionError("the sentinels are not in touch with the master")


async def test_a_replica_that_lets_everybody_in_asks_for_the_password_again(whole: Lab) -> None:
    """It refuses whoever sends one, and so the operator, who comes anew, sends it none."""
    host = whole.replicas[0]
    async with settled_passes(whole) as loop:
        await loop.until_settled()
    redis(host, "CONFIG", "SET", "requirepass", "")
    async with settled_passes(whole) as loop:
        done = await loop.until_settled()
    assert [(each.step.host, each.step.what) for each in done] == [(host.name, "set requirepass on the running redis")]
    with Resp.to(host) as link, pytest.raises(RespError, match="NOAUTH"):
        link.call("PING")
