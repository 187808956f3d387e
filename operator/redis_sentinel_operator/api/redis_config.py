"""spec.redis.config: as redis takes it, and refused where it cannot be declared or no cluster could form with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from redis_sentinel_operator.api.spec import RedisSentinelClusterSpec
from redis_sentinel_operator.conf.directives import canonical
from redis_sentinel_operator.conf.table import Owner, directive, nearest
from redis_sentinel_operator.conf.values import problem
from redis_sentinel_operator.errors import SpecRefused

PING_PERIOD = "repl-ping-slave-period"
TIMEOUT = "repl-timeout"
_DEFAULTS = {PING_PERIOD: 10, TIMEOUT: 60}  # of redis, seconds, all versions
_LAG = 10  # seconds; also what redis has
_MOST = 5  # sentences in one message
_DECLARABLE = (Owner.FREE, Owner.DATA)


def redis_config(spec: RedisSentinelClusterSpec) -> Mapping[str, str]:
    """Return spec.redis.config and minReplicasToWrite as redis takes them: by canonical name, integers in decimal.

    What is not for this field or makes no sense is left out: `check_config` refuses it, and a cluster is planned for
    all the same, to be followed and shown.
    """
    config = {canonical(key): str(value) for key, value in spec.redis.config.items()}
    rows = {key: row for key in config if (row := directive(key)) and row.owner in _DECLARABLE}
    return {key: config[key] for key in rows if problem(key, config[key]) is None} | _least_replicas(spec)


def _least_replicas(spec: RedisSentinelClusterSpec) -> dict[str, str]:
    """What minReplicasToWrite says, which are directives as any other once it is declared."""
    least, lag = spec.min_replicas_to_write, spec.min_replicas_max_lag_seconds
    if least is not None and lag is None:
        lag = _LAG
    said = {"min-slaves-max-lag": lag, "min-slaves-to-write": least}
    return {name: str(value) for name, value in said.items() if value is not None}


def check_config(spec: RedisSentinelClusterSpec) -> None:
    """Refuse a spec.redis.config that cannot be made true.

    Raises:
        SpecRefused: InvalidSpec; a directive that nobody knows or that is not for this field, a value that redis
            refuses, or with which hosts or replicas cannot stay together; more replicas wanted than there are. The
            message names each and the mend.
    """
    said = [*_names(spec), *_values(spec), *_enough(spec)] or [*_together(spec)]
    if said:
        more = [f"And {len(said) - _MOST} more"] if len(said) > _MOST else []
        raise SpecRefused("InvalidSpec", ". ".join([*said[:_MOST], *more]) + ".")


def _names(spec: RedisSentinelClusterSpec) -> Iterator[str]:
    seen: dict[str, str] = {}
    for key in spec.redis.config:
        row = directive(key)
        if row is None:
            like = nearest(key)
            mend = f"did you mean {like}? Correct the name, or remove it" if like else "correct the name, or remove it"
            yield _of(key, f"no Redis has this directive; {mend}")
        elif row.owner not in _DECLARABLE:
            yield _of(key, f"it cannot be set here: {row.why}; remove it")
        elif row.name in seen:
            yield _of(key, f"the same directive as {seen[row.name]}; remove one of them")
        seen[canonical(key)] = key


def _values(spec: RedisSentinelClusterSpec) -> Iterator[str]:
    for key, value in spec.redis.config.items():
        row = directive(key)
        wrong = problem(key, str(value)) if row and row.owner in _DECLARABLE else None
        if wrong:
            yield _of(key, wrong)


def _enough(spec: RedisSentinelClusterSpec) -> Iterator[str]:
    least, replicas = spec.min_replicas_to_write or 0, max(sum(host.redis for host in spec.hosts) - 1, 0)
    if least > replicas:
        mend = f"set it to {replicas - 1} or less" if replicas > 1 else "remove it"
        yield (
            f"spec.minReplicasToWrite: {least} is more than the {replicas} replicas there are, so that no write would "
            f"ever be taken; {mend}"
        )


def _together(spec: RedisSentinelClusterSpec) -> Iterator[str]:
    config = redis_config(spec)
    if "bind" in config:
        yield from _bind(config["bind"], ip_address(spec.hosts[0].address).version)
    yield from _timeouts(config)
    if config.get("save") == "" and config.get("appendonly", "").lower() != "yes" and not spec.unsafe.no_persistence:
        yield _of(
            "save",
            'with "" and without appendonly "yes" nothing is kept on disk, and a restart empties redis; set appendonly '
            'to "yes", or set spec.unsafe.noPersistence to true',
        )


def _timeouts(config: Mapping[str, str]) -> Iterator[str]:
    seconds = {key: int(config.get(key, default)) for key, default in _DEFAULTS.items()}
    for key, value in seconds.items():
        if not 1 <= value <= 2_147_483_647:
            yield _of(key, f"{value} is no number of seconds; write a whole number of at least 1")
    period, timeout = seconds[PING_PERIOD], seconds[TIMEOUT]
    if timeout <= period:
        yield _of(
            TIMEOUT, f"{timeout} is not more than {PING_PERIOD}, which is {period}; set it to {2 * period} or more"
        )


def _bind(value: str, family: int) -> Iterator[str]:
    """The line is the same on all hosts, so it cannot name one host's own address.

    The first address is special up to Redis 6.2: connections to the master leave from it (replication.c).
    """
    anywhere = {"*", "0.0.0.0"} if family == 4 else {"*", "::"}  # noqa: S104
    allowed = {"*", "0.0.0.0", "::", "::*", "127.0.0.1", "::1"}  # noqa: S104
    words = [word.removeprefix("-") for word in value.split()]
    example = "0.0.0.0" if family == 4 else "::"  # noqa: S104
    if not words or words[0] not in anywhere or not allowed.issuperset(words):
        yield _of(
            "bind",
            f"{value!r} cannot be the same line on every host, with a first address that the others reach; "
            f'write "{example}", and let the firewall choose who comes in',
        )


def _of(key: str, why: str) -> str:
    return f"spec.redis.config.{key}: {why}"
