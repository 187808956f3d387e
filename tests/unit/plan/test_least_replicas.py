"""minReplicasToWrite where the spec does not say it: by version, by replicas, and by who set the cluster up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import Claim, HostFacts, KeyRecord, Known, OsFacts
from redis_sentinel_operator.model.step import ConfigSet, EditConf
from redis_sentinel_operator.model.verdict import BootstrapRecord
from redis_sentinel_operator.plan.host import readable
from redis_sentinel_operator.plan.least_replicas import with_least_replicas
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, alive, with_version
from unit.plan.world import CONFIG, DONE, OWNER, RECORD, S1, S2, S3, SEEN, Change, M, cluster, desired, unreachable

DEFAULT = {"min-slaves-max-lag": "10", "min-slaves-to-write": "1"}


def on_el8(name: str, version: str = "5.0.3") -> HostFacts:
    host = alive(name)
    return with_version(replace(host, os=Known(OsFacts("centos", "8"))), version)


def adopted(host: HostFacts) -> HostFacts:
    return replace(host, claim=Known(Claim(OWNER, notes=SEEN)))


def added(what: Desired | None = None, bootstrap: BootstrapRecord | None = RECORD, **changed: Change) -> dict[str, str]:
    """The directives that the default brings."""
    what = what or desired()
    hosts, _ = readable(what, cluster(on_el8, **changed))
    found = with_least_replicas(what, hosts, bootstrap).redis_config
    return {name: value for name, value in found.items() if what.redis_config.get(name) != value}


def changing(of: dict[str, dict[str, object]]) -> Desired:
    """The declared cluster with other fields at some hosts."""
    hosts = tuple(replace(host, **of.get(host.name, {})) for host in desired().hosts)  # type: ignore[arg-type]
    return desired(hosts=hosts)


def test_a_write_needs_one_replica_where_there_are_several() -> None:
    assert added() == DEFAULT
    assert added(changing({S3: {"redis": False}})) == DEFAULT


@pytest.mark.parametrize(
    "what",
    [
        changing({S2: {"redis": False}, S3: {"redis": False}}),
        changing({S2: {"redis": False}, S3: {"aside": "Maintenance"}}),
        changing({M: {"aside": "Fenced"}, S3: {"aside": "Maintenance"}}),
        changing({S2: {"state": "Leaving"}, S3: {"state": "Leaving"}}),
        changing({S2: {"state": "Joining"}, S3: {"state": "Joining"}}),
    ],
    ids=["one", "maintenance", "fenced", "leaving", "joining"],
)
def test_a_single_replica_is_none_to_depend_on(what: Desired) -> None:
    assert added(what) == {}


def test_before_4_0_there_is_none() -> None:
    old: Change = lambda host: on_el8(host.name, "3.2.12")  # noqa: E731
    assert added(S2=old) == {}
    assert added(S2=lambda host: on_el8(host.name, "4.0.0")) == DEFAULT
    assert added(S2=lambda host: alive(host.name)) == {}, "EL 7 has 3.2"


def test_what_is_declared_counts() -> None:
    none = desired(redis_config={**CONFIG, "min-slaves-to-write": "0", "min-slaves-max-lag": "5"})
    assert added(none) == {}
    assert added(desired(redis_config={**CONFIG, "min-slaves-max-lag": "5"})) == {"min-slaves-to-write": "1"}


def test_what_was_adopted_keeps_what_it_has() -> None:
    whole = dict.fromkeys(("M", "S1", "S2", "S3"), adopted)
    assert added(bootstrap=None, **whole) == {}
    assert added(bootstrap=None) == DEFAULT, "the claims tell, where status is lost"


def test_while_one_cannot_be_read_it_stays_as_it_is() -> None:
    def has(host: HostFacts) -> HostFacts:
        keys = {name: KeyRecord(value, None) for name, value in DEFAULT.items()}
        return replace(host, claim=Known(Claim(OWNER, "b1", keys=keys, notes=SEEN)))

    assert added(S3=unreachable) == {}
    assert added(S3=unreachable, S1=has) == DEFAULT


def sets(what: Desired) -> dict[str, set[str]]:
    """By host which of the two are set, in force or in its file."""
    found: dict[str, set[str]] = {}
    for step in plan(what, cluster(on_el8), ALIVE, DONE).steps:
        if isinstance(step.action, ConfigSet | EditConf):
            values = step.action.values if isinstance(step.action, ConfigSet) else step.action.directives
            found.setdefault(step.host, set()).update(values.keys() & DEFAULT.keys())
    return {name: keys for name, keys in found.items() if keys}


def test_the_plan_sets_it_on_every_redis() -> None:
    assert sets(desired()) == {key: set(DEFAULT) for key in (M, S1, S2, S3)}
    assert sets(desired(redis_config={**CONFIG, "min-slaves-to-write": "0"}))[M] == {"min-slaves-to-write"}


def test_one_that_is_left_out_is_not_changed_for_it() -> None:
    aside = tuple(replace(host, aside="Maintenance" if host.name == S3 else "") for host in desired().hosts)
    assert all(isinstance(host, DesiredHost) for host in aside)
    assert S3 not in sets(desired(hosts=aside))
