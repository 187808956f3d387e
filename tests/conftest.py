"""What every suite needs."""

from __future__ import annotations

import asyncio


def pytest_configure() -> None:
    """Say that the main thread has no event loop: looptime's plugin asks for one, which would make one that leaks."""
    asyncio.set_event_loop(None)
