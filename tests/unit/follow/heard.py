"""Streams of real sentinels (lab.streams), and what holds for each of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from redis_sentinel_operator.follow.grammar import Instance, Switch, parse, view
from redis_sentinel_operator.follow.history import History, record, shown
from redis_sentinel_operator.model.desired import ClusterRef, Desired, DesiredHost, SentinelSettings, SshAccess
from redis_sentinel_operator.model.event import Failover, SentinelEvent
from unit.follow.test_grammar import TABLE

NAMES = ("redis_master01", "redis_slave01", "redis_slave02", "redis_slave03")
MEANINGS = {channel: type(says) for channel, _, says, _ in TABLE}
TYPES = {channel: {says.type for each, _, says, _ in TABLE if each == channel and isinstance(says, Instance)}
         for channel, *_ in TABLE}  # fmt: skip
EXTRAS = {  # what follows the instance; nothing where a channel is not here
    "+odown": r"#quorum [123]/[12]",
    "+monitor": r"quorum 2",
    "+set": r"(quorum|parallel-syncs|failover-timeout|down-after-milliseconds) \d+|auth-pass \*\*\*",
    "+sentinel-address-switch": r"ip 192\.168\.37\.\d+ port 26380 for [0-9a-f]{40}",
    "+sentinel-address-update": r"1 additional matching instances",
    "+role-change": r"new reported role is (master|slave)",
    "-role-change": r"new reported role is (master|slave)",
}
ENDS = {  # the entries that a story makes: cause and result
    "stopped": [("Failure", "Succeeded")],
    "requested": [("Requested", "Succeeded")],
    "hung": [("Failure", "Succeeded")],
    "aborted": [("Failure", "Aborted")],
    "after-abort": [("Failure", "Succeeded")],
    "not-elected": [("Failure", "Aborted")],
    "slave-timeout": [("Failure", "Aborted"), ("Failure", "Succeeded")],
    "ends-in-time": [("Requested", "Succeeded")],
    "replica-hangs": [("Requested", "Succeeded")],
}
REASONS = {
    "aborted": "no replica could be promoted (-failover-abort-no-good-slave)",
    "not-elected": "no sentinel got the votes of a majority (-failover-abort-not-elected)",
    "slave-timeout": "the chosen replica did not become master (-failover-abort-slave-timeout)",
    "ends-in-time": "not every replica was pointed to the new master within failover-timeout",
}


def declared() -> Desired:
    """The recorded cluster as declared."""
    hosts = tuple(DesiredHost(name, f"192.168.37.{41 + at}", SshAccess("")) for at, name in enumerate(NAMES))
    return Desired(
        ref=ClusterRef("default", "redis-cluster", "uid"),
        generation=1,
        master_name="redis-cluster",
        management="Full",
        hosts=hosts,
        initial_master=NAMES[0],
        sentinel=SentinelSettings(2),
    )


def read(path: Path) -> list[SentinelEvent]:
    """The events of a recorded story."""
    lines = path.read_text().splitlines()
    return [parse(host, at, channel, payload) for at, host, channel, payload in map(json.loads, lines)]


def check_understood(events: Iterable[SentinelEvent]) -> None:
    """Assert that each message says what its channel says."""
    for event in events:
        seen = view(event)
        assert type(seen) is MEANINGS[event.channel], event
        if isinstance(seen, Instance):
            assert seen.type in TYPES[event.channel], event
            assert re.fullmatch(EXTRAS.get(event.channel, ""), seen.extra), event
            assert seen.master_address.startswith("192.168.37."), event
        if isinstance(seen, Instance | Switch):
            assert event.master_name in ("redis-cluster", "other")


def check_entries(stories: Mapping[str, list[SentinelEvent]]) -> None:
    """Assert that each failover of stories that follow one another is one entry, whole and right.

    Where sentinels ask for votes at the same moment an attempt may be lost before the one that succeeds.
    """
    history: History = ()
    for story, events in stories.items():
        before = {each.at for each in shown(history)}
        for event in events:
            history = record(history, event, declared())
        new = [entry for entry in shown(history) if entry.at not in before]
        lost = [entry for entry in new if "not-elected" in entry.message and story != "not-elected"]
        told = [entry for entry in new if entry not in lost]
        assert [(entry.cause, entry.result) for entry in told] == ENDS.get(story, []), story
        if story in REASONS:
            assert told[0].message.startswith(REASONS[story])
        succeeded = [entry for entry in told if entry.result == "Succeeded"]
        assert [entry.to_host for entry in succeeded] == _switched_to(events)[-1:], story
        assert all(_is_complete(entry) for entry in succeeded), story


def _is_complete(entry: Failover) -> bool:
    times = [entry.at, entry.elected, entry.promoted, entry.switched]
    return all(times) and times == sorted(times) and entry.config_epoch > 0


def _switched_to(events: Iterable[SentinelEvent]) -> list[str]:
    """To whom the sentinels switched, as their messages have it."""
    words = [event.payload.split(" ") for event in events if event.channel == "+switch-master"]
    hosts = [declared().host_at(address) for name, _, _, address, _ in words if name == "redis-cluster"]
    return [host.name for host in hosts if host is not None]
