"""Which hosts are on their way in or out: from what status records and what the spec lists."""

from __future__ import annotations

from typing import Any

import pytest

from api.examples import GONE, changed, seed, stored
from redis_sentinel_operator.api.desired import refuse_members, resolve, with_members
from redis_sentinel_operator.api.spec import parse
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.model.desired import Desired, GoneHost

NEW = {"name": "new", "address": "192.168.3.45"}
AT = "2026-01-31T12:00:00Z"
HOSTS = seed()["spec"]["hosts"]


def recorded(host: dict[str, Any], state: str = "Member", **more: Any) -> dict[str, Any]:
    sentinel = {"sentinel": "Running"} if host.get("sentinel", True) else {}
    known = {"name": host["name"], "address": host["address"], "redis": "Running", "state": state}
    return known | sentinel | ({"joinedAt": AT} if state != "Joining" else {}) | more


def living(changes: dict[str, object], *further: dict[str, Any]) -> dict[str, Any]:
    """The seed's resource with changes of its spec, and a status that has its hosts, then `further`, by address."""
    found = {host["address"]: host for host in [*(recorded(host) for host in HOSTS), *further]}
    return stored(changed({"spec.sentinel.quorum": GONE, **changes})) | {"status": {"hosts": list(found.values())}}


def of(body: dict[str, Any]) -> Desired:
    return with_members(body, resolve(body, None))


def states(desired: Desired) -> dict[str, str]:
    return {host.name: host.state for host in desired.hosts if host.state != "Member"}


def test_before_there_are_members_all_are_such_from_the_beginning() -> None:
    body = stored(changed({"spec.hosts[+]": NEW, "spec.sentinel.quorum": GONE}))
    assert of(body) == resolve(body, None)
    body["status"] = {"hosts": [recorded(NEW, "Joining")]}
    assert of(body) == resolve(body, None)


def test_one_that_is_declared_and_not_recorded_joins_and_has_no_vote() -> None:
    body = living({"spec.hosts[+]": NEW})
    wanted = of(body)
    assert states(wanted) == {"new": "Joining"}
    assert [host.name for host in wanted.sentinel_hosts] == [host["name"] for host in HOSTS[1:]]
    assert (wanted.majority, wanted.sentinel.quorum) == (2, 3)
    assert [host.name for host in wanted.wanted_sentinels][-1] == "new"
    assert states(of(living({"spec.hosts[+]": NEW}, recorded(NEW, "Joining")))) == {"new": "Joining"}
    assert states(of(living({"spec.hosts[+]": NEW}, recorded(NEW)))) == {}


def test_one_that_is_recorded_and_not_declared_leaves_but_is_still_known_with_its_job_and_its_way() -> None:
    ssh = {"address": "10.0.0.4", "user": "admin", "port": 2222}
    wanted = of(living({"spec.hosts[3]": GONE}, recorded(HOSTS[3], ssh=ssh)))
    assert states(wanted) == {"redis_slave03": "Leaving"}
    leaving = wanted.hosts[-1]
    assert (leaving.name, leaving.ssh.address, leaving.ssh.user, leaving.ssh.port) == (
        "redis_slave03",
        "10.0.0.4",
        "admin",
        2222,
    )
    assert (leaving.redis, leaving.sentinel) == (True, True)
    assert leaving not in (*wanted.sentinel_hosts, *wanted.redis_hosts, *wanted.staying)
    assert leaving in wanted.every_redis
    assert leaving in wanted.every_sentinel
    assert wanted.host_at("192.168.3.44") is leaving  # it may be the master


def test_one_that_joined_half_and_is_taken_out_again_leaves_as_well() -> None:
    assert states(of(living({}, recorded(NEW, "Joining")))) == {"new": "Leaving"}


def test_one_that_has_left_is_read_no_more_and_known_until_it_is_forgotten() -> None:
    wanted = of(living({"spec.hosts[3]": GONE}, recorded(HOSTS[3], "Leaving", leftAt=AT)))
    assert states(wanted) == {}
    assert wanted.gone == (GoneHost("redis_slave03", "192.168.3.44"),)
    assert len(wanted.hosts) == 3


def test_one_that_is_put_back_before_it_has_left_is_a_member_and_one_that_has_left_joins_anew() -> None:
    assert states(of(living({}, recorded(HOSTS[3], "Leaving")))) == {}
    assert states(of(living({}, recorded(HOSTS[3], "Leaving", leftAt=AT)))) == {"redis_slave03": "Joining"}
    half = living({"spec.hosts[+]": NEW}, recorded(NEW, "Leaving", joinedAt=None))
    assert states(of(half)) == {"new": "Joining"}


def test_another_name_for_a_host_is_no_change() -> None:
    assert states(of(living({"spec.hosts[3].name": "db4"}))) == {}


def refused(body: dict[str, Any]) -> str:
    with pytest.raises(SpecRefused) as error:
        refuse_members(body, parse(body))
    assert error.value.reason == "InvalidSpec"
    return str(error.value)


def test_more_than_one_at_a_time_is_refused_unless_it_is_wanted() -> None:
    body = stored(changed({})) | {"status": {"hosts": [recorded(host) for host in HOSTS]}}
    body["spec"] = {**body["spec"], "hosts": HOSTS[:2]}
    assert refused(body) == (
        "spec.hosts: 2 hosts would leave at the same time: redis_slave02 (192.168.3.43), redis_slave03 (192.168.3.44). "
        "Nothing is changed on any host. Put all but one back and take the next one out when that one is gone from "
        "status.hosts, or set unsafe.removeMany to true"
    )
    body["spec"] = {**body["spec"], "unsafe": {"removeMany": True}}
    refuse_members(body, parse(body))


def test_one_more_while_one_is_leaving_is_refused_and_one_that_has_left_does_not_count() -> None:
    body = living({"spec.hosts[3]": GONE}, recorded(NEW, "Leaving"))
    assert refused(body).startswith(
        "spec.hosts: 2 hosts would leave at the same time: redis_slave03 (192.168.3.44), new"
    )
    body = living({"spec.hosts[3]": GONE}, recorded(NEW, "Leaving", leftAt=AT))
    refuse_members(body, parse(body))


def test_the_name_of_one_that_has_not_left_is_not_free() -> None:
    body = living({"spec.hosts[3].address": "192.168.3.45"})
    assert refused(body) == (
        "spec.hosts[redis_slave03]: another host of that name (192.168.3.44) has not left yet; give this one another "
        "name, or put the other one back"
    )
    before = stored(changed({"spec.hosts[3].address": "192.168.3.45"}))
    refuse_members(before, parse(before))
