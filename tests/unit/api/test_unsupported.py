"""What comes with a later version is refused, naming the field and what to do; what is unset or default passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from api.examples import GONE, changed, hosts, seed, stored
from redis_sentinel_operator.api.desired import living, refuse_unsupported, resolve
from redis_sentinel_operator.api.spec import parse
from redis_sentinel_operator.errors import SpecRefused

EXAMPLES = sorted((Path(__file__).parents[3] / "deploy" / "examples").glob("*/cluster.yaml"))


def refused(body: dict[str, Any]) -> str:
    with pytest.raises(SpecRefused) as error:
        refuse_unsupported(body, parse(body))
    assert error.value.reason == "NotSupportedYet"
    return str(error.value)


ACCEPTED: dict[str, dict[str, object]] = {
    "the seed": {},
    "hosts alone": {
        "spec": {"hosts": hosts(3)},
    },
    "hosts that are to do nothing": {
        "spec.maintenanceHosts": ["redis_slave01"],
        "spec.fencedHosts": ["redis_slave01"],
    },
    "every field at its default": {
        "spec.maintenanceHosts": [],
        "spec.fencedHosts": [],
        "spec.ssh": {"secretRef": {"name": "redis-ssh"}, "user": "root", "port": 22, "sudo": False, "resp": "Tunnel"},
        "spec.package": {"manage": "Install", "repositories": [], "lock": True},
        "spec.redis.port": 6379,
        "spec.sentinel.port": 26379,
        "spec.firewall": {"manage": "Auto", "exclusive": False},
        "spec.endpoints": {"enabled": True},
        "spec.deletionPolicy": "Retain",
        "spec.unsafe": {"fewSentinels": False, "sharedFailureDomain": False},
        "spec.hosts[1].replicaPriority": 100,
        "spec.hosts[1].package": {"manage": "Install", "lock": True, "repositories": []},
    },
    "what is supported": {
        "spec.management": "Paused",
        "spec.endpoints": {"enabled": False},
        "spec.masterName": "mymaster",
        "spec.ssh": {"secretRef": {"name": "k"}, "user": "admin", "port": 2222, "sudo": True, "resp": "Direct"},
        "spec.hosts[1].ssh": {"user": "root", "secretRef": {"name": "k"}},
        "spec.hosts[1].sshAddress": "10.0.0.2",
        "spec.hosts[1].failureDomain": "rack-a",
        "spec.hosts[1].replicaPriority": 50,
        "spec.deletionPolicy": "Uninstall",
        "spec.minReplicasToWrite": 1,
        "spec.minReplicasMaxLagSeconds": 20,
        "spec.hosts[1].package": {"version": "3.2.12-2.el7", "name": "valkey", "lock": False},
        "spec.package": {
            "manage": "CheckOnly",
            "name": "redis6",
            "version": "3.2.12",
            "module": "redis:6",
            "repositories": ["epel"],
            "lock": False,
        },
        "spec.firewall": {"manage": "Iptables", "clients": ["10.0.0.0/8"], "exclusive": True},
        "spec.sentinel": {"quorum": 3, "downAfterMilliseconds": 1000, "parallelSyncs": 3},
        "spec.auth": GONE,
        "spec.unsafe": {"evenSentinels": True, "removeMany": True, "sharedFailureDomain": True},
    },
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_is_unset_default_or_supported_passes(changes: dict[str, object]) -> None:
    body = changed(changes)
    refuse_unsupported(body, parse(body))


LATER: list[tuple[str, object, str]] = [
    ("spec.redis.port", 7000, "7000 is not supported yet; set it to 6379, or remove it"),
    ("spec.sentinel.port", 27000, "27000 is not supported yet; set it to 26379, or remove it"),
    *(
        (f"spec.unsafe.{name}", True, "true is not supported yet; set it to false, or remove it")
        for name in (
            "fewSentinels",
            "quorumBelowMajority",
        )
    ),
    (
        "spec.hosts[1].ssh.secretRef",
        {"name": "other"},
        "other is not supported yet; use one Secret for all hosts",
    ),
]


@pytest.mark.parametrize(("path", "value", "said"), LATER, ids=lambda value: str(value)[:40])
def test_what_comes_later_is_refused_by_its_name(path: str, value: object, said: str) -> None:
    shown = path.replace("hosts[1]", "hosts[redis_slave01]")
    assert refused(changed({path: value})) == f"{shown}: {said}."


def test_all_is_said_at_once_up_to_five() -> None:
    unsafe = dict.fromkeys(("fewSentinels", "quorumBelowMajority"), True)
    changes: dict[str, object] = {"spec.redis.port": 1, "spec.sentinel.port": 1}
    changes |= {f"spec.hosts[{number}].ssh.secretRef": {"name": "other"} for number in (1, 2)}
    said = refused(changed({"spec.unsafe": unsafe, **changes}))
    assert said.count("is not supported yet") == 5
    assert said.endswith("; use one Secret for all hosts. And 1 more.")


def alive(body: dict[str, Any]) -> dict[str, Any]:
    """The document with the status of a seed's cluster that lives."""
    members = [
        {"name": host["name"], "address": host["address"], "redis": "Running", "state": "Member"}
        | ({"sentinel": "Unknown"} if host.get("sentinel", True) else {})
        for host in seed()["spec"]["hosts"]
    ]
    return stored(body) | {"status": {"hosts": members}}


def test_another_job_for_a_host_later_is_refused() -> None:
    body = alive(changed({"spec.hosts[0].sentinel": True, "spec.hosts[1].sentinel": False}))
    assert refused(body) == (
        "spec.hosts[redis_master01].sentinel: a change of it in a living cluster is not supported yet; "
        "set it to false. spec.hosts[redis_slave01].sentinel: a change of it in a living cluster is not supported yet; "
        "set it to true."
    )
    refuse_unsupported(alive(seed()), parse(seed()))


@pytest.mark.parametrize(
    "changes",
    [
        {"spec.hosts[+]": {"name": "new", "address": "192.168.3.45"}, "spec.hosts[1].redis": False},
        {"spec.hosts[3]": GONE, "spec.hosts[1].redis": False},
        {"spec.hosts[0].sentinel": True, "spec.hosts[1].sentinel": False},
        {"spec.hosts[1].redis": False},
    ],
    ids=["added", "removed", "jobs swapped", "a job less"],
)
def test_a_refused_change_of_hosts_leaves_the_followed_hosts_as_they_are(changes: dict[str, object]) -> None:
    """Else the majority is counted from sentinels that are not there, and the refusal forgets its reason."""
    body = alive(changed({"spec.sentinel.quorum": GONE, **changes}))
    refused(body)
    followed = living(body, parse(body), resolve(body, None))
    assert sorted(followed.hosts, key=lambda host: host.name) == list(resolve(stored(seed()), None).hosts)
    assert followed.sentinel.quorum == 2


@pytest.mark.parametrize("state", ["Maintenance", "Fenced"])
def test_a_member_that_is_left_out_on_purpose_is_a_member(state: str) -> None:
    body = alive(changed({"spec.hosts[3]": GONE}))
    next(each for each in body["status"]["hosts"] if each["name"] == "redis_slave03")["state"] = state
    followed = living(body, parse(body), resolve(body, None))
    assert "redis_slave03" in [host.name for host in followed.hosts]


def test_a_member_keeps_its_new_name_and_access_and_a_removed_one_is_reached_as_before() -> None:
    body = alive(changed({"spec.hosts[1].name": "db2", "spec.hosts[1].sshAddress": "10.0.0.2", "spec.hosts[3]": GONE}))
    body["status"]["hosts"][3]["ssh"] = {"address": "10.0.0.4", "user": "admin", "port": 2222}
    followed = living(body, parse(body), resolve(body, None))
    assert [(host.name, host.ssh.address, host.ssh.user, host.ssh.port) for host in followed.hosts] == [
        ("redis_master01", "192.168.3.41", "root", 22),
        ("db2", "10.0.0.2", "root", 22),
        ("redis_slave02", "192.168.3.43", "root", 22),
        ("redis_slave03", "10.0.0.4", "admin", 2222),
    ]


def test_without_members_what_is_declared_is_followed() -> None:
    body = stored(changed({"spec.hosts[+]": {"name": "new", "address": "192.168.3.45"}, "spec.sentinel.quorum": 3}))
    assert living(body, parse(body), resolve(body, None)) == resolve(body, None)


def test_the_examples_are_supported_and_the_seed_is_as_the_tests_know_it() -> None:
    examples = {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in EXAMPLES}
    for example in examples.values():
        refuse_unsupported(example, parse(example))
    assert resolve(stored(examples["seed"]), None) == resolve(stored(seed()), None)


def test_a_field_that_only_a_later_definition_has_is_refused_by_its_name() -> None:
    later = "a later version of the operator knows it, this one does not and changes nothing; run that version, or"
    changes = {"spec.mood": "calm", "spec.hosts[2].witness": True, "spec.sentinel.pace": {"slow": 1}}
    assert (
        refused(stored(changed(changes)))
        == ". ".join(
            f"spec.{path}: {later} remove the field"
            for path in ("hosts[redis_slave02].witness", "sentinel.pace", "mood")
        )
        + "."
    )
