"""What rules of firewalld and iptables let in, and our own chain among the rules of others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator.conf import iptables
from redis_sentinel_operator.conf.firewall import (
    Opening,
    firewalld_opening,
    iptables_openings,
    rich_rule,
    wider,
)
from redis_sentinel_operator.conf.iptables import CHAIN, JUMP
from unit.plan.world import restored

V4 = 'rule family="ipv4" source address="10.0.0.5/32" port port="6379" protocol="tcp" accept'
LOGGED = 'rule family="ipv4" source address="10.0.0.0/8" port port="6379" protocol="tcp" log prefix="r" accept'
SHIPPED = """\
# sample configuration for iptables service
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT
-A INPUT -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -j REJECT --reject-with icmp-host-prohibited
COMMIT
"""
REJECT = "-A INPUT -j REJECT --reject-with icmp-host-prohibited"
WANTED = (
    f"-A {CHAIN} -s 10.0.0.5/32 -p tcp -m tcp --dport 6379 -j ACCEPT",
    f"-A {CHAIN} -s 192.168.0.0/16 -p tcp -m tcp --dport 6379 -j ACCEPT",
    f"-A {CHAIN} -p tcp -m tcp --dport 26379 -j ACCEPT",
)
ADMITTED = {6379: frozenset({"192.168.0.0/16", "10.0.0.5/32"}), 26379: None}


@pytest.mark.parametrize(
    ("words", "opening"),
    [
        ("6379/tcp", Opening("6379/tcp", 6379, 6379)),
        ("6000-7000/tcp", Opening("6000-7000/tcp", 6000, 7000, closable=False)),
        ("6379/udp", None),
        ("service redis", Opening("service redis", 6379, 6379)),
        ("service redis-sentinel", Opening("service redis-sentinel", 26379, 26379)),
        ("service ssh", None),
        ("target ACCEPT", Opening("target ACCEPT", 0, 65535, closable=False)),
        (V4, Opening(V4, 6379, 6379, "10.0.0.5/32")),
        (rich_rule(6379, "fd00::/64"), Opening(rich_rule(6379, "fd00::/64"), 6379, 6379, "fd00::/64")),
        (LOGGED, Opening(LOGGED, 6379, 6379, "10.0.0.0/8", closable=False)),
        (V4.replace("accept", "reject"), None),
        (V4.replace("tcp", "udp"), None),
        (V4.replace("address", "NOT address"), Opening(V4.replace("address", "NOT address"), 6379, 6379, "", False)),
        ('rule service name="redis" accept', Opening('rule service name="redis" accept', 6379, 6379)),
        (
            'rule family="ipv4" source address="10.0.0.5" accept',
            Opening('rule family="ipv4" source address="10.0.0.5" accept', 0, 65535, "10.0.0.5/32", False),
        ),
        ('rule family="ipv4" icmp-type name="echo-request" accept', None),
        ("nonsense", None),
    ],
)
def test_what_firewalld_lets_in(words: str, opening: Opening | None) -> None:
    assert firewalld_opening(words) == opening


@given(st.text(max_size=200) | st.text(max_size=80).map(lambda text: f"rule {text} accept"))
def test_no_words_of_firewalld_raise_anything(words: str) -> None:
    firewalld_opening(words)
    list(iptables_openings([words, f"-A INPUT {words} -j ACCEPT"]))


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("-A INPUT -p tcp -m tcp --dport 6379 -j ACCEPT", [(6379, 6379, "")]),
        ("-A INPUT -p tcp -m multiport --dports 80,6000:7000 -j ACCEPT", [(80, 80, ""), (6000, 7000, "")]),
        ("-A INPUT -s 10.1.0.0/16 -p tcp -m tcp --dport 6379 -j ACCEPT", [(6379, 6379, "10.1.0.0/16")]),
        ("-A INPUT -i eth0 -p tcp -m state --state NEW -m tcp --dport 6379 -j ACCEPT", [(6379, 6379, "")]),
        ("-A INPUT -s 10.1.0.0/16 -j ACCEPT", [(0, 65535, "10.1.0.0/16")]),
        ("-A INPUT -i lo -j ACCEPT", []),
        ("-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT", []),
        ("-A INPUT -p icmp -j ACCEPT", []),
        ("-A INPUT ! -s 10.1.0.0/16 -p tcp -j ACCEPT", []),
        ("-A INPUT -p tcp -j f2b-sshd", []),
        ("-A FORWARD -p tcp -m tcp --dport 6379 -j ACCEPT", []),
    ],
)
def test_what_a_rule_of_iptables_lets_in(rule: str, found: list[tuple[int, int, str]]) -> None:
    assert [(each.first, each.last, each.source) for each in iptables_openings([rule, REJECT])] == found
    assert list(iptables_openings([REJECT, rule])) == []


def test_without_a_rule_that_denies_the_policy_lets_in() -> None:
    assert [each.rule for each in iptables_openings(["-P INPUT ACCEPT"])] == ["-P INPUT ACCEPT"]
    assert list(iptables_openings(["-P INPUT DROP"])) == []
    assert list(iptables_openings(["-P INPUT ACCEPT", "-A INPUT -j DROP"])) == []


@pytest.mark.parametrize(
    ("source", "ports"),
    [("", (6379,)), ("10.0.0.5/32", ()), ("10.0.0.4/30", (6379,)), ("192.168.3.0/24", ()), ("fd00::/8", (6379,))],
)
def test_wider_is_what_is_not_within_one_of_the_networks(source: str, ports: tuple[int, ...]) -> None:
    assert wider(Opening("x", 0, 65535, source), ADMITTED) == ports


# -- our chain


def test_the_chain_lets_in_source_by_source_and_leaves_the_rest_to_others() -> None:
    assert iptables.chain(ADMITTED, exclusive=False) == WANTED


def test_an_exclusive_chain_turns_new_connections_of_others_away_but_not_the_hosts_own() -> None:
    (refused,) = set(iptables.chain(ADMITTED, exclusive=True)) - set(WANTED)
    assert refused == (
        f"-A {CHAIN} ! -i lo -p tcp -m tcp --dport 6379 -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset"
    )
    assert iptables.chain(ADMITTED, exclusive=True).index(refused) == 2


def test_our_lines_come_first_in_the_saved_file_and_every_other_line_stays() -> None:
    text = iptables.saved(SHIPPED, WANTED)
    rules = iptables.of_saved(text)
    assert iptables.as_wanted(rules, WANTED, ADMITTED, exclusive=False)
    assert "".join(f"{line}\n" for line in text.splitlines() if CHAIN not in line) == SHIPPED
    assert text.index(JUMP) < text.index("-A INPUT -m state")
    assert iptables.saved(text, WANTED) == text
    assert iptables.saved(text, WANTED[:1]).count(f"-A {CHAIN}") == 1


@pytest.mark.parametrize("text", ["", "# nothing\n", "*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n", "*filter\n"])
def test_a_file_without_the_table_gets_one(text: str) -> None:
    rules = iptables.of_saved(iptables.saved(text, WANTED))
    assert iptables.as_wanted(rules, WANTED, ADMITTED, exclusive=False)
    assert iptables.saved(text, WANTED).startswith(text.rstrip())
    assert iptables.saved(text, WANTED).endswith("COMMIT\n")


def test_lines_with_counters_are_read_and_replaced() -> None:
    dumped = "\n".join(
        f"[7:420] {line}" if line.startswith("-A") else line for line in iptables.saved(SHIPPED, WANTED).splitlines()
    )
    assert iptables.as_wanted(iptables.of_saved(dumped), WANTED, ADMITTED, exclusive=False)
    assert iptables.saved(dumped, WANTED[:1]).count(CHAIN) == 3


DEFAULT = iptables.of_saved(SHIPPED)
IN_FORCE = iptables.of_saved(iptables.saved(SHIPPED, WANTED))
BEFORE = {
    "without ours": DEFAULT,
    "the way is gone": tuple(rule for rule in IN_FORCE if rule != JUMP),
    "the way comes too late": (*(rule for rule in IN_FORCE if rule != JUMP), JUMP),
    "a rule is gone": tuple(rule for rule in IN_FORCE if rule != WANTED[0]),
    "a rule too many": (*IN_FORCE, f"-A {CHAIN} -j ACCEPT"),
    "in another order": tuple(reversed(IN_FORCE)),
}


@pytest.mark.parametrize("rules", BEFORE.values(), ids=BEFORE.keys())
def test_one_transaction_makes_it_right(rules: tuple[str, ...]) -> None:
    assert not iptables.as_wanted(rules, WANTED, ADMITTED, exclusive=False)
    after = restored(rules, iptables.transaction(rules, WANTED))
    assert iptables.as_wanted(after, WANTED, ADMITTED, exclusive=False)
    assert after.count(JUMP) == 1
    assert [rule for rule in after if CHAIN not in rule] == [rule for rule in rules if CHAIN not in rule]


def test_rules_before_ours_matter_only_where_they_deny_or_where_ours_is_exclusive() -> None:
    wide = ("-A INPUT -p tcp -m tcp --dport 6379 -j ACCEPT", *IN_FORCE)
    assert iptables.as_wanted(wide, WANTED, ADMITTED, exclusive=False)
    exclusive = iptables.chain(ADMITTED, exclusive=True)
    wide = ("-A INPUT -p tcp -m tcp --dport 6379 -j ACCEPT", *iptables.of_saved(iptables.saved(SHIPPED, exclusive)))
    assert not iptables.as_wanted(wide, exclusive, ADMITTED, exclusive=True)
    after = restored(wide, iptables.transaction(wide, exclusive))
    assert iptables.as_wanted(after, exclusive, ADMITTED, exclusive=True)


@given(st.text(alphabet="*:-AIN PUTfilterCOMMIT\n[0:]#", max_size=300))
def test_any_text_becomes_one_that_holds_our_rules(text: str) -> None:
    made = iptables.saved(text, WANTED)
    assert iptables.saved(made, WANTED) == made
    assert set(WANTED) <= set(iptables.of_saved(made))
