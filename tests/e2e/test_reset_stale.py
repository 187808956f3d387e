"""A sentinel that stays with a wrong master: told, mended by the act, or by itself where that is declared."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.acting import answer, ask
from e2e.rig import FAST_RESYNC, NAME, Rig, condition, is_healthy, master
from e2e.test_following import events
from e2e.test_replaced import epochs, my_id, peers
from e2e.test_switchover import settle
from lab.hosts import Host
from lab.processes import wait_until
from lab.seed import NAMESPACE
from redis_sentinel_operator.conf.sentinel_conf import parse

SHIPPED = Path(__file__).parents[1] / "unit" / "conf" / "captures" / "sentinel-shipped.conf"
NOTHING = "no sentinel stays with a wrong master, counts one that is gone, or runs with its package's file"


@pytest.mark.long
@pytest.mark.timeout(300)
def test_nobody_is_confirmed_until_it_is_mended_and_who_asks_is_told(seed: Rig) -> None:
    settle(seed)
    told = answer(seed, ask(seed, "reset-stale -"))
    assert (told["result"], told["message"]) == ("Refused", NOTHING)
    old = master(seed.status())
    led_astray(seed)
    status = seed.wait(lambda s: _reason(s, "QuorumHealthy") == "SentinelStale", "the stale sentinel told", 40)
    assert _reason(status, "MasterConfirmed") == "SentinelsDisagree"
    assert master(status) == old
    at = ask(seed, "reset-stale -")
    told = answer(seed, at)
    assert told["result"] == "Done", told
    assert told["message"].startswith(f"every sentinel names {old} at config epoch ")
    status = seed.wait(lambda s: is_healthy(s) and s["sentinels"] == "3/3", "all well", 60)
    assert master(status) == old
    assert _named(seed) == {(seed.lab[old].address, 6379)}
    assert "operation" not in status
    assert f"reset-stale -, asked for at {at}, is done: {told['message']}." in events(seed, "ActDone")


@pytest.mark.long
@pytest.mark.timeout(400)
def test_with_automatic_recovery_it_is_mended_after_a_minute(seed: Rig) -> None:
    settle(seed)
    old, known = master(seed.status()), len(seed.status().get("acts", []))
    with automatic(seed):
        led_astray(seed)
        seed.wait(lambda s: (s.get("operation") or {}).get("step") == "watch", "it is watched", 60)
        assert len(_named(seed)) == 2
        began = time.monotonic()
        status = seed.wait(lambda s: is_healthy(s) and s["sentinels"] == "3/3", "all well", 150)
        assert 40 < time.monotonic() - began < 120
        assert master(status) == old
        assert _named(seed) == {(seed.lab[old].address, 6379)}
        last = status["acts"][-1]
        assert (last["verb"], last["result"]) == ("reset-stale", "Done"), last
        assert len(status["acts"]) == min(known + 1, 10)


@pytest.mark.long
@pytest.mark.timeout(500)
def test_one_that_runs_as_its_package_brought_it_is_told_and_by_itself_becomes_the_voter_that_it_was(seed: Rig) -> None:
    """A person brings back the file, and starts what is in it; the others know the id that the sentinel had."""
    settle(seed)
    old, host = master(seed.status()), seed.lab.replicas[-1]
    id_, epochs_ = my_id(host), epochs(host)
    seed.operator.stop()  # it sets up a sentinel that is stopped, as this one is for a moment
    _as_its_package_brought_it(host)
    seed.operator.start()
    assert my_id(host) not in ("", id_), "it makes itself an id at its start"
    status = seed.wait(lambda s: _reason(s, "PreflightPassed") == "ShippedSentinel", "it told", 60)
    assert condition(status, "PreflightPassed")["message"].startswith(
        f"A sentinel runs with the file that its package brought, watches nothing of {NAME}, and has no vote: on "
        f"{host.name}. The operator mends it when you ask by the act `reset-stale`; by itself only with "
        "spec.recovery: Automatic. Or stop it (systemctl stop): a stopped one is set up at once."
    )
    time.sleep(2 * float(FAST_RESYNC["RSO_RESYNC"]))
    assert "sentinel monitor mymaster 127.0.0.1 6379 2" in _lines(host), "nobody asked for it yet"
    with automatic(seed):
        seed.wait(lambda s: (s.get("operation") or {}).get("step") == "watch", "it is watched", 60)
        status = seed.wait(lambda s: is_healthy(s) and s["sentinels"] == "3/3" and "operation" not in s, "mended", 200)
        last = status["acts"][-1]
        assert (last["verb"], last["result"]) == ("reset-stale", "Done"), last
        assert condition(status, "PreflightPassed")["reason"] != "ShippedSentinel"
    assert (master(status), _named(seed)) == (old, {(seed.lab[old].address, 6379)})
    assert my_id(host) == id_
    assert "mymaster" not in host.run(f"cat {host.family.sentinel_conf}").stdout
    now = epochs(host)
    assert all(now[name] >= epoch for name, epoch in epochs_.items()), (epochs_, now)
    for other in seed.lab.replicas[:-1]:
        assert {(each, at) for each, at in peers(seed, other) if at == host.address} == {(id_, host.address)}


def _as_its_package_brought_it(host: Host) -> None:
    host.run(f"systemctl stop {host.family.units[1]}")
    host.run(f"rm {host.family.sentinel_conf}; yum -y -q --disableexcludes=main reinstall redis")
    assert "sentinel monitor mymaster 127.0.0.1 6379 2" in _lines(host)
    host.run(f"systemctl start {host.family.units[1]}")
    assert wait_until(lambda: "# Generated by CONFIG REWRITE" in _lines(host), 10), "it writes its id into its file"


def _lines(host: Host) -> list[str]:
    return host.run(f"cat {host.family.sentinel_conf}").stdout.splitlines()


@contextmanager
def automatic(rig: Rig) -> Iterator[None]:
    _recovery(rig, "Automatic")
    try:
        yield
    finally:
        _recovery(rig, None)


def _recovery(rig: Rig, value: str | None) -> None:
    patch = json.dumps({"spec": {"recovery": value}})
    rig.cp.kubectl("patch", "rsc", NAME, "-n", NAMESPACE, "--type=merge", "-p", patch)


def led_astray(rig: Rig) -> None:
    """Let the last sentinel name a server that is none, at the epoch that the others have."""
    host = rig.lab.replicas[-1]
    nowhere = host.address.rpartition(".")[0] + ".199"
    host.run(f"systemctl stop {host.family.units[1]}")
    conf = parse(host.run(f"cat {host.family.sentinel_conf}").stdout)
    changed = conf.with_master(NAME, nowhere, 6379, conf.config_epoch(NAME))
    host.run(f"cat >{host.family.sentinel_conf}; systemctl start {host.family.units[1]}", stdin=changed)


def with_the_packages_file(rig: Rig) -> None:
    """Let the last sentinel run with the file that its package brings: as somebody has it who installs it again."""
    host = rig.lab.replicas[-1]
    host.run(f"systemctl stop {host.family.units[1]}")
    host.run(f"cat >{host.family.sentinel_conf}; systemctl start {host.family.units[1]}", stdin=SHIPPED.read_text())


def _named(rig: Rig) -> set[tuple[str, int]]:
    found = set()
    for host in rig.lab.replicas:
        with rig.sentinel(host.name) as client:
            found.add(tuple(client.sentinel_get_master_addr_by_name(NAME)))
    return found


def _reason(status: dict[str, object], kind: str) -> str:
    return str(condition(status, kind).get("reason"))
