"""The example's files are applied as they are where a lab has their addresses, and only there."""

from __future__ import annotations

from lab.model import lab_config
from lab.seed import seed_cluster, seed_fits


def test_the_files_fit_the_demos_own_lab_only() -> None:
    assert seed_fits(lab_config())
    elsewhere = lab_config("other", "192.168.77.0/24")
    assert not seed_fits(elsewhere)
    assert not seed_fits(lab_config(replicas=2))
    assert [host["address"] for host in seed_cluster(elsewhere)["spec"]["hosts"]] == [
        f"192.168.77.{last}" for last in (41, 42, 43, 44)
    ]
