"""A small RESP server, for what the transport does with bytes. What Redis does is proved on hosts with Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class RespServer:
    """Answers PING, ECHO, BLOB <size>, HANG, PSUBSCRIBE; counts what it was asked.

    With `shut` it answers only who has logged in.
    """

    password: str | None = None
    port: int = 0
    seen: list[list[bytes]] = field(default_factory=list)
    subscribers: list[asyncio.StreamWriter] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    handlers: set[asyncio.Task[None]] = field(default_factory=set)
    shut: bool = False
    let_in: set[asyncio.StreamWriter] = field(default_factory=set)

    async def publish(self, channel: bytes, message: bytes) -> None:
        for writer in self.subscribers:
            writer.write(b"*4\r\n" + b"".join(_bulk(part) for part in (b"pmessage", b"*", channel, message)))
            await writer.drain()

    def hang_up(self) -> None:
        for writer in self.writers:
            writer.close()
        self.writers.clear()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self._note_handler()
        try:
            while header := await reader.readline():
                words = [await _word(reader) for _ in range(int(header[1:]))]
                self.seen.append(words)
                await self._answer(words, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            return
        finally:
            await close(writer)

    def _note_handler(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.handlers.add(task)

    async def _answer(self, words: list[bytes], writer: asyncio.StreamWriter) -> None:
        match words[0].upper():
            case b"AUTH" if self.password is None:
                writer.write(b"-ERR Client sent AUTH, but no password is set\r\n")
            case b"AUTH" if words[1].decode() != self.password:
                writer.write(b"-ERR invalid password\r\n")
            case b"AUTH":
                self.let_in.add(writer)
                writer.write(b"+OK\r\n")
            case _ if self.shut and writer not in self.let_in:
                writer.write(b"-NOAUTH Authentication required.\r\n")
            case b"PING":
                writer.write(b"+PONG\r\n")
            case b"ECHO":
                writer.write(_bulk(words[1]))
            case b"BLOB":
                writer.write(_bulk(b"x" * int(words[1])))
            case b"PSUBSCRIBE":
                self.subscribers.append(writer)
                writer.write(b"*3\r\n" + _bulk(b"psubscribe") + _bulk(words[1]) + b":1\r\n")
            case b"HANG":
                return
            case name:
                writer.write(b"-ERR unknown command '" + name + b"'\r\n")
        await writer.drain()


async def _word(reader: asyncio.StreamReader) -> bytes:
    size = int((await reader.readline())[1:])
    return (await reader.readexactly(size + 2))[:-2]


def _bulk(data: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(data), data)


@asynccontextmanager
async def resp_server(address: str = "127.0.0.1", password: str | None = None) -> AsyncIterator[RespServer]:
    """Run one on a free port of an address."""
    server = RespServer(password)
    listener = await asyncio.start_server(server.handle, address, 0, limit=1 << 22)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        server.hang_up()
        await asyncio.gather(*server.handlers)


async def close(writer: asyncio.StreamWriter) -> None:
    """Close a stream and wait until its socket is closed."""
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
