"""spec.redis.config on real hosts with data: every class of directive changed, drifted and removed; nothing is lost."""

from __future__ import annotations

import pytest

from hosts.declaring import KEYS, append_only, declare, keys, live_ones, restart_only, running, with_data
from hosts.passes import OWNER, Passes
from hosts.stepping import OF_THE_MACHINE, sentinel
from lab.labs import Lab
from lab.observe import untouched
from lab.seedcluster import MASTER_NAME
from redis_sentinel_operator.model.fact import KeyRecord, Known

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def whole(lab_hosts: Lab) -> Lab:
    """The seed's cluster with data in it."""
    return with_data(lab_hosts)


async def test_every_class_of_directive_is_changed_drifted_and_removed_without_a_restart(
    loop: Passes, whole: Lab
) -> None:
    await live_ones(loop, whole)


async def test_cut_off_between_two_commands_it_goes_on(loop: Passes, whole: Lab) -> None:
    declare(loop, {"slowlog-max-len": "300"})
    for expected in ("write down", "set slowlog-max-len on"):
        todo = (await loop.read()).todo
        step = next(each for each in todo.steps if each.host == whole.master01.name)
        assert step.what.startswith(expected)
        assert (await loop.do(step)).ok
    await loop.until_settled()
    claim = (await loop.read()).facts.hosts[whole.master01.name].claim
    assert isinstance(claim, Known)
    assert claim.value is not None
    assert claim.value.keys["slowlog-max-len"] == KeyRecord("300", "128")
    assert claim.value.owner == OWNER
    declare(loop, {})
    await loop.until_settled()
    assert all(running(host, "slowlog-max-len") == "128" for host in whole.hosts)


async def test_append_only_is_switched_on_without_losing_a_key(loop: Passes, whole: Lab) -> None:
    await append_only(loop, whole)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"maxmemory": "1mb"}, "WouldEvict"),
        ({"dir": "/srv"}, "NotWithData"),
        pytest.param({"dbfilename": "other.rdb"}, "NotWithData", marks=pytest.mark.long),
        pytest.param({"databases": "8"}, "NotWithData", marks=pytest.mark.long),
        ({"lazyfree-lazy-expire": "yes"}, "DirectiveNotInVersion"),
    ],
)
async def test_what_would_cost_data_is_refused(loop: Passes, whole: Lab, config: dict[str, str], reason: str) -> None:
    declare(loop, config)
    with untouched(*whole.hosts, but=OF_THE_MACHINE):
        refusal = (await loop.read()).todo.refusal
        assert refusal is not None
        assert (refusal.condition, refusal.reason) == ("ConfigInSync", reason)
    assert [keys(host) for host in whole.hosts] == [KEYS] * 4


async def test_a_setting_that_somebody_gave_a_sentinel_shows_and_goes(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    sentinel(host, "SENTINEL", "SET", MASTER_NAME, "down-after-milliseconds", "60000", "failover-timeout", "5000")
    drift = (await loop.read()).todo.drift[host.name]
    assert [(each.key, each.want, each.have) for each in drift] == [
        ("sentinel down-after-milliseconds", "5000", "60000"),
        ("sentinel failover-timeout", "10000", "5000"),
    ]
    await loop.until_settled()
    assert (await loop.read()).todo.drift == {}


@pytest.mark.long
async def test_a_restart_takes_the_replicas_one_by_one_and_the_master_after_a_switch(loop: Passes, whole: Lab) -> None:
    await restart_only(loop, whole)
