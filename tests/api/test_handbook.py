"""The commands and the YAML of README and docs/ on a real API server: each is taken, and is what the operator reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from api.conftest import explained
from api.examples import Document, seed, stored
from handbook.blocks import README, Block, blocks, inline, pages
from handbook.shell import Shell
from lab.controlplane import ControlPlane
from lab.model import lab_config
from lab.operator import ACCOUNT, ROOT
from lab.seed import NAMESPACE, seed_secrets
from redis_sentinel_operator.acts import ANNOTATION, read_act
from redis_sentinel_operator.api.desired import resolve
from redis_sentinel_operator.api.redis_config import check_config
from redis_sentinel_operator.api.spec import parse
from redis_sentinel_operator.api.status import Condition, MasterStatus, Status
from redis_sentinel_operator.api.unsupported import refuse_unsupported
from redis_sentinel_operator.handlers import FINALIZER
from redis_sentinel_operator.model.secret import Secret

pytestmark = pytest.mark.timeout(600)  # a page has up to thirty commands
NAME, SUBNET = os.environ.get("PAGES_LAB", "pages 192.168.34.0/24").split()
RSC = ("rsc", "redis-cluster", "-n", NAMESPACE)
HOME = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
PATH = f"/apis/redis-sentinel-operator.io/v1alpha1/namespaces/{NAMESPACE}/redissentinelclusters/redis-cluster"
AT = "2026-01-02T03:04:05.678Z"
HEALTHY = Status(
    phase="Healthy",
    message="All as declared: redis_master01 is master, 4/4 hosts are ready.",
    master=MasterStatus(host="redis_master01", address="192.168.3.41", port=6379, config_epoch=0, since=AT),
    conditions=(Condition(type="Ready", status="True", last_transition_time=AT, reason="Healthy", message="All."),),
)
READ = [page for page in pages() if any(each.runner == "kubectl" for each in blocks(of=page))]


TAKEN = sorted(
    {words for words in inline("kubectl ") if "<" not in words and len(words.split()) > 2 and words.split()[1] != "rsc"}
)  # what kubectl-rsc takes a unit test knows


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """A control plane of its own: pages remove the operator and whole namespaces."""
    with ControlPlane(lab_config(NAME, SUBNET)) as plane:
        plane.apply(ROOT / "crds")
        plane.wait_until(lambda: explained(plane), "the resource to be known")
        plane.apply(ROOT / "deploy")
        plane.apply([HOME])
        yield plane


def said_by(page: Path) -> list[Block]:
    """The blocks of a page in their order; of README those that no page of docs/ has word for word."""
    told = {block.code for each in pages() if each != page for block in blocks(of=each)} if page == README else set()
    return [block for block in blocks(of=page) if block.code not in told]


def prepare(plane: ControlPlane, shell: Shell, code: str = "") -> None:
    """What a reader has who comes to these commands: the operator, the Secrets, the resource, healthy."""
    if "create namespace redis" in code:
        plane.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s")
        return
    body = now(plane)
    if body is None:
        plane.apply([HOME, *seed_secrets("a key", "a host key", "a-password")])
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(shell.cluster()))
    if body is None or "status" not in body:
        status = {key: seed()[key] for key in ("apiVersion", "kind", "metadata")} | {"status": HEALTHY.to_document()}
        plane.kubectl("apply", "--server-side", "--subresource=status", "-f", "-", stdin=json.dumps(status))
    if "finalizers" in code:  # of an operator that is gone
        finalizer = {"metadata": {"finalizers": [FINALIZER]}}
        plane.kubectl("patch", *RSC, "--type=merge", "-p", json.dumps(finalizer))


def now(plane: ControlPlane) -> Document | None:
    """The resource as it is stored, None where there is none."""
    found = plane.raw(PATH)
    body: Document | None = json.loads(found) if found else None
    return body


def read_by_the_operator(body: Document) -> None:
    """What is declared can be made true, and an act is one that the operator would begin."""
    spec = parse(body)
    resolve(body, Secret("a-password"))
    refuse_unsupported(body, spec)
    check_config(spec)
    act = read_act(body, frozenset(), datetime.now(UTC))
    assert act is None or act.refused == "", act


@pytest.mark.parametrize("page", READ, ids=lambda page: page.stem)
def test_the_commands_of_a_page(plane: ControlPlane, tmp_path: Path, page: Path) -> None:
    shell = Shell(plane, tmp_path)
    shell.keys("a private key", "192.168.3.41 ssh-ed25519 AAAA\n")
    plane.kubectl("delete", *RSC, "--ignore-not-found")
    for block in said_by(page):
        if block.runner == "cluster":
            shell.write(block.title, block.code)
        if block.runner != "kubectl":
            continue
        prepare(plane, shell, block.code)
        before = asked(now(plane))
        shell.run(block, stdin="a-password\n")
        if "delete -k deploy/" in block.code:
            plane.apply(ROOT / "deploy")
        after = now(plane)
        if after is not None:
            read_by_the_operator(after)
        assert f"{ANNOTATION}=" not in block.code or asked(after) not in ("", before), f"{block}: no act was asked for"


def asked(body: Document | None) -> str:
    """The act that a resource asks for, "" for none."""
    return str((body["metadata"].get("annotations") or {}).get(ANNOTATION, "")) if body else ""


def documents() -> list[Block]:
    return [block for block in blocks() if block.runner in ("cluster", "manifest", "spec")]


@pytest.mark.parametrize("block", documents(), ids=str)
def test_the_yaml_of_the_pages_is_accepted(plane: ControlPlane, block: Block) -> None:
    document = yaml.safe_load(block.code)
    if block.runner == "spec":
        document = _with(seed(), document)
    plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(document))
    if block.runner != "manifest":
        read_by_the_operator(stored(document))


def _with(cluster: Document, part: Document) -> Document:
    """The seed's cluster with these fields of its spec; hosts of the same name are replaced."""
    hosts = {host["name"]: host for host in (*cluster["spec"]["hosts"], *part.get("hosts", ()))}
    return cluster | {"spec": {**cluster["spec"], **part, "hosts": list(hosts.values())}}


@pytest.mark.parametrize("command", TAKEN)
def test_the_commands_in_the_text_are_taken(plane: ControlPlane, tmp_path: Path, command: str) -> None:
    shell = Shell(plane, tmp_path)
    prepare(plane, shell)
    changes = command.split()[1] in ("apply", "delete", "create", "replace", "patch", "annotate")
    shell.command(f"{command}{' --dry-run=server' * changes}", "in the text")


def test_the_operators_account_is_the_one_that_the_pages_name() -> None:
    named = [block for block in blocks() if "system:serviceaccount:" in block.code]
    assert named
    assert all(f"system:serviceaccount:{ACCOUNT}:{ACCOUNT}" in block.code for block in named)
