"""Who may connect: opened first, then closed what we opened; what others opened is told, closed only exclusively."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.firewall import rich_rule
from redis_sentinel_operator.conf.iptables import CHAIN, JUMP
from redis_sentinel_operator.judge.findings import preflight
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    FileFacts,
    FirewalldRule,
    FirewallFacts,
    HostFacts,
    Known,
    Unknown,
)
from redis_sentinel_operator.model.step import EditFirewalld, FillChain, Plan, SaveChain, Step
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.order import plan
from unit.conf.test_firewall import DEFAULT, SHIPPED
from unit.plan.living import ALIVE, alive
from unit.plan.world import ADDRESS, DONE, S1, S2, S3, M, carried_out, cluster, desired, verdict

PLAIN = frozenset({"6379/tcp", "26379/tcp"})
NARROW = desired(clients=("10.1.0.0/16",))
ONLY_PEERS = desired(clients=())
EXCLUSIVE = desired(clients=(), firewall_exclusive=True)


def both(*words: str, zone: str = "public") -> frozenset[FirewalldRule]:
    return frozenset(
        FirewalldRule(layer, zone, each)
        for layer in ("runtime", "permanent")
        for each in words  # type: ignore[arg-type]
    )


def firewalld(*words: str, ours: frozenset[FirewalldRule] = frozenset()) -> FirewallFacts:
    return FirewallFacts("firewalld", "public", frozenset(words), frozenset(words), ours)


def iptables(rules: tuple[str, ...] = DEFAULT, saved: str | None = SHIPPED) -> FirewallFacts:
    file = None if saved is None else FileFacts("/etc/sysconfig/iptables", 0o600, "root", "root", saved)
    return FirewallFacts("iptables", rules=rules, saved=file)


def facts(firewall: FirewallFacts | Unknown) -> ClusterFacts:
    """A running cluster, S1 with that firewall, the others with rules of their own people that do."""

    def one(host: HostFacts) -> HostFacts:
        return replace(host, firewall=firewall if isinstance(firewall, Unknown) else Known(firewall))

    return cluster(alive, S1=one)


def steps(want: Desired, firewall: FirewallFacts | Unknown) -> list[Step]:
    return [step for step in plan(want, facts(firewall), ALIVE, DONE).steps if step.host == S1]


def peers(port: int, *names: str) -> list[str]:
    return [rich_rule(port, f"{ADDRESS[name]}/32") for name in names]


DECLARED = [*peers(6379, M, S2, S3), *peers(26379, S2, S3)]


def test_a_closed_port_is_opened_where_it_is_closed() -> None:
    half = FirewallFacts("firewalld", "public", frozenset({"6379/tcp"}), frozenset({"26379/tcp"}))
    (step,) = steps(desired(), half)
    assert (step.what, step.why) == (
        "open 6379/tcp, 26379/tcp in firewalld in zone public",
        "closed now and after a reload",
    )
    assert step.action == EditFirewalld(
        add=(FirewalldRule("runtime", "public", "26379/tcp"), FirewalldRule("permanent", "public", "6379/tcp"))
    )


@pytest.mark.parametrize("words", [["1-65535/tcp"], ["service redis", "26379/tcp"], ["target ACCEPT"]])
def test_what_is_open_to_anybody_by_whatever_rule_is_open(words: list[str]) -> None:
    assert steps(desired(), firewalld(*words)) == []


def test_peers_and_clients_are_let_in_before_what_we_opened_is_closed() -> None:
    opens, closes = steps(NARROW, firewalld(*PLAIN, ours=both(*PLAIN)))
    assert isinstance(opens.action, EditFirewalld)
    assert {rule.words for rule in opens.action.add} == {
        *DECLARED,
        rich_rule(6379, "10.1.0.0/16"),
        rich_rule(26379, "10.1.0.0/16"),
    }
    assert opens.what == (
        "open 6379/tcp to 10.1.0.0/16, 192.168.3.41, 192.168.3.43, 192.168.3.44; "
        "26379/tcp to 10.1.0.0/16, 192.168.3.43, 192.168.3.44 in firewalld in zone public"
    )
    assert isinstance(closes.action, EditFirewalld)
    assert set(closes.action.remove) == both(*PLAIN)
    assert (closes.what, closes.why) == (
        "close 6379/tcp, 26379/tcp in firewalld in zone public",
        "opened by us, and no longer declared",
    )


def test_many_sources_are_told_by_their_number() -> None:
    many = desired(clients=tuple(f"10.{n}.0.0/16" for n in range(40)))
    what = steps(many, firewalld())[0].what
    assert "10.7.0.0/16, 35 more; 26379/tcp to " in what


def test_without_clients_anybody_is_let_in_and_our_narrow_rules_go() -> None:
    opens, closes = steps(desired(), firewalld(*DECLARED, ours=both(*DECLARED)))
    assert opens.what == "open 6379/tcp, 26379/tcp in firewalld in zone public"
    assert isinstance(closes.action, EditFirewalld)
    assert set(closes.action.remove) == both(*DECLARED)


def test_a_host_without_a_sentinel_has_its_port_closed_again() -> None:
    hosts = tuple(replace(host, sentinel=False) if host.name == S1 else host for host in desired().hosts)
    (closes,) = steps(desired(hosts=hosts), firewalld(*PLAIN, ours=both(*PLAIN)))
    assert closes.action == EditFirewalld(
        remove=(FirewalldRule("permanent", "public", "26379/tcp"), FirewalldRule("runtime", "public", "26379/tcp"))
    )


def test_a_port_of_ours_that_a_range_of_others_has_swallowed_is_not_closed_out_of_it() -> None:
    found = firewalld("6000-7000/tcp", *DECLARED, ours=both("6379/tcp", *DECLARED))
    (forgets,) = steps(ONLY_PEERS, found)
    assert (forgets.what, forgets.why) == (
        "forget 6379/tcp in firewalld in zone public",
        "opened by us, and closed by others since",
    )
    assert isinstance(forgets.action, EditFirewalld)
    assert set(forgets.action.forget) == both("6379/tcp")
    assert (forgets.action.add, forgets.action.remove) == ((), ())


def test_rules_in_a_zone_that_is_the_hosts_no_more_go() -> None:
    (closes,) = steps(desired(), firewalld(*PLAIN, ours=both(*PLAIN) | both("6379/tcp", zone="work")))
    assert closes.what == "close 6379/tcp in firewalld in zone work"


@pytest.mark.parametrize(
    ("words", "closed"),
    [
        (["6379/tcp"], "6379/tcp"),
        (["service redis-sentinel"], "service redis-sentinel"),
        ([rich_rule(6379, "10.0.0.0/8")], rich_rule(6379, "10.0.0.0/8")),
        (["6000-7000/tcp"], ""),
        (["target ACCEPT"], ""),
    ],
)
def test_what_others_opened_wider_is_told_and_closed_only_exclusively(words: list[str], closed: str) -> None:
    found = firewalld(*DECLARED, *words, ours=both(*DECLARED))
    assert steps(ONLY_PEERS, found) == []
    finding = preflight(ONLY_PEERS, within(found))
    assert (finding.ok, finding.reason) == (False, "FirewallWider")
    assert finding.message == say("FirewallWider", detail=f"{S1}: zone public of firewalld has `{words[0]}`")
    told = [step.what for step in steps(EXCLUSIVE, found)]
    assert told == ([f"close {closed} in firewalld in zone public"] if closed else [])


def within(firewall: FirewallFacts) -> ClusterFacts:
    """The other hosts let nobody in: what is told is about S1."""
    closed = Known(firewalld())
    return ClusterFacts(
        {name: replace(host, firewall=closed) for name, host in facts(firewall).hosts.items() if name != S1}
        | {S1: facts(firewall).hosts[S1]},
        0.0,
    )


@pytest.mark.parametrize("words", [[rich_rule(6379, "10.1.7.0/24")], ["7000/tcp"], ["6379/udp"], ["service ssh"]])
def test_what_others_opened_within_the_clients_or_for_other_ports_is_theirs(words: list[str]) -> None:
    found = firewalld(*words)
    assert preflight(NARROW, within(found)).ok
    exclusive = desired(clients=("10.1.0.0/16",), firewall_exclusive=True)
    assert [step.what for step in steps(exclusive, found) if step.what.startswith("close")] == []


def test_no_rule_is_too_wide_where_anybody_may_connect() -> None:
    assert preflight(desired(firewall_exclusive=True), within(firewalld(*PLAIN, "target ACCEPT"))).ok


@pytest.mark.parametrize("manage", ["Auto", "Firewalld", "Iptables"])
def test_a_host_without_a_firewall_is_left_alone_and_told(manage: str) -> None:
    want = desired(firewall=manage, clients=())
    assert steps(want, FirewallFacts("none")) == []
    said = say("FirewallWider", detail=f"{S1}: no firewall that the operator knows runs there, so anybody may connect")
    assert preflight(want, within(FirewallFacts("none"))).message == said


@pytest.mark.parametrize(
    ("manage", "found", "waiting"),
    [
        ("Firewalld", iptables(), "firewalld does not run on redis_slave01, though spec.firewall.manage is Firewalld"),
        ("Iptables", firewalld(), "iptables.service does not run on redis_slave01, though spec.firewall.manage is"),
    ],
)
def test_the_firewall_that_is_asked_for_must_run(manage: str, found: FirewallFacts, waiting: str) -> None:
    todo = plan(desired(firewall=manage), facts(found), ALIVE, DONE)
    assert [step for step in todo.steps if step.host == S1] == []
    assert any(sentence.startswith(waiting) for sentence in todo.waiting)


def test_a_firewall_that_nobody_manages_is_not_even_looked_at() -> None:
    hangs = Unknown("it hangs")
    assert plan(desired(firewall="None"), facts(hangs), ALIVE, DONE).settled
    assert plan(desired(), facts(hangs), ALIVE, DONE).waiting == (f"the firewall of {S1} could not be read: it hangs",)
    assert preflight(desired(firewall="None", clients=()), within(FirewallFacts("none"))).ok


# -- iptables


def test_iptables_is_opened_now_and_for_the_next_boot() -> None:
    now, later = steps(ONLY_PEERS, iptables())
    to = "6379/tcp to 192.168.3.41, 192.168.3.43, 192.168.3.44; 26379/tcp to 192.168.3.43, 192.168.3.44"
    assert now.what == f"open {to} in iptables (chain {CHAIN})"
    assert later.what == f"open {to} in iptables (chain {CHAIN}) in /etc/sysconfig/iptables"
    assert (now.why, later.why) == ("not so now", "not so after a restart")
    assert isinstance(now.action, FillChain)
    assert isinstance(later.action, SaveChain)


def test_a_host_without_a_file_for_the_next_boot_gets_none() -> None:
    assert [type(step.action) for step in steps(desired(), iptables(saved=None))] == [FillChain]


def test_iptables_rules_of_others_are_told_and_overruled_only_exclusively() -> None:
    wide = "-A INPUT -p tcp -m tcp --dport 6379 -j ACCEPT"
    found = iptables((wide, *DEFAULT))
    assert preflight(ONLY_PEERS, within(found)).message == say("FirewallWider", detail=f"{S1}: iptables has `{wide}`")
    assert preflight(EXCLUSIVE, within(found)).ok
    settled = after_all(EXCLUSIVE, found)
    assert settled.rules.index(JUMP) < settled.rules.index(wide)


def test_an_address_of_version_6_has_its_own_tool() -> None:
    hosts = tuple(replace(host, address=f"fd00::{n}") for n, host in enumerate(desired().hosts))
    want = desired(hosts=hosts, clients=("fd00:1::/64",))
    action = steps(want, iptables())[0].action
    assert isinstance(action, FillChain)
    assert action.tool == "ip6tables"
    assert f"-A {CHAIN} -s fd00::2/128 -p tcp -m tcp --dport 6379 -j ACCEPT" in action.text
    (rules,) = steps(want, firewalld())
    assert isinstance(rules.action, EditFirewalld)
    assert any(rule.words.startswith('rule family="ipv6" source address="fd00:1::/64" ') for rule in rules.action.add)


# -- whatever is there


def after_all(want: Desired, found: FirewallFacts) -> FirewallFacts:
    """The firewall after the plan was carried out; a second plan is empty."""
    before = facts(found)
    after = carried_out(before, plan(want, before, ALIVE, DONE))
    assert plan(want, after, ALIVE, DONE) == Plan()
    fact = after.hosts[S1].firewall
    assert isinstance(fact, Known)
    return fact.value


WISHES = {"anybody": desired(), "clients": NARROW, "peers": ONLY_PEERS, "exclusive": EXCLUSIVE}
FOUND = {
    "closed": firewalld(),
    "open by us": firewalld(*PLAIN, ours=both(*PLAIN)),
    "open by others": firewalld(*PLAIN),
    "narrow by us": firewalld(*DECLARED, ours=both(*DECLARED)),
    "noted but not open": firewalld(ours=both(*DECLARED, *PLAIN)),
    "a range of others": firewalld("6000-7000/tcp", "service ssh"),
    "iptables": iptables(),
    "iptables without rules": iptables(("-P INPUT ACCEPT", "-P FORWARD ACCEPT"), "# nothing\n"),
    "iptables open by others": iptables(("-A INPUT -p tcp -m tcp --dport 6379 -j ACCEPT", *DEFAULT)),
    "none": FirewallFacts("none"),
}


@pytest.mark.parametrize("first", WISHES)
@pytest.mark.parametrize("found", FOUND)
def test_a_second_plan_is_empty_whatever_was_declared_before(found: str, first: str) -> None:
    now = after_all(WISHES[first], FOUND[found])
    for want in WISHES.values():
        now = after_all(want, now)
    theirs = FOUND[found].runtime - {rule.words for rule in FOUND[found].opened}
    closable = {"6379/tcp", "26379/tcp"}
    assert theirs - closable <= now.runtime
    if now.backend == "iptables":
        assert [rule for rule in now.rules if CHAIN not in rule] == list(FOUND[found].rules)


def test_while_sentinels_are_at_work_ports_are_opened_and_none_is_closed() -> None:
    switching = verdict(Situation.ALIVE, None, "S1 sees it down")
    for found in (firewalld(*PLAIN, ours=both(*PLAIN)), iptables()):
        todo = [step for step in plan(ONLY_PEERS, facts(found), switching, DONE).steps if step.host == S1]
        assert todo
        assert not [step for step in todo if step.what.startswith("close")]
    opened = after_all(desired(), iptables())
    narrower = plan(ONLY_PEERS, facts(replace(opened, saved=None)), switching, DONE)
    assert any(isinstance(step.action, FillChain) for step in narrower.steps if step.host == S1)
    fuller = after_all(NARROW, iptables())
    assert [step for step in plan(ONLY_PEERS, facts(fuller), switching, DONE).steps if step.host == S1] == []
