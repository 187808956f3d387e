"""spec.redis.config with data in it, on each family that the seed is not on: every class of directive, both ways."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from hosts.declaring import append_only, live_ones, restart_only, with_data
from hosts.passes import settled_passes
from lab.labs import Lab, hosts_lab
from lab.workers import worker_lab

LAB = os.environ.get("FAMILIES_LAB", "fams 192.168.180.0/24").split()


pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(params=["el8", "el9", "el10"])
def whole(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The seed's cluster with data in it, on four hosts of one family."""
    with hosts_lab(worker_lab(*LAB, families=(request.param,))) as lab:
        yield with_data(lab)


async def test_every_class_of_directive(whole: Lab) -> None:
    async with settled_passes(whole) as loop:
        await live_ones(loop, whole)
        await append_only(loop, whole)
        await restart_only(loop, whole)
