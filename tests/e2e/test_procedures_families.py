"""Each procedure under writes on EL9: what is claimed on EL7, whose Redis is older, is claimed there by the same tests.

Every part of the tests that knows a family asks the lab host for it; what is found on another family is a fault of the
operator's, or of a test that took EL7 for granted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from e2e import (
    test_drill,
    test_maintenance,
    test_recover,
    test_replaced,
    test_reset_stale,
    test_restart,
    test_rotation,
    test_scaling,
    test_switchover,
    test_upgrade,
)
from e2e.rig import Rig, raised
from lab.workers import worker_lab

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
LAB = os.environ.get("FAMILIES_LAB", "fams 192.168.180.0/24").split()
Proof = Callable[[Rig], None]
OF_THE_SEED: tuple[Proof, ...] = (
    test_switchover.test_a_switchover_under_writes_loses_none,
    test_drill.test_a_drill_under_writes_loses_none_and_tells_how_long_each_part_took,
    test_restart.test_the_master_is_restarted_last_and_no_acknowledged_plain_write_is_lost,
    test_rotation.test_a_new_password_under_writes_and_back,
    test_reset_stale.test_nobody_is_confirmed_until_it_is_mended_and_who_asks_is_told,
    test_recover.test_the_stopped_master_itself_comes_back_with_all_that_was_acknowledged,
    test_recover.test_a_replica_is_promoted_and_all_sentinels_follow_it,
    test_maintenance.test_a_replica_is_booted_in_maintenance_and_comes_back_in_sync,
    test_maintenance.test_a_master_is_replaced_before_it_is_stopped,
)
FROM_BARE_HOSTS: tuple[Proof, ...] = (
    test_scaling.test_a_host_joins_and_leaves_under_writes,
    test_scaling.test_a_master_leaves_after_a_switchover_and_a_host_that_is_gone_when_it_is_forgotten,
    test_maintenance.test_a_fenced_host_that_is_taken_out_leaves_and_nothing_starts_there,
    test_replaced.test_a_fresh_machine_at_the_same_address_comes_as_the_voter_that_it_was,
    test_upgrade.test_a_newer_version_is_brought_about_and_no_acknowledged_plain_write_is_lost,
    test_upgrade.test_supervised_it_waits_before_the_master_until_a_person_asks,
)


@pytest.fixture(scope="module", params=["el9"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """In the place of the end-to-end tests' own: hosts of another family. `seed` and `bare` are made with it."""
    with raised(worker_lab(*LAB, families=(request.param,))) as rig:
        yield rig


def _name(proof: Proof) -> str:
    return proof.__name__.removeprefix("test_")


@pytest.mark.parametrize("proof", OF_THE_SEED, ids=_name)
def test_on_the_seeds_cluster(seed: Rig, proof: Proof) -> None:
    proof(seed)


@pytest.mark.parametrize("proof", FROM_BARE_HOSTS, ids=_name)
def test_from_bare_hosts(bare: Rig, proof: Proof) -> None:
    proof(bare)
