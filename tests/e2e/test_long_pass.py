"""A failover in the middle of a long pass: it begins nothing more, undoes nothing, and the next one finishes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from e2e.rig import Rig, is_healthy, master
from e2e.test_failover import kill, published
from e2e.test_interrupted import accident, all_well
from lab.hosts import Host
from lab.observe import commands_seen

TOTAL = 20  # steps of the pass: on each host three of redis.conf and two of its firewall
CONFIG = {"repl-ping-slave-period": 10, "repl-timeout": 61, "slowlog-max-len": 200, "timeout": 300}


@pytest.mark.timeout(500)
@pytest.mark.parametrize(
    ("at", "begun"), [("set repl-timeout", 8), pytest.param("write down", 4, marks=pytest.mark.long)]
)
def test_a_pass_stops_where_it_is_when_the_master_dies(seed: Rig, tmp_path: Path, at: str, begun: int) -> None:
    old = master(seed.status())
    seed.operator.stop()
    steps = tmp_path / "steps"
    # What was read grows old while the pass is held: that is not what is to end it.
    held = accident(seed, "hold", at, steps, settings={"RSO_FACT_MAX_AGE": "300"})
    with held, commands_seen(seed.lab) as seen:
        held.start("e2e.dying")
        held.wait_until(held.has_passed, "a first pass", 60)
        seed.wait_quiet()
        audited = len(held.audit())
        seed.declare(redis={"config": CONFIG}, firewall={"clients": [str(seed.lab.config.subnet)]})
        held.wait_until(lambda: steps.exists() and _count(steps) == begun, "the middle of the pass", 60)
        kill(seed.lab[old])
        held.wait_until(lambda: heard(held.lines(), "+odown"), "+odown heard", 90)
        live = [(host, _running(seed, host.name)) for host in seed.lab if host.name != old]
        steps.with_suffix(".go").touch()
        told = held.wait_until(lambda: _halted(held.lines()), "the end of the pass", 60)
        assert "a sentinel reported something since the hosts were read" in told, told
        assert _changes_until(told, held.lines()) - audited == begun < TOTAL, "it went on"
        assert all(_goes_on(_running(seed, host.name), set_before) for host, set_before in live), "it was undone"
        switched = published(seed.wait(lambda s: master(s) not in ("", old), "a successor in status", 90))
        status = seed.wait(lambda s: is_healthy(s) and all_well(seed, s), "all well", 120)
        assert [command for command in seen.role_commands() if command.at < switched] == []
    done = [line for line in held.audit()[audited:] if line["result"] == "done" and line["host"] != old]
    again = {key: count for key, count in Counter((line["host"], line["what"]) for line in done).items() if count > 1}
    assert not again, "what was done was done again"
    assert all(_values(host) == {"repl-timeout 61", "slowlog-max-len 200", "timeout 300"} for host in seed.lab)
    assert seed.master_by_role() == [master(status)]
    seed.operator.start()
    seed.declare()
    seed.wait_healthy()


def _count(steps: Path) -> int:
    return len(steps.read_text().splitlines())


def _values(host: Host) -> set[str]:
    """The changed directives as the file has them."""
    return set(host.run("grep -E '^(repl-timeout|slowlog-max-len|timeout) ' /etc/redis.conf").stdout.splitlines())


def _running(rig: Rig, host: str) -> dict[str, str]:
    with rig.redis(host) as client:
        return {name: client.config_get(name)[name] for name in ("repl-timeout", "slowlog-max-len", "timeout")}


def heard(lines: list[dict[str, Any]], word: str) -> bool:
    """Whether the operator heard a sentinel say it."""
    return any(f"says {word}" in str(line.get("message")) for line in lines)


def _changes_until(told: str, lines: list[dict[str, Any]]) -> int:
    """How many changes on hosts were done when that was said: the next pass may do more as soon as it may."""
    before = lines[: [str(line.get("message")) for line in lines].index(told)]
    return sum(line.get("logger", "").endswith(".audit") for line in before)


def _goes_on(now: dict[str, str], before: dict[str, str]) -> bool:
    """Whether each value is as it was, or by a later pass as declared."""
    return all(value in (before[name], str(CONFIG[name])) for name, value in now.items())


def _halted(lines: list[dict[str, Any]]) -> str:
    found = (str(line.get("message")) for line in lines)
    return next((each for each in found if "the rest is planned anew: a sentinel reported" in each), "")
