"""Which steps of which procedure are left in the middle by tests of their own, as data; a quick test keeps it whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from redis_sentinel_operator.operations.procedures import PROCEDURES

# What is entered in the middle.
ENTERED = ("Paused", "Observe", "Retain")
_AS_IN_A_SWITCHOVER = "the switchover's own, and left by the same way"
# Steps with commands that are not left, and why not. Every other one is, right after its command was sent.
LEFT_OUT: Mapping[tuple[str, str], str] = {
    ("drill", "back"): "it comes only where no failover does",
    ("restart", "replicas"): "what the plan does without a procedure: nothing is changed for a while",
    **{(verb, step): _AS_IN_A_SWITCHOVER for verb in ("restart", "upgrade") for step in ("prefer", "fence", "demote")},
    ("reset-stale", "forget"): "a sentinel is asked once and has nothing to be put back, as with monitor",
}


def points(*verbs: str) -> Iterator[tuple[str, str, str]]:
    """Yield verb, step, and what is entered after the step's command, of some procedures."""
    for verb in verbs:
        for step in PROCEDURES[verb].commands:
            if (verb, step) not in LEFT_OUT:
                yield from ((verb, step, entered) for entered in ENTERED)


# In test_midway.py; those of a cluster whose master is gone in test_midway_recover.py.
OF_A_MASTER = ("drill", "switchover", "restart", "upgrade", "rotation", "reset-stale")
WITHOUT_ONE = ("recover",)

# A host that joins or leaves, in test_midway_hosts.py: how the sentences of steps begin after which it is left, and on
# how many hosts they are done at the same time.
ON_ITS_WAY: Mapping[str, Mapping[str, int]] = {
    "join": {"start redis (": 1, "start sentinel (": 1, "set quorum on the sentinel": 4},
    "leave": {"set quorum on the sentinel": 3, "stop sentinel (": 1, "stop redis (": 1, "let the sentinel forget": 1},
}
