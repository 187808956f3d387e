"""Fixtures for suites that need hosts. A suite's conftest.py imports those it uses.

The lab is called and placed by LAB_TEST_NAME and LAB_TEST_SUBNET; each worker of a parallel run has its own beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest

from lab.labs import Lab, hosts_lab
from lab.model import LabConfig, lab_config
from lab.seedcluster import HandMade, make_by_hand


def config_for_tests(name: str = "hosts", subnet: str = "192.168.31.0/24") -> LabConfig:
    """The lab of this test process: `name` in `subnet` unless the environment says otherwise, shifted by worker."""
    name = os.environ.get("LAB_TEST_NAME", name)
    network = IPv4Network(os.environ.get("LAB_TEST_SUBNET", subnet))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    shifted = IPv4Network((int(network.network_address) + 256 * worker, network.prefixlen))
    return lab_config(f"{name}{worker}" if worker else name, str(shifted))


@pytest.fixture(scope="session")
def lab_hosts() -> Iterator[Lab]:
    """Four hosts for the whole run; in what state is up to the tests before."""
    with hosts_lab(config_for_tests()) as lab:
        yield lab


@pytest.fixture
def bare_lab(lab_hosts: Lab) -> Lab:
    """Four bare hosts, as if just installed (a reset of 3 s)."""
    lab_hosts.reset()
    return lab_hosts


@pytest.fixture
def hand_made(bare_lab: Lab) -> HandMade:
    """A working cluster made by hand on otherwise bare hosts."""
    return make_by_hand(bare_lab)
