"""A play that restarted all as replicas: the master gets its role back where all is proved, else it is told why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.judge.restoring import changed_since
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    DataFile,
    HostFacts,
    Known,
    RedisFacts,
    ReplicaView,
    SentinelFacts,
)
from redis_sentinel_operator.model.step import Need, RestoreMaster
from redis_sentinel_operator.model.verdict import MasterRecord, Uncertain, Verdict
from unit.judge.clusters import ADDRESS, AWAY, LAST, OWNER, S1, S2, S3, M, alive, desired, facts, sentinel, with_conf

SINCE_1970 = 1_790_000_000
CONFIG = {"appendonly": "no", "dir": "/var/lib/redis", "dbfilename": "dump.rdb", "slave-priority": "100"}
STEP = RestoreMaster(0, "r")
CANNOT = "The sentinels cannot switch, as no replica was in touch with a master since it was started"
AGAIN = (
    f"{CANNOT}. {M} still has all it was stopped with as master, so the operator makes it the master again that all "
    "sentinels name."
)


def ring(*changed: HostFacts) -> ClusterFacts:
    """M was master by a failover; the play restarted all: M follows S1, S1 follows M, as its file said, the rest S1."""
    return facts(*({name: of_ring(name) for name in ADDRESS} | {host.name: host for host in changed}).values())


def of_ring(name: str) -> HostFacts:
    host = alive(name)
    followed = ADDRESS[M] if name == S1 else ADDRESS[S1]
    own = RedisFacts(
        "3.2.6", "r", 1, "slave", 60, master_address=followed, master_port=6379, link="down", link_down=SINCE_1970,
        config=CONFIG,
    )  # fmt: skip
    dump = DataFile("/var/lib/redis/dump.rdb", 76, age=60)
    return replace(with_conf(host, f"slaveof {followed} 6379\n"), redis=Known(own), data=Known((dump,)))


def with_redis(name: str, **changes: object) -> HostFacts:
    host = of_ring(name)
    assert isinstance(host.redis, Known) and isinstance(host.redis.value, RedisFacts)
    return replace(host, redis=Known(replace(host.redis.value, **changes)))  # type: ignore[arg-type]


def with_dump(age: int | None, path: str = "/var/lib/redis/dump.rdb") -> HostFacts:
    return replace(of_ring(M), data=Known((DataFile(path, 76, age),)))


def judged(
    read: ClusterFacts, wish: Desired | None = None, last: MasterRecord | None = LAST, told_for: float = 5.0
) -> Verdict:
    return judge(wish or desired(), read, last, JudgeContext(OWNER, None, down_for=told_for, undone_for=told_for))


def told(verdict: Verdict) -> str:
    """What is said of how it goes on."""
    assert isinstance(verdict.master, Uncertain)
    assert verdict.master.reason == "RoleUndone"
    return verdict.master.message.partition("take slaveof out of it. ")[2]


def test_the_master_of_a_ring_is_made_master_again() -> None:
    verdict = judged(ring())
    assert (verdict.restores, told(verdict)) == (M, AGAIN)
    assert why_not(Need.UNDONE, M, desired(), ring(), verdict) is None
    assert why_not(Need.UNDONE, S1, desired(), ring(), verdict) == f"{S1} may not be made the master again"


@pytest.mark.parametrize("flags", [("s_down",), ("s_down", "o_down")])
def test_that_the_sentinels_call_it_down_by_now_changes_nothing(flags: tuple[str, ...]) -> None:
    seen = [replace(of_ring(name), sentinel=sentinel(M, 0, *flags)) for name in (S1, S2, S3)]
    assert judged(ring(*seen)).restores == M


@pytest.mark.parametrize("name", [M, S3])
def test_all_must_be_up_for_a_moment(name: str) -> None:
    """A play that is not through restarts more of them."""
    young = with_redis(name, uptime=4)
    young = replace(young, data=Known((DataFile("/var/lib/redis/dump.rdb", 76, 4),)))
    verdict = judged(ring(young))
    assert (verdict.restores, told(verdict)) == ("", AGAIN)


def test_it_is_told_for_a_moment_before_it_is_done() -> None:
    """An admin who looks, and a person who is about to do something else, must be able to see it."""
    verdict = judged(ring(), told_for=4.9)
    assert (verdict.restores, told(verdict)) == ("", AGAIN)


def test_what_status_has_not_told_yet_is_not_undone() -> None:
    """The master was withdrawn long before for another reason: nobody could have read this one."""
    verdict = judge(desired(), ring(), LAST, JudgeContext(OWNER, None, down_for=60.0))
    assert (verdict.restores, told(verdict)) == ("", AGAIN)


@pytest.mark.parametrize("redis", [None, {"config": {**CONFIG, "slave-priority": "0"}, "link_down": 5}])
def test_what_sentinels_never_promote_does_not_matter(redis: dict[str, object] | None) -> None:
    odd = with_redis(S3, **redis) if redis else replace(of_ring(S3), redis=Known(None))
    assert judged(ring(odd)).restores == M


@pytest.mark.parametrize(
    "changes",
    [{"link_down": 5}, {"link_down": -1}, {"link": "up", "link_down": 0}, {"role": "master", "link_down": 0}],
    ids=["lost its master", "a newer version's never", "follows", "a master"],
)
def test_where_one_can_be_promoted_the_sentinels_switch(changes: dict[str, object]) -> None:
    verdict = judged(ring(with_redis(S3, **changes)))
    assert verdict.restores == ""
    assert told(verdict) == (
        f"The operator changes no role: {S3} can be promoted, so the sentinels switch by themselves when their master "
        "has called itself a replica for 25 s."
    )


def with_replica(address: str) -> HostFacts:
    """A sentinel that knows one more replica."""
    host = of_ring(S2)
    assert isinstance(host.sentinel, Known) and isinstance(host.sentinel.value, SentinelFacts)
    facts_ = host.sentinel.value
    assert facts_.view is not None
    more = ReplicaView(address, 6379, frozenset({"slave"}), "ok", 100, 1)
    return replace(host, sentinel=Known(replace(facts_, view=replace(facts_.view, replicas=(more,)))))


AT_ONCE = {  # what the step asks again
    "a sentinel is away": (
        replace(of_ring(S2), sentinel=AWAY),
        "not every declared sentinel answers and names the same master",
    ),
    "a sentinel of another epoch": (
        replace(of_ring(S2), sentinel=sentinel(S3, 0)),
        "not every declared sentinel answers and names the same master",
    ),
    "a failover": (
        replace(of_ring(S2), sentinel=sentinel(M, 0, "o_down", "failover_in_progress")),
        f"the sentinel on {S2} is in a failover (failover_in_progress)",
    ),
    "tilt": (replace(of_ring(S2), sentinel=sentinel(M, 0, tilt=True)), f"the sentinel on {S2} is in tilt mode"),
    "a leader between two": (
        replace(of_ring(S2), sentinel=sentinel(M, 0, told=S3)),
        f"the sentinel on {S2} names another",
    ),
    "a replica of others": (
        with_replica("192.168.3.99"),
        f"the sentinel on {S2} knows a replica that is not declared (192.168.3.99)",
    ),
    "one is not read": (replace(of_ring(S3), redis=AWAY), f"redis on {S3} could not be read"),
    "one loads": (with_redis(S3, loading=True), f"redis on {S3} is loading its data"),
    "one copies": (with_redis(S3, syncing=True), f"redis on {S3} is in touch with a master"),
    "it was a replica since": (
        with_redis(M, link_down=7),
        f"{M} was in touch with another redis since, and may have the data of that one",
    ),
}
DUMP = f"the dump of {M}, /var/lib/redis/dump.rdb,"
NO_DUMP = f"{DUMP} was not written as it was stopped, so what came later is not in it"
BEFORE = {  # what was read with the files
    "killed": (with_dump(300), NO_DUMP),
    "a dump of later": (with_dump(30), NO_DUMP),
    "no dump": (with_dump(60, "/srv/dump.rdb"), f"{DUMP} was not found"),
    "a dump of an unknown age": (with_dump(None), f"{DUMP} was not found"),
    "an append-only file": (
        with_redis(M, config={**CONFIG, "appendonly": "yes"}),
        f"{M} keeps an append-only file, which does not tell whether it is the newest",
    ),
}


@pytest.mark.parametrize("case", [*AT_ONCE, *BEFORE])
def test_where_anything_is_not_proved_a_person_decides(case: str) -> None:
    odd, why = (AT_ONCE | BEFORE)[case]
    verdict = judged(ring(odd))
    assert verdict.restores == ""
    if isinstance(verdict.master, Uncertain) and verdict.master.reason == "RoleUndone":
        assert told(verdict) == (
            f"{CANNOT}, and the operator chooses no master here: {why}. Send `SLAVEOF NO ONE` to the redis whose data "
            f"are to stay: that of {M}, which the sentinels name, unless you know better; the others follow."
        )
    else:
        assert case in {"a leader between two", "a sentinel of another epoch"}


def test_only_the_last_confirmed_master_and_only_by_an_operator_that_may_change_things() -> None:
    another = replace(LAST, host=S2, address=ADDRESS[S2])
    assert f"here: {M} is not the last master that was confirmed." in told(judged(ring(), last=another))
    assert "here: management is Paused." in told(judged(ring(), desired(management="Paused")))


# -- right before it is done


def by_now(read: ClusterFacts, action: RestoreMaster = STEP) -> str | None:
    sentinels = {name: each.sentinel for name, each in read.hosts.items()}
    return changed_since(action, M, desired(), sentinels, {name: each.redis for name, each in read.hosts.items()})


def test_nothing_has_changed() -> None:
    assert by_now(ring()) is None


@pytest.mark.parametrize("case", AT_ONCE)
def test_what_is_asked_again(case: str) -> None:
    odd, why = AT_ONCE[case]
    assert by_now(ring(odd)) == why


def test_what_it_is_by_now() -> None:
    assert by_now(ring(with_redis(M, run_id="newer"))) == "it was restarted meanwhile"
    assert by_now(ring(replace(of_ring(M), redis=AWAY))) == "it was restarted meanwhile"
    assert by_now(ring(with_redis(M, role="master"))) == f"redis on {M} is in touch with a master"
    assert by_now(ring(with_redis(S2, link_down=3))) == f"{S2} can be promoted by the sentinels"
    later = [replace(of_ring(name), sentinel=sentinel(M, 7)) for name in (S1, S2, S3)]
    assert by_now(ring(*later)) == "the sentinels are at another config epoch by now"
