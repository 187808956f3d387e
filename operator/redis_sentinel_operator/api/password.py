"""Which passwords can be used: those that sentinel can keep."""

from __future__ import annotations

from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.model.secret import Secret

USABLE = "letters, digits and !#$%&()*+,./:;<=>?@[]^_{|}~-"
LONGEST = 512  # CONFIG_AUTHPASS_MAX_LEN, server.h of Redis 3.2: a longer one is refused by redis
_KINDS = (
    ("a line end (a Secret made with `echo` instead of `printf`?)", "\r\n"),
    ("white space", " \t\v\f"),
    ("a quote", "\"'"),
    ("a backslash", "\\"),
    ("a backtick", "`"),
)


def check_password(password: Secret) -> None:
    """Refuse a password that would break redis or sentinel.

    Sentinel writes the password unquoted into sentinel.conf (all versions up to Redis 7.2 and Valkey 8): with white
    space or a quote in it the sentinel cannot read its own file at the next start.

    Raises:
        SpecRefused: PasswordNotUsable; the message names the kind of character, never the value.
    """
    value = password.reveal()
    if not value:
        raise _refused("is empty")
    if len(value.encode()) > LONGEST:
        raise _refused(f"is longer than {LONGEST} bytes")
    for kind, characters in _KINDS:
        if any(character in characters for character in value):
            raise _refused(f"has {kind} in it")
    if not value.isascii():
        raise _refused("has a character outside ASCII in it")
    if not value.isprintable():
        raise _refused("has a control character in it")


def _refused(why: str) -> SpecRefused:
    reason = "PasswordNotUsable"
    return SpecRefused(reason, say(reason, field="spec.auth.passwordSecretRef", detail=why, usable=USABLE))
