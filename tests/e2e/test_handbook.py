"""The pages of docs/ followed word for word on real hosts, with this lab's addresses: what they promise comes true."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from e2e.acting import ANNOTATION, answer
from e2e.rig import NAME, Rig, condition, is_healthy, master
from handbook.blocks import README, Block, blocks
from handbook.shell import Shell
from handbook.sources import DOCS
from lab.seed import NAMESPACE
from lab.seedcluster import make_by_hand

_SETTLED = 11.0  # seconds after a switch in which no act is begun, and a little more
LOOKS = [block for block in blocks() if block.runner in ("host", "output")]
# Where the tasks speak of what this lab does not have: run on an API server (tests/api/test_handbook.py), and there are
# tests of their own for what comes of them.
ELSEWHERE = {
    "192.168.3.45": "no fifth host: test_scaling",
    '"version": "3.2.12': "no such package: test_upgrade",
    "delete-data": "test_deletion",
    "kubectl -n redis delete": "test_deletion",
    "delete -k": "tests/api/test_deploy.py",
    "rollout": "no Pod of it runs: test_node",
}
# What becomes of each act of the tasks in a cluster where all is well.
ANSWERS = {
    "switchover": "Done",
    "drill": "Done",
    "restart": "Refused",
    "upgrade": "Refused",
    "recover": "Refused",
    "reset-stale": "Refused",
    "forget-host": "Refused",
    "adopt-claim": "Done",
}


def terminal(rig: Rig, directory: Path) -> Shell:
    """A reader's terminal, with a key that the hosts of the lab accept."""
    shell = Shell(rig.cp, directory, rig.lab.config)
    shell.keys(rig.lab.private_key.read_text(), rig.lab.known_hosts())
    return shell


def told(page: str, *runners: str) -> Iterator[Block]:
    """The blocks of a page that these run, without those that speak of what the lab does not have."""
    for block in blocks(of=DOCS / page):
        if block.runner in runners and not any(words in block.code for words in ELSEWHERE):
            yield block


def shown(shell: Shell, block: Block) -> tuple[list[str], list[str]]:
    """What a block says that a command prints, and what it prints; without its age."""
    command, _, output = block.code.removeprefix("$ ").partition("\n")
    found = shell.command(command, str(block))
    return _words(output), _words(found)


def _words(text: str) -> list[str]:
    return re.sub(r"\b(\d+[smhd])+$", "AGE", text.strip(), flags=re.MULTILINE).split()


def settled(rig: Rig) -> None:
    """Wait until all is as declared, and the last switch is old enough for another one."""
    since = datetime.fromisoformat(rig.wait_healthy(180)["master"]["since"]).timestamp()
    time.sleep(max(0.0, since + _SETTLED - time.time()))


@pytest.mark.timeout(400)
def test_what_the_pages_show_and_run_on_hosts(seed: Rig, tmp_path: Path) -> None:
    shell = terminal(seed, tmp_path)
    first = master(seed.status())
    for block in LOOKS:
        if block.runner == "host":
            assert seed.lab["redis_slave01"].run(["bash", "-euc", block.code]).stdout, block
        else:
            text, found = shown(shell, block)
            assert found == [first if word == "redis_master01" else word for word in text], block


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [README, DOCS / "start.md"], ids=lambda page: page.stem)
def test_who_does_what_the_page_says_has_a_cluster(bare: Rig, tmp_path: Path, page: Path) -> None:
    """README leaves writing cluster.yaml to the reader: there it is the example."""
    shell = terminal(bare, tmp_path)
    shell.write("known_hosts", "")
    bare.cp.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s", seconds=70)
    bare.operator.start()
    for block in blocks(of=page):
        if block.title == "cluster.yaml":
            shell.write(block.title, block.code)
        if block.runner not in ("kubectl", "hosts") or any(words in block.code for words in ELSEWHERE):
            continue
        if f"{ANNOTATION}=" not in block.code:  # README's last one: the tasks have it
            shell.run(block, stdin=f"{bare.password}\n")
    status = bare.wait_healthy(60)
    assert (master(status), status["ready"], status["replicas"]) == ("redis_master01", "4/4", "3/3")
    assert bare.master_by_role() == ["redis_master01"]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_cluster_made_by_hand_is_taken_over_as_the_page_says(bare: Rig, tmp_path: Path) -> None:
    make_by_hand(bare.lab, password=bare.password)
    running = {host.name: host.run("pidof redis-server").stdout for host in bare.lab}
    bare.declare()  # for its Secrets
    bare.forget()
    bare.operator.start()
    shell = terminal(bare, tmp_path)
    for block in told("migrate.md", "kubectl", "cluster", "host"):
        if block.runner == "cluster":
            shell.write(block.title, block.code.replace("masterName: mymaster", f"masterName: {NAME}"))
        elif block.runner == "host":
            assert NAME in bare.lab["redis_slave01"].run(["bash", "-euc", block.code]).stdout or "grep -h" in block.code
        else:
            if '"Full"' in block.code:
                planned = bare.wait(lambda s: s.get("plan"), "the plan that the page shows", 60)["plan"]
                assert {item["impact"] for item in planned} <= {"None", "Reload"}, "adoption restarts nothing"
            shell.run(block)
    assert is_healthy(bare.wait_healthy(60))
    assert {host.name: host.run("pidof redis-server").stdout for host in bare.lab} == running


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_tasks_one_after_the_other(seed: Rig, tmp_path: Path) -> None:
    """From top to bottom, each when all is well again after the one before."""
    shell = terminal(seed, tmp_path)
    seed.spoiled = "the tasks of the pages were done in it"
    given: dict[str, str] = {}
    for block in told("tasks.md", "kubectl", "hosts"):
        settled(seed)
        before = seed.body()["metadata"]
        shell.run(block, stdin=f"{seed.password}\n")
        body = seed.body()
        act = str((body["metadata"].get("annotations") or {}).get(ANNOTATION, ""))
        if act != str((before.get("annotations") or {}).get(ANNOTATION, "")):
            verb, _, at = act.split()
            given[verb] = answer(seed, at, 120)["result"]
        seed.wait_healthy(180)
    assert given == ANSWERS
    status = seed.wait_healthy(60)
    assert (status["ready"], status["replicas"], status["sentinels"]) == ("4/4", "3/3", "3/3")
    assert condition(status, "CredentialsInSync")["status"] == "True"
