"""The seed's cluster on each EL family: installed, failed over, healed; and one whose hosts are of two families."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.rig import Rig, is_healthy, master
from lab.controlplane import ControlPlane
from lab.hosts import Host
from lab.labs import hosts_lab
from lab.workers import worker_lab
from redis_sentinel_operator.conf.family import FAMILIES, Family

LAB = os.environ.get("FAMILIES_LAB", "fams 192.168.180.0/24").split()


@contextmanager
def cluster_of(*families: str) -> Iterator[Rig]:
    """The seed's cluster, installed by the operator on hosts of the families and healthy, in a lab of its own."""
    config = worker_lab(*LAB, families=families)
    with hosts_lab(config) as lab, ControlPlane(config) as cp:
        rig = Rig(lab, cp)
        with rig.canary.watching():
            rig.declare()
            rig.operator.start()
            rig.wait_healthy(180)
            yield rig
            rig.operator.kill()


def row(host: Host) -> Family:
    """What the operator knows of the host's family."""
    return FAMILIES[str(host.family.major)]


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("family", ["el8", "el9", "el10"])
def test_the_seed_is_installed_failed_over_and_healed(family: str) -> None:
    with cluster_of(family) as rig:
        _is_as_declared(rig)
        old, successor = _fails_over(rig)
        assert successor != old
        _drift_is_mended(rig)


def _is_as_declared(rig: Rig) -> None:
    status = rig.status()
    assert (master(status), status["ready"], status["replicas"]) == ("redis_master01", "4/4", "3/3")
    for host in rig.lab:
        kind = row(host)
        assert host.run(f"systemctl is-enabled {kind.redis_unit}").stdout == "enabled\n"
        assert host.run(f"stat -c '%a %U' {kind.redis_conf}").stdout == f"640 {kind.user}\n"
        with rig.redis(host.name) as client:
            assert client.config_get("masterauth") == {"masterauth": rig.password}
            assert client.config_get("dir") == {"dir": kind.data_dir}
            assert client.info("server")["config_file"] == kind.redis_conf


def _fails_over(rig: Rig) -> tuple[str, str]:
    """Kill the master; return the old and the new one, all replicas linked and nothing lost."""
    old = master(rig.status())
    with rig.redis(old) as client:
        client.mset({f"family:{number}": number for number in range(100)})
        assert client.wait(3, 5000) == 3
    rig.lab[old].run(f"systemctl kill -s KILL {row(rig.lab[old]).redis_unit}")
    rig.wait(lambda s: master(s) not in ("", old), "a successor in status", 40)
    status = rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back as a replica", 120)
    assert rig.master_by_role() == [master(status)]
    for host in rig.lab:
        with rig.redis(host.name) as client:
            assert client.dbsize() == 100
    return old, master(status)


def _drift_is_mended(rig: Rig) -> None:
    """A replica that stops comes back, and another value in the file goes."""
    replica = next(host for host in rig.lab.replicas if host.name != master(rig.status()))
    replica.run(f"sed -i 's/^repl-timeout .*/repl-timeout 33/' {row(replica).redis_conf}")
    replica.run(f"systemctl stop {row(replica).redis_unit}")
    rig.wait(lambda s: s["replicas"] == "2/3", "the replica missed", 40)
    rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the replica back", 90)
    found = replica.run(f"grep '^repl-timeout' {row(replica).redis_conf}").stdout
    assert found.split() == ["repl-timeout", "60"]
