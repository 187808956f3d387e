"""Commands over a real sshd: what goes in comes out, and nothing waits longer than it may."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import pytest
from paramiko import Channel
from paramiko.common import MSG_CHANNEL_CLOSE, cMSG_CHANNEL_CLOSE, cMSG_CHANNEL_EOF
from paramiko.message import Message

from redis_sentinel_operator.connect import HostSession, OutputTooLarge
from redis_sentinel_operator.connect.connection import ChannelRefused
from redis_sentinel_operator.connect.wire import LoopTransport
from redis_sentinel_operator.errors import CommandTimedOut, SessionLost
from unit.connect.conftest import StartSshd
from unit.connect.sshd import PATIENT, Sshd

EVERY_BYTE = bytes(range(256)) * 4096  # 1 MiB


async def until(condition: object, seconds: float = 50) -> None:
    """Wait until a callable tells true."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it waits for other processes
            await asyncio.sleep(0.01)


async def test_status_stdout_and_stderr_come_back(session: HostSession) -> None:
    result = await session.run("printf out; printf err >&2; exit 7", timeout=30)
    assert (result.exit_status, result.stdout, result.stderr) == (7, b"out", "err")
    assert 0 < result.seconds < 30


async def test_a_script_finds_a_known_environment(session: HostSession) -> None:
    result = await session.run('pwd; umask; echo "$LC_ALL $PATH"; echo "$#"', timeout=30)
    assert result.text == "/\n0077\nC /usr/sbin:/usr/bin:/sbin:/bin\n0\n"


async def test_a_binary_payload_arrives_intact_and_comes_back_intact(session: HostSession) -> None:
    result = await session.run('cat; echo "$PAYLOAD_SIZE" >&2', stdin=EVERY_BYTE, timeout=30)
    assert result.stdout == EVERY_BYTE
    assert result.stderr == "1048576\n"


async def test_a_payload_that_nobody_reads_does_no_harm(session: HostSession) -> None:
    result = await session.run("echo done", stdin=EVERY_BYTE, timeout=30)
    assert result.text == "done\n"


async def test_a_script_with_quotes_dollars_and_other_letters(session: HostSession) -> None:
    result = await session.run("a='$HOME \"x\"'\n# für Ärger\nprintf '%s\\n' \"$a\" 'ß !'\n\n", timeout=30)
    assert result.text == '$HOME "x"\nß !\n'


async def test_a_syntax_error_is_the_scripts_own_failure(session: HostSession) -> None:
    result = await session.run("if then", timeout=30)
    assert result.exit_status == 2
    assert "yntax error" in result.stderr


async def test_neither_script_nor_payload_is_in_a_process_list(session: HostSession) -> None:
    script = (
        "# SCRIPT-CANARY\ncat >/dev/null; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
    )
    result = await session.run(script, stdin=b"PAYLOAD-CANARY", timeout=30)
    assert b"/bin/sh" in result.stdout
    assert b"CANARY" not in result.stdout


async def test_a_process_left_behind_with_open_outputs_keeps_nobody_waiting(session: HostSession) -> None:
    result = await session.run("sleep 100 & echo $!", timeout=30)
    assert _runs(int(result.text))
    os.kill(int(result.text), 9)


async def test_noise_around_the_command_does_not_disturb(start_sshd: StartSshd, pool: Executor, tmp_path: Path) -> None:
    noisy = tmp_path / "noisy.sh"
    noisy.write_text(
        'echo "Welcome 100%"; echo motd >&2; sh -c "$SSH_ORIGINAL_COMMAND"; r=$?; echo bye; echo bye >&2; exit $r\n'
    )
    (tmp_path / "sshd-0").mkdir()
    (tmp_path / "sshd-0" / ".bashrc").write_text("echo from bashrc; echo from bashrc >&2\n")
    banner = tmp_path / "banner"
    banner.write_text("AUTHORIZED ACCESS ONLY\n" * 50)
    sshd = start_sshd(f"Banner {banner}", f"ForceCommand sh {noisy}")
    host = HostSession(sshd.target(), sshd.credentials(), pool, PATIENT)
    result = await host.run("printf a; printf b >&2; exit 4", timeout=30)
    assert (result.exit_status, result.stdout, result.stderr) == (4, b"a", "b")
    await host.close()


async def test_a_login_shell_that_runs_nothing_is_named(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd("ForceCommand echo This account is currently not available.; exit 1")
    target = sshd.target()
    host = HostSession(target, sshd.credentials(), pool, PATIENT)
    with pytest.raises(SessionLost) as caught:
        await host.run("true", timeout=30)
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{sshd.port}): the login shell of user {target.user} did not run the command "
        "(status 1): This account is currently not available."
    )
    await host.close()


async def test_a_command_that_hangs_is_ended_on_the_host(session: HostSession, sshd: Sshd, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(CommandTimedOut) as caught:
        await session.run(f"echo $$ >>{pids}; sleep 100 & echo $! >>{pids}; wait", timeout=3)
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{sshd.port}): the command did not end within 3 s; the host ended it"
    )
    started = [int(pid) for pid in pids.read_text().split()]
    assert len(started) == 2
    await until(lambda: not any(_runs(pid) for pid in started))


def _runs(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def test_more_output_than_allowed_is_refused(sshd: Sshd, pool: Executor) -> None:
    host = HostSession(sshd.target(), sshd.credentials(), pool, replace(PATIENT, output=1000))
    assert (await host.run("head -c 1000 /dev/zero", timeout=30)).stdout == bytes(1000)
    with pytest.raises(OutputTooLarge, match=r"said more than 1000 bytes and was given up"):
        await host.run("cat /dev/zero", timeout=30)
    assert (await host.run("echo still here", timeout=30)).text == "still here\n"
    await host.close()


async def test_twenty_commands_at_once_fit_into_ten_sessions(session: HostSession) -> None:
    results = await asyncio.gather(*(session.run(f"sleep 0.2; echo {number}", timeout=30) for number in range(20)))
    assert [result.text for result in results] == [f"{number}\n" for number in range(20)]


async def test_many_short_commands_at_once(session: HostSession) -> None:
    """A session is still counted by sshd when its command has answered already; nobody is to notice."""
    results = await asyncio.gather(*(session.run(f"echo {number}", timeout=30) for number in range(60)))
    assert [result.text for result in results] == [f"{number}\n" for number in range(60)]


async def test_the_end_of_stdin_does_not_come_after_the_channels_end(
    session: HostSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a word about a channel that is gone sshd ends the whole connection."""
    say, handlers = LoopTransport._send_user_message, LoopTransport._channel_handler_table
    asked, closed = threading.Event(), threading.Event()

    def close(channel: Channel, message: Message) -> None:
        asked.set()
        handlers[MSG_CHANNEL_CLOSE](channel, message)

    def slowly(self: LoopTransport, message: Message) -> None:
        # the other thread has all the time that it needs to go first, and sshd to forget the channel
        if message.asbytes()[:1] == cMSG_CHANNEL_EOF and asked.wait(10) and closed.wait(0.5):
            time.sleep(0.3)
        say(self, message)
        if message.asbytes()[:1] == cMSG_CHANNEL_CLOSE:
            closed.set()

    monkeypatch.setattr(LoopTransport, "_channel_handler_table", handlers | {MSG_CHANNEL_CLOSE: close})
    monkeypatch.setattr(LoopTransport, "_send_user_message", slowly)
    await session.connect()
    connection = session.connection
    # it ends when the end of stdin is about to be said
    assert (await session.run("sleep 0.3; echo one", timeout=30)).text == "one\n"
    assert (await session.run("echo two", timeout=30)).text == "two\n"
    assert session.connection is connection


async def test_channels_that_are_gone_are_forgotten(session: HostSession) -> None:
    """An operator opens channels for months over one connection."""
    await session.connect()
    for _ in range(80):
        with pytest.raises(ChannelRefused):  # the cheapest channel there is
            await session.open_tcp("127.0.0.1", 1, lambda: None)
    assert session._link is not None
    transport = session._link._transport
    assert len(transport.channels_seen) <= 64
    assert len(transport.channel_events) <= 1  # paramiko takes it out after it has told
    assert transport._refusals == {}


async def test_a_cancelled_command_closes_its_channel(session: HostSession, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"echo $$ >{pid_file}.new; mv {pid_file}.new {pid_file}; while echo x; do sleep 0.05; done"
    task = asyncio.create_task(session.run(script, timeout=30))
    await until(pid_file.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Its output goes nowhere any more, so the loop ends long before its own timeout; the connection still serves.
    await until(lambda: not _runs(int(pid_file.read_text())))
    assert (await session.run("echo ok", timeout=30)).text == "ok\n"
