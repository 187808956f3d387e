"""A directive that CONFIG GET does not show: changed, drifted, removed; in force with the next run."""

from __future__ import annotations

import pytest

from hosts.declaring import declare, follows
from hosts.passes import Passes, Reading
from hosts.stepping import conf, until
from lab.hosts import Host
from lab.labs import Lab
from redis_sentinel_operator.model.step import Impact

pytestmark = pytest.mark.timeout(240)


async def test_a_directive_that_no_server_shows_is_pending_until_the_next_run(loop: Passes, whole: Lab) -> None:
    """CONFIG GET of 3.2 has no syslog-ident: whether it is in force is known by the run that began with it."""
    host, other = whole.replicas[:2]
    declare(loop, {"syslog-ident": "seed"})
    assert pending(await without_restarts(loop)) == {each.name: ["syslog-ident"] for each in whole.hosts}
    assert all("\nsyslog-ident seed\n" in conf(each) for each in whole.hosts)
    await restarted(host)
    left = {each.name: ["syslog-ident"] for each in whole.hosts if each != host}
    assert pending(await loop.read()) == left

    host.run("sed -i 's/^syslog-ident .*/syslog-ident other/' /etc/redis.conf")
    assert pending(await without_restarts(loop)) == left, "it runs with what is declared"
    assert "\nsyslog-ident seed\n" in conf(host)

    declare(loop, {})
    assert host.name in pending(await without_restarts(loop)), "it runs with it still"
    assert not any("\nsyslog-ident" in conf(each) for each in whole.hosts)
    for each in (host, other):
        await restarted(each)
    assert not {host.name, other.name} & pending(await without_restarts(loop)).keys()


async def without_restarts(loop: Passes) -> Reading:
    """Passes that do all but restarts, until nothing else is planned."""
    for _ in range(20):
        reading = await loop.read()
        steps = [step for step in reading.todo.steps if step.impact < Impact.RESTART]
        if not steps:
            return reading
        for step in steps:
            assert (await loop.do(step)).ok
    raise AssertionError(reading.todo)


def pending(reading: Reading) -> dict[str, list[str]]:
    return {host: [each.key for each in all_of if each.pending_restart] for host, all_of in reading.todo.drift.items()}


async def restarted(host: Host) -> None:
    host.run("systemctl restart redis")
    await until(lambda: follows(host))
