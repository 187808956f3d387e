"""Asking redis and sentinel on hosts what they are, for `init`; nothing is written to them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from redis_sentinel_operator.model.secret import Secret

_SECONDS = 3.0
_THREADS = 16
State = Literal["Answers", "Absent", "Denied", "Unreachable"]
# What people set and will want to see in the file: by the name that Redis 3.2 has, with the default of it.
KEPT: Mapping[str, str] = {
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    "appendonly": "no",
    "repl-timeout": "60",
    "repl-ping-slave-period": "10",
}
_ALIASES = {"repl-ping-replica-period": "repl-ping-slave-period"}


@dataclass(frozen=True, slots=True)
class Watched:
    """A master as a sentinel knows it; times in milliseconds. `peers` are the addresses of the other sentinels."""

    name: str
    address: str
    quorum: int
    down_after: int
    failover_timeout: int
    parallel_syncs: int
    peers: frozenset[str] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one host answered. Denied: redis wants another password. `config` has what differs from redis' default."""

    redis: State
    sentinel: State
    role: str = ""
    has_password: bool = False
    config: Mapping[str, str] = field(default_factory=dict)
    watched: tuple[Watched, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What all hosts together say: the cluster's master (None: there is none yet), and what they do not agree on."""

    master: Watched | None
    config: Mapping[str, str]
    has_password: bool
    doubts: tuple[str, ...]


def ask(addresses: Iterable[str], password: Secret | None) -> dict[str, Asked]:
    """Ask all hosts at once; seconds at most, whatever does not answer."""
    wanted = list(addresses)
    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(zip(wanted, pool.map(partial(_one, password=password), wanted), strict=True))


def together(asked: Mapping[str, Asked]) -> Found:
    """Return what the hosts say together."""
    watched = [each for host in asked.values() for each in host.watched if each.address in asked]
    doubts = list(_doubts(asked, watched))
    most = Counter(watched).most_common(1)
    configs = [host.config for host in asked.values() if host.redis == "Answers"]
    shared = {key: value for key, value in (configs[0] if configs else {}).items() if _agree(configs, key, value)}
    return Found(most[0][0] if most else None, shared, any(host.has_password for host in asked.values()), tuple(doubts))


def sentinels_of(watched: Iterable[Watched]) -> frozenset[str]:
    """Return the addresses where sentinels run, as others of them say."""
    return frozenset(address for each in watched for address in each.peers)


def _agree(configs: Sequence[Mapping[str, str]], key: str, value: str) -> bool:
    return all(each.get(key) == value for each in configs)


def _doubts(asked: Mapping[str, Asked], watched: Sequence[Watched]) -> Iterator[str]:
    for address, host in asked.items():
        for what, port, state in (("redis", 6379, host.redis), ("sentinel", 26379, host.sentinel)):
            if state == "Unreachable" and (what == "redis" or not watched or address in sentinels_of(watched)):
                yield f"{address}: port {port} does not answer from here, so its {what} was not asked"
            if state == "Denied":
                yield f"{address}: its {what} wants a password (--password-file), so it was not asked"
    if len({(each.name, each.address) for each in watched}) > 1:
        names = ", ".join(sorted({f"{each.name} at {each.address}" for each in watched}))
        yield f"the sentinels do not name one master: {names}; the most named is taken"
    masters = [address for address, host in asked.items() if host.role == "master"]
    if watched and len(masters) > 1:
        yield f"more than one redis says that it is a master: {', '.join(masters)}"


def _one(address: str, password: Secret | None) -> Asked:
    state, role, locked, config = _redis(address, password)
    sentinel, watched = _sentinel(address)
    return Asked(state, sentinel, role, locked, config, watched)


def _client(address: str, port: int, password: Secret | None = None) -> Any:
    from redis import Redis  # noqa: PLC0415 - half a second that other commands need not take
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    return Redis(
        host=address,
        port=port,
        password=password.reveal() if password else None,
        protocol=2,  # Redis 3.2 and 5.0 know no HELLO
        socket_timeout=_SECONDS,
        socket_connect_timeout=_SECONDS,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
    )


def _redis(address: str, password: Secret | None) -> tuple[State, str, bool, Mapping[str, str]]:
    from redis.exceptions import AuthenticationError, RedisError, ResponseError  # noqa: PLC0415 - as above

    locked = False
    with contextlib.closing(_client(address, 6379)) as open_to_all:
        try:
            open_to_all.ping()
            password = None
        except (AuthenticationError, ResponseError):
            locked = True
        except RedisError as error:
            return _state(error), "", False, {}
    if locked and password is None:
        return "Denied", "", True, {}
    with contextlib.closing(_client(address, 6379, password)) as client:
        try:
            role = str(client.execute_command("ROLE")[0])
            config = _config(client)
        except (AuthenticationError, ResponseError):
            return "Denied", "", locked, {}
        except RedisError as error:
            return _state(error), "", locked, {}
    return "Answers", role, locked, config


def _config(client: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in (*KEPT, *_ALIASES):
        answer = client.config_get(key).get(key)
        name = _ALIASES.get(key, key)
        if answer is not None and str(answer) != KEPT[name]:
            found[name] = str(answer)
    return found


def _sentinel(address: str) -> tuple[State, tuple[Watched, ...]]:
    from redis.exceptions import AuthenticationError, RedisError, ResponseError  # noqa: PLC0415 - as above

    with contextlib.closing(_client(address, 26379)) as client:
        try:
            masters = client.sentinel_masters()
            found = tuple(
                _watched(name, each, [str(peer["ip"]) for peer in client.sentinel_sentinels(name)])
                for name, each in masters.items()
                if each["ip"] != "127.0.0.1"  # the shipped file's: nobody's
            )
        except (AuthenticationError, ResponseError):
            return "Denied", ()
        except RedisError as error:
            return _state(error), ()
    return "Answers", found


def _watched(name: str, said: Mapping[str, Any], peers: Iterable[str]) -> Watched:
    return Watched(
        name=name,
        address=str(said["ip"]),
        quorum=int(said["quorum"]),
        down_after=int(said["down-after-milliseconds"]),
        failover_timeout=int(said["failover-timeout"]),
        parallel_syncs=int(said["parallel-syncs"]),
        peers=frozenset(peers),
    )


def _state(error: Exception) -> State:
    """A port that is refused is nobody's; what does not answer may be anything."""
    return "Absent" if "refused" in str(error).lower() else "Unreachable"
