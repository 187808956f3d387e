"""One lab for all end-to-end tests; each test gets the seed's cluster healthy, or bare hosts."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator

import pytest
from redis.exceptions import RedisError

from e2e.rig import Rig, raised
from lab.machine import LabError
from lab.workers import worker_lab

E2E = worker_lab(*os.environ.get("E2E_LAB", "e2e 192.168.140.0/24").split())  # another for two runs side by side


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    """Hosts and API server, for the whole session; it fails at the end where the password showed in between."""
    with raised(E2E) as rig:
        yield rig


@pytest.fixture
def bare(rig: Rig) -> Rig:
    """Four bare hosts, no resource, no operator. Whatever a test makes of them is no other test's cluster."""
    rig.spoiled = "made by a test that began with bare hosts"
    rig.forget()
    rig.reset()
    return rig


@pytest.fixture
def seed(rig: Rig) -> Rig:
    """The seed's cluster, installed by the operator, as declared and healthy.

    The one of an earlier test is used where that test passed and left all as it was.
    """
    why = _why_anew(rig)
    if why:
        sys.stdout.write(f"The seed's cluster is made anew: {why}\n")
        rig.forget()
        rig.reset()
        rig.declare()
        rig.operator.start()
        rig.spoiled = ""
    rig.wait_healthy()
    rig.operator.wait_until(rig.operator.has_passed, "a pass of this run of the operator", 60)
    rig.wait_quiet()  # what sentinels say is heard by this run of the operator
    return rig


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a failed test left on hosts and in sentinels nobody knows: the next one begins with bare hosts."""
    report = yield
    rig = getattr(item, "funcargs", {}).get("rig")
    if report.failed and isinstance(rig, Rig):
        rig.spoiled = f"left by {item.nodeid}, which failed"
    return report


def _why_anew(rig: Rig) -> str:
    """Why the cluster that is there is not the seed's as the fixture makes it; "" when it is."""
    if rig.spoiled:
        return rig.spoiled
    if not rig.operator.running:
        rig.operator.start()
    try:
        rig.wait_healthy(60)
        return ", ".join(rig.leftovers())
    except (LabError, RedisError) as error:
        return str(error).partition("\n")[0]
