"""Our own chain of iptables: its rules, the way to it, and its lines in the file that is loaded at boot.

Everything of ours bears the chain's name. Rules are written as `iptables -S` prints them, so that what is read can be
compared with what was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from redis_sentinel_operator.conf.firewall import Admitted, denies_all, in_order, iptables_openings, wider

CHAIN: Final = "REDIS-SENTINEL-OPERATOR"
JUMP: Final = f"-A INPUT -p tcp -j {CHAIN}"
_DECLARED: Final = f":{CHAIN} - [0:0]"
_COUNTERS: Final = re.compile(r"^\[\d+:\d+\] ")
_EMPTY_TABLE: Final = ("*filter", ":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]", "COMMIT")


def chain(admitted: Admitted, *, exclusive: bool) -> tuple[str, ...]:
    """Return the rules of our chain. What it does not let in is left to the rules that come after it.

    With `exclusive` it turns away new connections of others to our ports before rules of others can let them in.
    """
    rules: list[str] = []
    for port, sources in sorted(admitted.items()):
        to = f"-p tcp -m tcp --dport {port}"
        if sources is None:
            rules.append(f"-A {CHAIN} {to} -j ACCEPT")
            continue
        rules += [f"-A {CHAIN} -s {source} {to} -j ACCEPT" for source in in_order(sources)]
        if exclusive:
            refused = "-m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset"
            rules.append(f"-A {CHAIN} ! -i lo {to} {refused}")
    return tuple(rules)


def of_saved(text: str) -> tuple[str, ...]:
    """Return the rules of the table filter in a file of iptables-save, as `iptables -S` would print them."""
    rules, table = [], ""
    for line in text.splitlines():
        table = line.strip() if line.startswith("*") else table
        if table == "*filter" and line.startswith((":", "-", "[")):
            rules.append(_as_printed(_COUNTERS.sub("", line.strip())))
    return tuple(rules)


def _as_printed(line: str) -> str:
    """`:INPUT ACCEPT [0:0]` is `-P INPUT ACCEPT`; our own `:CHAIN - [0:0]` is `-N CHAIN`."""
    if not line.startswith(":"):
        return line
    name, policy = [*line[1:].split(), "-"][:2]
    return f"-N {name}" if policy == "-" else f"-P {name} {policy}"


def missing(rules: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether something that is to come in does not: a rule of our chain is missing, or nothing leads to it in time."""
    return not set(wanted) <= set(rules) or not _reached(rules)


def as_wanted(rules: Sequence[str], wanted: Sequence[str], admitted: Admitted, *, exclusive: bool) -> bool:
    """Whether our chain holds exactly what it should, and the way to it is where it must be."""
    ours = [rule for rule in rules if rule.startswith(f"-A {CHAIN} ")]
    return ours == list(wanted) and _reached(rules) and not (exclusive and overtaken(rules, admitted))


def _reached(rules: Sequence[str]) -> bool:
    return JUMP in rules and not any(denies_all(rule) for rule in rules[: rules.index(JUMP)])


def overtaken(rules: Sequence[str], admitted: Admitted) -> bool:
    """Whether a rule before the way to our chain lets in more than it may."""
    before = [rule for rule in rules[: rules.index(JUMP)] if rule.startswith("-A INPUT")]
    return any(wider(opening, admitted) for opening in iptables_openings(before))


def transaction(rules: Sequence[str], wanted: Sequence[str]) -> str:
    """Return what `iptables-restore --noflush` reads to fill our chain and to lead to it first of all.

    A chain that is named in it is emptied, and all of it happens at once.
    """
    at_top = next((rule for rule in rules if rule.startswith("-A INPUT")), "") == JUMP
    jumps = sum(rule == JUMP for rule in rules)
    move = [] if at_top else [f"-I {JUMP[3:].replace('INPUT', 'INPUT 1', 1)}"]
    # -D takes the first that is alike: those of before go first, then the new one comes.
    gone = [] if at_top else [f"-D {JUMP[3:]}"] * jumps
    return "\n".join(["*filter", _DECLARED, *wanted, *gone, *move, "COMMIT", ""])


def ours(rules: Sequence[str]) -> bool:
    """Whether anything of ours is in force."""
    return any(_ours(rule) for rule in rules)


def removal(rules: Sequence[str]) -> str:
    """Return what `iptables-restore --noflush` reads so that our chain is gone, and every way to it."""
    jumps = [f"-D {rule[3:]}" for rule in rules if rule.startswith("-A ") and rule.endswith(f"-j {CHAIN}")]
    return "\n".join(["*filter", _DECLARED, *jumps, f"-X {CHAIN}", "COMMIT", ""])


def without(text: str) -> str:
    """Return the text of the file without our lines; every other line stays as it is."""
    return "".join(line for line in text.splitlines(keepends=True) if not _ours(line))


def saved(text: str, wanted: Sequence[str]) -> str:
    """Return the text of the file with our lines as wanted, first of all rules; every other line stays as it is."""
    lines = text.splitlines()
    if "*filter" not in (line.strip() for line in lines):
        lines += _EMPTY_TABLE
    start = next(at for at, line in enumerate(lines) if line.strip() == "*filter")
    end = next((at for at in range(start, len(lines)) if lines[at].strip() == "COMMIT"), len(lines))
    table = [line for line in lines[start:end] if not _ours(line)]
    rules = next((at for at, line in enumerate(table) if _COUNTERS.sub("", line).startswith("-")), len(table))
    table[rules:rules] = [_DECLARED, JUMP, *wanted]
    tail = lines[end:] or ["COMMIT"]
    return "\n".join([*lines[:start], *table, *tail, ""])


def _ours(line: str) -> bool:
    return CHAIN in re.split(r"[\s:]+", line) and not line.lstrip().startswith("#")
