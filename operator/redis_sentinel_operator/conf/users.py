"""The words of a `user` line (Redis 6 on), in redis.conf or in an ACL file: which passwords it takes.

Rules of the user are never touched.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.conf.directives import join, sha256

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


def takes_all(words: Sequence[str]) -> bool:
    """Whether a user with these words (its name first) is let in without a password."""
    opens = [word.lower() for word in words[1:] if word[:1] in (">", "#") or word.lower() in (*_WORDS, "reset")]
    return opens[-1:] == ["nopass"]


def without_password(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a user that is let in without a password."""
    rest = [word for word in words[1:] if word[:1] not in _MARKS and word.lower() not in _WORDS]
    return (*words[:1], *rest, "nopass")


def is_acl_file(text: str) -> bool:
    """Whether a file holds users and nothing else: the operator writes as root, and redis.conf is not only root's."""
    return all(raw.split()[:1] in ([], ["user"]) for raw in text.split("\n"))


def file_takes_only(text: str, password: str) -> bool:
    """Whether the default user of an ACL file logs in with this password alone; without a line anybody is let in."""
    found = [words for words in map(_user, text.split("\n")) if words[:1] == ("default",)]
    return bool(found) and all(takes_only(words, password) for words in found)


def file_with_password(text: str, password: str, *, channels: bool) -> str:
    """Return an ACL file whose default user has this password as the only one; the other lines stay.

    Where it has no such line it gets that of a server without an ACL file; `channels`: its version has rules for them.
    """
    raws = text.split("\n")
    found = {at: words for at, words in enumerate(map(_user, raws)) if words[:1] == ("default",)}
    for at, words in found.items():
        raws[at] = join(("user", *with_password(words, password)))
    if not found:
        rules = ("on", "~*", *(("&*",) if channels else ()), "+@all")
        raws.insert(0, join(("user", *with_password(("default", *rules), password))))
    return "\n".join(raws)


def file_takes_all(text: str) -> bool:
    """Whether the default user of an ACL file is let in without a password, as it is without a line."""
    return all(takes_all(words) for words in map(_user, text.split("\n")) if words[:1] == ("default",))


def file_without_password(text: str) -> str:
    """Return an ACL file whose default user is let in without a password; the other lines stay."""
    raws = text.split("\n")
    for at, words in enumerate(map(_user, raws)):
        if words[:1] == ("default",):
            raws[at] = join(("user", *without_password(words)))
    return "\n".join(raws)


def _user(raw: str) -> tuple[str, ...]:
    words = raw.split()
    return tuple(words[1:]) if words[:1] == ["user"] else ()


def _hash(word: str) -> str:
    return word[1:].lower() if word[0] in ("#", "!") else sha256(word[1:])
