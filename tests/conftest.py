"""What every suite needs."""

from __future__ import annotations

import asyncio
import os

import hypothesis
import pytest
from xdist.remote import Producer

from lab.workers import Scheduler, longest_first
from unit.examples import tried


def pytest_configure() -> None:
    """Say that the main thread has no event loop: looptime's plugin asks for one, which would make one that leaks.

    An example of hypothesis may take its time, and so may making one: how long is the machine's business and no
    property of the code.
    """
    asyncio.set_event_loop(None)
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("untimed", deadline=None, max_examples=tried(100), suppress_health_check=slow)
    hypothesis.settings.load_profile("untimed")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduler:
    """Keep together what must be, in the order of `longest_first`."""
    config.option.loadscopereorder = False
    return Scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several workers start with what takes longest; one goes from the quick to the slow."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        longest_first(items)
