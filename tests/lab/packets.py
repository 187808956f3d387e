"""From a capture file to the commands in it: pcap, IPv4, TCP in order, RESP."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_SLL = 16  # bytes of the cooked header: 14 on, the protocol
_SECRET_AFTER = {"AUTH", "REQUIREPASS", "MASTERAUTH", "AUTH-PASS", "SENTINEL-PASS", "HELLO"}
_MANY = 1_000_000


@dataclass(slots=True)
class Stream:
    """What one client sent to one server port, as segments: TCP sequence number, time, bytes."""

    source: str
    source_port: int
    destination: str
    port: int
    segments: list[tuple[int, float, bytes]] = field(default_factory=list)

    def pieces(self) -> list[tuple[float, bytes]]:
        """The bytes in order, each segment once (on `lo` each is captured twice); a gap is passed over."""
        found: list[tuple[float, bytes]] = []
        expected: int | None = None
        for number, at, data in sorted(self.segments, key=self._order):
            skip = 0 if expected is None else _distance(number, expected)
            if skip >= len(data):
                continue
            fresh = data[max(skip, 0) :]
            found.append((at, fresh))
            expected = (number + len(data)) & 0xFFFFFFFF
        return found

    def _order(self, segment: tuple[int, float, bytes]) -> tuple[int, float]:
        return (_distance(segment[0], self.segments[0][0]) * -1, segment[1])


def _distance(number: int, expected: int) -> int:
    """How far `number` lies before `expected`, in a space that wraps at 2**32."""
    gap = (expected - number) & 0xFFFFFFFF
    return gap if gap < 0x80000000 else gap - 0x100000000


def streams_of(dump: Path, ports: tuple[int, ...]) -> list[Stream]:
    """The client-to-server streams of a capture file; a new connection on the same ports is a new stream."""
    open_streams: dict[tuple[str, int, str, int], Stream] = {}
    found: list[Stream] = []
    for at, packet in _packets(dump.read_bytes()):
        parsed = _tcp(packet)
        if parsed is None or parsed.key[3] not in ports:
            continue
        stream = open_streams.get(parsed.key)
        fresh = parsed.opens and not (stream and not stream.segments)
        if stream is None or fresh:
            stream = open_streams[parsed.key] = Stream(*parsed.key)
            found.append(stream)
        if parsed.data:
            stream.segments.append((parsed.number, at, parsed.data))
    return [stream for stream in found if stream.segments]


@dataclass(frozen=True, slots=True)
class _Segment:
    key: tuple[str, int, str, int]
    number: int
    opens: bool
    data: bytes


def _packets(raw: bytes) -> Iterator[tuple[float, bytes]]:
    """Time and network-layer bytes of each packet of a little-endian microsecond pcap of cooked packets."""
    position = 24
    while position + 16 <= len(raw):
        seconds, micros, held, _length = struct.unpack_from("<IIII", raw, position)
        position += 16
        if position + held > len(raw):
            return
        yield seconds + micros / 1e6, raw[position + _SLL : position + held]
        position += held


def _tcp(packet: bytes) -> _Segment | None:
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != 6:
        return None
    header = (packet[0] & 0xF) * 4
    total = struct.unpack_from(">H", packet, 2)[0]
    source_port, port, number = struct.unpack_from(">HHI", packet, header)
    offset, flags = packet[header + 12] >> 4, packet[header + 13]
    source, destination = (".".join(str(byte) for byte in packet[i : i + 4]) for i in (12, 16))
    data = packet[header + offset * 4 : total or None]
    return _Segment((source, source_port, destination, port), number, flags & 0x12 == 0x02, data)


def commands_in(stream: Stream) -> Iterator[tuple[float, tuple[str, ...]]]:
    """Time and words of each command of a stream, passwords masked.

    A stream that was joined in its middle is entered at the next segment that begins a command.
    """
    pending = b""
    for at, data in stream.pieces():
        pending += data
        while pending:
            step = _one(pending)
            if step is None:
                break
            words, used = step
            pending = pending[used:]
            if words:
                yield at, mask(words)
        if len(pending) > _MANY:
            pending = b""


def _one(raw: bytes) -> tuple[tuple[str, ...], int] | None:
    """The first command of `raw` and how long it is; None when it is not whole yet; no words for what is no command."""
    end = raw.find(b"\r\n")
    if raw[:1] != b"*":
        line_end = raw.find(b"\n")
        if line_end < 0:
            return None
        return tuple(raw[:line_end].decode(errors="replace").split()), line_end + 1
    if end < 0:
        return None
    if not raw[1:end].isdigit():
        return (), end + 2
    words, position = [], end + 2
    for _ in range(int(raw[1:end])):
        step = _bulk(raw, position)
        if step is None:
            return None
        word, position = step
        words.append(word)
    return tuple(words), position


def _bulk(raw: bytes, position: int) -> tuple[str, int] | None:
    end = raw.find(b"\r\n", position)
    if end < 0 or raw[position : position + 1] != b"$" or not raw[position + 1 : end].isdigit():
        return None
    start, length = end + 2, int(raw[position + 1 : end])
    if len(raw) < start + length + 2:
        return None
    return raw[start : start + length].decode(errors="replace"), start + length + 2


def mask(words: tuple[str, ...]) -> tuple[str, ...]:
    """The command with each word after one that announces a password replaced."""
    found: list[str] = []
    for word in words:
        found.append("***" if found and found[-1].upper() in _SECRET_AFTER else word)
    return tuple(found)
