"""Another version of the operator comes, also back to an earlier one: no host is touched by that."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from e2e.rig import FAST_RESYNC, NAME, Rig, is_healthy
from lab.hosts import Host
from lab.observe import commands_seen
from lab.operator import ROOT
from lab.seed import NAMESPACE

STATE = "/var/lib/redis-sentinel-operator/state.json"
FILES = f"stat -c '%i %y' /etc/redis.conf {STATE} && cat /etc/redis.conf {STATE}"
STATUS = ("rsc", NAME, "-n", NAMESPACE, "--subresource=status", "--type=merge")


def redis_pid(rig: Rig, host: Host) -> int:
    with rig.redis(host.name) as client:
        return int(client.info("server")["process_id"])


@pytest.mark.timeout(300)
def test_a_new_version_of_the_operator_touches_no_host(seed: Rig) -> None:
    """The definition is applied and the operator replaced: the next one finds nothing to do, and writes nothing."""
    pids = {host.name: redis_pid(seed, host) for host in seed.lab}
    files = {host.name: host.run(FILES).stdout for host in seed.lab}
    audited = len(seed.operator.audit())
    with commands_seen(seed.lab) as seen:
        seed.operator.stop()
        seed.cp.apply(ROOT / "crds")
        seed.operator.start()
        seed.operator.wait_until(seed.operator.has_passed, "a pass of the new one", 60)
        time.sleep(3)
        assert [each for each in seen.commands() if each.affects_writes or each.decides_roles] == []
    assert len(seed.operator.audit()) == audited
    assert {host.name: redis_pid(seed, host) for host in seed.lab} == pids
    assert {host.name: host.run(FILES).stdout for host in seed.lab} == files
    seed.wait_healthy()


@pytest.fixture
def struck(seed: Rig) -> Iterator[Rig]:
    """Leave no record of a procedure behind."""
    yield seed
    seed.operator.stop()
    seed.cp.kubectl("patch", *STATUS, "-p", '{"status":{"operation":null}}')
    seed.operator.start()
    seed.wait_healthy()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("kind", "step"), [("rebalance", "weigh"), pytest.param("switchover", "weigh", marks=pytest.mark.long)]
)
def test_a_procedure_of_a_later_version_is_left_alone(struck: Rig, kind: str, step: str) -> None:
    """The operator was rolled back in the middle of something that it does not know, or not that step of it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    record = {"id": "later-1", "type": kind, "step": step, "startedAt": now, "since": now, "act": now}
    host = struck.lab.replicas[0]
    struck.operator.stop()
    struck.cp.kubectl("patch", *STATUS, "-p", json.dumps({"status": {"operation": record}}))
    host.run("sed -i 's/^repl-timeout .*/repl-timeout 33/' /etc/redis.conf")  # there is something to be done
    audited = len(struck.operator.audit())
    says = f"The procedure '{kind}' is at '{step}', which this version of the operator does not know: nothing is done"
    with commands_seen(struck.lab) as seen:
        struck.operator.start()
        struck.wait(lambda s: f"{says}; run the version that began it" in s.get("message", ""), "its word", 60)
        time.sleep(float(FAST_RESYNC["RSO_RESYNC"]))
        assert [each for each in seen.commands() if each.affects_writes] == []
    assert len(struck.operator.audit()) == audited
    kept = struck.status()["operation"]
    assert {key: kept[key] for key in record} == record
    struck.operator.stop()
    struck.cp.kubectl("patch", *STATUS, "-p", '{"status":{"operation":null}}')
    struck.operator.start()
    mended = "grep -q '^repl-timeout 60$' /etc/redis.conf"
    struck.wait(lambda s: is_healthy(s) and host.run(mended, check=False).returncode == 0, "all mended without it", 120)
