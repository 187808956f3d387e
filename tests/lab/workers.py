"""Running the suites side by side with pytest-xdist: who gets which lab, and which tests stay together.

Most tests wait for sentinels, so three workers on two cores cost no test its timing. Each worker has labs of its own.
Third octets in use: 3 the demo; 30 test_node; 31 test_deploy; 32, 33 test_controlplane; 34 test_handbook; 35, 37
test_labs; 38 lab.recording; 39 test_demo; 100, 120, 140, 160, 180, 200 and up to 19 that follow, one a worker: hosts,
API, end to end, a host of each EL family, clusters of other families, an API server of one address family.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import IPv4Network

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

from lab.model import LabConfig, lab_config

SUITES = ("e2e", "hosts", "api", "unit/connect", "unit")  # the longest first: the short ones fill the gaps at the end
# Tests of nodes change settings of the kernel that they look at afterwards: never two at a time.
NODES = ("e2e/test_node.py", "api/test_node.py")
# Raises its hosts once for all its cases.
WHOLE = ("e2e/test_bad_input.py",)


def worker_number() -> int:
    """Which worker of a parallel run this is, from 0; 0 where there are none."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def worker_lab(name: str, subnet: str, *, families: Sequence[str] = ("el7",)) -> LabConfig:
    """The lab `name` in `subnet`; for the second worker and on, one of its own beside it."""
    worker = worker_number()
    network = IPv4Network(subnet)
    shifted = IPv4Network((int(network.network_address) + 256 * worker, network.prefixlen))
    return lab_config(f"{name}{worker}" if worker else name, str(shifted), families=families)


def scope_of(nodeid: str) -> str:
    """What must run in one worker: a file, except that end-to-end tests go wherever a cluster is free."""
    file = nodeid.partition("::")[0]
    if file.endswith(NODES):
        return "nodes"
    return nodeid if "e2e/" in file and not file.endswith(WHOLE) else file


def longest_first(items: list[pytest.Item]) -> None:
    """Sort for workers: by suite, and end-to-end tests by the time they may take at most."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> tuple[int, bool, float]:
    suite = next((i for i, name in enumerate(SUITES) if f"/{name}/" in f"/{item.nodeid}"), len(SUITES))
    if suite > 0:
        return suite, False, 0.0
    marker = item.get_closest_marker("timeout")
    return suite, scope_of(item.nodeid) == item.nodeid, -float(marker.args[0] if marker else 0)


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands scopes out in the order of collection; a worker that came for a killed one gets none before it is ready."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _reschedule(self, node: WorkerController) -> None:
        if node in self.registered_collections:  # the base class takes that for granted
            super()._reschedule(node)
