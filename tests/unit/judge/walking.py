"""Walk a capture of a real failover through the judge, frame by frame, as the fast path would have met it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from redis_sentinel_operator.judge.master import mastership
from redis_sentinel_operator.model.desired import ClusterRef, Desired, DesiredHost, SentinelSettings, SshAccess
from redis_sentinel_operator.model.fact import Known, RedisFacts, SentinelFacts, SentinelView, Unknown
from redis_sentinel_operator.model.verdict import Confirmed, MasterRecord, Mastership
from unit.judge.clusters import RedisFact, SentinelFact

Capture = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Walked:
    """One frame: when (milliseconds), what was judged, and the address that the frame itself gives evidence for."""

    at: int
    found: Mastership
    evident: str


def load(path: Path) -> Capture:
    """Read a capture."""
    found: Capture = json.loads(path.read_text())
    return found


def desired_of(capture: Capture) -> Desired:
    """Return the cluster of a capture as declared."""
    hosts = tuple(
        DesiredHost(name, address, SshAccess(address), sentinel=name in capture["sentinels"])
        for name, address in capture["hosts"].items()
    )
    first = next(iter(capture["hosts"]))
    return Desired(ClusterRef("ns", "c", "u"), 1, capture["master_name"], "Full", hosts, first, SentinelSettings(2))


def sentinel_of(answer: Any) -> SentinelFact:
    """Return what a sentinel answered in a frame; null: nothing, "stopped": nobody listens."""
    if answer is None:
        return Unknown("no answer")
    if answer == "stopped":
        return Known(None)
    if not answer:
        return Known(SentinelFacts("3.2.6", "r", 1, False, (), None))
    vote, told, epoch, flags, tilt = answer
    view = SentinelView(vote, 6379, told, epoch, frozenset(flags.split(",")), 2, 5000, 10000, 1, 3, 2)
    return Known(SentinelFacts("3.2.6", "r", 1, tilt, (), view))


def redis_of(answer: Any) -> RedisFact:
    """Return what a redis answered in a frame."""
    if answer is None:
        return Unknown("no answer")
    return Known(None) if answer == "stopped" else Known(RedisFacts("3.2.6", "r", 1, answer, 1))


def walk(capture: Capture) -> list[Walked]:
    """Judge each frame; the last confirmed master goes on to the next, as in status."""
    desired, last, walked = desired_of(capture), None, []
    for at, sentinels, redis in capture["frames"]:
        found = mastership(
            desired,
            {name: sentinel_of(answer) for name, answer in sentinels.items()},
            {name: redis_of(answer) for name, answer in redis.items()},
            last,
        )
        if isinstance(found, Confirmed):
            last = MasterRecord(found.host, found.address, found.port, found.config_epoch, "")
        walked.append(Walked(at, found, evidence(capture, sentinels, redis)))
    return walked


def evidence(capture: Capture, sentinels: Mapping[str, Any], redis: Mapping[str, Any]) -> str:
    """Return the address that the frame's raw answers prove to be master, "" when they prove none.

    Counted here once more, without the judge: two of the three sentinels name it, at the highest epoch seen, and its
    own ROLE is master.
    """
    answers = [answer for answer in sentinels.values() if isinstance(answer, list) and answer]
    if not answers:
        return ""
    highest = max(epoch for _, _, epoch, _, _ in answers)
    names = [vote for vote, _, epoch, _, tilt in answers if epoch == highest and not tilt]
    roles = {capture["hosts"][name]: role for name, role in redis.items()}
    return next((name for name in names if names.count(name) >= 2 and roles.get(name) == "master"), "")


def check(capture: Capture) -> None:
    """Assert what holds for every capture of one failover."""
    walked = walk(capture)
    assert walked[0].found == Confirmed(
        next(name for name, address in capture["hosts"].items() if address == capture["old"]),
        capture["old"],
        6379,
        walked[0].found.config_epoch if isinstance(walked[0].found, Confirmed) else -1,
    )
    confirmed = [each.found for each in walked if isinstance(each.found, Confirmed)]
    switches = [(a.address, b.address) for a, b in pairwise(confirmed) if a != b]
    assert switches == [(capture["old"], capture["new"])], "one switch, never back"
    assert isinstance(walked[-1].found, Confirmed)
    assert walked[-1].found.address == capture["new"]
    for each in walked:
        address = each.found.address if isinstance(each.found, Confirmed) else ""
        assert address == each.evident, f"{each.at} ms: {each.found}, but the answers prove {each.evident or 'nobody'}"
