"""A master that somebody made a replica by redis.conf: told with the files that say so, and nobody else accused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.model.fact import FileFacts, HostFacts, Known, RedisFacts, SentinelFacts
from redis_sentinel_operator.model.verdict import Uncertain, Verdict
from unit.plan.living import alive
from unit.plan.world import ADDRESS, OWNER, S1, S2, S3, Change, M, cluster, desired

LINE = f"slaveof {ADDRESS[S1]} 6379"


def restarted_as_replica(host: HostFacts) -> HostFacts:
    """The host's redis follows S1, as its file says."""
    assert isinstance(host.redis, Known) and isinstance(host.redis.value, RedisFacts)
    redis = replace(host.redis.value, role="slave", master_address=ADDRESS[S1], master_port=6379, link="down")
    return written(replace(host, redis=Known(redis)))


def written(host: HostFacts) -> HostFacts:
    """The host's redis.conf names S1 as master."""
    assert isinstance(host.files, Known)
    file = host.files.value["/etc/redis.conf"]
    assert isinstance(file, FileFacts)
    lines = [line for line in file.text.splitlines() if not line.startswith("slaveof")]
    text = "\n".join([*lines, LINE]) + "\n"
    return replace(host, files=Known({**host.files.value, file.path: replace(file, text=text)}))


def judged(**hosts: Change) -> Verdict:
    return judge(desired(), cluster(alive, **hosts), None, JudgeContext(OWNER, None, math.inf))


def test_the_files_that_say_so_are_named() -> None:
    verdict = judged(M=restarted_as_replica, S3=written)
    assert verdict.undone == (
        f"{M} came up as a replica of {S1} ({ADDRESS[S1]}), as `{LINE}` in redis.conf of {M} and {S3} says"
    )
    assert verdict.master == Uncertain(
        "RoleUndone",
        f"The master {verdict.undone}. Not the sentinels wrote that line: a person or a tool did, which undoes a "
        f"failover each time it is run; take slaveof out of it. The operator changes no role: {S1}, {S2} and {S3} can "
        "be promoted, so the sentinels switch by themselves when their master has called itself a replica for 25 s.",
        ADDRESS[M],
    )


@pytest.mark.parametrize("only", ["the file", "the running server"])
def test_one_of_the_two_alone_is_nobodys_doing(only: str) -> None:
    def half(host: HostFacts) -> HostFacts:
        whole = restarted_as_replica(host)
        return replace(whole, redis=host.redis) if only == "the file" else replace(whole, files=host.files)

    verdict = judged(M=half)
    assert verdict.undone == ""
    assert getattr(verdict.master, "reason", "") == ("" if only == "the file" else "RoleDisagrees")


def test_a_role_that_sentinels_are_about_to_give_is_theirs() -> None:
    def leading(host: HostFacts) -> HostFacts:
        facts = host.sentinel.value if isinstance(host.sentinel, Known) else None
        assert isinstance(facts, SentinelFacts) and facts.view is not None
        return replace(host, sentinel=Known(replace(facts, view=replace(facts.view, told_address=ADDRESS[S1]))))

    assert judged(M=restarted_as_replica, S2=leading).undone == ""
