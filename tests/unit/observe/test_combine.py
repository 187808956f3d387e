"""What silence on a port means in the light of the host's processes and sockets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from redis_sentinel_operator.model.fact import Denied, Known, Process, SentinelFacts, Unknown
from redis_sentinel_operator.observe.combine import known, server
from redis_sentinel_operator.observe.exchange import Closed
from redis_sentinel_operator.observe.probe import Asked, ProbeFacts, parse, unreadable
from redis_sentinel_operator.observe.sections import Socket

REFUSED = Closed("nobody listens on port 6379")
SILENT = Unknown("redis_slave01:6379 did not answer within 3 s", "NoAnswer")
GONE = Unknown("host redis_slave01 cannot be reached", "HostUnreachable")
FORBIDDEN = Unknown("sshd forbids TCP forwarding", "ForwardingRefused")
REDIS = Process(7, "redis-server", "redis.service", sentinel=False)
SENTINEL = Process(8, "redis-sentinel", "redis-sentinel.service", sentinel=True)


def probed(*found: Process | Socket) -> ProbeFacts:
    return replace(
        unreadable(GONE),
        processes=Known(tuple(each for each in found if isinstance(each, Process))),
        sockets=Known(tuple(each for each in found if isinstance(each, Socket))),
    )


@pytest.mark.parametrize("found", [(), (SENTINEL,), (REDIS, Socket(7000, "redis-server", 7)), (Socket(22, "sshd", 1),)])
def test_a_refused_port_and_no_process_of_the_kind_prove_that_nothing_runs(found: tuple[Process | Socket, ...]) -> None:
    assert server(REFUSED, "redis_slave01", 6379, probed(*found), sentinel=False) == Known(None)


def test_a_stranger_on_the_port_is_no_redis() -> None:
    stranger = probed(Socket(6379, "nginx", 99))
    assert server(SILENT, "redis_slave01", 6379, stranger, sentinel=False) == Known(None)
    assert server(REFUSED, "redis_slave01", 6379, stranger, sentinel=False) == Known(None)


def test_a_process_that_listens_nowhere_yet_is_not_absent() -> None:
    fact = server(REFUSED, "redis_slave01", 6379, probed(REDIS), sentinel=False)
    assert fact == Unknown(
        "the redis on redis_slave01 runs (redis-server, pid 7) but does not answer on port 6379", "NoAnswer"
    )


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (REFUSED, (Socket(6379, "", 0),)),  # whose it is was not told
        (REFUSED, (Socket(6379, "redis-server", 7),)),
        (SILENT, (Socket(6379, "redis-server", 7),)),
        (SILENT, ()),  # it came and went
        (GONE, ()),
        (FORBIDDEN, ()),
    ],
)
def test_otherwise_it_is_not_known(answer: Closed | Unknown, found: tuple[Process | Socket, ...]) -> None:
    fact = server(answer, "redis_slave01", 6379, probed(*found), sentinel=False)
    assert isinstance(fact, Unknown)
    assert fact.message == answer.message


def test_without_the_probe_a_refused_port_proves_nothing() -> None:
    assert server(REFUSED, "redis_slave01", 6379, unreadable(GONE), sentinel=False) == Unknown(
        REFUSED.message, "NoAnswer"
    )
    assert known(REFUSED) == Unknown(REFUSED.message, "NoAnswer")


def test_an_answer_is_an_answer() -> None:
    denied = Denied("NOAUTH Authentication required.")
    assert server(denied, "redis_slave01", 6379, unreadable(GONE), sentinel=False) == Known(denied)


def test_each_kind_has_its_own_processes() -> None:
    both = probed(REDIS, SENTINEL)
    assert isinstance(server(REFUSED, "redis_slave01", 26379, both, sentinel=True), Unknown)
    assert server(
        REFUSED, "redis_slave01", 26379, probed(REDIS, Socket(6379, "redis-server", 7)), sentinel=True
    ) == Known(None)


def test_a_sentinel_before_6_2_gets_its_id_from_its_file() -> None:
    from redis_sentinel_operator.observe.combine import _with_id

    answer = (Path(__file__).parent / "probe" / "running.txt").read_bytes()
    files = ("/etc/redis.conf", "/etc/redis-sentinel.conf")
    found = parse(answer, Asked(files, (), (), (), "192.168.37.42", (6379, 26379)))
    facts = SentinelFacts("3.2.6", "run", 175, False, (), None, config_file="/etc/redis-sentinel.conf")
    told = _with_id(facts, found)
    assert isinstance(told, SentinelFacts)
    assert len(told.my_id) == 40
    assert _with_id(replace(facts, my_id="b" * 40), found) == replace(facts, my_id="b" * 40)
