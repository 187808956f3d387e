"""Before anything of a set-up is done, every host's repositories are asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.model.fact import ClusterFacts, Known, Listener
from redis_sentinel_operator.model.package import InstallPackage
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.beginning import held_up, packages_to_ask_for
from unit.plan.world import OWNER, S1, S2, S3, M, bare, claimed, cluster, desired, installed, unreachable, verdict


def asked(facts: ClusterFacts, situation: Situation = Situation.BARE) -> dict[str, InstallPackage]:
    return dict(packages_to_ask_for(desired(), facts, verdict(situation), OWNER, adopt=False))


@pytest.mark.parametrize("situation", [Situation.BARE, Situation.BOOTSTRAPPING])
def test_every_host_without_the_package_is_asked(situation: Situation) -> None:
    redis = InstallPackage("redis", None)
    assert asked(cluster(bare), situation) == {M: redis, S1: redis, S2: redis, S3: redis}
    assert asked(cluster(bare, S1=installed), situation) == {M: redis, S2: redis, S3: redis}


def test_nobody_is_asked_once_it_has_begun_or_when_it_may_not_begin() -> None:
    taken: Known[tuple[Listener, ...]] = Known((Listener(6379, "nc", 99),))
    assert asked(cluster(bare, S2=claimed), Situation.BOOTSTRAPPING) == {}
    assert asked(cluster(bare, S2=unreachable)) == {}
    assert asked(cluster(bare, S2=lambda host: replace(host, listeners=taken))) == {}
    assert asked(cluster(bare), Situation.ALIVE) == {}


def test_what_one_host_cannot_get_blocks_all() -> None:
    todo = held_up(desired(), {S1: "no repository has it", S3: "no repository has it"}, {S2: "yum hangs"})
    assert todo is not None and todo.refusal is not None
    assert (todo.refusal.condition, todo.refusal.reason) == ("PreflightPassed", "PackageNotFound")
    assert todo.refusal.message == (
        "Hosts redis_slave01 and redis_slave03: no repository has it. Nothing is changed on any host. Add a repository "
        "that has it to the yum configuration there, or correct spec.package."
    )


def test_what_is_not_found_out_is_waited_for() -> None:
    todo = held_up(desired(), {}, {S2: "yum hangs"})
    assert todo is not None and todo.refusal is None
    assert (todo.steps, todo.waiting) == ((), ("redis_slave02: yum hangs",))
    assert held_up(desired(), {}, {}) is None
