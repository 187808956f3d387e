"""Values of spec.redis.config: as redis takes them, and those refused with which no cluster can form."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from redis_sentinel_operator.api.spec import RedisSentinelClusterSpec
from redis_sentinel_operator.errors import SpecRefused

PING_PERIOD = "repl-ping-slave-period"
TIMEOUT = "repl-timeout"
_DEFAULTS = {PING_PERIOD: 10, TIMEOUT: 60}  # of redis, seconds, all versions


def check_config(spec: RedisSentinelClusterSpec) -> Mapping[str, str]:
    """Return spec.redis.config as redis takes it: strings, integers in decimal.

    Raises:
        SpecRefused: InvalidSpec; a value that redis refuses, or with which hosts or replicas cannot stay together.
    """
    config = {key: str(value) for key, value in spec.redis.config.items()}
    if "bind" in config:
        _check_bind(config["bind"], ip_address(spec.hosts[0].address).version)
    period, timeout = _seconds(config, PING_PERIOD), _seconds(config, TIMEOUT)
    if timeout <= period:
        raise _refused(
            TIMEOUT, f"{timeout} is not more than {PING_PERIOD}, which is {period}; set it to {2 * period} or more"
        )
    return config


def _seconds(config: Mapping[str, str], key: str) -> int:
    text = config.get(key, str(_DEFAULTS[key]))
    if not text.isdecimal() or not 1 <= int(text) <= 2_147_483_647:
        raise _refused(key, f"{text!r} is no number of seconds; write a whole number of at least 1")
    return int(text)


def _check_bind(value: str, family: int) -> None:
    """The line is the same on all hosts, so it cannot name one host's own address.

    The first address is special up to Redis 6.2: connections to the master leave from it (replication.c).
    """
    anywhere = {"*", "0.0.0.0"} if family == 4 else {"*", "::"}  # noqa: S104
    allowed = {"*", "0.0.0.0", "::", "::*", "127.0.0.1", "::1"}  # noqa: S104
    words = [word.removeprefix("-") for word in value.split()]
    example = "0.0.0.0" if family == 4 else "::"  # noqa: S104
    if not words or words[0] not in anywhere or not allowed.issuperset(words):
        raise _refused(
            "bind",
            f"{value!r} cannot be the same line on every host, with a first address that the others reach; "
            f'write "{example}", and let the firewall choose who comes in',
        )


def _refused(key: str, why: str) -> SpecRefused:
    return SpecRefused("InvalidSpec", f"spec.redis.config.{key}: {why}")
