"""The link to a host: one attempt for all who wait, and an end that nobody mistakes for their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from io import StringIO

import paramiko
import pytest
from redis.exceptions import AuthenticationError

from redis_sentinel_operator.connect import Credentials
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import HostUnreachable
from redis_sentinel_operator.model.desired import DesiredHost, SshAccess
from redis_sentinel_operator.model.fact import Denied
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.observe.exchange import Answers, ask
from redis_sentinel_operator.settings import Settings
from unit.connect.resp import resp_server
from unit.connect.test_run import until


@dataclass(slots=True)
class Silent:
    """A port that accepts connections and never says anything."""

    port: int = 0
    accepted: int = 0


@asynccontextmanager
async def silent_port() -> AsyncIterator[Silent]:
    silent, writers = Silent(), []

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.accepted += 1
        writers.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    silent.port = server.sockets[0].getsockname()[1]
    try:
        yield silent
    finally:
        server.close()
        for writer in writers:
            writer.close()
            try:
                await writer.wait_closed()
            except ConnectionError:
                continue  # the other end was faster


@pytest.fixture(scope="module")
def credentials() -> Credentials:
    key = paramiko.ECDSAKey.generate()
    text = StringIO()
    key.write_private_key(text)
    return Credentials(text.getvalue(), f"127.0.0.1 {key.get_name()} {key.get_base64()}\n")


def host(port: int) -> DesiredHost:
    return DesiredHost("redis_slave01", "127.0.0.1", SshAccess("127.0.0.1", port=port))


@asynccontextmanager
async def linked(silent: Silent, credentials: Credentials, seconds: float) -> AsyncIterator[HostLink]:
    with ThreadPoolExecutor(1) as pool:
        link = HostLink(host(silent.port), credentials, pool, Settings(connect_timeout=seconds))
        try:
            yield link
        finally:
            await link.close()


async def test_all_who_wait_share_one_attempt_and_its_failure(credentials: Credentials) -> None:
    async with silent_port() as silent, linked(silent, credentials, 0.5) as link:
        waiting = [link.connect(), link.run("true", timeout=30), link.resp(6379, None), link.resp(26379, Secret("x"))]
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(failure) for failure in failures] == [HostUnreachable] * 4
        await until(lambda: silent.accepted)
        assert silent.accepted == 1
        with pytest.raises(HostUnreachable):  # a later one tries again
            await link.connect()
        await until(lambda: silent.accepted > 1)
        assert silent.accepted == 2


async def test_closing_ends_the_waiting_with_an_error_and_not_with_a_cancellation(credentials: Credentials) -> None:
    async with silent_port() as silent, linked(silent, credentials, 100.0) as link:
        waiting = asyncio.create_task(link.connect())
        await until(lambda: silent.accepted)
        await link.close()
        with pytest.raises(HostUnreachable, match="closed while it was made"):
            await waiting


async def test_one_who_gives_up_takes_nobody_with_him(credentials: Credentials) -> None:
    async with silent_port() as silent, linked(silent, credentials, 0.5) as link:
        impatient, patient = asyncio.create_task(link.connect()), asyncio.create_task(link.connect())
        await asyncio.sleep(0)
        impatient.cancel()
        results = await asyncio.gather(impatient, patient, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError, HostUnreachable]


async def test_which_host_and_secret_it_serves(credentials: Credentials) -> None:
    with ThreadPoolExecutor(1) as pool:
        link = HostLink(host(22), credentials, pool, Settings())
    assert link.serves(host(22), credentials)
    assert link.serves(replace(host(22), replica_priority=1), credentials)
    assert not link.serves(host(2222), credentials)
    assert not link.serves(replace(host(22), address="127.0.0.2"), credentials)
    assert not link.serves(host(22), Credentials(credentials.private_key, "other"))
    assert not link.connected


@pytest.fixture
async def direct(credentials: Credentials) -> AsyncIterator[HostLink]:
    """A link whose servers are reached without SSH."""
    with ThreadPoolExecutor(1) as pool:
        ssh = SshAccess("127.0.0.1", resp="Direct")
        link = HostLink(DesiredHost("redis_slave01", "127.0.0.1", ssh), credentials, pool, Settings(resp_timeout=50.0))
        try:
            yield link
        finally:
            await link.close()


async def test_a_server_that_has_the_password_of_before_lets_in_with_what_was_offered(direct: HostLink) -> None:
    new, old = Secret("new"), Secret("old")
    async with resp_server(password="old") as server:
        with pytest.raises(AuthenticationError):
            await direct.resp(server.port, new)
        direct.offer([Secret("older"), old])
        client = await direct.resp(server.port, new)
        assert await client.execute_command("ECHO", "it") == "it"  # type: ignore[no-untyped-call]
        assert [words[1] for words in server.seen if words[0] == b"AUTH"] == [b"new", b"new", b"older", b"old"]


async def test_one_that_asks_for_a_password_where_none_is_declared_is_offered_what_its_host_has(
    direct: HostLink,
) -> None:
    async with resp_server(password="old") as server:
        server.shut = True

        async def echo() -> object:
            return await ask(direct, server.port, None, [("ECHO", "it")], direct.settings)

        assert isinstance(await echo(), Denied)
        direct.offer([Secret("older")])
        direct.drop(server.port)
        assert isinstance(await echo(), Denied), "none of them is right"
        direct.offer([Secret("old")])
        direct.drop(server.port)
        assert await echo() == Answers(("it",))


async def test_one_that_was_given_the_new_password_is_asked_on_when_it_must_be_logged_in_again(
    direct: HostLink,
) -> None:
    new = Secret("new")
    direct.offer([Secret("old")])
    async with resp_server(password="old") as server:

        async def echo() -> object:
            return await ask(direct, server.port, new, [("ECHO", "it")], direct.settings)

        assert await echo() == Answers(("it",))
        server.password = "new"
        client = await direct.resp(server.port, new)
        assert client.connection is not None and client.connection._reader is not None
        server.hang_up()
        await until(client.connection._reader.at_eof)
        assert await echo() == Answers(("it",))
        assert server.seen[-2][1] == b"new"


async def test_one_that_has_none_is_sent_none_and_logged_in_to_once_it_has_one(direct: HostLink) -> None:
    new = Secret("new")
    async with resp_server() as server:
        client = await direct.resp(server.port, new)
        assert await client.execute_command("ECHO", "it") == "it"  # type: ignore[no-untyped-call]
        assert [words[0] for words in server.seen] == [b"AUTH", b"ECHO"]
        server.password = "new"
        direct.drop(server.port)
        client = await direct.resp(server.port, new)
        assert await client.execute_command("ECHO", "it") == "it"  # type: ignore[no-untyped-call]
        assert [words[0] for words in server.seen[2:]] == [b"AUTH", b"ECHO"]
