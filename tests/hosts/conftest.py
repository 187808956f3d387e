"""Hosts for this suite."""

from collections.abc import AsyncIterator

import pytest

from hosts.passes import Passes, find_each_other, set_up, settled_passes
from lab.labs import Lab
from lab.observe import canary
from lab.plugin import bare_lab, hand_made, lab_hosts
from lab.seedcluster import PASSWORD

__all__ = ["bare_lab", "hand_made", "lab_hosts", "whole"]


@pytest.fixture(scope="module")
def whole(lab_hosts: Lab) -> Lab:
    """The seed's cluster, set up by the steps themselves; every test leaves it whole, maybe with another master."""
    lab_hosts.reset()
    with canary(PASSWORD, lab_hosts):
        set_up(lab_hosts)
    assert find_each_other(lab_hosts), "the sentinels did not find each other"
    return lab_hosts


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    """An operator's loop over the whole cluster, whose bootstrap is over."""
    async with settled_passes(whole) as each:
        yield each
