"""What the demo shows: the heading once, a row when something changed, and of the sentinels' words the milestones."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from lab.console import console_on
from lab.telling import Rows, SentinelTeller

NEW = """\
NAME            MASTER   READY   REPLICAS   SENTINELS   PHASE   AGE
redis-cluster                                                   1s
"""
LATER = """\
NAME            MASTER           READY   REPLICAS   SENTINELS   PHASE     AGE
redis-cluster   redis_master01   4/4     3/3        3/3         Healthy   {age}
"""


def test_the_heading_is_shown_once_and_a_row_when_more_than_its_age_changed() -> None:
    rows = Rows()
    assert rows.new("") == []
    assert rows.new(NEW) == [
        "NAME            MASTER          READY  REPLICAS  SENTINELS  PHASE           AGE",
        "redis-cluster" + " " * 63 + "1s",
    ]
    assert rows.new(LATER.format(age="5s")) == [
        "redis-cluster   redis_master01  4/4    3/3       3/3        Healthy         5s"
    ]
    assert rows.new(LATER.format(age="9s")) == []


def line(second: int, channel: str, sentinel: str = "redis_slave01") -> str:
    """A line of the operator's log, `second` seconds after the beginning of 2026."""
    time = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC).isoformat(timespec="milliseconds")
    message = f"redis/redis-cluster: the sentinel on {sentinel} says {channel} master redis-cluster 192.168.3.41 6379"
    return json.dumps({"time": time, "channel": channel, "message": message}) + "\n"


def test_of_the_sentinels_words_the_milestones_since_the_stop_are_told_once() -> None:
    log, told = [line(1, "+sdown"), "no JSON\n", line(15, "+sdown"), line(15, "+vote-for-leader")], io.StringIO()
    since = datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC).timestamp()
    teller = SentinelTeller(console_on(told), lambda: "".join(log), since)
    teller.tell()
    log += [line(15, "+sdown", "redis_slave02"), line(17, "+switch-master")]
    teller.tell()
    teller.tell()
    assert told.getvalue().splitlines() == [
        "   what the sentinels said, and how long after the stop:",
        "      5.0 s  redis_slave01: +sdown master redis-cluster 192.168.3.41 6379",
        "      5.0 s  redis_slave02: +sdown master redis-cluster 192.168.3.41 6379",
        "      7.0 s  redis_slave01: +switch-master master redis-cluster 192.168.3.41 6379",
    ]
