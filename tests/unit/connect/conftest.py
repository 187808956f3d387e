"""A running sshd, a session to it, and the one pool."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest
import pytest_asyncio

from redis_sentinel_operator.connect import HostSession
from unit.connect.sshd import KEY_TYPES, PATIENT, Sshd

StartSshd = Callable[..., Sshd]


@pytest.fixture(scope="session")
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def start_sshd(tmp_path: Path) -> Iterator[StartSshd]:
    """Start any number of servers, each with its own options."""
    started: list[Sshd] = []

    def start(*options: str, **fields: object) -> Sshd:
        folder = tmp_path / f"sshd-{len(started)}"
        folder.mkdir(exist_ok=True)
        server = Sshd(folder, options, **fields)  # type: ignore[arg-type]
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """One server for the tests that do not hurt it."""
    server = Sshd(tmp_path_factory.mktemp("sshd"), host_key_types=KEY_TYPES)
    server.start()
    yield server
    server.close()


@pytest_asyncio.fixture
async def session(sshd: Sshd, pool: Executor) -> AsyncIterator[HostSession]:
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    yield host
    await host.close()
