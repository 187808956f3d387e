"""The image as the Deployment of deploy/, on a kubelet of the lab's own: as its users run it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.rig import Rig, master
from e2e.test_failover import kill
from e2e.test_interrupted import all_well
from handbook.blocks import blocks
from handbook.shell import Shell
from handbook.sources import DOCS
from lab.image import image_archive
from lab.node import Node
from lab.operator import ACCOUNT


@pytest.fixture
def deployed(bare: Rig, tmp_path: Path) -> Iterator[Rig]:
    """The operator runs as the Pod of deploy/."""
    shell = Shell(bare.cp, tmp_path)
    with Node(bare.lab.config, bare.cp) as node:
        node.load(image_archive())
        for block in blocks(of=DOCS / "start.md"):  # as a reader does
            if block.runner == "nodes":
                shell.run(block)
        yield bare
        _search_log(bare)
        bare.cp.kubectl("delete", "deployment", ACCOUNT, "-n", ACCOUNT, "--timeout=60s", seconds=70)


@pytest.mark.timeout(900)
def test_the_deployment_installs_follows_and_survives_its_pod(deployed: Rig, tmp_path: Path) -> None:
    shell = Shell(deployed.cp, tmp_path / "later")
    pod = deployed.cp.get("pods", "-n", ACCOUNT)["items"][0]
    assert pod["spec"]["serviceAccountName"] == ACCOUNT
    assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    deployed.declare()
    old = master(deployed.wait_healthy(180))
    assert old == "redis_master01"
    looks = [each for each in blocks() if each.runner == "nodes" and each.page not in ("README.md", "docs/start.md")]
    assert '"woken_by"' in "".join(shell.run(block) for block in looks), "what the pages say to look at the operator"

    kill(deployed.lab[old])
    time.sleep(5.2)  # down-after has just passed: sentinel is at work
    _search_log(deployed)
    deployed.cp.kubectl("delete", "pod", pod["metadata"]["name"], "-n", ACCOUNT, "--wait=false")
    deployed.wait(lambda s: master(s) not in ("", old), "a successor in status", 120)
    status = deployed.wait(lambda s: all_well(deployed, s), "the old master back as a replica", 120)
    assert deployed.master_by_role() == [master(status)]
    new = deployed.cp.get("pods", "-n", ACCOUNT)["items"]
    assert pod["metadata"]["name"] not in [each["metadata"]["name"] for each in new]


def _search_log(rig: Rig) -> None:
    """Search the log of the Pod that is there for the password, before it goes with its Pod."""
    log = rig.cp.kubectl("logs", "-n", ACCOUNT, f"deployment/{ACCOUNT}", "--tail=-1")
    assert '"woken_by"' in log, "the Pod has not told of a pass"
    rig.canary.search("the log of the Pod", log)
