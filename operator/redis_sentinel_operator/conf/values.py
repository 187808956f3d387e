"""When two values of a directive mean the same, how they are written, and what is wrong with one; by its kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from redis_sentinel_operator.conf.table import Directive, Kind, directive

_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
_SIZE = re.compile(r"([0-9]+)([a-z]{0,2})")
_INT = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_EVENTS = frozenset("AKEg$lshzxetdmn")
_ALL_EVENTS = frozenset("g$lshzxetd")  # what A stands for; t since 5.0, d since 7.0
_LEAST_EVENTS = frozenset("g$lshzxe")
_CLASSES = {"replica": "slave"}
_BUFFERS = ("normal", "slave", "pubsub")

Meaning: TypeAlias = object


def same(name: str, want: str, have: str) -> bool:
    """Whether a value that a file or a server has means to Redis what is wanted.

    `client-output-buffer-limit` may be wanted for some classes only: the others do not count.
    """
    if want == have:
        return True
    found = directive(name)
    if found is None:
        return False
    if found.kind is Kind.BUFFERS:
        wanted, had = _buffers(want), _buffers(have)
        return all(had.get(each) == limits for each, limits in wanted.items())
    return meaning(found, want) == meaning(found, have)


def meaning(of: Directive, value: str) -> Meaning:
    """Return what a value means, comparable with another of the directive; what makes no sense means itself."""
    reader = _MEANINGS.get(of.kind)
    return value if reader is None else reader(value)


def plain(name: str, value: str) -> str:
    """Return a value as CONFIG SET of every version takes it: 3.2 takes units for a few directives only."""
    found = directive(name)
    if found is not None and found.kind is Kind.BYTES:
        return str(_size(value))
    if found is not None and found.kind is Kind.BUFFERS:
        return " ".join(
            f"{each} {limits[0]} {limits[1]} {limits[2]}" for each, limits in _buffers(value).items() if len(limits) > 2
        )
    return value


def lines(name: str, value: str) -> tuple[tuple[str, ...], ...]:
    """Return the arguments of each line that a value takes in a file: one, but for what repeats."""
    found = directive(name)
    words = tuple(value.split())
    kind = found.kind if found else Kind.TEXT
    if kind is Kind.SAVE and words:
        return tuple(words[at : at + 2] for at in range(0, len(words), 2))
    if kind is Kind.BUFFERS and words:
        return tuple(words[at : at + 4] for at in range(0, len(words), 4))
    if kind in (Kind.ADDRESSES, Kind.NUMBERS, Kind.FLAGS) and words:
        return (words,)
    return ((value,),)


def folded(name: str, arguments: Sequence[tuple[str, ...]]) -> str | None:
    """Return the value that the lines of a directive have together, as CONFIG GET shows it; None without a line."""
    if not arguments:
        return None
    found = directive(name)
    kind = found.kind if found else Kind.TEXT
    if kind is Kind.SAVE:
        words: list[str] = []
        for line in arguments:
            words = [] if line in ((), ("",)) else [*words, *line]
        return " ".join(words)
    if kind is Kind.BUFFERS:
        limits = {_class(line[0]): line for line in arguments if line}
        return " ".join(" ".join(line) for line in limits.values())
    return " ".join(arguments[-1])


def problem(name: str, value: str) -> str | None:
    """Return a phrase that says what is wrong with a value and how to write it, None when it makes sense."""
    found = directive(name)
    check = _CHECKS.get(found.kind) if found else None
    if found is not None and found.kind in (Kind.WORD, Kind.FLAGS) and found.words:
        allowed = ", ".join(sorted(found.words))
        wrong = set(value.lower().split()) - found.words or not value.strip()
        several = found.kind is Kind.WORD and len(value.split()) > 1
        return f"{value!r} is not known; write one of {allowed}" if wrong or several else None
    if check is None or check[0](value):
        return None
    return f"{value!r} is {check[1]}"


def any_address(address: str) -> str:
    """Return the address to bind so that a host is reached at its own: all of that family."""
    return "::" if ":" in address else "0.0.0.0"  # noqa: S104 - the firewall chooses who comes in


def reachable(bind: str, address: str) -> bool:
    """Whether a server with this bind line (without one: "") is reached at the address."""
    words = {word.removeprefix("-") for word in bind.split()}
    return not words or bool(words & {address, any_address(address), "*"})


def size(value: str) -> int | None:
    """Return a number of bytes, None when it is none."""
    found = _size(value)
    return found if isinstance(found, int) else None


def _size(value: str) -> int | str:
    lower = value.strip().lower()
    match = _SIZE.fullmatch(lower)
    return int(match[1]) * _UNITS[match[2]] if match and match[2] in _UNITS else lower


def _int(value: str) -> int | str:
    return int(value) if _INT.fullmatch(value.strip()) else value


def _octal(value: str) -> int | str:
    return int(value, 8) if re.fullmatch(r"[0-7]{1,6}", value.strip()) else value


def _lower(value: str) -> str:
    return value.strip().lower()


def _words(value: str) -> frozenset[str]:
    return frozenset(value.lower().split())


def _numbers(value: str) -> tuple[float | str, ...]:
    return tuple(float(word) if _NUMBER.fullmatch(word) else word for word in value.split())


def _events(value: str) -> frozenset[str]:
    letters = frozenset(value)
    if "A" in letters or letters >= _LEAST_EVENTS:
        letters = (letters - _ALL_EVENTS) | {"A"}
    return letters


def _pairs(value: str) -> tuple[int | str, ...]:
    return tuple(_int(word) for word in value.split())


def _class(word: str) -> str:
    return _CLASSES.get(word.lower(), word.lower())


def _buffers(value: str) -> Mapping[str, tuple[int | str, ...]]:
    words = value.split()
    return {_class(words[at]): tuple(_size(word) for word in words[at + 1 : at + 4]) for at in range(0, len(words), 4)}


def _is_save(value: str) -> bool:
    words = value.split()
    return len(words) % 2 == 0 and all(word.isdecimal() and len(word) < 10 for word in words) and "0" not in words[::2]


def _is_buffers(value: str) -> bool:
    words, limits = value.split(), _buffers(value)
    whole = bool(words) and len(words) % 4 == 0 and set(limits) <= set(_BUFFERS)
    return whole and all(_are_sizes(each) for each in limits.values())


def _are_sizes(found: Iterable[object]) -> bool:
    return all(isinstance(each, int) for each in found)


def _is_percentage(value: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,2}%", value))


_MEANINGS: Mapping[Kind, Callable[[str], Meaning]] = {
    Kind.BYTES: _size,
    Kind.INT: _int,
    Kind.OCTAL: _octal,
    Kind.FLAG: _lower,
    Kind.WORD: _lower,
    Kind.FLAGS: _words,
    Kind.EVENTS: _events,
    Kind.ADDRESSES: _words,
    Kind.NUMBERS: _numbers,
    Kind.SAVE: _pairs,
}
_CHECKS: Mapping[Kind, tuple[Callable[[str], bool], str]] = {
    Kind.BYTES: (
        lambda value: size(value) is not None or _is_percentage(value),
        "no number of bytes; write one such as 1073741824, 512mb or 1gb",
    ),
    Kind.INT: (lambda value: bool(_INT.fullmatch(value)), "no whole number; write one"),
    Kind.OCTAL: (lambda value: bool(re.fullmatch(r"0|0?[0-7]{3}", value)), "no file mode; write one such as 770"),
    Kind.FLAG: (lambda value: value.lower() in ("yes", "no"), 'neither "yes" nor "no"; write one of them, in quotes'),
    Kind.EVENTS: (lambda value: frozenset(value) <= _EVENTS, f"not made of the letters {''.join(sorted(_EVENTS))}"),
    Kind.NUMBERS: (
        lambda value: all(_NUMBER.fullmatch(word) for word in value.split()),
        "no list of numbers; write them with a blank between",
    ),
    Kind.SAVE: (_is_save, 'no pairs of seconds and changes; write them such as "900 1 300 10", or "" for no saving'),
    Kind.BUFFERS: (
        _is_buffers,
        'no limits of client classes; write them such as "slave 512mb 128mb 60", of normal, slave and pubsub',
    ),
}
