"""Fixtures for suites that need hosts. A suite's conftest.py imports those it uses.

HOSTS_LAB="name 192.168.NN.0/24" calls and places the lab; each worker of a parallel run has its own beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.labs import Lab, hosts_lab
from lab.seedcluster import HandMade, make_by_hand
from lab.workers import worker_lab

HOSTS = worker_lab(*os.environ.get("HOSTS_LAB", "hosts 192.168.100.0/24").split())


@pytest.fixture(scope="session")
def lab_hosts() -> Iterator[Lab]:
    """Four hosts for the whole run; in what state is up to the tests before."""
    with hosts_lab(HOSTS) as lab:
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
