"""Asking for an act, waiting for its answer, and what a procedure must have left as it was."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from e2e.rig import NAME, Rig
from lab.capture import Seen
from lab.ledger import Ack
from lab.seed import NAMESPACE

ANNOTATION = "redis-sentinel-operator.io/act"
_PAUSES_ALL = 9  # the EL family whose package is Redis 6.2
_OURS_FOR_A_WHILE = "slave-priority|replica-priority|min-slaves-[a-z-]+|min-replicas-[a-z-]+"


def ask(rig: Rig, act: str) -> str:
    """Annotate the resource; the time of the act."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    rig.cp.kubectl("annotate", "rsc", NAME, "-n", NAMESPACE, f"{ANNOTATION}={act} {at}", "--overwrite")
    return at


def answer(rig: Rig, at: str, seconds: float = 150) -> dict[str, Any]:
    """Wait for the last word on an act."""

    def found(status: dict[str, Any]) -> dict[str, Any]:
        same = (act for act in status.get("acts", []) if act["at"] == at and act["result"] != "Running")
        return next(same, {})

    return found(rig.wait(found, f"the answer to the act of {at}", seconds))


def changed_for_a_while(rig: Rig, count: int = 4) -> dict[str, list[str]]:
    """What a procedure may change for a while and must leave as it was: in force, in the files, and beside them."""
    left: dict[str, list[str]] = {}
    for host in rig.lab.hosts[:count]:
        with rig.redis(host.name) as client:
            live = [client.config_get(key) for key in ("*slave*priority", "*min-slaves*")]
        command = (
            f"grep -hE '^({_OURS_FOR_A_WHILE}) ' {host.family.redis_conf}; grep '\"operation\": {{.' "
            "/var/lib/redis-sentinel-operator/state.json | grep -v '{}'; ls /var/lib/redis-sentinel-operator/unfence; "
            "systemctl is-active redis-sentinel-operator-unfence.timer"
        )
        left[host.name] = [*map(str, live), host.run(f"({command}) 2>/dev/null", check=False).stdout]
    return left


def not_to_be_lost(rig: Rig, missing: Iterable[Ack]) -> list[Ack]:
    """Those of the missing writes that a planned move may not lose.

    All of them from Redis 6.2 on, which can be told to wait with writes; below that EVAL and MULTI pass the fence.
    """
    return [ack for ack in missing if ack.kind == "plain" or rig.lab.master01.family.major >= _PAUSES_ALL]


def failovers_asked(seen: Seen) -> list[str]:
    """The hosts whose sentinel was asked for a failover."""
    return [
        command.host
        for command in seen.commands()
        if [word.upper() for word in command.words[:2]] == ["SENTINEL", "FAILOVER"]
    ]
