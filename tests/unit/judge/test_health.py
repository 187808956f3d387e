"""The verdict's findings and signs of a transition, each with its full message."""

from __future__ import annotations

import math
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    Denied,
    Fact,
    HostFacts,
    Known,
    Listener,
    OsFacts,
    PeerView,
    RedisFacts,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.model.step import Need
from redis_sentinel_operator.model.verdict import Confirmed, Finding, Situation, Uncertain, Verdict
from unit.judge.clusters import (
    ADDRESS,
    AWAY,
    LAST,
    OWNER,
    S1,
    S2,
    S3,
    M,
    SentinelFact,
    alive,
    bare,
    desired,
    facts,
    master,
    owned,
    replica,
    running,
    sentinel,
    unreachable,
    view,
)

WHOLE = desired()


def verdict(read: ClusterFacts, **context: float) -> Verdict:
    return judge(WHOLE, read, LAST, JudgeContext(OWNER, None, **context))


@pytest.mark.parametrize(
    ("redis", "demoted"), [(replica(of=S1), True), (master(), False), (Unknown("silent"), False), (Known(None), False)]
)
def test_where_sentinels_disagree_the_last_master_tells_whether_it_is_one(
    redis: Fact[RedisFacts | Denied | None], demoted: bool
) -> None:
    """Two that were asked for a failover at once made a master of the other's, and each of them a replica."""
    split = {S1: sentinel(S2, 1), S2: sentinel(M, 1), S3: sentinel(M, 1)}
    hosts = [replace(alive(name), sentinel=split[name]) for name in split]
    found = verdict(facts(replace(alive(M), redis=redis), *hosts, of=alive)).master
    assert isinstance(found, Uncertain)
    assert (found.reason, found.demoted) == ("SentinelsDisagree", demoted)


def test_all_is_well() -> None:
    found = verdict(running())
    assert found.situation is Situation.ALIVE
    assert found.transition == ()
    assert found.quorum == Finding(
        True, "QuorumReached", "All 3 declared sentinels answer, and a failover can be authorised."
    )
    assert found.replication == Finding(
        True, "ReplicasLinked", "All 3 replicas follow redis_master01 with their links up."
    )
    assert found.reachable == Finding(True, "AllReachable", "All 4 hosts can be read over SSH.")
    assert found.claimed == Finding(True, "AllClaimed", "All 4 hosts carry this resource's claim.")
    assert found.credentials.ok
    assert found.preflight.ok


def test_one_sentinel_down_is_said_and_the_quorum_holds() -> None:
    found = verdict(facts(replace(alive(S3), sentinel=Known(None)), of=alive)).quorum
    assert found == Finding(
        True,
        "SentinelMissing",
        "2 of 3 declared sentinels work; a majority and the quorum of 2 hold. Missing: redis_slave03: no sentinel runs "
        "there.",
    )


def test_two_sentinels_down_is_no_quorum() -> None:
    down = [replace(alive(name), sentinel=Known(None)) for name in (S2, S3)]
    found = verdict(facts(*down, of=alive)).quorum
    assert found == Finding(
        False,
        "QuorumLost",
        "No failover can be authorised: 1 of 3 declared sentinels work, 2 are needed. Missing: redis_slave02: no "
        "sentinel runs there; redis_slave03: no sentinel runs there. Start the missing sentinels; the operator starts "
        "those whose hosts it reaches.",
    )


def test_two_sentinels_that_could_not_be_read_is_not_known() -> None:
    found = verdict(facts(unreachable(S2), unreachable(S3), of=alive)).quorum
    assert (found.ok, found.reason) == (None, "SentinelsUnreadable")


def test_all_sentinels_say_no_quorum() -> None:
    hosts = [replace(alive(name), sentinel=sentinel(M, quorum_ok=False)) for name in (S1, S2, S3)]
    found = verdict(facts(*hosts, of=alive)).quorum
    assert (found.ok, found.reason) == (False, "QuorumLost")
    assert "NOQUORUM says redis_slave01, redis_slave02, redis_slave03." in found.message


@pytest.mark.parametrize(
    ("redis", "why"),
    [
        (Known(None), "its redis does not run"),
        (replica(link="down"), "its link to the master is down"),
        (replica(S2), "its redis follows 192.168.3.43"),
        (master(), "its redis says that it is a master"),
        (Known(Denied("NOAUTH Authentication required.")), "its redis refuses: NOAUTH Authentication required"),
        (AWAY, "no answer within 3 s"),
        (Known(RedisFacts("3.2.6", "r", 1, "slave", 1, loading=True)), "its redis loads its data"),
    ],
)
def test_a_replica_that_does_not_follow_is_named(redis: object, why: str) -> None:
    odd = replace(alive(S1), redis=redis)
    found = verdict(facts(odd, replace(alive(M), redis=master(S2, S3)), of=alive)).replication
    assert found == Finding(
        False,
        "ReplicaMissing",
        f"2 of 3 replicas follow redis_master01. redis_slave01: {why}. With management Full the operator "
        "brings back what it may.",
    )


def test_a_replica_of_an_unread_host_counts_when_the_master_lists_it() -> None:
    assert verdict(facts(unreachable(S1), of=alive)).replication.ok is True


def test_a_replica_that_synchronises_is_not_broken() -> None:
    hosts = [replace(alive(name), redis=replica(link="down", syncing=True)) for name in (S1, S2, S3)]
    found = verdict(facts(*hosts, of=alive)).replication
    assert (found.ok, found.reason) == (False, "ReplicaSyncing")


def test_no_replica_at_all_is_broken_replication() -> None:
    hosts = [replace(alive(name), redis=replica(link="down")) for name in (S1, S2, S3)]
    found = verdict(facts(*hosts, of=alive)).replication
    assert (found.ok, found.reason) == (False, "ReplicationBroken")
    assert found.message.startswith("None of 3 replicas follows redis_master01: a failover would find no successor.")


def of_version(host: HostFacts, version: str, server: str = "redis", server_version: str = "") -> HostFacts:
    assert isinstance(host.redis, Known) and isinstance(host.redis.value, RedisFacts)
    facts = replace(host.redis.value, version=version, server=server, server_version=server_version)
    return replace(host, redis=Known(facts))


def test_replicas_that_are_older_than_the_master_are_told_with_what_to_do() -> None:
    behind = replace(alive(S2), redis=replica(link="down"))
    read = facts(of_version(alive(M), "7.2.4", "valkey", "9.1.2"), of_version(alive(S1), "6.2.14"), behind, of=alive)
    assert verdict(read).replication == Finding(
        False,
        "OlderThanMaster",
        "redis_master01 has valkey 9.1, but redis_slave01 has redis 6.2, redis_slave02 has redis 3.2, redis_slave03 "
        "has redis 3.2: an older server may not be able to read what a newer master sends, and then keeps the data of "
        "before. 2 of 3 replicas are linked. Update the package of the older hosts to the master's version. Fail over "
        "to an older one only while it is linked: else what was written since the switch is lost.",
    )


def test_an_older_one_that_leaves_is_nobodys_trouble() -> None:
    read = facts(of_version(alive(M), "6.2.14"), *(of_version(alive(each), "6.2.14") for each in (S2, S3)), of=alive)
    assert verdict(read).replication.reason == "OlderThanMaster"
    hosts = tuple(replace(host, state="Leaving") if host.name == S1 else host for host in WHOLE.hosts)
    found = judge(replace(WHOLE, hosts=hosts), read, LAST, JudgeContext(OWNER, None)).replication
    assert found.reason == "ReplicasLinked"


def test_newer_replicas_and_other_patch_releases_are_fine() -> None:
    read = facts(of_version(alive(M), "3.2.12"), of_version(alive(S1), "6.2.14"), of=alive)
    assert verdict(read).replication.reason == "ReplicasLinked"


@pytest.mark.parametrize(
    "reason",
    ["HostKeyChanged", "HostKeyUnknown", "AuthenticationFailed", "SudoRefused", "BadPrivateKey", "CommandTimedOut"],
)
def test_hosts_that_cannot_be_read_are_named_the_gravest_reason_first(reason: str) -> None:
    found = verdict(facts(unreachable(S1), unreachable(S2, reason, "its answer"), of=alive)).reachable
    wanted = "HostUnreachable" if reason == "CommandTimedOut" else reason
    assert (found.ok, found.reason) == (False, wanted)
    assert found.message.startswith("redis_slave01: no route to host; redis_slave02: its answer. ")


def test_refused_forwarding_is_a_matter_of_reach() -> None:
    refused = replace(alive(S1), redis=Unknown("sshd refuses the channel", "ForwardingRefused"))
    found = verdict(facts(refused, of=alive)).reachable
    assert found == Finding(
        False,
        "ForwardingRefused",
        "redis_slave01: sshd refuses the channel. Nothing is changed there until then.",
    )


def test_one_trouble_of_all_hosts_is_told_once() -> None:
    hosts = [unreachable(name, "BadPrivateKey", "the Secret's key is damaged") for name in (M, S1, S2, S3)]
    assert verdict(facts(*hosts)).reachable == Finding(
        False, "BadPrivateKey", "The Secret's key is damaged. No host can be reached without it."
    )


def test_a_trouble_that_names_its_host_is_not_named_twice() -> None:
    host = unreachable(S1, "HostUnreachable", "host redis_slave01 (192.168.3.42:22): it cannot be reached: no route")
    found = verdict(facts(host, of=alive)).reachable
    assert found.message.startswith(
        "Host redis_slave01 (192.168.3.42:22): it cannot be reached: no route. The operator tries"
    )


def test_a_trouble_of_several_hosts_is_told_once_with_what_to_type_for_all() -> None:
    hosts = [
        unreachable(name, "HostKeyUnknown", f"host {name} ({at}:22): no key of it is known; type `ssh-keyscan {at}`")
        for name, at in ((M, "192.168.3.41"), (S1, "192.168.3.42"), (S3, "192.168.3.44"))
    ]
    found = verdict(facts(*hosts, of=alive)).reachable
    assert found.message == (
        "Hosts redis_master01, redis_slave01 and redis_slave03: no key of it is known; type `ssh-keyscan 192.168.3.41 "
        "192.168.3.42 192.168.3.44`. Nothing is sent to a host that cannot be told apart from another."
    )


def test_a_host_of_another_owner_is_named() -> None:
    found = verdict(facts(owned(alive(S2), owner="c0ffee/other/redis"), of=alive)).claimed
    assert (found.ok, found.reason) == (False, "HostClaimedByAnother")
    assert found.message.startswith("Owned by c0ffee/other/redis: redis_slave02. Nothing is changed on any host")


def test_unclaimed_and_unread_claims() -> None:
    assert verdict(facts()).claimed.reason == "NotClaimed"
    assert verdict(facts(replace(alive(S2), claim=AWAY), of=alive)).claimed.ok is None


def test_a_refused_password_is_named() -> None:
    found = verdict(facts(replace(alive(S2), redis=Known(Denied("WRONGPASS invalid"))), of=alive)).credentials
    assert (found.ok, found.reason) == (False, "PasswordWrong")
    assert found.message.startswith(
        "redis_slave02 accepts neither the password of the Secret nor one that stands in its files: WRONGPASS invalid"
    )


def test_a_port_of_another_program_is_named() -> None:
    taken = replace(bare(S1), listeners=Known((Listener(26379, "nginx", 99),)))
    assert verdict(facts(taken)).preflight == Finding(
        False,
        "PortTaken",
        "Port 26379 of redis_slave01 is taken by nginx (process 99). Nothing is started there. Stop what listens "
        "there.",
    )
    ours = replace(bare(S1), listeners=Known((Listener(6379, "redis-server", 99), Listener(22, "sshd", 1))))
    assert verdict(facts(ours)).preflight.ok


def test_the_sentinel_port_is_free_to_others_on_a_host_without_a_sentinel() -> None:
    assert verdict(facts(replace(bare(M), listeners=Known((Listener(26379, "nginx", 99),))))).preflight.ok


def test_a_system_that_is_not_supported() -> None:
    found = verdict(facts(replace(bare(S1), os=Known(OsFacts("debian", "12"))))).preflight
    assert found.reason == "UnsupportedSystem"
    assert found.message == "redis_slave01 runs debian 12, which is not supported. The operator leaves the host alone."


def peers(*all_of: PeerView) -> SentinelFact:
    answered = sentinel(M)
    assert isinstance(answered, Known)
    assert isinstance(answered.value, SentinelFacts)
    return Known(replace(answered.value, view=replace(view(M), peers=all_of), my_id="1" * 40))


def reading_with(*all_of: PeerView) -> ClusterFacts:
    """All sentinels answer, with ids of their own; the first one knows these peers."""
    others = [replace(alive(n), sentinel=with_id(n, i)) for n, i in ((S2, "2" * 40), (S3, "3" * 40))]
    return facts(replace(alive(S1), sentinel=peers(*all_of)), *others, of=alive)


def with_id(name: str, my_id: str) -> SentinelFact:
    fact = alive(name).sentinel
    assert isinstance(fact, Known)
    assert isinstance(fact.value, SentinelFacts)
    return Known(replace(fact.value, my_id=my_id))


STRANGER = PeerView("9" * 40, "192.168.3.99", 26379, frozenset({"sentinel"}))


def test_a_sentinel_that_is_not_declared_is_told() -> None:
    assert verdict(reading_with(STRANGER)).preflight == Finding(
        False,
        "UndeclaredSentinels",
        "Sentinels that this resource does not declare work for redis-cluster: 192.168.3.99:26379. Their votes count "
        "in a failover, so the operator changes nothing. Add their hosts to spec.hosts, or stop them and send "
        "`SENTINEL RESET redis-cluster` to each declared sentinel, one after the other, 30 seconds apart.",
    )


@pytest.mark.parametrize(
    "peer",
    [
        replace(STRANGER, address=ADDRESS[S2]),
        replace(STRANGER, id="2" * 40),  # ours, which announces another address of its host
    ],
)
def test_a_peer_that_is_ours_is_no_stranger(peer: PeerView) -> None:
    assert verdict(reading_with(peer)).preflight.ok


def test_a_stranger_may_be_one_of_ours_that_could_not_be_asked() -> None:
    reading = reading_with(STRANGER)
    unread = ClusterFacts(dict(reading.hosts) | {S2: unreachable(S2)}, 0.0)
    assert verdict(unread).preflight.ok
    two = reading_with(STRANGER, replace(STRANGER, id="8" * 40, address="192.168.3.98"))
    assert not verdict(ClusterFacts(dict(two.hosts) | {S2: unreachable(S2)}, 0.0)).preflight.ok


@pytest.mark.parametrize(
    ("odd", "sign"),
    [
        (sentinel(M, 0, "s_down"), "the sentinel on redis_slave01 sees the master as down"),
        (sentinel(M, 0, "o_down"), "the sentinel on redis_slave01 agrees with others that the master is down"),
        (sentinel(M, 0, "failover_in_progress"), "the sentinel on redis_slave01 runs a failover"),
        (sentinel(M, tilt=True), "the sentinel on redis_slave01 is in tilt mode"),
        (sentinel(S2, 1, told=M), "the sentinel on redis_slave01 is between 192.168.3.41 and 192.168.3.43"),
        (sentinel(S2, 1), "the sentinels do not name the same master at the same config epoch"),
    ],
)
def test_each_sign_of_a_transition_has_its_sentence(odd: object, sign: str) -> None:
    found = verdict(facts(replace(alive(S1), sentinel=odd), of=alive))
    assert sign in found.transition


def test_a_young_switch_is_a_transition() -> None:
    assert verdict(running(), since_switch=9.9).transition == ("the last switch is younger than 10 s",)
    assert verdict(running(), since_switch=10.1).transition == ()
    assert verdict(running(), since_switch=math.inf).transition == ()


def dead() -> ClusterFacts:
    hosts = [replace(alive(name), sentinel=sentinel(M, 0, "s_down", "o_down")) for name in (S1, S2, S3)]
    return facts(*hosts, replace(alive(M), redis=Known(None)))


def test_a_dead_master_without_successor_is_said_after_two_failover_timeouts() -> None:
    assert isinstance(verdict(dead(), down_for=19.9).master, Uncertain)
    assert verdict(dead(), down_for=19.9).master.reason == "MasterStopped"  # type: ignore[union-attr]
    assert verdict(dead(), down_for=20.1).master == Uncertain(
        "MasterDeadNoSuccessor",
        "The master redis_master01 (192.168.3.41:6379) is down and the sentinels found no successor in 20 s. The "
        "operator does not start it, because replicas would copy whatever it comes back with. Look why no replica can "
        "be promoted (link, priority 0, quorum), or say which is to be master by the act `recover`: redis_master01 "
        "with what is on its disk, or a replica.",
        "192.168.3.41",
    )


def test_a_serving_master_that_the_sentinels_cannot_reach() -> None:
    hosts = [replace(alive(name), sentinel=sentinel(M, 0, "s_down", "o_down")) for name in (S1, S2, S3)]
    read = facts(*hosts, of=alive)
    assert verdict(read, down_for=5).quorum.ok is True
    assert verdict(read, down_for=21).quorum == Finding(
        False,
        "SentinelsCannotReachMaster",
        "The sentinels call the master redis_master01 (192.168.3.41) down, but it answers the operator as master with "
        "3 replicas and no failover succeeded. Check the network between sentinels and master, and the auth-pass of "
        "the sentinels.",
    )


def test_bare_hosts_have_no_quorum_to_judge() -> None:
    assert verdict(facts()).quorum == Finding(None, "NotApplicable", "There is no running cluster yet.")
    assert verdict(facts()).replication.ok is None


FIELDS = [each.name for each in dataclass_fields(HostFacts) if each.name not in ("name", "address")]


@given(
    st.lists(st.sampled_from([alive, bare, unreachable]), min_size=4, max_size=4),
    st.sets(st.tuples(st.sampled_from([M, S1, S2, S3]), st.sampled_from(FIELDS)), max_size=8),
    st.sampled_from([None, LAST]),
    st.sampled_from([0.0, 100.0]),
)
def test_any_mix_of_read_and_unread_facts_has_a_verdict(
    kinds: list[Any], holes: set[tuple[str, str]], last: Any, down_for: float
) -> None:
    hosts = {name: kind(name) for kind, name in zip(kinds, (M, S1, S2, S3), strict=True)}
    for name, fact in holes:
        hosts[name] = replace(hosts[name], **{fact: AWAY})
    read = ClusterFacts(hosts, 0.0)
    found = judge(WHOLE, read, last, JudgeContext(OWNER, None, down_for=down_for))
    findings = (found.quorum, found.replication, found.reachable, found.claimed, found.credentials, found.preflight)
    assert all(each.reason and each.message for each in findings)
    unread = {name for name, host in hosts.items() if isinstance(host.os, Unknown)}
    assert found.reachable.ok is (not unread)
    for need in Need:
        for name in hosts:
            refused = why_not(need, name, WHOLE, read, found)
            assert refused is None or refused
    if not isinstance(found.master, Confirmed):
        assert why_not(Need.CALM, M, WHOLE, read, found)
