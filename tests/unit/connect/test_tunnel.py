"""RESP through a real sshd: redis-py's asyncio client works over the channel as over a socket."""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import pytest
import redis.asyncio
import redis.exceptions

from lab.ports import closed_port
from redis_sentinel_operator.connect import HostSession, resp_client
from redis_sentinel_operator.connect.tunnel import open_stream
from redis_sentinel_operator.errors import ForwardingRefused, HostUnreachable, PortClosed
from unit.connect.conftest import StartSshd
from unit.connect.resp import close, resp_server
from unit.connect.sshd import PATIENT, Sshd
from unit.connect.test_run import until

ADDRESS = "127.0.0.1"


async def ask(client: redis.asyncio.Redis, *words: object) -> Any:
    return await client.execute_command(*words)  # type: ignore[no-untyped-call]


async def test_commands_and_pipelines(session: HostSession) -> None:
    async with resp_server(password="s3cret") as server:
        client = await resp_client(session, server.port, address=ADDRESS, password="s3cret", mode="Tunnel", timeout=30)
        assert await ask(client, "PING") is True
        assert await ask(client, "ECHO", "für") == "für"
        async with client.pipeline(transaction=False) as pipe:
            for number in range(500):
                pipe.echo(str(number))
            assert await pipe.execute() == [str(number) for number in range(500)]
        assert server.seen[0] == [b"AUTH", b"s3cret"]
        assert server.seen[1] == [b"PING"]  # no HELLO, no CLIENT SETINFO: Redis 3.2 knows neither
        assert "s3cret" not in repr(client)
        await client.aclose()


async def test_large_answers_and_large_requests(session: HostSession) -> None:
    async with resp_server() as server:
        client = await resp_client(session, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
        answer = await ask(client, "BLOB", 8_000_000)
        assert len(answer) == 8_000_000
        sent = "y" * 3_000_000
        assert await ask(client, "ECHO", sent) == sent
        await client.aclose()


async def test_what_is_not_read_is_not_sent(session: HostSession) -> None:
    """Flow control to the far end: the server cannot push more than the SSH window and the buffers on the way hold."""
    pushed = 0

    async def push(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal pushed
        try:
            while True:
                writer.write(bytes(65536))
                await writer.drain()
                pushed += 65536
        except ConnectionError:
            await close(writer)
            closed.set()

    closed = asyncio.Event()
    server = await asyncio.start_server(push, "127.0.0.1", 0)
    reader, writer = await open_stream(session, ADDRESS, server.sockets[0].getsockname()[1])
    before = -1
    while pushed != before:
        before = pushed
        await asyncio.sleep(0.3)
    assert pushed < 32 * 1024 * 1024
    stopped_at = pushed
    await reader.readexactly(stopped_at + 1)
    await until(lambda: pushed > stopped_at)
    writer.close()
    await writer.wait_closed()
    server.close()
    await closed.wait()


async def test_pubsub_stays_open_and_hears(session: HostSession) -> None:
    async with resp_server() as server:
        client = await resp_client(session, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
        client.connection_pool.connection_kwargs["socket_timeout"] = 0.3  # of what is connected from now on
        async with client.pubsub() as pubsub:
            await pubsub.psubscribe("*")
            listener = pubsub.listen()
            assert (await anext(listener))["type"] == "psubscribe"
            waiting = asyncio.ensure_future(anext(listener))
            done, _ = await asyncio.wait([waiting], timeout=1.0)  # longer than the timeout of commands
            assert not done
            await server.publish(b"+switch-master", b"m 10.0.0.1 6379 10.0.0.2 6379")
            message = await asyncio.wait_for(waiting, 30)
            assert (message["channel"], message["data"]) == ("+switch-master", "m 10.0.0.1 6379 10.0.0.2 6379")
            await listener.aclose()
        await client.aclose()


@pytest.mark.parametrize("mode", ["Tunnel", "Direct"])
async def test_nobody_listens(session: HostSession, mode: str) -> None:
    with closed_port() as port, pytest.raises(PortClosed) as caught:
        await resp_client(session, port, address=ADDRESS, password=None, mode=mode, timeout=30)  # type: ignore[arg-type]
    expected = {
        "Tunnel": f"host redis_master01: nobody listens on port {port} (Connection refused)",
        "Direct": f"host redis_master01: nobody listens on 127.0.0.1:{port}",
    }
    assert str(caught.value) == expected[mode]


async def test_a_server_on_the_hosts_own_address_only(session: HostSession) -> None:
    async with resp_server("127.0.0.7") as server:
        client = await resp_client(session, server.port, address="127.0.0.7", password=None, mode="Tunnel", timeout=30)
        assert await ask(client, "PING") is True
        assert session.routes == {server.port: "127.0.0.7"}
        await client.aclose()


async def test_sshd_that_forbids_forwarding(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd("AllowTcpForwarding no")
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    async with resp_server() as server:
        with pytest.raises(ForwardingRefused) as caught:
            await resp_client(host, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
        assert str(caught.value) == (
            f"host redis_master01 (127.0.0.1:{sshd.port}): sshd forbids TCP forwarding, which the operator speaks to "
            "redis through; set `AllowTcpForwarding local` in its sshd_config (and see PermitOpen there, `restrict` "
            "and `no-port-forwarding` in authorized_keys), or ssh.resp: Direct here and open the ports to the operator"
        )
        client = await resp_client(host, server.port, address=ADDRESS, password=None, mode="Direct", timeout=30)
        assert await ask(client, "PING") is True
        await client.aclose()
    await host.close()


async def test_permitopen_that_leaves_the_port_out(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd("PermitOpen 127.0.0.1:1")
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    with closed_port() as port, pytest.raises(ForwardingRefused, match="PermitOpen"):
        await resp_client(host, port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
    await host.close()


async def test_concurrent_refusals_are_told_apart(start_sshd: StartSshd, pool: Executor) -> None:
    """The library keeps one refusal a connection; ours are kept by channel."""
    with closed_port() as closed, closed_port() as forbidden:
        sshd = start_sshd(f"PermitOpen 127.0.0.1:{closed}")
        host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
        ports = [closed, forbidden] * 20
        results = await asyncio.gather(*(open_stream(host, ADDRESS, port) for port in ports), return_exceptions=True)
    assert [type(result) for result in results] == [PortClosed, ForwardingRefused] * 20
    await host.close()


async def test_a_wrong_password_is_the_servers_word(session: HostSession) -> None:
    async with resp_server(password="right") as server:
        with pytest.raises(redis.exceptions.AuthenticationError, match="invalid password"):
            await resp_client(session, server.port, address=ADDRESS, password="wrong", mode="Tunnel", timeout=30)


async def test_no_answer_in_time_is_an_error_in_time(session: HostSession) -> None:
    async with resp_server() as server:
        client = await resp_client(session, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
        assert client.connection is not None
        client.connection.socket_timeout = 0.3
        with pytest.raises(redis.exceptions.TimeoutError):
            await ask(client, "HANG")
        client.connection.socket_timeout = 30
        assert await ask(client, "PING") is True  # on a new channel
        await client.aclose()


async def test_a_server_that_hangs_up_and_comes_back(session: HostSession) -> None:
    async with resp_server() as server:
        client = await resp_client(session, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
        waiting = asyncio.ensure_future(ask(client, "HANG"))
        await until(lambda: [b"HANG"] in server.seen)
        server.hang_up()
        with pytest.raises(redis.exceptions.ConnectionError):
            await waiting
        assert await ask(client, "PING") is True
        await client.aclose()


async def test_a_server_that_came_back_while_we_were_idle(session: HostSession) -> None:
    async with resp_server() as server:
        client = await resp_client(session, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
        server.hang_up()
        assert client.connection is not None and client.connection._reader is not None
        await until(client.connection._reader.at_eof)
        assert await ask(client, "PING") is True
        await client.aclose()


async def test_a_listener_is_told_when_its_channel_ends(session: HostSession) -> None:
    """A silent reconnect would lose events: whoever listens has to read the level again."""
    async with resp_server() as server:
        client = await resp_client(session, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
        async with client.pubsub() as pubsub:
            await pubsub.psubscribe("*")
            assert (await pubsub.get_message(timeout=30))["type"] == "psubscribe"
            server.hang_up()
            with pytest.raises(redis.exceptions.ConnectionError):
                await pubsub.get_message(timeout=30)
        await client.aclose()


async def test_an_ssh_connection_that_ends_and_comes_back(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    async with resp_server() as server:
        client = await resp_client(host, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
        waiting = asyncio.ensure_future(ask(client, "HANG"))
        await until(lambda: [b"HANG"] in server.seen)
        sshd.signal_sessions(signal.SIGKILL)
        with pytest.raises(redis.exceptions.ConnectionError):
            await waiting
        assert await ask(client, "PING") is True
        sshd.stop()
        await until(lambda: not host.connected)
        with pytest.raises(redis.exceptions.ConnectionError) as caught:
            await ask(client, "PING")
        assert isinstance(caught.value.__cause__, HostUnreachable)
        await client.aclose()


async def test_a_stopped_sshd_is_an_error_in_time(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    async with resp_server() as server:
        client = await resp_client(host, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
        assert sshd.signal_sessions(signal.SIGSTOP)
        assert host._link is not None and client.connection is not None
        host.limits = host._link._limits = replace(PATIENT, channel=0.6)
        client.connection.socket_timeout = client.connection.socket_connect_timeout = 0.3
        with pytest.raises(redis.exceptions.TimeoutError):
            await ask(client, "PING")
        with pytest.raises(redis.exceptions.RedisError):  # the channel for the next try is not answered either
            await ask(client, "PING")
        # Nobody waited for sshd as long as the limit says, and still it is found to hang and is replaced.
        await until(lambda: not host.connected)
        host.limits = PATIENT
        client.connection.socket_timeout = client.connection.socket_connect_timeout = 30
        assert await ask(client, "PING") is True
        await client.aclose()
    await host.close()


async def test_closing_a_client_closes_its_channel(session: HostSession, sshd: Sshd) -> None:
    async with resp_server() as server:
        for _ in range(3):
            client = await resp_client(session, server.port, address=ADDRESS, password=None, mode="Tunnel", timeout=30)
            await client.aclose()
        await until(lambda: [writer.is_closing() for writer in server.writers] == [True] * 3)
