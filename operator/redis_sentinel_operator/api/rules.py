"""The rules that the API server checks itself (CEL), each with a message that names the field and the mend.

A field that is unset has no value in CEL, so each use is guarded by has().
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redis_sentinel_operator.conf.table import TABLE, Owner


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `at` is where `self` is (`spec.hosts[]` is an item of spec.hosts, "" the whole resource).

    `field` is the field below it that the API server blames. `optional_old`: the rule also runs when there is no old
    object; then `oldSelf` is an optional. `naming` is a CEL expression whose value is put before the message: which
    key it is.
    """

    at: str
    rule: str
    message: str
    field: str = ""
    optional_old: bool = False
    naming: str = ""

    def document(self) -> Mapping[str, object]:
        """Return the rule as the schema has it."""
        result: dict[str, object] = {"rule": self.rule, "message": self.message}
        if self.naming:
            result["messageExpression"] = f"{self.naming} + {_literal(': ' + self.message)}"
        if self.field:
            result["fieldPath"] = self.field
        if self.optional_old:
            result["optionalOldSelf"] = True
        return result


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _effective(of: str, path: str, default: str) -> str:
    """The value of a field of a part of the spec, or its default where it is unset."""
    part = f"{of}.{path.partition('.')[0]}"
    return f"(has({part}) && has({of}.{path}) ? {of}.{path} : {default})"


_SENTINELS = "self.hosts.filter(h, !has(h.sentinel) || h.sentinel).size()"


def _unless(opted: str) -> str:
    return f"(has(self.unsafe) && has(self.unsafe.{opted}) && self.unsafe.{opted})"


def _not_declarable() -> str:
    """Whether k is a directive that is not for spec.redis.config."""
    rows = [row for row in TABLE.values() if row.owner not in (Owner.FREE, Owner.DATA)]
    names = sorted(name for row in rows for name in (row.name, row.alias) if name and not name.endswith("*"))
    families = sorted(row.name[:-1] for row in rows if row.name.endswith("*"))
    listed = ", ".join(f"'{name}'" for name in names)
    return " || ".join([f"k in [{listed}]", *(f"k.startsWith('{each}')" for each in families)])


RULES: tuple[Rule, ...] = (
    Rule(
        "spec.hosts[].address",
        "self == oldSelf",
        "a host keeps its address; to move it, remove this entry and add one with another name",
    ),
    Rule(
        "spec.hosts[]",
        "!has(self.redis) || self.redis || !has(self.sentinel) || self.sentinel",
        "redis and sentinel are both false, so the host has nothing to do; set one of them to true, or remove the host",
    ),
    Rule(
        "spec.hosts",
        "self.exists(h, !has(h.redis) || h.redis)",
        "no host runs redis; let redis be true on at least one",
    ),
    Rule(
        "spec.hosts",
        "self.all(h, self.exists_one(o, o.address == h.address))",
        "the same address more than once; give each host its own address, or remove the host that is there twice",
    ),
    Rule(
        "spec.hosts[].address",
        # canonical: else "unique" is beaten by another spelling of an IPv6 address
        "isIP(self) && ip.isCanonical(self)",
        "no IP address in its usual form, such as 192.168.3.41 or fd00::41; write the address that a name "
        "stands for, IPv6 in small letters and shortened",
    ),
    Rule(
        "spec.hosts",
        "!self.all(h, isIP(h.address)) || self.all(h, ip(h.address).family() == ip(self[0].address).family())",
        "IPv4 and IPv6 addresses are mixed; give all hosts addresses of one family",
    ),
    Rule(
        "spec.hosts[].address",
        "!isIP(self) || ip(self).isGlobalUnicast()",
        "a loopback, link-local, multicast or unspecified address; write the one where the other hosts reach it",
    ),
    Rule(
        "spec.redis.config",
        "self.all(k, k.size() <= 64 && k.matches('^[a-z][a-z0-9-]*$'))",
        "the name of a directive has small letters, digits and '-', at most 64, such as repl-timeout; correct the name",
        naming="self.filter(k, k.size() > 64 || !k.matches('^[a-z][a-z0-9-]*$'))[0]",
    ),
    Rule(
        "spec.redis.config",
        "self.all(k, type(self[k]) != string || !self[k].matches('[\\r\\n]'))",
        "a value is one line; take the line break out of it",
        naming="self.filter(k, type(self[k]) == string && self[k].matches('[\\r\\n]'))[0]",
    ),
    Rule(
        "spec.redis.config",
        f"!self.exists(k, {_not_declarable()})",
        "it cannot be set here: it belongs to the sentinels, to systemd or to another field of the spec, or it is not "
        "supported; remove it",
        naming=f"self.filter(k, {_not_declarable()})[0]",
    ),
    Rule(
        "spec",
        f"{_SENTINELS} >= 3 || {_unless('fewSentinels')}",
        "fewer than 3 hosts run a sentinel, and no failover is sure then; let sentinel be true on at least 3 hosts, or "
        "set unsafe.fewSentinels to true",
        field=".hosts",
    ),
    Rule(
        "spec",
        f"{_SENTINELS} % 2 == 1 || {_unless('evenSentinels')}",
        "an even number of hosts runs a sentinel, and one more would cost nothing and one less would lose nothing; set "
        "sentinel to false on one host, add a host, or set unsafe.evenSentinels to true",
        field=".hosts",
    ),
    Rule(
        "spec",
        f"!has(self.sentinel) || !has(self.sentinel.quorum) || self.sentinel.quorum <= {_SENTINELS}",
        "quorum is more than the hosts that run a sentinel; set it to their majority, or remove it",
        field=".sentinel.quorum",
    ),
    Rule(
        "spec",
        f"!has(self.sentinel) || !has(self.sentinel.quorum) || self.sentinel.quorum * 2 > {_SENTINELS} || "
        f"{_unless('quorumBelowMajority')}",
        "quorum is less than the majority of the hosts that run a sentinel; set it to their majority, or remove it",
        field=".sentinel.quorum",
    ),
    Rule(
        "spec",
        # one that was there before blocks no later edit, also when its host has gone since
        "!has(self.initialMaster) || (oldSelf.hasValue() && has(oldSelf.value().initialMaster) && "
        "oldSelf.value().initialMaster == self.initialMaster) || "
        "self.hosts.exists(h, h.name == self.initialMaster && (!has(h.redis) || h.redis))",
        "initialMaster is no host that runs redis; name one of spec.hosts with redis true, or remove it",
        field=".initialMaster",
        optional_old=True,
    ),
    Rule(
        "spec",
        f"{_effective('self', 'redis.port', '6379')} == {_effective('oldSelf', 'redis.port', '6379')}",
        "redis.port cannot be changed, nor removed where it is not 6379; set it back, or make a new resource",
    ),
    Rule(
        "spec",
        f"{_effective('self', 'sentinel.port', '26379')} == {_effective('oldSelf', 'sentinel.port', '26379')}",
        "sentinel.port cannot be changed, nor removed where it is not 26379; set it back, or make a new resource",
    ),
    Rule(
        "spec",
        f"{_effective('self', 'redis.port', '6379')} != {_effective('self', 'sentinel.port', '26379')}",
        "redis.port and sentinel.port are the same; give each its own",
    ),
    Rule(
        "spec",
        "!has(self.fencedHosts) || self.fencedHosts.all(n, self.hosts.exists(h, h.name == n))",
        "fencedHosts names a host that spec.hosts has not; unfence a host (remove it from fencedHosts) before you "
        "remove it from hosts",
        field=".fencedHosts",
    ),
    Rule(
        "spec",
        "!has(self.maintenanceHosts) || self.maintenanceHosts.all(n, self.hosts.exists(h, h.name == n))",
        "maintenanceHosts names a host that spec.hosts has not; remove it from maintenanceHosts too",
        field=".maintenanceHosts",
    ),
    Rule(
        "",
        "self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "metadata.name has at most 52 small letters, digits and '-', and begins with a letter, as Services are named "
        "after it; choose another name",
    ),
    Rule(
        "",
        "(has(self.spec.masterName) ? self.spec.masterName : self.metadata.name) == "
        "(has(oldSelf.spec.masterName) ? oldSelf.spec.masterName : oldSelf.metadata.name)",
        "masterName cannot be changed, nor removed where it is not the resource's name; set it back, or make a new "
        "resource",
        field=".spec.masterName",
    ),
)
