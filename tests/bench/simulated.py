"""A fleet of simulated hosts: a server on many loopback addresses that answers as four real hosts did.

What is asked the first time is asked of the real host that a simulated one stands for; the answer is kept and given to
all of its copies from then on. Only the SSH server and the answers are simulated; the scale figure rests on it and
nothing else does. Run as `python -m bench.simulated FILE`: FILE is a `Fleet` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncssh

PORT = 2222
_BACKLOG = 2000
_PONG = b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"  # to one who subscribed, in RESP2


@dataclass(frozen=True, slots=True)
class Fleet:
    """The real hosts' addresses, in the order of the copies, and the keys to reach them and to be reached with."""

    originals: tuple[str, ...]
    login_key: str
    host_key: str
    clients: str  # authorized_keys of who may log in

    def save(self, path: Path) -> None:
        """Write it where only its owner reads it."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)))


def address(cluster: int, host: int) -> str:
    """Return the loopback address of a host of a cluster, both counted from 0."""
    return f"127.{16 + cluster // 256}.{cluster % 256}.{41 + host}"


class Originals:
    """What the real hosts said, by host and question."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._scripts: dict[tuple[int, bytes], asyncio.Task[tuple[int, bytes, bytes]]] = {}
        self._replies: dict[tuple[int, int, bytes], asyncio.Task[bytes]] = {}

    async def run(self, host: int, script: bytes) -> tuple[int, bytes, bytes]:
        """Return exit status and outputs of a script on a host."""
        key = (host, script)
        if key not in self._scripts:
            self._scripts[key] = asyncio.create_task(self._run(host, script))
        return await self._scripts[key]

    async def reply(self, host: int, port: int, asked: bytes, before: bytes) -> bytes:
        """Return a server's reply to a command, sent after `before` (AUTH, or nothing) on a connection of its own."""
        key = (host, port, asked)
        if key not in self._replies:
            self._replies[key] = asyncio.create_task(self._reply(host, port, asked, before))
        return await self._replies[key]

    async def _run(self, host: int, script: bytes) -> tuple[int, bytes, bytes]:
        where = self._fleet.originals[host]
        key = asyncssh.read_private_key(self._fleet.login_key)
        async with asyncssh.connect(where, username="root", client_keys=[key], known_hosts=None) as connection:
            done = await connection.run("/bin/sh -s", input=script, encoding=None)
        return done.exit_status or 0, _bytes(done.stdout), _bytes(done.stderr)

    async def _reply(self, host: int, port: int, asked: bytes, before: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._fleet.originals[host], port)
        try:
            if before:
                writer.write(before)
                await read_reply(reader)
            writer.write(asked)
            return await read_reply(reader)
        finally:
            writer.close()


class Server(asyncssh.SSHServer):
    """One connection to a simulated host."""

    def __init__(self, originals: Originals) -> None:
        self._originals = originals
        self._host = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._host = int(conn.get_extra_info("sockname")[0].rpartition(".")[2]) - 41
        conn.set_extra_info(simulated=self._host)

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> asyncssh.SSHSocketSessionFactory:
        """A tunnel to redis or sentinel; nothing else listens on a simulated host."""
        if dest_port not in (6379, 26379):
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "Connection refused")

        async def serve(reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
            await _serve(self._originals, self._host, dest_port, reader, writer)

        return serve


async def _serve(
    originals: Originals,
    host: int,
    port: int,
    reader: asyncssh.SSHReader[bytes],
    writer: asyncssh.SSHWriter[bytes],
) -> None:
    login, subscribed = b"", False
    try:
        while True:
            asked = await read_request(reader)
            name = asked.split(b"\r\n")[2].upper()
            if name == b"PING" and subscribed:
                writer.write(_PONG)
                continue
            login = asked if name == b"AUTH" else login
            subscribed = subscribed or name == b"PSUBSCRIBE"
            writer.write(await originals.reply(host, port, asked, b"" if name == b"AUTH" else login))
    except (asyncio.IncompleteReadError, OSError, asyncssh.Error):
        writer.close()


async def _command(process: asyncssh.SSHServerProcess[bytes], originals: Originals) -> None:
    """Answer a framed script (connect/command.py): last come the marker, the script's and the payload's size."""
    marker, size, _ = (process.command or "").split()[-3:]
    script = await process.stdin.readexactly(int(size))
    host = process.channel.get_connection().get_extra_info("simulated")
    status, out, err = await originals.run(host, script)
    begin, end = f"{marker} begin\n".encode(), f"{marker} end {status}\n".encode()
    process.stdout.write(begin + out + end)
    process.stderr.write(begin + err + end)
    process.exit(status)


async def read_request(reader: asyncssh.SSHReader[bytes]) -> bytes:
    """Read one command as a client sends it, an array of bulk strings; its bytes. Raises IncompleteReadError."""
    head = await reader.readuntil(b"\r\n")
    parts = [head]
    for _ in range(int(head[1:])):
        length = await reader.readuntil(b"\r\n")
        parts += [length, await reader.readexactly(int(length[1:]) + 2)]
    return b"".join(parts)


async def read_reply(reader: asyncio.StreamReader) -> bytes:
    """Read one RESP2 reply; its bytes."""
    head = await reader.readuntil(b"\r\n")
    size = int(head[1:]) if head[:1] in b"$*" else -1
    if head[:1] == b"$" and size >= 0:
        return head + await reader.readexactly(size + 2)
    if head[:1] == b"*" and size > 0:
        return head + b"".join([await read_reply(reader) for _ in range(size)])
    return head


def _bytes(text: str | bytes | None) -> bytes:
    return text.encode() if isinstance(text, str) else text or b""


def _listener() -> socket.socket:
    """A socket on every address of the loopback interface, and of no other."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("0.0.0.0", PORT))
    listener.listen(_BACKLOG)
    return listener


async def serve(fleet: Fleet) -> None:
    """Serve until ended."""
    originals = Originals(fleet)

    async def command(process: asyncssh.SSHServerProcess[bytes]) -> None:
        await _command(process, originals)

    await asyncssh.listen(
        sock=_listener(),
        server_factory=lambda: Server(originals),
        server_host_keys=[fleet.host_key],
        authorized_client_keys=fleet.clients,
        process_factory=command,
        encoding=None,
        backlog=_BACKLOG,
        keepalive_interval=0,
    )
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    document = json.loads(Path(sys.argv[1]).read_text())
    asyncio.run(serve(Fleet(**document | {"originals": tuple(document["originals"])})))
