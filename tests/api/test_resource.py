"""The resource as kubectl users meet it, on a real API server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.examples import Document, seed
from lab.controlplane import ControlPlane, KubectlError
from redis_sentinel_operator.api.crd import schema
from redis_sentinel_operator.api.status import (
    Act,
    Bootstrap,
    Condition,
    ConfigItem,
    FailoverEntry,
    HostSsh,
    HostStatus,
    MasterStatus,
    Operation,
    PlanItem,
    Status,
)

pytestmark = pytest.mark.timeout(240)
EXAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "examples").glob("*/cluster.yaml"))
AT = "2026-01-02T03:04:05.678Z"


@pytest.fixture
def cluster(api: ControlPlane) -> Iterator[Document]:
    """The seed's cluster, applied as a person does."""
    api.kubectl("apply", "-f", "-", stdin=json.dumps(seed()))
    yield seed()
    api.kubectl("delete", "rsc", "redis-cluster", "-n", "redis")


def full_status() -> Status:
    """A status with every field filled."""
    host = HostStatus(
        name="redis_slave01",
        address="192.168.3.42",
        ssh=HostSsh(address="10.0.0.42", user="root", port=22),
        role="Replica",
        redis="Running",
        link="Up",
        sentinel="Running",
        sentinel_id="f" * 40,
        followed=True,
        config=(ConfigItem(key="bind", want="0.0.0.0", have="127.0.0.1", pending_restart=True),),
        joined_at=AT,
        left_at=AT,
        state="Member",
        message="One directive waits for a restart.",
    )
    failover = FailoverEntry(
        from_host="redis_master01",
        to_host="redis_slave01",
        cause="Failure",
        at=AT,
        detected=AT,
        elected=AT,
        promoted=AT,
        switched=AT,
        published=AT,
        config_epoch=7,
        result="Succeeded",
        message="Took 6.1 s.",
    )
    return Status(
        observed_generation=1,
        phase="WaitingForYou",
        message="All is well but for one restart.",
        master=MasterStatus(
            host="redis_slave01",
            address="192.168.3.42",
            port=6379,
            config_epoch=7,
            since=AT,
            withdrawn_since=AT,
            restarted_at=AT,
        ),
        ready="3/4",
        replicas="2/3",
        sentinels="3/3",
        hosts=(host,),
        bootstrap=Bootstrap(id="b1", master="redis_master01", started_at=AT, completed_at=AT),
        conditions=(
            Condition(
                type="Ready",
                status="True",
                observed_generation=1,
                last_transition_time=AT,
                reason="AllAsDeclared",
                message="All is as declared.",
            ),
        ),
        failovers=(failover,),
        operation=Operation(
            id="o1",
            type="switchover",
            step="restore",
            started_at=AT,
            since=AT,
            act=AT,
            arg="redis_slave01",
            from_address="192.168.3.41",
            to_address="192.168.3.42",
            config_epoch=6,
            sentinel="192.168.3.43",
            offset=4711,
            result="Failed",
            message="It was so.",
        ),
        acts=(Act(verb="adopt-claim", arg="redis_slave01", at=AT, result="Done", message="Taken over."),),
        plan=(PlanItem(host="redis_slave01", what="Restart redis.", why="bind differs.", impact="Restart"),),
    )


def unfilled(node: dict[str, Any], value: Any, path: str = "status") -> list[str]:
    """The fields of a schema that a value lacks."""
    if "properties" in node:
        return [
            lacking
            for name, child in node["properties"].items()
            for lacking in (unfilled(child, value[name], f"{path}.{name}") if name in value else [f"{path}.{name}"])
        ]
    return unfilled(node["items"], value[0], f"{path}[]") if "items" in node else []


def write_status(api: ControlPlane, status: Status) -> None:
    head = {key: seed()[key] for key in ("apiVersion", "kind", "metadata")}
    document = json.dumps(head | {"status": status.to_document()})
    api.kubectl("apply", "--server-side", "--subresource=status", "-f", "-", stdin=document)


def test_every_field_of_status_is_stored_as_written(api: ControlPlane, cluster: Document) -> None:
    status = full_status()
    assert unfilled(schema()["properties"]["status"], status.to_document()) == []
    write_status(api, status)
    stored = api.get("rsc", "redis-cluster", "-n", "redis")["status"]
    assert stored == status.to_document()
    assert Status.from_document(stored) == status


def test_the_longest_texts_and_lists_are_stored(api: ControlPlane, cluster: Document) -> None:
    long = "long " * 2000
    entries = tuple(PlanItem(host=f"h{n}", what=long, why=long, impact="None") for n in range(300))
    write_status(api, Status(message=long, plan=entries))
    stored = api.get("rsc", "redis-cluster", "-n", "redis")["status"]
    assert (len(stored["message"]), len(stored["plan"]), len(stored["plan"][0]["why"])) == (4096, 256, 1024)


def test_columns(api: ControlPlane, cluster: Document) -> None:
    write_status(api, full_status())
    head, row = (re.split(r" {2,}", line) for line in api.kubectl("get", "rsc", "-n", "redis").strip().splitlines())
    assert head == ["NAME", "MASTER", "READY", "REPLICAS", "SENTINELS", "PHASE", "AGE"]
    assert row[:6] == ["redis-cluster", "redis_slave01", "3/4", "2/3", "3/3", "WaitingForYou"]
    wide = api.kubectl("get", "rsc", "-n", "redis", "-o", "wide").strip().splitlines()
    head, row = (re.split(r" {2,}", line.strip()) for line in wide)
    assert head[7:] == ["ADDRESS", "EPOCH", "SINCE", "MESSAGE"]
    assert (row[7:9], row[10]) == (["192.168.3.42", "7"], "All is well but for one restart.")


def test_a_new_resource_has_empty_columns(api: ControlPlane, cluster: Document) -> None:
    row = api.kubectl("get", "rsc", "-n", "redis", "--no-headers").split()
    assert row[0] == "redis-cluster"
    assert len(row) == 2, "only name and age"


def test_an_unchanged_file_applied_again_changes_nothing(api: ControlPlane, cluster: Document) -> None:
    write_status(api, full_status())
    before = api.get("rsc", "redis-cluster", "-n", "redis")
    said = api.kubectl("apply", "-f", "-", stdin=json.dumps(cluster))
    assert said.strip() == "redissentinelcluster.redis-sentinel-operator.io/redis-cluster unchanged"
    assert api.get("rsc", "redis-cluster", "-n", "redis") == before
    assert api.kubectl("diff", "-f", "-", stdin=json.dumps(cluster)) == ""


def test_an_unchanged_file_applied_again_by_the_server_changes_nothing(api: ControlPlane, cluster: Document) -> None:
    apply = ("apply", "--server-side", "--force-conflicts", "-f", "-")
    api.kubectl(*apply, stdin=json.dumps(cluster))
    before = api.get("rsc", "redis-cluster", "-n", "redis")
    api.kubectl(*apply, stdin=json.dumps(cluster))
    assert api.get("rsc", "redis-cluster", "-n", "redis") == before


@pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])
def test_a_set_that_the_file_leaves_out_survives_an_apply(
    api: ControlPlane, cluster: Document, server_side: bool
) -> None:
    patch = '{"spec": {"fencedHosts": ["redis_slave01"]}}'
    api.kubectl("patch", "rsc", "redis-cluster", "-n", "redis", "--type=merge", "-p", patch)
    how = ("--server-side", "--force-conflicts") if server_side else ()
    api.kubectl("apply", *how, "-f", "-", stdin=json.dumps(cluster))
    assert api.get("rsc", "redis-cluster", "-n", "redis")["spec"]["fencedHosts"] == ["redis_slave01"]


def test_what_is_stored_is_what_was_applied(api: ControlPlane, cluster: Document) -> None:
    assert api.get("rsc", "redis-cluster", "-n", "redis")["spec"] == cluster["spec"]


def test_a_misspelt_field_is_refused_by_its_name(api: ControlPlane) -> None:
    document = seed()
    document["spec"]["sentinel"]["quorums"] = 2
    with pytest.raises(KubectlError, match=r'unknown field "spec\.sentinel\.quorums"'):
        api.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(document))


def test_status_cannot_be_set_by_who_applies_the_spec(api: ControlPlane, cluster: Document) -> None:
    api.kubectl("apply", "-f", "-", stdin=json.dumps(cluster | {"status": {"phase": "Healthy"}}))
    assert api.get("rsc", "redis-cluster", "-n", "redis")["status"] == {"observedGeneration": -1}


EXPLAINED = {
    "rsc": "keeps them as declared here, and tells in status who the master is",
    "rsc.spec.hosts.address": "no host name",
    "rsc.spec.sentinel.downAfterMilliseconds": "Default: 5000.",
    "rsc.spec.hosts.ssh.user": "Default: as spec.ssh.user.",
    "rsc.spec.management": "ENUM: Full Paused Observe DESCRIPTION: Full: make true what is declared",
    "rsc.spec.redis.config": '"yes" and "no" are quoted',
    "rsc.status.master.withdrawnSince": "Since when it is not to be used",
    "rsc.status.conditions.reason": "Why, in one word",
}


@pytest.mark.parametrize(("path", "words"), EXPLAINED.items(), ids=EXPLAINED.keys())
def test_kubectl_explains(api: ControlPlane, path: str, words: str) -> None:
    assert words in " ".join(api.kubectl("explain", path).split())


@pytest.mark.parametrize("word", ["rsc", "redissentinelclusters", "redissentinelcluster", "redis"])
def test_the_names_it_goes_by(api: ControlPlane, cluster: Document, word: str) -> None:
    assert "redis-cluster" in api.kubectl("get", word, "-n", "redis")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_examples_are_accepted(api: ControlPlane, file: Path) -> None:
    said = api.kubectl("create", "--dry-run=server", "-f", "-", "-o", "name", stdin=file.read_text(encoding="utf-8"))
    assert said.startswith("redissentinelcluster.redis-sentinel-operator.io/")
