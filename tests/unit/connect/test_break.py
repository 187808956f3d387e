"""Connections that break or hang: noticed, said, and mended on the next use."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from concurrent.futures import Executor

import pytest

from redis_sentinel_operator.connect import HostSession, Limits
from redis_sentinel_operator.errors import CommandTimedOut, HostUnreachable, SessionLost
from unit.connect.conftest import StartSshd
from unit.connect.sshd import Sshd
from unit.connect.test_run import until


def _signal_sessions(sshd: Sshd, number: int) -> None:
    pids = sshd.session_pids()
    assert pids
    for pid in pids:
        os.kill(pid, number)


async def test_a_killed_connection_is_replaced_on_the_next_use(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool)
    assert (await host.run("echo one", timeout=5)).text == "one\n"
    _signal_sessions(sshd, signal.SIGKILL)
    await until(lambda: not host.connected)
    assert (await host.run("echo two", timeout=5)).text == "two\n"
    assert sshd.log().count("Accepted publickey") == 2
    await host.close()


async def test_a_death_nobody_noticed_yet_costs_no_error(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool)
    await host.connect()
    _signal_sessions(sshd, signal.SIGKILL)
    assert host.connected  # the loop had no chance to be told
    assert (await host.run("echo two", timeout=5)).text == "two\n"
    await host.close()


async def test_a_death_that_shows_in_the_sending_first_costs_no_error_either(sshd: Sshd, pool: Executor) -> None:
    host = HostSession(sshd.target(), sshd.credentials(), pool)
    await host.connect()
    assert host._link is not None
    _signal_sessions(sshd, signal.SIGSTOP)  # it says nothing about it, so that the sending meets it first
    host._link._transport.sock.shutdown(socket.SHUT_WR)
    assert host.connected
    assert (await host.run("echo two", timeout=5)).text == "two\n"
    await host.close()


async def test_a_connection_that_ends_under_a_command(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool)
    await host.connect()
    task = asyncio.create_task(host.run("sleep 30", timeout=40))
    await until(lambda: "Starting session: command" in sshd.log())
    _signal_sessions(sshd, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(SessionLost) as caught:
        await task
    assert time.monotonic() - began < 2
    assert str(caught.value) == (
        f"the SSH connection to host redis_master01 (127.0.0.1:{sshd.port}) ended; "
        "what was under way may have happened or not"
    )
    await host.close()


async def test_closing_ends_a_command_at_once(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool)
    await host.connect()
    threads = threading.active_count()
    task = asyncio.create_task(host.run("sleep 30", timeout=40))
    await until(lambda: "Starting session: command" in sshd.log())
    began = time.monotonic()
    await host.close()
    with pytest.raises(SessionLost):
        await task
    assert time.monotonic() - began < 1
    await until(lambda: threading.active_count() < threads)


async def test_a_host_that_went_away_is_unreachable(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool)
    await host.connect()
    sshd.stop()
    await until(lambda: not host.connected)
    with pytest.raises(HostUnreachable):
        await host.run("true", timeout=5)


async def test_a_stopped_sshd_is_given_up_in_time_and_replaced(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, Limits(channel=0.5))
    await host.connect()
    _signal_sessions(sshd, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(CommandTimedOut) as caught:
        await host.run("true", timeout=5)
    assert time.monotonic() - began < 1.5
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{sshd.port}): sshd did not answer within 0.5 s; the connection was given up"
    )
    assert (await host.run("echo new", timeout=5)).text == "new\n"
    await host.close()


async def test_an_sshd_stopped_under_a_command(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, Limits(grace=0.3))
    await host.connect()
    task = asyncio.create_task(host.run("sleep 30", timeout=0.7))
    await until(lambda: "Starting session: command" in sshd.log())
    _signal_sessions(sshd, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(CommandTimedOut, match=r"no answer to a command within 1 s$"):
        await task
    assert time.monotonic() - began < 2
    await host.close()


async def test_a_stopped_sshd_blocks_neither_the_loop_nor_the_pool(start_sshd: StartSshd, pool: Executor) -> None:
    """A payload far above every buffer goes to a host that reads nothing: everything else goes on."""
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, Limits(grace=0.3))
    await host.connect()
    task = asyncio.create_task(host.run("sleep 30; cat >/dev/null", stdin=bytes(20_000_000), timeout=1))
    await until(lambda: "Starting session: command" in sshd.log())
    _signal_sessions(sshd, signal.SIGSTOP)
    loop = asyncio.get_running_loop()
    longest = 0.0
    while not task.done():
        began = time.monotonic()
        await asyncio.sleep(0.01)
        await loop.run_in_executor(pool, int)
        longest = max(longest, time.monotonic() - began)
    with pytest.raises(CommandTimedOut):
        await task
    assert longest < 0.5
    await host.close()


async def test_a_refused_session_names_maxsessions(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd("MaxSessions 1")
    host = HostSession(sshd.target(), sshd.credentials(), pool, Limits(channel=0.3))
    await host.connect()
    task = asyncio.create_task(host.run("sleep 1; echo first", timeout=10))
    await until(lambda: "Starting session: command" in sshd.log())
    with pytest.raises(SessionLost) as caught:
        await host.run("true", timeout=5)
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{sshd.port}) refuses another command on this connection (open failed): "
        "its sshd_config needs MaxSessions of at least 8"
    )
    assert (await task).text == "first\n"
    await host.close()
