"""Keys of every kind get in; what does not work is said so that a person can mend it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab.ports import closed_port
from redis_sentinel_operator.connect import Credentials, HostSession
from redis_sentinel_operator.connect.target import parse_key
from redis_sentinel_operator.errors import AuthenticationFailed, BadPrivateKey, HostUnreachable
from unit.connect.conftest import StartSshd
from unit.connect.resp import close
from unit.connect.sshd import KEY_TYPES, PATIENT, Sshd, fingerprint_of, make_key

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.mark.parametrize("passphrase", ["", "correct horse"])
@pytest.mark.parametrize("key_type", KEY_TYPES)
async def test_every_key_type_logs_in(
    sshd: Sshd, pool: Executor, tmp_path: Path, key_type: str, passphrase: str
) -> None:
    text = make_key(tmp_path / "key", key_type, passphrase)
    sshd.authorize(tmp_path / "key.pub")
    credentials = Credentials(text, sshd.known_hosts(), passphrase or None)
    host = HostSession(sshd.target(), credentials, pool, PATIENT)
    assert (await host.run("echo in", timeout=30)).text == "in\n"
    await host.close()


@pytest.mark.parametrize("key_type", ["ecdsa", "rsa"])
def test_keys_in_the_older_pem_format(tmp_path: Path, key_type: str) -> None:
    make_key(tmp_path / "key", key_type)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "correct horse", "-f", str(tmp_path / "key")], check=True
    )
    text = (tmp_path / "key").read_text()
    assert "OPENSSH" not in text
    assert key_type in parse_key(text, "correct horse").get_name()


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_missing_and_a_wrong_passphrase(tmp_path: Path, key_type: str) -> None:
    text = make_key(tmp_path / "key", key_type, "correct horse")
    with pytest.raises(BadPrivateKey) as missing:
        parse_key(text)
    assert str(missing.value) == (
        "the Secret's ssh-privatekey is protected by a passphrase: put it into the Secret's key `passphrase`"
    )
    with pytest.raises(BadPrivateKey) as wrong:
        parse_key(text, "battery staple")
    assert str(wrong.value) == (
        "the Secret's ssh-privatekey cannot be opened with its passphrase: the passphrase is wrong, "
        "or the key is no ed25519, ecdsa or rsa key"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the Secret's ssh-privatekey is no private key: it has no BEGIN ... PRIVATE KEY line"),
        ("ssh-ed25519 AAAA me", "the Secret's ssh-privatekey is no private key: it has no BEGIN ... PRIVATE KEY line"),
        (
            "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n",
            "the Secret's ssh-privatekey is a DSA key, which nobody accepts any more: use ed25519",
        ),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            "the Secret's ssh-privatekey cannot be read: it is damaged, or no ed25519, ecdsa or rsa key",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nnot base64 at all\n-----END RSA PRIVATE KEY-----\n",
            "the Secret's ssh-privatekey cannot be read: it is damaged, or no ed25519, ecdsa or rsa key",
        ),
    ],
)
def test_what_is_no_key(text: str, message: str) -> None:
    with pytest.raises(BadPrivateKey) as caught:
        parse_key(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_a_key_cut_short(tmp_path: Path, key_type: str) -> None:
    lines = make_key(tmp_path / "key", key_type).splitlines()
    for kept in range(1, len(lines) - 1):
        with pytest.raises(BadPrivateKey, match="it is damaged"):
            parse_key("\n".join([*lines[:kept], lines[-1]]))


def test_credentials_show_nothing() -> None:
    credentials = Credentials("PRIVATE", "KNOWN", "PASS")
    assert repr(credentials) == "Credentials()"


async def test_a_key_that_is_not_let_in(sshd: Sshd, pool: Executor, tmp_path: Path) -> None:
    credentials = Credentials(make_key(tmp_path / "key"), sshd.known_hosts())
    target = sshd.target()
    with pytest.raises(AuthenticationFailed) as caught:
        await HostSession(target, credentials, pool, PATIENT).connect()
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{sshd.port}): user {target.user} is not let in with the key ssh-ed25519 "
        f"{fingerprint_of(tmp_path / 'key')}; put the public key into that user's ~/.ssh/authorized_keys "
        "(it and its folders writable for that user only), or correct the Secret or spec.ssh.user; "
        "sshd's log on the host has the reason"
    )


async def test_a_user_that_does_not_exist(sshd: Sshd, pool: Executor) -> None:
    with pytest.raises(AuthenticationFailed, match="user nobody-here is not let in"):
        await HostSession(sshd.target(user="nobody-here"), sshd.credentials(), pool, PATIENT).connect()


async def test_a_host_that_takes_no_keys(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd("PubkeyAuthentication no", "PasswordAuthentication yes")
    with pytest.raises(AuthenticationFailed) as caught:
        await HostSession(sshd.target(), sshd.credentials(), pool, PATIENT).connect()
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{sshd.port}): user {sshd.target().user} is let in by password, "
        "keyboard-interactive only, not by key; "
        "see PubkeyAuthentication, AuthenticationMethods and PermitRootLogin in its sshd_config"
    )


async def test_nothing_listens(sshd: Sshd, pool: Executor) -> None:
    with closed_port() as port:
        known_hosts = sshd.known_hosts().replace(str(sshd.port), str(port))
        credentials = Credentials(sshd.credentials().private_key, known_hosts)
        with pytest.raises(HostUnreachable) as caught:
            await HostSession(sshd.target(port=port), credentials, pool, PATIENT).connect()
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{port}): it cannot be reached: nothing listens there (connection refused)"
    )


async def test_a_port_that_never_says_anything(sshd: Sshd, pool: Executor) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):  # until the other side is tired of it
            pass

    async with _server(say_nothing) as port:
        known_hosts = sshd.known_hosts().replace(str(sshd.port), str(port))
        credentials = Credentials(sshd.credentials().private_key, known_hosts)
        host = HostSession(sshd.target(port=port), credentials, pool, replace(PATIENT, handshake=0.3))
        with pytest.raises(HostUnreachable) as caught:
            await host.connect()
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{port}): the SSH handshake was not finished in time (0.3 s)"
    )


async def test_a_port_that_hangs_up(sshd: Sshd, pool: Executor) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    async with _server(hang_up) as port:
        known_hosts = sshd.known_hosts().replace(str(sshd.port), str(port))
        credentials = Credentials(sshd.credentials().private_key, known_hosts)
        host = HostSession(sshd.target(port=port), credentials, pool, PATIENT)
        with pytest.raises(HostUnreachable) as caught:
            await host.connect()
    assert "the connection ended before SSH was set up" in str(caught.value)
    assert "MaxStartups" in str(caught.value)


async def test_a_stopped_listener_is_given_up_in_time(start_sshd: StartSshd, pool: Executor) -> None:
    sshd = start_sshd()
    assert sshd.process is not None
    os.kill(sshd.process.pid, signal.SIGSTOP)
    host = HostSession(sshd.target(), sshd.credentials(), pool, replace(PATIENT, handshake=0.3))
    with pytest.raises(HostUnreachable, match=r"the SSH handshake was not finished in time \(0\.3 s\)"):
        await host.connect()


async def test_concurrent_callers_share_one_connection(session: HostSession, sshd: Sshd) -> None:
    before = sshd.log().count("Accepted publickey")
    await asyncio.gather(*(session.connect() for _ in range(10)))
    assert sshd.log().count("Accepted publickey") == before + 1
    await session.close()
    assert not session.connected


@asynccontextmanager
async def _server(handler: Handler) -> AsyncIterator[int]:
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await handler(reader, writer)
        finally:
            await close(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.gather(*handlers)
