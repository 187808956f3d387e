"""The words of a `user` line (Redis 6 on): which passwords it takes. Rules of the user are never touched."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.conf.directives import sha256

_MARKS = (">", "#", "<", "!")
_WORDS = frozenset({"nopass", "resetpass"})


def takes_only(words: Sequence[str], password: str) -> bool:
    """Whether a user with these words (its name first) logs in with this password and with nothing else."""
    hashes: set[str] = set()
    open_to_all = False
    for word in words[1:]:
        lower = word.lower()
        if lower in ("nopass", "resetpass", "reset"):
            hashes, open_to_all = set(), lower == "nopass"
        elif word[:1] in (">", "#"):
            hashes.add(_hash(word))
            open_to_all = False
        elif word[:1] in ("<", "!"):
            hashes.discard(_hash(word))
    return not open_to_all and hashes == {sha256(password)}


def with_password(words: Sequence[str], password: str) -> tuple[str, ...]:
    """Return the words with this password as the only one; it is written as its digest."""
    rest = [word for word in words[1:] if word[:1] not in _MARKS and word.lower() not in _WORDS]
    return (*words[:1], *rest, f"#{sha256(password)}")


def _hash(word: str) -> str:
    return word[1:].lower() if word[0] in ("#", "!") else sha256(word[1:])
