"""The firewall's answer in the probe: firewalld over D-Bus or by its own client, or the rules of iptables."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from html import unescape

from redis_sentinel_operator.conf.firewall import ACCEPT_ALL, firewalld_opening
from redis_sentinel_operator.model.fact import FirewalldRule, FirewallFacts
from redis_sentinel_operator.observe.memory import Damaged, Recall, Rows
from redis_sentinel_operator.observe.sections import one_file

_LISTED = re.compile(r"\s*(target|services|ports|rich rules): *(.*)")


def firewall_of(rows: Rows, recall: Recall) -> FirewallFacts:
    """Read what is open.

    Raises:
        Damaged: it does not have the shape that the probe writes.
    """
    words: dict[str, list[str]] = {}
    for word, rest in rows:
        words.setdefault(word, []).append(rest)
    backend = _one(words, "backend")
    if backend == "firewalld":
        runtime, permanent = (_firewalld(words.get(layer, []), recall) for layer in ("runtime", "permanent"))
        return FirewallFacts("firewalld", _one(words, "zone"), runtime, permanent, _noted(words.get("opened", [])))
    if backend == "iptables":
        saved = one_file(tuple(row for row in rows if row[0] in ("file", "absent")), recall)
        return FirewallFacts("iptables", rules=tuple(words.get("rule", [])), saved=saved)
    if backend == "none":
        return FirewallFacts("none")
    raise Damaged(f"an unknown firewall {backend[:40]!r}")


def _one(words: dict[str, list[str]], word: str) -> str:
    if len(words.get(word, [])) != 1:
        raise Damaged(f"{len(words.get(word, []))} rows {word}")
    return words[word][0]


def _noted(lines: Iterable[str]) -> frozenset[FirewalldRule]:
    """Read what we opened; a line that is not ours to read is nobody's."""
    found = set()
    for line in lines:
        layer, _, rest = line.partition(" ")
        zone, _, words = rest.partition(" ")
        if words and layer == "runtime":
            found.add(FirewalldRule("runtime", zone, words))
        elif words and layer == "permanent":
            found.add(FirewalldRule("permanent", zone, words))
    return frozenset(found)


def _firewalld(answer: list[str], recall: Recall) -> frozenset[str]:
    """Read the lines about one layer of a zone.

    Over D-Bus these begin with `ports`, `rules` and `services`; the zone's file is one line `xml CONTENT PATH`; what
    firewalld's own client says begins with `list`.
    """
    found: dict[str, list[str]] = {}
    for line in answer:
        word, _, rest = line.partition(" ")
        found.setdefault(word, []).append(rest)
    if set(found) == {"ports", "rules", "services"}:
        ports = [f"{port}/{protocol}" for port, protocol in _array(found["ports"], "aas")]
        rules, services = ([each for (each,) in _array(found[name], "as")] for name in ("rules", "services"))
        return frozenset(_lets_in("", services, ports, rules))
    if set(found) == {"xml"}:
        content, _, path = found["xml"][0].partition(" ")
        xml = recall.text(content, path).encode("utf-8", "surrogateescape")
        return frozenset(_of_zone_file(xml.decode("utf-8", "replace")))
    if set(found) == {"list"}:
        return frozenset(_of_list(found["list"]))
    raise Damaged(f"a zone of an unknown shape {' '.join(found)[:40]!r}")


def _array(lines: list[str], kind: str) -> list[tuple[str, ...]]:
    """Read strings, or with the kind `aas` pairs of them, as dbus-send or busctl prints them.

    Busctl prints one line: `as 2 "ssh" "redis"`, `aas 1 2 "6379" "tcp"`.
    """
    if lines[0].startswith("method return "):
        return _printed_array([line.strip() for line in lines[1:]], kind)
    words = shlex.split(lines[0])
    width = {"as": 1, "aas": 3}[kind]
    if words[:1] != [kind] or not words[1:2] or not words[1].isdecimal() or len(words) != 2 + width * int(words[1]):
        raise Damaged(f"an answer of an unknown shape {lines[0][:40]!r}")
    return [tuple(words[at + (width == 3) : at + width]) for at in range(2, len(words), width)]


def _printed_array(lines: list[str], kind: str) -> list[tuple[str, ...]]:
    """Read what dbus-send prints: a line for each string, and around each array `array [` and `]`."""
    width = {"as": 1, "aas": 2}[kind]
    strings = [line[8:-1] for line in lines if line[:8] == 'string "' and line[-1:] == '"']
    pairs = len(strings) // width
    brackets = 2 + (2 * pairs if width == 2 else 0)
    whole = lines[:1] == ["array ["] and lines[-1:] == ["]"] and len(lines) == len(strings) + brackets
    if not whole or len(strings) != pairs * width:
        raise Damaged(f"an answer of an unknown shape {' '.join(lines)[:40]!r}")
    return [tuple(strings[at : at + width]) for at in range(0, len(strings), width)]


def _lets_in(target: str, services: Iterable[str], ports: Iterable[str], rules: Iterable[str]) -> Iterator[str]:
    """Yield what lets in over TCP or UDP, without services that are not redis'."""
    if target == "ACCEPT":
        yield ACCEPT_ALL
    yield from ports
    yield from (words for each in services if firewalld_opening(words := f"service {each}"))
    yield from (rule for rule in rules if firewalld_opening(rule))


def _of_list(lines: Iterable[str]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    rules: list[str] = []
    for line in lines:
        match = _LISTED.fullmatch(line)
        if match:
            found[match[1]] = match[2].split()
        elif line.strip().startswith("rule "):
            rules.append(line.strip())
    if "ports" not in found:
        raise Damaged("a zone without a line of ports")
    return _lets_in(" ".join(found.get("target", [])), found.get("services", []), found["ports"], rules)


def _of_zone_file(xml: str) -> Iterator[str]:
    """Read a zone; the ports inside its rich rules are theirs."""
    text = re.sub(r"<!--.*?-->", "", xml, flags=re.DOTALL)
    rules = [_rich_rule(*found) for found in re.findall(r"<rule\b([^>]*)>(.*?)</rule>", text, flags=re.DOTALL)]
    plain = re.sub(r"<rule\b.*?</rule>", "", text, flags=re.DOTALL)
    target = next(iter(_elements(plain, "zone")), {}).get("target", "")
    services = [each.get("name", "") for each in _elements(plain, "service")]
    ports = [f"{each.get('port', '')}/{each.get('protocol', '')}" for each in _elements(plain, "port")]
    return _lets_in(target, services, ports, rules)


def _rich_rule(attributes: str, body: str) -> str:
    """Return a rule of a zone's file as firewalld prints it, in the order that it prints."""
    words = ["rule", *_pairs(_attributes(attributes), "priority", "family")]
    for name, keys in _ELEMENTS.items():
        for each in _elements(body, name):
            inverted = ["NOT"] if each.get("invert", "").lower() in ("yes", "true", "1") else []
            words += [name, *inverted, *_pairs(each, *keys)]
    return " ".join(words)


_ELEMENTS = {
    "source": ("address", "mac", "ipset"),
    "destination": ("address", "ipset"),
    "service": ("name",),
    "port": ("port", "protocol"),
    "protocol": ("value",),
    "source-port": ("port", "protocol"),
    "forward-port": ("port", "protocol", "to-port", "to-addr"),
    "icmp-type": ("name",),
    "icmp-block": ("name",),
    "masquerade": (),
    "log": ("prefix", "level"),
    "audit": (),
    "accept": (),
    "reject": ("type",),
    "drop": (),
    "mark": ("set",),
}


def _elements(xml: str, name: str) -> list[dict[str, str]]:
    return [_attributes(each) for each in re.findall(rf"<{name}(?=[\s/>])([^>]*)>", xml)]


def _attributes(text: str) -> dict[str, str]:
    return {key: unescape(value) for key, value in re.findall(r"([\w-]+)=[\"']([^\"']*)[\"']", text)}


def _pairs(attributes: dict[str, str], *keys: str) -> list[str]:
    return [f'{key}="{attributes[key]}"' for key in keys if key in attributes]
