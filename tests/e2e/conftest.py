"""One lab for all end-to-end tests; each test gets the seed's cluster healthy, or bare hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from e2e.rig import Rig, is_healthy
from lab import labs
from lab.controlplane import ControlPlane
from lab.machine import LabError
from lab.workers import worker_lab

E2E = worker_lab(*os.environ.get("E2E_LAB", "e2e 192.168.140.0/24").split())  # another for two runs side by side


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    """Hosts and API server, for the whole session; it fails at the end where the password showed in between."""
    with labs.hosts_lab(E2E) as lab, ControlPlane(E2E) as cp:
        rig = Rig(lab, cp)
        with rig.canary.watching():
            yield rig
            rig.operator.kill()


@pytest.fixture
def bare(rig: Rig) -> Rig:
    """Four bare hosts, no resource, no operator."""
    rig.forget()
    rig.reset()
    return rig


@pytest.fixture
def seed(rig: Rig) -> Rig:
    """The seed's cluster, installed by the operator and healthy; what an earlier test left is used if it is whole."""
    if not _is_whole(rig):
        rig.forget()
        rig.reset()
        rig.declare()
        rig.operator.start()
    rig.wait_healthy()
    return rig


def _is_whole(rig: Rig) -> bool:
    try:
        return rig.operator.running and is_healthy(rig.wait_healthy(45))
    except LabError:
        return False
