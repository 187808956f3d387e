"""The grammar that redis.conf and sentinel.conf share: words, quoting, lines, the two vocabularies.

Redis splits a line by `sdssplitargs` (sds.c, identical from 3.2 to 7.2). It works on bytes, so do we: text is UTF-8
with `surrogateescape`, which gives any file back byte by byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from redis_sentinel_operator.conf.table import ALIASES, directive

_SPACE = b" \t\n\v\f\r"
_ESCAPES = {ord("n"): b"\n", ord("r"): b"\r", ord("t"): b"\t", ord("b"): b"\b", ord("a"): b"\a"}
_SHORT = {0x5C: "\\\\", 0x22: '\\"', 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x07: "\\a", 0x08: "\\b"}
_HEX = b"0123456789abcdefABCDEF"
_KEPT = 32  # files whose reading is kept: a pass asks for the few of its cluster time and again


def encode(text: str) -> bytes:
    """Return the bytes of a file's text."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """Return the text of a file's bytes."""
    return data.decode("utf-8", "surrogateescape")


def sha256(text: str) -> str:
    """Return the hex digest of a file with this text, as sha256sum prints it."""
    return hashlib.sha256(encode(text)).hexdigest()


def canonical(name: str) -> str:
    """Return the one name that all spellings of a directive share: lower case, the words of Redis before 5.0."""
    lower = name.lower()
    return ALIASES.get(lower, lower)


def split(line: str) -> tuple[str, ...] | None:
    """Split a line into words as Redis does; None when its quotes do not balance (Redis refuses to start with it)."""
    data = encode(line)
    if b'"' not in data and b"'" not in data:  # nearly all lines
        return tuple(decode(word) for word in data.split())
    words: list[str] = []
    at = 0
    while True:
        while at < len(data) and data[at] in _SPACE:
            at += 1
        if at == len(data):
            return tuple(words)
        word = _word(data, at)
        if word is None:
            return None
        value, at = word
        words.append(decode(value))


def _word(data: bytes, at: int) -> tuple[bytes, int] | None:
    """Return the word that begins at `at`, and where it ends; a quote ends its word."""
    value = bytearray()
    while at < len(data) and data[at] not in _SPACE:
        if data[at] in b"\"'":
            quoted = _quoted(data, at + 1, data[at])
            if quoted is None:
                return None
            rest, at = quoted
            return bytes(value + rest), at
        value.append(data[at])
        at += 1
    return bytes(value), at


def _quoted(data: bytes, at: int, quote: int) -> tuple[bytes, int] | None:
    """Return what stands up to the closing quote, and where it ends; it must be followed by space or the end."""
    value = bytearray()
    while at < len(data):
        if data[at] == quote:
            closed = at + 1 == len(data) or data[at + 1] in _SPACE
            return (bytes(value), at + 1) if closed else None
        if data[at] == 0x5C and at + 1 < len(data):
            piece, at = _escape(data, at, quote)
            value += piece
        else:
            value.append(data[at])
            at += 1
    return None


def _escape(data: bytes, at: int, quote: int) -> tuple[bytes, int]:
    """Return what the backslash at `at` stands for, and what comes after it."""
    following = data[at + 1]
    if quote == ord("'"):
        return (b"'", at + 2) if following == quote else (b"\\", at + 1)
    digits = data[at + 2 : at + 4]
    if following == ord("x") and len(digits) == 2 and all(digit in _HEX for digit in digits):
        return bytes([int(digits, 16)]), at + 4
    return _ESCAPES.get(following, bytes([following])), at + 2


def quote(word: str) -> str:
    """Return a word as it is written into a file: plain where that is read back alike, else in double quotes."""
    data = encode(word)
    if data and all(0x21 <= byte <= 0x7E and byte not in b"\"'" for byte in data):
        return word
    body = "".join(_SHORT.get(byte) or (chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}") for byte in data)
    return f'"{body}"'


def join(words: Sequence[str]) -> str:
    """Return a line that `split` gives back as these words."""
    return " ".join(quote(word) for word in words)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that Redis reads: `raw` as it stands at index `at` of the file, `words` what Redis reads in it.

    `broken`: its quotes do not balance, so that it has no words.
    """

    at: int
    raw: str = field(repr=False)
    words: tuple[str, ...] = field(default=(), repr=False)
    name: str = ""  # canonical

    @property
    def broken(self) -> bool:
        """Whether Redis refuses to start with it."""
        return not self.words

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words after the directive."""
        return self.words[1:]


def parse_line(raw: str, at: int = 0) -> Line | None:
    """Read one line (without its line feed); None when it is blank or a comment."""
    trimmed = raw.strip(" \t\r\n")
    if not trimmed or trimmed[0] == "#":
        return None
    words = split(trimmed)
    return Line(at, raw, words, canonical(words[0])) if words else Line(at, raw)


def parse_lines(raws: Sequence[str]) -> tuple[Line, ...]:
    """Read the lines of a file; blank lines and comments are left out."""
    # Nearly all lines of a shipped file are comments, and each is read in every pass.
    return tuple(line for at, raw in enumerate(raws) if raw and raw[0] != "#" and (line := parse_line(raw, at)))


@lru_cache(maxsize=_KEPT)
def parse_text(text: str) -> tuple[tuple[str, ...], tuple[Line, ...]]:
    """Read a file: its lines as they stand, and those that Redis reads."""
    raws = tuple(text.split("\n"))
    return raws, parse_lines(raws)


@lru_cache(maxsize=_KEPT)
def is_conf(text: str) -> bool:
    """Whether a file holds directives of Redis or Sentinel and nothing else; those of modules have a dot in them.

    A server says itself which file it runs with. One that somebody broke into must not lead the operator, which is
    root, to another file.
    """
    _, lines = parse_text(text)
    return bool(lines) and all(line.words and ("." in line.name or directive(line.name)) for line in lines)
