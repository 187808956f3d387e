"""paramiko as a citizen of the event loop. The only file that leans on paramiko's inside (5.1.0, pinned by hash).

paramiko runs one thread a connection, which reads, decrypts and feeds buffers. Its own calls then block the caller on
`threading.Event`s, some of them without any deadline (`Channel.exec_command`, `recv_exit_status`), so a host that
hangs would hold a worker thread for as long as it likes. Here nobody waits in a thread: the events paramiko sets are
replaced by ones that call back into the loop, and a packet is sent only when the kernel takes it whole at once.
"""

from __future__ import annotations

import asyncio
import logging
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import paramiko
from paramiko.common import MSG_CHANNEL_CLOSE, cMSG_CHANNEL_OPEN, cMSG_CHANNEL_REQUEST
from paramiko.message import Message

CHUNK = 16 * 1024  # one packet; far below the third of the send buffer that POLLOUT promises to be free
_SEND_BUFFER = 256 * 1024
_WINDOW = 2 * 1024 * 1024  # OpenSSH's own window
_MAX_PACKET = 32 * 1024
_REMEMBERED = 64  # channels after which a number is forgotten
RETRY = 0.005  # seconds until a send that was not possible is tried again


class Waker:
    """Runs a callback in the loop, whoever asks for it from whichever thread, once for many requests."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
        self._loop = loop
        self._callback = callback
        self._pending = False

    def __call__(self) -> None:
        """Ask for the callback; safe in any thread, and without effect after the loop has closed."""
        if self._pending:
            return
        self._pending = True
        try:
            self._loop.call_soon_threadsafe(self._run)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            return

    def _run(self) -> None:
        self._pending = False  # first, so that what arrives from now on wakes again
        self._callback()


class WakeEvent(threading.Event):
    """An event that paramiko sets in its thread and that calls back in the loop."""

    def __init__(self, waker: Waker) -> None:
        super().__init__()
        self._waker = waker

    def set(self) -> None:
        """Set it and wake the loop, also when it is set already: the news may be another."""
        super().set()
        self._waker()


class LoopChannel(paramiko.Channel):
    """A channel about which nothing is said after its end.

    paramiko decides under a lock what to say, and says it after that. Its own thread may answer sshd's close in
    between, and sshd ends the whole connection for a word about a channel that is gone ("ieof packet referred to
    nonexistent channel", seen with short commands on a busy machine). `speaking` is held from the decision to the word.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.speaking = threading.Lock()

    def _handle_close(self, m: Message) -> None:
        """Answer sshd's close, in paramiko's thread."""
        with self.speaking:
            super()._handle_close(m)  # type: ignore[misc]


class LoopTransport(paramiko.Transport):
    """A paramiko transport whose requests return at once."""

    # paramiko wakes each connection's thread ten times a second only to look whether it was closed. Ours is closed by
    # shutting the socket down, which wakes it; 5 s is left for its keepalive timer.
    _active_check_timeout = 5.0
    _channel_handler_table = paramiko.Transport._channel_handler_table | {  # type: ignore[attr-defined]
        MSG_CHANNEL_CLOSE: LoopChannel._handle_close
    }

    def __init__(self, sock: socket.socket, on_end: Callable[[], None]) -> None:
        super().__init__(sock)
        self.clear_to_send_timeout = 2.0  # bounds the one wait that is left: a key exchange that began in this instant
        self._on_end = on_end
        self._refusals: dict[int, tuple[int, str]] = {}
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLOUT)

    def run(self) -> None:
        """Read until the connection ends, then tell."""
        try:
            super().run()
        finally:
            self._on_end()

    def abort(self) -> None:
        """Close at once, whatever state the connection is in."""
        with suppress(OSError):  # not connected any more
            self.sock.shutdown(socket.SHUT_RDWR)  # wakes the reading thread
        self.close()
        self.sock.close()

    def can_send(self) -> bool:
        """Tell whether a packet of up to CHUNK bytes can be sent without blocking.

        POLLOUT on TCP means that at least a third of the send buffer is free (sk_stream_is_writeable), which is more
        than CHUNK with the buffer of `tune`. During a key exchange nothing may be sent.
        """
        if not self.is_active():
            return True  # paramiko drops what is sent on a dead connection
        return self.clear_to_send.is_set() and bool(self._poll.poll(0))

    async def sendable(self) -> None:
        """Wait until `can_send`."""
        while not self.can_send():  # noqa: ASYNC110 - no event tells when a socket has room again
            await asyncio.sleep(RETRY)

    def request_channel(self, kind: str, answered: WakeEvent, destination: tuple[str, int] | None) -> LoopChannel:
        """Ask for a channel; `answered` is set when sshd accepts, refuses, or the connection ends.

        It is `Transport.open_channel` without its wait.
        """
        with self.lock:
            number: int = self._next_channel()  # type: ignore[attr-defined]
            channel = LoopChannel(number)
            self._channels.put(number, channel)  # type: ignore[attr-defined]
            self.channel_events[number] = answered
            self.channels_seen[number] = True  # a late word about a channel that is gone is no reason to hang up
            self.channels_seen.pop(number - _REMEMBERED, None)  # paramiko would keep the number of each for ever
            channel._set_transport(self)  # type: ignore[attr-defined]
            channel._set_window(_WINDOW, _MAX_PACKET)  # type: ignore[attr-defined]
        message = Message()
        message.add_byte(cMSG_CHANNEL_OPEN)
        message.add_string(kind)
        for value in (number, _WINDOW, _MAX_PACKET):
            message.add_int(value)
        if destination is not None:
            for host, port in (destination, ("127.0.0.1", 0)):
                message.add_string(host)
                message.add_int(port)
        self._send_user_message(message)
        return channel

    def request_exec(self, channel: paramiko.Channel, line: str) -> None:
        """Ask for a command on a channel; a refusal closes the channel.

        It is `Channel.exec_command` without its wait, which has no deadline at all.
        """
        message = Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("exec")
        message.add_boolean(True)
        message.add_string(line)
        self._send_user_message(message)

    def refusal(self, channel: paramiko.Channel) -> tuple[int, str] | None:
        """Return (code, sshd's text) when sshd refused the channel; codes are those of RFC 4254, 5.1."""
        return self._refusals.pop(channel.chanid, None)

    def _send_user_message(self, data: Message) -> None:
        # A peer that died a moment ago shows here first, as EOFError or as a broken pipe. Whoever waits for an answer
        # is told by the end of the connection, like everybody else; the shutdown makes sure that it comes now.
        try:
            super()._send_user_message(data)  # type: ignore[misc]
        except (EOFError, OSError):
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def _parse_channel_open_failure(self, m: Message) -> None:
        # paramiko keeps the last refusal of the whole connection only, and drops sshd's text.
        number, code, text = m.get_int(), m.get_int(), m.get_text()
        self._refusals[number] = (code, text)
        m.rewind()
        super()._parse_channel_open_failure(m)  # type: ignore[misc]

    def _log(self, level: int, msg: str | list[str], *args: object) -> None:
        # Whatever happens becomes an exception with a sentence; paramiko's tracebacks in the log would only repeat it.
        super()._log(min(level, logging.DEBUG), msg, *args)  # type: ignore[misc]


class ChannelPort:
    """A channel as the loop sees it: `on_ready` runs when there is something to read or the state changed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: LoopTransport,
        channel: LoopChannel,
        on_ready: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._channel = channel
        self._waker = Waker(loop, on_ready)
        channel.settimeout(0.0)
        event = WakeEvent(self._waker)
        channel.in_buffer.set_event(event)
        channel.in_stderr_buffer.set_event(event)

    @property
    def channel(self) -> paramiko.Channel:
        """The paramiko channel, for requests to the transport."""
        return self._channel

    @property
    def closed(self) -> bool:
        """Whether the channel is closed by either side; what was received before can still be read."""
        return self._channel.closed or not self._transport.is_active()

    @property
    def exit_status(self) -> int | None:
        """The remote program's status as sshd told it, or None."""
        return None if self._channel.exit_status == -1 else self._channel.exit_status

    def receive(self, *, stderr: bool = False) -> bytes | None:
        """Return what has arrived (up to 64 KiB), b"" at the end of the stream, None when there is nothing yet."""
        if not self._transport.can_send():  # reading may have to send a window adjustment
            self._loop.call_later(RETRY, self._waker)
            return None
        try:
            return self._channel.recv_stderr(65536) if stderr else self._channel.recv(65536)
        except TimeoutError:
            return None

    def send(self, data: memoryview) -> int:
        """Send up to CHUNK bytes, return how many went; 0 means: not now.

        Raises:
            ConnectionResetError: the channel or the connection is closed.
        """
        if self.closed:
            raise ConnectionResetError("the SSH channel is closed")
        with self._speaking() as may:
            if not (may and self._transport.can_send() and self._channel.send_ready()):
                return 0
            try:
                return self._channel.send(bytes(data[:CHUNK]))
            except TimeoutError:
                return 0
            except (OSError, EOFError, paramiko.SSHException) as error:
                raise ConnectionResetError("the SSH channel is closed") from error

    async def send_all(self, data: bytes) -> None:
        """Send everything and then the end of the stream, waiting without a thread when the host is slow."""
        rest = memoryview(data)
        while rest:
            sent = self.send(rest)
            rest = rest[sent:]
            await asyncio.sleep(0 if sent else RETRY)
        await self.send_eof()

    async def send_eof(self) -> None:
        """End our direction."""
        await self._transport.sendable()
        with self._speaking() as may:
            if may:
                self._channel.shutdown_write()

    def close(self, tries: int = 200) -> None:
        """Close the channel now or, while nothing can be sent, soon; a dead connection needs no telling."""
        if self._transport.can_send() or tries == 0:
            with self._speaking() as may:
                if may and tries:
                    self._channel.close()
            return
        self._loop.call_later(RETRY, self.close, tries - 1)

    @contextmanager
    def _speaking(self) -> Iterator[bool]:
        """Hold the word; False while paramiko's thread has it: it closes the channel, and there is no more to say."""
        may = self._channel.speaking.acquire(blocking=False)
        try:
            yield may
        finally:
            if may:
                self._channel.speaking.release()


def tune(sock: socket.socket, dead_peer: float) -> None:
    """Set up a connected socket: no Nagle, a fixed send buffer, and an end for peers that fell silent.

    One half of a socket pair (behind a bastion) has no peer that could: it ends with the bastion's connection.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(dead_peer * 1000))
