"""What a sentinel says: its vote, and what it knows of master, replicas and other sentinels, in one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Denied, PeerView, ReplicaView, SentinelFacts, SentinelView, Unknown
from redis_sentinel_operator.observe.exchange import (
    NO_ANSWER,
    Answers,
    Closed,
    Command,
    ask,
    info,
    number,
    table,
    text,
)
from redis_sentinel_operator.settings import Settings


def commands(name: str) -> tuple[Command, ...]:
    """Return what a sentinel is asked about the master of that name."""
    return (
        ("INFO",),
        ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name),
        ("SENTINEL", "MASTER", name),
        ("SENTINEL", "SLAVES", name),
        ("SENTINEL", "SENTINELS", name),
        ("SENTINEL", "CKQUORUM", name),
        ("SENTINEL", "MYID"),  # an error before 6.2: sentinel.conf has it as well
    )


async def read(desired: Desired, link: HostLink, settings: Settings) -> SentinelFacts | Denied | Closed | Unknown:
    """Read the sentinel of a host; never raises. It is asked without a password: those of 3.2 have no AUTH."""
    answers = await ask(link, desired.sentinel_port, None, commands(desired.master_name), settings)
    if not isinstance(answers, Answers):
        return answers
    facts = parse(answers.values)
    where = f"{link.host.name}:{desired.sentinel_port}"
    return facts if facts is not None else Unknown(f"{where} does not answer as a sentinel does", NO_ANSWER)


def parse(answers: Sequence[Any]) -> SentinelFacts | None:
    """Turn the answers to `commands` into facts; None when it is no sentinel."""
    said, vote, master, replicas, peers, quorum, my_id = answers
    words = info(said)
    if "sentinel_masters" not in words:
        return None
    return SentinelFacts(
        version=words.get("redis_version", ""),
        run_id=words.get("run_id", ""),
        process_id=number(words.get("process_id")),
        tilt=words.get("sentinel_tilt") == "1",
        masters=tuple(
            _name_of(value) for name, value in words.items() if name[:6] == "master" and name[6:].isdecimal()
        ),
        view=_view(vote, table(master), replicas, peers, quorum),
        config_file=words.get("config_file", ""),
        my_id="" if isinstance(my_id, ResponseError) else text(my_id),
    )


def _name_of(value: str) -> str:
    """`name=redis-cluster,status=ok,address=10.0.0.1:6379,slaves=3,sentinels=3`."""
    return value.partition("name=")[2].partition(",")[0]


def _view(vote: Any, master: Mapping[str, str], replicas: Any, peers: Any, quorum: Any) -> SentinelView | None:
    if not master:
        return None
    address, port = vote if isinstance(vote, list) and len(vote) == 2 else ("", 0)
    return SentinelView(
        address=text(address),
        port=number(port),
        told_address=master.get("ip", ""),
        config_epoch=number(master.get("config-epoch")),
        flags=_flags(master),
        quorum=number(master.get("quorum")),
        down_after=number(master.get("down-after-milliseconds")),
        failover_timeout=number(master.get("failover-timeout")),
        parallel_syncs=number(master.get("parallel-syncs")),
        num_slaves=number(master.get("num-slaves")),
        num_other_sentinels=number(master.get("num-other-sentinels")),
        replicas=tuple(_replica(table(row)) for row in _list(replicas)),
        peers=tuple(_peer(table(row)) for row in _list(peers)),
        quorum_ok=_quorum(quorum),
        down_for=number(master.get("s-down-time")),
    )


def _replica(row: Mapping[str, str]) -> ReplicaView:
    return ReplicaView(
        address=row.get("ip", ""),
        port=number(row.get("port")),
        flags=_flags(row),
        link=row.get("master-link-status", ""),
        priority=number(row.get("slave-priority")),
        offset=number(row.get("slave-repl-offset")),
        master_address="" if row.get("master-host") == "?" else row.get("master-host", ""),
        unlinked_for=number(row.get("master-link-down-time")),
    )


def _peer(row: Mapping[str, str]) -> PeerView:
    """Read one of SENTINEL SENTINELS; its name is its id since 3.2, and `runid` the same."""
    return PeerView(
        id=row.get("runid") or row.get("name", ""),
        address=row.get("ip", ""),
        port=number(row.get("port")),
        flags=_flags(row),
    )


def _flags(row: Mapping[str, str]) -> frozenset[str]:
    return frozenset(flag for flag in row.get("flags", "").split(",") if flag)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _quorum(answer: Any) -> bool | None:
    """CKQUORUM answers `OK 3 usable Sentinels ...` or the error NOQUORUM."""
    said = str(answer) if isinstance(answer, ResponseError) else text(answer)
    if said.startswith("OK"):
        return True
    return False if said.startswith("NOQUORUM") else None
