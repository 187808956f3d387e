"""The firewall's answer in the probe: firewalld over D-Bus or by its own client, or the rules of iptables."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from redis_sentinel_operator.model.fact import FirewallFacts
from redis_sentinel_operator.observe.sections import Damaged, Rows

_RESTRICTED: Final = frozenset({"-s", "--source", "-i", "--in-interface", "-d", "--destination", "!"})


def firewall_of(rows: Rows, ports: Sequence[int]) -> FirewallFacts:
    """Read what is open; a range that covers one of `ports` counts as that port as well."""
    words: dict[str, list[str]] = {}
    for word, rest in rows:
        words.setdefault(word, []).append(rest)
    backend = _one(words, "backend")
    if backend == "firewalld":
        runtime, permanent = _firewalld(_one(words, "runtime")), _firewalld(_one(words, "permanent"))
        return FirewallFacts(
            "firewalld", _one(words, "zone"), runtime | _covered(runtime, ports), permanent | _covered(permanent, ports)
        )
    if backend == "iptables":
        runtime, permanent = _accepted(words.get("rule", [])), _accepted(words.get("saved", []))
        return FirewallFacts("iptables", "", runtime | _covered(runtime, ports), permanent | _covered(permanent, ports))
    if backend == "none":
        return FirewallFacts("none")
    raise Damaged(f"an unknown firewall {backend[:40]!r}")


def _one(words: dict[str, list[str]], word: str) -> str:
    if len(words.get(word, [])) != 1:
        raise Damaged(f"{len(words.get(word, []))} rows {word}")
    return words[word][0]


def _firewalld(answer: str) -> frozenset[str]:
    """Read ports: `aas 1 2 "6379" "tcp"` (over D-Bus), `xml BASE64` (the zone's file) or `list 6379/tcp`."""
    kind, *words = shlex.split(answer)
    if kind == "list":
        return frozenset(words)
    if kind == "xml" and len(words) == 1:
        return _of_zone_file(base64.b64decode(words[0].encode(), validate=True).decode("utf-8", "replace"))
    if kind != "aas" or not words or not words[0].isdecimal() or len(words) != 1 + 3 * int(words[0]):
        raise Damaged(f"ports of an unknown shape {answer[:40]!r}")
    return frozenset(f"{port}/{protocol}" for port, protocol in zip(words[2::3], words[3::3], strict=True))


def _of_zone_file(xml: str) -> frozenset[str]:
    """Return the ports of a zone, without those inside its rich rules."""
    plain = re.sub(r"<!--.*?-->|<rule\b.*?</rule>", "", xml, flags=re.DOTALL)
    ports = (dict(re.findall(r"(\w+)=[\"']([^\"']*)[\"']", each)) for each in re.findall(r"<port\b([^>]*)>", plain))
    return frozenset(f"{port.get('port', '')}/{port.get('protocol', '')}" for port in ports)


def _covered(found: Iterable[str], ports: Sequence[int]) -> frozenset[str]:
    covered = set()
    for each in found:
        match = re.fullmatch(r"(\d{1,5})-(\d{1,5})/(\w+)", each)
        if match:
            covered |= {f"{port}/{match[3]}" for port in ports if int(match[1]) <= port <= int(match[2])}
    return frozenset(covered)


def _accepted(rules: Iterable[str]) -> frozenset[str]:
    """Return the TCP ports that rules of INPUT accept from everywhere."""
    return frozenset(port for rule in rules for port in _ports_of(rule))


def _ports_of(rule: str) -> list[str]:
    words = rule.split()
    if words[:2] != ["-A", "INPUT"] or words[-2:] != ["-j", "ACCEPT"] or _RESTRICTED & set(words):
        return []
    following = dict(pairwise(words))
    if following.get("-p") != "tcp":
        return []
    told = following.get("--dport") or following.get("--dports") or ""
    return [f"{port.replace(':', '-')}/tcp" for port in told.split(",") if port]
