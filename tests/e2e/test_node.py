"""The image as the Deployment of deploy/, on a kubelet of the lab's own: as its users run it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from e2e.rig import Rig, master
from e2e.test_failover import kill
from e2e.test_interrupted import all_well
from lab.image import image_archive
from lab.node import Node
from lab.operator import ACCOUNT, ROOT


@pytest.fixture
def deployed(bare: Rig) -> Iterator[Rig]:
    """The operator runs as the Pod of deploy/."""
    with Node(bare.lab.config, bare.cp) as node:
        node.load(image_archive())
        bare.cp.apply(ROOT / "deploy")
        bare.cp.kubectl("rollout", "status", f"deployment/{ACCOUNT}", "-n", ACCOUNT, "--timeout=90s", seconds=100)
        yield bare
        bare.cp.kubectl("delete", "deployment", ACCOUNT, "-n", ACCOUNT, "--timeout=60s", seconds=70)


@pytest.mark.timeout(600)
def test_the_deployment_installs_follows_and_survives_its_pod(deployed: Rig) -> None:
    pod = deployed.cp.get("pods", "-n", ACCOUNT)["items"][0]
    assert pod["spec"]["serviceAccountName"] == ACCOUNT
    assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"]
    deployed.declare()
    old = master(deployed.wait_healthy(180))
    assert old == "redis_master01"

    kill(deployed.lab[old])
    time.sleep(5.2)  # down-after has just passed: sentinel is at work
    deployed.cp.kubectl("delete", "pod", pod["metadata"]["name"], "-n", ACCOUNT, "--wait=false")
    deployed.wait(lambda s: master(s) not in ("", old), "a successor in status", 90)
    status = deployed.wait(lambda s: all_well(deployed, s), "the old master back as a replica", 120)
    assert deployed.master_by_role() == [master(status)]
    new = deployed.cp.get("pods", "-n", ACCOUNT)["items"]
    assert pod["metadata"]["name"] not in [each["metadata"]["name"] for each in new]
