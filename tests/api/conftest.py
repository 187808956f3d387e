"""One control plane for all tests that need no more than the resource."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane, KubectlError
from lab.model import lab_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def api() -> Iterator[ControlPlane]:
    """A control plane that knows the resource and has the namespace `redis`."""
    with ControlPlane(lab_config("api", "192.168.34.0/24")) as plane:
        plane.apply(ROOT / "crds")
        plane.wait_until(lambda: explained(plane), "the resource to be known")
        plane.kubectl("create", "namespace", "redis")
        yield plane


def explained(plane: ControlPlane) -> bool:
    """Whether the API server serves the resource and publishes its schema, which takes a second."""
    try:
        return "hosts" in plane.kubectl("explain", "rsc.spec") and "[]" in plane.kubectl(
            "get", "rsc", "-A", "-o", "json"
        )
    except KubectlError:
        return False
