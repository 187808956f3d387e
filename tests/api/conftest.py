"""One control plane for all tests that need no more than the resource."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from lab.model import lab_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def api() -> Iterator[ControlPlane]:
    """A control plane that knows the resource."""
    with ControlPlane(lab_config("api", "192.168.34.0/24")) as plane:
        plane.apply(ROOT / "crds")
        crd = "crd/redissentinelclusters.redis-sentinel-operator.io"
        plane.kubectl("wait", "--for=condition=Established", crd, "--timeout=30s")
        yield plane
