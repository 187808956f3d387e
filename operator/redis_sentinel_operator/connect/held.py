"""One RESP connection that is never made anew.

Sentinel's own SLAVEOF comes with CLIENT KILL TYPE normal: whenever a sentinel changes the role of a redis, this
connection ends, and nothing more is carried out on it. So what was read on it still holds when a command is sent on it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import redis.asyncio
import redis.exceptions

Command: TypeAlias = tuple[str, ...]


class Held:
    """A connection of one's own; `ask` fails for ever once it has ended."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._reader, self._writer = connection._reader, connection._writer

    async def ask(self, *commands: Command) -> tuple[Any, ...]:
        """Send commands at once and return their answers; an error that is answered is a ResponseError in its place.

        Raises:
            RedisError: the connection has ended; whether a command was carried out is then not known.
        """
        connection = self._connection
        if connection._writer is not self._writer or self._reader.at_eof() or self._writer.is_closing():
            raise redis.exceptions.ConnectionError("the connection was ended by the server")
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        return tuple([await _answer(connection) for _ in commands])


@asynccontextmanager
async def hold(client: redis.asyncio.Redis) -> AsyncIterator[Held]:
    """Open a connection beside those of a client, and throw it away at the end."""
    connection: Any = client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    await connection.connect()
    try:
        yield Held(connection)
    finally:
        await connection.disconnect(nowait=True)


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except redis.exceptions.ResponseError as error:
        return error
