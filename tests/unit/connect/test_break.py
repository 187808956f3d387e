"""Connections that break or hang: noticed, said, and mended on the next use."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redis_sentinel_operator.connect import HostSession
from redis_sentinel_operator.connect.wire import LoopTransport
from redis_sentinel_operator.errors import CommandTimedOut, HostUnreachable, SessionLost
from unit.connect.conftest import StartSshd
from unit.connect.sshd import PATIENT, Sshd
from unit.connect.test_run import until


async def test_a_killed_connection_is_replaced_on_the_next_use(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    assert (await host.run("echo one", timeout=30)).text == "one\n"
    assert sshd.signal_sessions(signal.SIGKILL)
    await until(lambda: not host.connected)
    assert (await host.run("echo two", timeout=30)).text == "two\n"
    assert sshd.log().count("Accepted publickey") == 2
    await host.close()


async def test_a_death_nobody_noticed_yet_costs_no_error(
    start_sshd: StartSshd, pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    await host.connect()
    log, ask, asked = LoopTransport._log, LoopTransport.request_channel, threading.Event()

    def held(self: LoopTransport, level: int, msg: str, *args: object) -> None:
        # paramiko's thread says here what it met, before it tells anybody
        if "EOF in transport thread" in msg or "Socket exception" in msg:
            asked.wait(50)
        log(self, level, msg, *args)

    def asking(self: LoopTransport, *what: Any) -> Any:
        channel = ask(self, *what)
        asked.set()
        return channel

    monkeypatch.setattr(LoopTransport, "_log", held)
    monkeypatch.setattr(LoopTransport, "request_channel", asking)
    assert sshd.signal_sessions(signal.SIGKILL)
    assert host.connected
    assert (await host.run("echo two", timeout=30)).text == "two\n"
    await host.close()


async def test_a_death_that_shows_in_the_sending_first_costs_no_error_either(sshd: Sshd, pool: Executor) -> None:
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    await host.connect()
    assert host._link is not None
    assert sshd.signal_sessions(signal.SIGSTOP)  # it says nothing about it, so that the sending meets it first
    host._link._transport.sock.shutdown(socket.SHUT_WR)
    assert host.connected
    assert (await host.run("echo two", timeout=30)).text == "two\n"
    await host.close()


async def test_a_connection_that_ends_under_a_command(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    await host.connect()
    task = asyncio.create_task(host.run("sleep 30", timeout=40))
    await until(lambda: "Starting session: command" in sshd.log())
    assert sshd.signal_sessions(signal.SIGKILL)
    with pytest.raises(SessionLost) as caught:  # and not after the 30 s
        await task
    assert str(caught.value) == (
        f"the SSH connection to host redis_master01 (127.0.0.1:{sshd.port}) ended; "
        "what was under way may have happened or not"
    )
    await host.close()


async def test_closing_ends_a_command_at_once(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    await host.connect()
    threads = threading.active_count()
    task = asyncio.create_task(host.run("sleep 30", timeout=40))
    await until(lambda: "Starting session: command" in sshd.log())
    await host.close()
    with pytest.raises(SessionLost):  # and not after the 30 s
        await task
    await until(lambda: threading.active_count() < threads)


async def test_a_host_that_went_away_is_unreachable(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    await host.connect()
    sshd.stop()
    await until(lambda: not host.connected)
    with pytest.raises(HostUnreachable):
        await host.run("true", timeout=30)


async def test_a_stopped_sshd_is_given_up_in_time_and_replaced(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, replace(PATIENT, channel=0.5))
    await host.connect()
    assert sshd.signal_sessions(signal.SIGSTOP)
    with pytest.raises(CommandTimedOut) as caught:
        await host.run("true", timeout=30)
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{sshd.port}): sshd did not answer within 0.5 s; the connection was given up"
    )
    host.limits = PATIENT
    assert (await host.run("echo new", timeout=30)).text == "new\n"
    await host.close()


async def test_an_sshd_stopped_under_a_command(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    host = HostSession(sshd.target(), sshd.credentials(), pool, replace(PATIENT, grace=0.3))
    await host.connect()
    task = asyncio.create_task(host.run("sleep 30", timeout=5.7))  # for as long the host does not end it itself
    await until(lambda: "Starting session: command" in sshd.log())
    assert sshd.signal_sessions(signal.SIGSTOP)
    with pytest.raises(CommandTimedOut, match=r"no answer to a command within 6 s$"):
        await task
    await host.close()


async def test_a_stopped_sshd_blocks_neither_the_loop_nor_the_pool(start_sshd: StartSshd, pool: Executor) -> None:
    """A payload far above every buffer goes to a host that reads nothing: everything else goes on."""
    sshd = start_sshd()
    limits = replace(PATIENT, grace=0.3, dead_peer=3600.0)  # who waited for the host would wait for ever
    host = HostSession(sshd.target(), sshd.credentials(), pool, limits)
    await host.connect()
    assert host._link is not None
    transport = host._link._transport
    task = asyncio.create_task(host.run("sleep 30; cat >/dev/null", stdin=bytes(20_000_000), timeout=5))
    await until(lambda: "Starting session: command" in sshd.log())
    assert sshd.signal_sessions(signal.SIGSTOP)
    await until(lambda: not transport.can_send())
    for _ in range(20):
        await asyncio.sleep(0.01)
        await asyncio.get_running_loop().run_in_executor(pool, int)
    with pytest.raises(CommandTimedOut):
        await task
    await host.close()


async def test_a_refused_session_names_maxsessions(start_sshd: StartSshd, pool: Executor, tmp_path: Path) -> None:
    sshd, enough = start_sshd("MaxSessions 1"), tmp_path / "enough"
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    await host.connect()
    waits = f"while [ ! -e {enough} ]; do sleep 0.05; done; echo first"
    task = asyncio.create_task(host.run(waits, timeout=50))  # it has the one session
    await until(lambda: "Starting session: command" in sshd.log())
    host.limits = replace(PATIENT, channel=3.0)
    with pytest.raises(SessionLost) as caught:
        await host.run("true", timeout=30)
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{sshd.port}) refuses another command on this connection (open failed): "
        "its sshd_config needs MaxSessions of at least 8"
    )
    enough.touch()
    assert (await task).text == "first\n"
    await host.close()
