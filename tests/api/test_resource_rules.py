"""Every rule of the resource on a real API server: what it lets pass, and what it refuses in which words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.examples import GONE, Document, changed, hosts, largest, seed
from lab.controlplane import ControlPlane, KubectlError
from redis_sentinel_operator.conf.table import TABLE, Owner

pytestmark = pytest.mark.timeout(240)
SIX = [{"name": f"h{n}", "address": f"fd00::{n}"} for n in range(1, 4)]
Changes = Mapping[str, object]


@dataclass(frozen=True)
class Case:
    """`refused` holds what the API server says, a line each; `old` is what is stored before, for rules of a change."""

    changes: Changes
    refused: tuple[str, ...] = ()
    old: Changes | None = None
    name: str = field(default="redis-cluster")


def said(path: str, message: str, value: str = "") -> str:
    shown = f'"{value}": ' if value else ""
    return f"{path}: Invalid value: {shown}{message}"


MOVED = "a host keeps its address; to move it, remove this entry and add one with another name"
IDLE = "redis and sentinel are both false, so the host has nothing to do; set one of them to true, or remove the host"
NO_REDIS = "no host runs redis; let redis be true on at least one"
TWICE = "the same address more than once; give each host its own address, or remove the host that is there twice"
NO_ADDRESS = (
    "no IP address in its usual form, such as 192.168.3.41 or fd00::41; write the address that a name stands for, "
    "IPv6 in small letters and shortened"
)
MIXED = "IPv4 and IPv6 addresses are mixed; give all hosts addresses of one family"
SPECIAL = "a loopback, link-local, multicast or unspecified address; write the one where the other hosts reach it"
DIRECTIVE = (
    "the name of a directive has small letters, digits and '-', at most 64, such as repl-timeout; correct the name"
)
NOT_HERE = (
    "it cannot be set here: it belongs to the sentinels, to systemd or to another field of the spec, or it is not "
    "supported; remove it"
)
FREE = [row.name for row in TABLE.values() if row.owner in (Owner.FREE, Owner.DATA) and "_" not in row.name]
ONE_LINE = "a value is one line; take the line break out of it"
FEW = (
    "fewer than 3 hosts run a sentinel, and no failover is sure then; let sentinel be true on at least 3 hosts, or set "
    "unsafe.fewSentinels to true"
)
EVEN = (
    "an even number of hosts runs a sentinel, and one more would cost nothing and one less would lose nothing; set "
    "sentinel to false on one host, add a host, or set unsafe.evenSentinels to true"
)
QUORUM = "quorum is more than the hosts that run a sentinel; set it to their majority, or remove it"
LOW_QUORUM = "quorum is less than the majority of the hosts that run a sentinel; set it to their majority, or remove it"
INITIAL = "initialMaster is no host that runs redis; name one of spec.hosts with redis true, or remove it"
REDIS_PORT = "redis.port cannot be changed, nor removed where it is not 6379; set it back, or make a new resource"
SENTINEL_PORT = (
    "sentinel.port cannot be changed, nor removed where it is not 26379; set it back, or make a new resource"
)
SAME_PORT = "redis.port and sentinel.port are the same; give each its own"
FENCED = (
    "fencedHosts names a host that spec.hosts has not; unfence a host (remove it from fencedHosts) before you remove "
    "it from hosts"
)
MAINTENANCE = "maintenanceHosts names a host that spec.hosts has not; remove it from maintenanceHosts too"
NAME = (
    "metadata.name has at most 52 small letters, digits and '-', and begins with a letter, as Services are named after "
    "it; choose another name"
)
MASTER_NAME = (
    "masterName cannot be changed, nor removed where it is not the resource's name; set it back, or make a new resource"
)
UNCHECKED = (
    "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the "
    "existing errors to complete validation"
)

CASES: dict[str, Case] = {
    "the seed": Case({}),
    # a host is its address
    "another address": Case(
        {"spec.hosts[1].address": "192.168.3.52"}, (said("spec.hosts[1].address", MOVED, "192.168.3.52"),), old={}
    ),
    "two hosts swapped": Case(
        {"spec.hosts[1].address": "192.168.3.43", "spec.hosts[2].address": "192.168.3.42"},
        (
            said("spec.hosts[1].address", MOVED, "192.168.3.43"),
            said("spec.hosts[2].address", MOVED, "192.168.3.42"),
        ),
        old={},
    ),
    "another name": Case({"spec.hosts[1].name": "db2"}, old={}),
    "another order": Case({"spec.hosts": [*reversed(seed()["spec"]["hosts"])]}, old={}),
    "a host added and one removed": Case(
        {"spec.hosts[1]": GONE, "spec.hosts[+]": {"name": "new", "address": "192.168.3.52"}}, old={}
    ),
    # a host has a job
    "nothing to do": Case({"spec.hosts[0].redis": False, "spec.initialMaster": GONE}, (said("spec.hosts[0]", IDLE),)),
    "sentinel only": Case({"spec.hosts[3].redis": False}),
    "no redis anywhere": Case(
        {"spec.hosts": hosts(3, redis=False), "spec.initialMaster": GONE}, (said("spec.hosts", NO_REDIS),)
    ),
    "one redis": Case({"spec.hosts[1].redis": False, "spec.hosts[2].redis": False, "spec.hosts[3].redis": False}),
    # addresses
    "one address twice": Case({"spec.hosts[2].address": "192.168.3.42"}, (said("spec.hosts", TWICE),)),
    "a host name": Case(
        {"spec.hosts[2].address": "redis2.example.net"},
        (said("spec.hosts[2].address", NO_ADDRESS, "redis2.example.net"),),
    ),
    "leading zeros": Case(
        {"spec.hosts[2].address": "192.168.003.043"},
        (said("spec.hosts[2].address", NO_ADDRESS, "192.168.003.043"),),
    ),
    "IPv6": Case({"spec.hosts": SIX, "spec.initialMaster": GONE}),
    "another spelling": Case(
        {"spec.hosts": SIX, "spec.initialMaster": GONE, "spec.hosts[1].address": "FD00::2"},
        (said("spec.hosts[1].address", NO_ADDRESS, "FD00::2"),),
    ),
    "two families": Case({"spec.hosts[2].address": "fd00::43"}, (said("spec.hosts", MIXED),)),
    "loopback": Case({"spec.hosts[2].address": "127.0.0.1"}, (said("spec.hosts[2].address", SPECIAL, "127.0.0.1"),)),
    "link-local": Case(
        {"spec.hosts[2].address": "169.254.0.1"}, (said("spec.hosts[2].address", SPECIAL, "169.254.0.1"),)
    ),
    "multicast": Case({"spec.hosts[2].address": "224.0.0.1"}, (said("spec.hosts[2].address", SPECIAL, "224.0.0.1"),)),
    "unspecified": Case({"spec.hosts[2].address": "0.0.0.0"}, (said("spec.hosts[2].address", SPECIAL, "0.0.0.0"),)),
    # redis.conf
    "directives": Case({"spec.redis.config": {"maxmemory": "1gb", "hz": 10, "save": "", "appendonly": "yes"}}),
    "every free directive": Case({"spec.redis.config": dict.fromkeys(sorted(FREE)[:128], "1")}),
    "a role": Case({"spec.redis.config": {"replicaof": "x 1"}}, (said("spec.redis.config", f"replicaof: {NOT_HERE}"),)),
    "a password": Case(
        {"spec.redis.config": {"hz": 10, "masterauth": "x"}}, (said("spec.redis.config", f"masterauth: {NOT_HERE}"),)
    ),
    "a family of directives": Case(
        {"spec.redis.config": {"cluster-enabled": "yes"}}, (said("spec.redis.config", f"cluster-enabled: {NOT_HERE}"),)
    ),
    "a directive in capitals": Case(
        {"spec.redis.config": {"Max Memory": 1}}, (said("spec.redis.config", f"Max Memory: {DIRECTIVE}"),)
    ),
    "a long directive": Case(
        {"spec.redis.config": {"d" * 65: 1}}, (said("spec.redis.config", f"{'d' * 65}: {DIRECTIVE}"),)
    ),
    "a value of two lines": Case(
        {"spec.redis.config": {"bind": "0.0.0.0\nslaveof no one"}},
        (said("spec.redis.config", f"bind: {ONE_LINE}"),),
    ),
    "a boolean": Case(
        {"spec.redis.config": {"appendonly": True}},
        (
            'spec.redis.config.appendonly: Invalid value: "boolean": spec.redis.config.appendonly in body must be of '
            'type integer,string: "boolean"',
            UNCHECKED,
        ),
    ),
    "a fraction": Case(
        {"spec.redis.config": {"hz": 1.5}},
        (
            'spec.redis.config.hz: Invalid value: "number": spec.redis.config.hz in body must be of type '
            'integer,string: "number"',
            UNCHECKED,
        ),
    ),
    # sentinels
    "two sentinels": Case(
        {"spec.hosts[3].sentinel": False},
        (said("spec.hosts", FEW), said("spec.hosts", EVEN)),
    ),
    "one sentinel": Case(
        {"spec.hosts[3].sentinel": False, "spec.hosts[2].sentinel": False, "spec.sentinel.quorum": 1},
        (said("spec.hosts", FEW),),
    ),
    "one sentinel, asked for": Case(
        {
            "spec.hosts[3].sentinel": False,
            "spec.hosts[2].sentinel": False,
            "spec.sentinel.quorum": 1,
            "spec.unsafe.fewSentinels": True,
        }
    ),
    "four sentinels": Case({"spec.hosts[0].sentinel": True, "spec.sentinel.quorum": 3}, (said("spec.hosts", EVEN),)),
    "four sentinels, asked for": Case(
        {"spec.hosts[0].sentinel": True, "spec.unsafe.evenSentinels": True, "spec.sentinel.quorum": 3}
    ),
    "too great a quorum": Case({"spec.sentinel.quorum": 4}, (said("spec.sentinel.quorum", QUORUM),)),
    "the greatest quorum": Case({"spec.sentinel.quorum": 3}),
    "too small a quorum": Case({"spec.sentinel.quorum": 1}, (said("spec.sentinel.quorum", LOW_QUORUM),)),
    "half of the sentinels": Case(
        {"spec.hosts[0].sentinel": True, "spec.unsafe.evenSentinels": True},
        (said("spec.sentinel.quorum", LOW_QUORUM),),
    ),
    "a small quorum, asked for": Case({"spec.sentinel.quorum": 1, "spec.unsafe.quorumBelowMajority": True}),
    # the first master
    "an unknown first master": Case({"spec.initialMaster": "nobody"}, (said("spec.initialMaster", INITIAL),)),
    "a first master without redis": Case(
        {"spec.initialMaster": "redis_slave03", "spec.hosts[3].redis": False}, (said("spec.initialMaster", INITIAL),)
    ),
    "a first master that leaves": Case({"spec.hosts[0]": GONE}, old={}),
    "a first master set to one that is not there": Case(
        {"spec.initialMaster": "nobody"}, (said("spec.initialMaster", INITIAL),), old={"spec.initialMaster": GONE}
    ),
    # ports
    "another redis port": Case({"spec.redis.port": 7000}, (said("spec", REDIS_PORT),), old={}),
    "a redis port removed": Case({}, (said("spec", REDIS_PORT),), old={"spec.redis.port": 7000}),
    "the default redis port written down": Case({"spec.redis.port": 6379}, old={}),
    "another sentinel port": Case({"spec.sentinel.port": 7000}, (said("spec", SENTINEL_PORT),), old={}),
    "a sentinel port removed": Case({}, (said("spec", SENTINEL_PORT),), old={"spec.sentinel.port": 7000}),
    "the default sentinel port written down": Case({"spec.sentinel.port": 26379}, old={}),
    "ports of their own": Case({"spec.redis.port": 26379, "spec.sentinel.port": 6379}),
    "one port for both": Case({"spec.sentinel.port": 6379}, (said("spec", SAME_PORT),)),
    "one port for both, the other way": Case({"spec.redis.port": 26379}, (said("spec", SAME_PORT),)),
    # sets of hosts
    "an unknown host fenced": Case({"spec.fencedHosts": ["nobody"]}, (said("spec.fencedHosts", FENCED),)),
    "a fenced host removed": Case(
        {"spec.hosts[0]": GONE, "spec.fencedHosts": ["redis_master01"]},
        (said("spec.fencedHosts", FENCED),),
        old={"spec.fencedHosts": ["redis_master01"]},
    ),
    "a host fenced": Case({"spec.fencedHosts": ["redis_slave01"]}),
    "maintenance on an unknown host": Case(
        {"spec.maintenanceHosts": ["nobody"]}, (said("spec.maintenanceHosts", MAINTENANCE),)
    ),
    "maintenance": Case({"spec.maintenanceHosts": ["redis_slave01", "redis_slave02"]}),
    # names
    "a name of 52": Case({}, name="a" * 52),
    "a name of 53": Case({}, (said("<nil>", NAME),), name="a" * 53),
    "a name that begins with a digit": Case({}, (said("<nil>", NAME),), name="1redis"),
    "a name with a dot": Case({}, (said("<nil>", NAME),), name="redis.cluster"),
    "another master name": Case({"spec.masterName": "b"}, (said("spec.masterName", MASTER_NAME),), old={}),
    "a master name removed": Case({}, (said("spec.masterName", MASTER_NAME),), old={"spec.masterName": "a"}),
    "the default master name written down": Case({"spec.masterName": "redis-cluster"}, old={}),
    # size
    "as much as the schema allows": Case({"spec": largest()["spec"]}),
    "as much as the schema allows, changed": Case(
        {"spec": largest()["spec"], "spec.redis.config.directive-0": "w"}, old={"spec": largest()["spec"]}
    ),
    "65 hosts": Case(
        {"spec.hosts": hosts(65)},
        ("spec.hosts: Too many: 65: must have at most 64 items", UNCHECKED),
    ),
}


def named(changes: Changes, name: str) -> Document:
    document = changed(changes)
    document["metadata"]["name"] = name
    return document


def tried(api: ControlPlane, verb: str, document: Document) -> list[str]:
    """What the API server says against a document that it is asked to store (it does not); nothing when it would."""
    try:
        api.kubectl(verb, "--dry-run=server", "--validate=ignore", "-f", "-", stdin=json.dumps(document))
    except KubectlError as error:
        _, invalid, reasons = str(error).partition("is invalid: ")
        assert invalid, str(error)
        return sorted(reason for reason in (line.removeprefix("* ") for line in reasons.splitlines()) if reason)
    return []


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_rule(api: ControlPlane, case: Case) -> None:
    document = named(case.changes, case.name)
    if case.old is None:
        assert tried(api, "create", document) == sorted(case.refused)
        return
    api.kubectl("create", "-f", "-", stdin=json.dumps(named(case.old, case.name)))
    try:
        assert tried(api, "replace", document) == sorted(case.refused)
    finally:
        api.kubectl("delete", "rsc", case.name, "-n", "redis")


# For each rule a case that it lets pass after a look: as near as can be to what it refuses.
PASSED = {
    MOVED: "another order",
    IDLE: "sentinel only",
    NO_REDIS: "one redis",
    TWICE: "a host added and one removed",
    NO_ADDRESS: "IPv6",
    MIXED: "IPv6",
    SPECIAL: "IPv6",
    DIRECTIVE: "directives",
    ONE_LINE: "directives",
    NOT_HERE: "every free directive",
    FEW: "one sentinel, asked for",
    EVEN: "four sentinels, asked for",
    QUORUM: "the greatest quorum",
    LOW_QUORUM: "a small quorum, asked for",
    INITIAL: "a first master that leaves",
    REDIS_PORT: "the default redis port written down",
    SENTINEL_PORT: "the default sentinel port written down",
    SAME_PORT: "ports of their own",
    FENCED: "a host fenced",
    MAINTENANCE: "maintenance",
    NAME: "a name of 52",
    MASTER_NAME: "the default master name written down",
}


def rules(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every rule in the definition that is committed."""
    if isinstance(node, list):
        for each in node:
            yield from rules(each)
    elif isinstance(node, dict):
        yield from node.get("x-kubernetes-validations", ())
        for each in node.values():
            yield from rules(each)


def test_every_rule_has_a_resource_that_it_refuses_and_one_that_it_lets_pass() -> None:
    definition = yaml.safe_load((Path(__file__).parents[2] / "crds" / "redissentinelclusters.yaml").read_text())
    found = {each["message"]: each for each in rules(definition)}
    words = [reason for case in CASES.values() for reason in case.refused]
    assert [message for message in found if not any(message in reason for reason in words)] == []
    assert found.keys() == PASSED.keys()
    assert [name for name in PASSED.values() if CASES[name].refused] == []
    of_a_change = [PASSED[message] for message, rule in found.items() if "oldSelf" in rule["rule"]]
    assert [name for name in of_a_change if CASES[name].old is None] == [], "a rule of a change looks at none of these"
