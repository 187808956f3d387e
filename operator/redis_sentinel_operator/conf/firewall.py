"""What the words of firewalld and the rules of iptables let in: grammars only.

Only what a rule surely says is taken from it: one that depends on a set or a negation is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise, takewhile
from typing import Final, TypeAlias

# For each port the networks that are let in, None for anybody.
Admitted: TypeAlias = Mapping[int, frozenset[str] | None]

ACCEPT_ALL: Final = "target ACCEPT"
_SERVICES: Final = {"redis": 6379, "redis-sentinel": 26379}  # as firewalld ships them, for all sources
_ALL_PORTS: Final = (0, 65535)
_RICH_SHAPE: Final = re.compile(
    r'rule(?: family="ipv[46]")?(?: source address="[^"]*")? '
    r'(?:port port="\d+(?:-\d+)?" protocol="tcp"|service name="[^"]*") accept'
)
_RICH_ELEMENT: Final = re.compile(
    r" (port|service|protocol|forward-port|source-port|icmp-type|icmp-block|masquerade)\b"
)
# What a rule of iptables depends on that is not read here.
_NARROWING: Final = frozenset(["!", "--match-set", "--string", "--mac-source", "--uid-owner", "--tcp-flags"])
_DENIES: Final = re.compile(r"-A INPUT -j (REJECT\b.*|DROP)")


@dataclass(frozen=True, slots=True)
class Opening:
    """What one rule lets in: from `source` (a network, "" for anybody) to the TCP ports `first` to `last`.

    `closable`: it is about nothing but these, so that it can be taken away alone.
    """

    rule: str
    first: int
    last: int
    source: str = ""
    closable: bool = True


@lru_cache(maxsize=4096)
def rich_rule(port: int, source: str) -> str:
    """Return firewalld's rich rule that lets a network in, as firewalld itself prints it."""
    family = f"ipv{_network_of(source).version}"
    return f'rule family="{family}" source address="{source}" port port="{port}" protocol="tcp" accept'


@lru_cache(maxsize=4096)
def firewalld_opening(words: str) -> Opening | None:
    """Return what firewalld's words let in over TCP, None where that is nothing."""
    if words == ACCEPT_ALL:
        return Opening(words, *_ALL_PORTS, closable=False)
    if words.startswith("service "):
        port = _SERVICES.get(words.removeprefix("service "))
        return None if port is None else Opening(words, port, port)
    if words.startswith("rule"):
        return _of_rich_rule(words)
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?/tcp", words)
    return None if match is None else _ranged(words, match[1], match[2])


def _ranged(rule: str, first: str, last: str | None, source: str = "", *, closable: bool = True) -> Opening:
    """A range lets in to ports of others as well: it cannot be closed for ours alone."""
    return Opening(rule, int(first), int(last or first), source, closable and last in (None, first))


def _of_rich_rule(rule: str) -> Opening | None:
    if not re.search(r" accept\b", rule):
        return None
    closable = _RICH_SHAPE.fullmatch(rule) is not None
    address = re.search(r' source address="([^"]*)"', rule)
    source = _network(address[1]) if address else ""
    element = _RICH_ELEMENT.search(rule)
    if element is None:
        return Opening(rule, *_ALL_PORTS, source, closable=False)
    port = re.search(r' port port="(\d{1,5})(?:-(\d{1,5}))?" protocol="tcp"', rule)
    if port:
        return _ranged(rule, port[1], port[2], source, closable=closable)
    service = re.search(r' service name="([^"]*)"', rule)
    known = _SERVICES.get(service[1]) if service else None
    return None if known is None else Opening(rule, known, known, source, closable)


def _network(text: str) -> str:
    """Return it in canonical form, "" (anybody) where it is none."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return ""


def iptables_openings(rules: Sequence[str]) -> Iterator[Opening]:
    """Yield what the rules of INPUT let in, as far as they are reached.

    What comes after a rule that denies everything lets in nothing; where there is none, the policy decides.
    """
    reached = list(takewhile(lambda rule: not denies_all(rule), rules))
    for rule in reached:
        yield from _of_input(rule)
    if "-P INPUT ACCEPT" in rules and len(reached) == len(rules):
        yield Opening("-P INPUT ACCEPT", *_ALL_PORTS, closable=False)


def denies_all(rule: str) -> bool:
    """Whether the rule of INPUT turns away whatever comes to it."""
    return _DENIES.fullmatch(rule) is not None


def _of_input(rule: str) -> Iterable[Opening]:
    words = rule.split()
    if words[:2] != ["-A", "INPUT"] or words[-2:] != ["-j", "ACCEPT"] or _NARROWING & set(words):
        return ()
    said = dict(pairwise(words))
    states = said.get("--state") or said.get("--ctstate") or "NEW"
    if said.get("-p", "all") not in ("tcp", "all") or "NEW" not in states.split(",") or said.get("-i") == "lo":
        return ()
    source = _network(said["-s"]) if "-s" in said else ""
    told = said.get("--dport") or said.get("--dports") or ":".join(map(str, _ALL_PORTS))
    ends = (port.partition(":") for port in told.split(",") if re.fullmatch(r"\d{1,5}(:\d{1,5})?", port))
    return [_ranged(rule, first, last or None, source) for first, _, last in ends]


def wider(opening: Opening, admitted: Admitted) -> tuple[int, ...]:
    """Return the ports to which it lets in more than `admitted` says."""
    return tuple(
        port
        for port, sources in sorted(admitted.items())
        if opening.first <= port <= opening.last and sources is not None and not _within(opening.source, sources)
    )


def _within(source: str, sources: Iterable[str]) -> bool:
    if not source:
        return False
    network = _network_of(source)
    return any(
        network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]
        for other in map(_network_of, sources)
    )


# The addresses of a cluster are asked for by each rule of each of its hosts.
@lru_cache(maxsize=4096)
def _network_of(source: str) -> IPv4Network | IPv6Network:
    return ip_network(source)


@lru_cache(maxsize=4096)
def single(address: str) -> str:
    """Return the network of one address: `10.0.0.5/32`, `fd00::5/128`."""
    return str(ip_network(ip_address(address)))


def in_order(sources: Iterable[str]) -> list[str]:
    """Return networks in a fixed order."""
    return sorted(sources, key=lambda each: (_network_of(each).version, _network_of(each)))
