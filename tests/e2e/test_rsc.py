"""kubectl-rsc with the operator and real hosts: a plan that touches nothing, an act in full, a host set aside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.rsc import NAME, Rsc
from e2e.acting import answer, ask
from e2e.rig import FAST_RESYNC, Rig, condition, master
from lab.observe import untouched
from lab.operator import OperatorProcess
from lab.seed import NAMESPACE, seed_cluster
from redis_sentinel_operator.cli.exits import DRIFT, NOT_DONE


@pytest.fixture
def waiting(seed: Rig) -> Iterator[OperatorProcess]:
    """An operator that waits for each host: on a busy machine a first reading may go on without one."""
    seed.operator.stop()
    with OperatorProcess(seed.cp, settings=FAST_RESYNC | {"RSO_LATE_AFTER": "60"}) as operator:
        operator.wait_until(operator.has_passed, "a pass of this run of the operator", 60)
        seed.wait_quiet()
        yield operator


@pytest.fixture
def rsc(seed: Rig, capsys: pytest.CaptureFixture[str]) -> Rsc:
    """The program, beside the seed's cluster, which is healthy."""
    return Rsc(seed.cp.admin_kubeconfig, NAMESPACE, capsys)


def written(rig: Rig, tmp_path: Path, aside: str = "", **config: int) -> str:
    """The seed's file with directives changed, or a host in maintenance."""
    document = seed_cluster(rig.lab.config)
    document["spec"]["redis"]["config"] |= {name.replace("_", "-"): value for name, value in config.items()}
    if aside:
        document["spec"]["maintenanceHosts"] = [aside]
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def claims(rig: Rig) -> dict[str, str]:
    return {host.name: host.run("cat /var/lib/redis-sentinel-operator/state.json").stdout for host in rig.lab}


@pytest.mark.timeout(500)
def test_a_plan_tells_what_would_be_changed_and_touches_nothing(
    seed: Rig, waiting: OperatorProcess, rsc: Rsc, tmp_path: Path
) -> None:
    before, audited = claims(seed), len(waiting.audit())
    services = seed.cp.get("services,endpointslices", "-n", NAMESPACE)["items"]
    with untouched(*seed.lab.hosts):
        said = rsc("plan", "-f", written(seed, tmp_path))
        assert (said.code, said.out) == (0, f"{NAMESPACE}/{NAME}: nothing would be changed on any host that was read\n")
        said = rsc("plan", "-f", written(seed, tmp_path, repl_timeout=77), "-o", "json")
        assert said.code == DRIFT, said
        found = json.loads(said.out)
        assert {each["host"] for each in found["changes"]} == {host.name for host in seed.lab}
        assert all("repl-timeout" in each["what"] for each in found["changes"]), found
        assert "unread" not in found
        now = master(seed.status())
        said = rsc("plan", "-f", written(seed, tmp_path, aside=now), "-o", "json")
        assert said.code == DRIFT, said
        assert (now, "Failover") in {(each["host"], each["impact"]) for each in json.loads(said.out)["changes"]}
    assert claims(seed) == before, "the claims are the cluster's own, as before"
    assert waiting.audit()[audited:] == []
    seed.wait(lambda _: len(seed.cp.get("rsc", "-A")["items"]) == 1, "the end of what was made for the plans")
    after = seed.cp.get("services,endpointslices", "-n", NAMESPACE)["items"]
    assert [each["metadata"]["name"] for each in after] == [each["metadata"]["name"] for each in services]
    status = seed.wait_healthy()
    assert {each["state"] for each in status["hosts"]} == {"Member"}
    assert condition(status, "HostsClaimed")["status"] == "True"


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_plan_in_the_middle_of_a_switchover_leaves_it_alone(seed: Rig, rsc: Rsc, tmp_path: Path) -> None:
    new = next(host.name for host in seed.lab.replicas if host.name != master(seed.status()))
    at = ask(seed, f"switchover {new}")
    seed.wait(lambda s: s.get("operation"), "the switchover", 30)
    assert rsc("plan", "-f", written(seed, tmp_path)).code in (0, DRIFT, NOT_DONE)
    assert answer(seed, at)["result"] == "Done"
    seed.wait_healthy()
    assert master(seed.status()) == new
    assert f"-> {new}\n  cause Ours, Succeeded in " in rsc.ok("history")
    assert "Healthy: " in rsc.ok("status", NAME)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_acts_and_maintenance_from_the_terminal(seed: Rig, rsc: Rsc) -> None:
    new = next(host.name for host in seed.lab.replicas if host.name != master(seed.status()))
    said = rsc("switchover", NAME, new)
    assert said.code == 0, said
    assert said.out.startswith("Done: ")
    assert "switchover fence" in said.err or "switchover ask" in said.err, "what goes on is shown"
    seed.wait_healthy()
    aside = next(host.name for host in seed.lab.replicas if host.name != new)
    assert rsc.ok("maintenance", "on", NAME, aside) == f"{aside} is in maintenance\n"
    assert rsc.ok("maintenance", "off", NAME, aside) == f"{aside} is looked after again\n"
    seed.wait_healthy()
    assert rsc.ok("pause", NAME).startswith(f"{NAME} is paused")
    assert seed.status()["phase"] == "Paused"
    assert rsc.ok("resume", NAME).startswith(f"{NAME} is resumed")
    said = rsc("rotate", NAME, "--password-file", "/dev/null")
    assert said.code != 0, "an empty password is refused before anything is changed"
    seed.wait_healthy()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_init_writes_what_the_running_cluster_is(seed: Rig, rsc: Rsc, tmp_path: Path) -> None:
    """From the hosts alone: who there is, who is master, and how the sentinels are set."""
    password = tmp_path / "password"
    password.write_text(seed.password)
    hosts = [f"{host.name}={host.address}" for host in seed.lab]
    made = ("--directory", str(tmp_path / "new"), "--password-file", str(password))
    said = rsc("init", NAME, *hosts, "-n", NAMESPACE, *made)
    assert said.code == 0, said
    document = yaml.safe_load((tmp_path / "new" / "cluster.yaml").read_text())
    wanted = seed_cluster(seed.lab.config)["spec"]
    assert document["spec"]["hosts"] == wanted["hosts"]
    assert document["spec"]["sentinel"] == wanted["sentinel"]
    assert document["spec"]["initialMaster"] == master(seed.status())
    known = (tmp_path / "new" / "known_hosts").read_text()
    assert all(f"{host.address} ssh-ed25519 " in known for host in seed.lab)
    assert seed.password not in said.out + said.err + (tmp_path / "new" / "cluster.yaml").read_text()
