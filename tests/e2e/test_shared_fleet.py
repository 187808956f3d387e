"""Two operators share a fleet by labels: a cluster that is handed over is worked on by the other one, at once.

And where by mistake both match one, there is still one that changes its hosts; the other says that it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from e2e.acting import answer, ask, failovers_asked
from e2e.rig import FAST_RESYNC, NAME, Rig, master
from e2e.test_interrupted import SHORT_LEASE
from lab.hosts import Host
from lab.observe import commands_seen
from lab.operator import ACCOUNT, OperatorProcess
from lab.seed import NAMESPACE
from redis_sentinel_operator.outliving import ANOTHER

LEASES = ("team-a", "team-b")
Both = tuple[OperatorProcess, OperatorProcess]


@pytest.fixture
def teams(seed: Rig) -> Iterator[Both]:
    """An operator for each team, with a Lease of its own; the one of team b began later. The cluster is of nobody."""
    with two_operators(seed, "team=a", "team=b") as both:
        yield both


@pytest.fixture
def overlapping(seed: Rig) -> Iterator[Both]:
    """The same two, but the one that began later takes the clusters of all teams."""
    with two_operators(seed, "team=a", "team") as both:
        yield both


@contextmanager
def two_operators(seed: Rig, *selectors: str) -> Iterator[Both]:
    seed.operator.stop()
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "teams", "namespace": ACCOUNT}}
    leases = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [*LEASES]}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": ACCOUNT}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "teams"}
    seed.cp.apply(
        [
            role | {"kind": "Role", "rules": [leases | {"verbs": ["get", "update"]}]},
            role | {"kind": "RoleBinding", "roleRef": reference, "subjects": [subject]},
        ]
    )
    settings = [
        {**FAST_RESYNC, **SHORT_LEASE, "RSO_SELECTOR": selector, "RSO_LEASE": lease}
        for selector, lease in zip(selectors, LEASES, strict=True)
    ]
    with ExitStack() as stack:
        first = stack.enter_context(OperatorProcess(seed.cp, "second", settings[0]))
        holds_its_lease(first)
        second = stack.enter_context(OperatorProcess(seed.cp, "dying", settings[1]))
        holds_its_lease(second)
        yield first, second
        label(seed, "team-")
        assert not any(said(operator, "mistake of the operator") for operator in (first, second))
    seed.operator.start()
    seed.wait_healthy()


def holds_its_lease(operator: OperatorProcess) -> None:
    operator.wait_until(lambda: "holds the Lease" in operator.tail(), "its Lease", 30)


def label(rig: Rig, text: str) -> None:
    rig.cp.kubectl("label", "rsc", NAME, "-n", NAMESPACE, text, "--overwrite")


def mends(rig: Rig, operator: OperatorProcess, host: Host, value: int) -> None:
    """A directive is changed by hand, and this operator sets it right."""
    done = len(operator.audit())
    drift(host, value)
    operator.wait_until(lambda: len(operator.audit()) > done, "its work", 60)
    line = operator.audit()[done]
    assert (line["host"], line["what"], line["result"]) == (
        host.name,
        "set repl-timeout in /etc/redis.conf",
        "done",
    )
    rig.wait_healthy()


def drift(host: Host, value: int) -> None:
    host.run(f"sed -i 's/^repl-timeout .*/repl-timeout {value}/' /etc/redis.conf")


@pytest.mark.long
@pytest.mark.timeout(240)
def test_a_cluster_is_handed_from_one_operator_to_the_other_and_back(seed: Rig, teams: Both) -> None:
    """Back to the first one, whose Lease is the older: the hosts remember a later epoch than it has."""
    first, second = teams
    host = seed.lab.replicas[0]
    assert not first.has_passed() and not second.has_passed(), "the cluster is of neither"
    label(seed, "team=b")
    second.wait_until(second.has_passed, "the second one at work", 30)
    mends(seed, second, host, 31)
    label(seed, "team=a")
    first.wait_until(first.has_passed, "the first one at work", 30)
    worked = len(second.audit())
    mends(seed, first, host, 32)
    label(seed, "team=b")
    second.wait_until(lambda: not first.has_passed() and second.has_passed(), "the second one at work again", 30)
    mends(seed, second, host, 33)
    assert len(second.audit()) == worked + 1


@pytest.mark.long
@pytest.mark.timeout(420)
def test_of_two_that_match_the_same_cluster_one_works_and_the_other_says_so(seed: Rig, overlapping: Both) -> None:
    """Each takes it from the other once, while that one stands still; then the second has it for good."""
    first, second = overlapping
    host = seed.lab.replicas[0]
    label(seed, "team=a")
    for operator in overlapping:
        operator.wait_until(operator.has_passed, "both at work", 30)
    before = seed.wait_quiet()
    passes(overlapping)
    assert seed.writes_since(before) == [], "a healthy cluster is no matter of dispute"
    for still, other, value in ((first, second, 31), (second, first, 32), (first, second, 33)):
        with standing_still(still):
            mends(seed, other, host, value)
        passes(overlapping)
    assert said(first, ANOTHER)
    assert not said(second, ANOTHER)
    assert [len(changes(operator)) for operator in overlapping] == [1, 2]
    with standing_still(second):
        drift(host, 34)
        told = seed.wait(lambda s: s["message"].startswith("Another operator works"), "the words of the first one", 60)
        assert told["message"].count("restart this one") == 1
        assert told["observedGeneration"] == seed.body()["metadata"]["generation"]
    second.wait_until(lambda: len(changes(second)) == 3, "its repair", 60)
    seed.wait_quiet()
    passes(overlapping)
    assert [len(changes(operator)) for operator in overlapping] == [1, 3], "no change was made twice"
    epoch = seed.status()["master"]["configEpoch"]
    with commands_seen(seed.lab) as seen:
        at = ask(seed, "switchover -")
        assert answer(seed, at, 120)["result"] == "Done"
        seed.wait_quiet()
        passes(overlapping)
        assert len(failovers_asked(seen)) == 1, "done once, by one of them"
    status = seed.wait_quiet()["status"]
    assert status["master"]["configEpoch"] == epoch + 1
    assert [act["result"] for act in status["acts"] if act["at"] == at] == ["Done"], "the answer stays"
    assert {line["host"] for line in first.audit() if line["result"] != "done"} == set(), "the first one tried nothing"


@pytest.mark.long
@pytest.mark.timeout(300)
def test_two_that_match_a_new_cluster_set_up_one(bare: Rig) -> None:
    with two_operators(bare, "team=a", "team") as both:
        bare.declare()
        label(bare, "team=a")
        bare.wait_healthy(180)
        passes(both)
        body = bare.wait_quiet()
        assert bare.master_by_role() == [master(body["status"])]
        assert body["status"]["bootstrap"]["completedAt"]
        starts = [what for operator in both for host, what in changes(operator) if what.startswith("start redis")]
        assert len(starts) == len(list(bare.lab)), "each server was started once"
        passes(both)
        assert bare.writes_since(body) == []


@contextmanager
def standing_still(operator: OperatorProcess) -> Iterator[None]:
    operator.freeze()
    try:
        yield
    finally:
        operator.resume()


def said(operator: OperatorProcess, words: str) -> bool:
    return any(words in str(line.get("message")) for line in operator.lines())


def changes(operator: OperatorProcess) -> list[tuple[str, str]]:
    """What it has changed on which host."""
    return [(line["host"], line["what"]) for line in operator.audit() if line["result"] == "done"]


def passes(both: Both, count: int = 2) -> None:
    """Return after so many more passes of each."""
    for operator in both:
        enough = operator.passes() + count
        operator.wait_until(partial(_has_passed, operator, enough), "its passes", 90)


def _has_passed(operator: OperatorProcess, times: int) -> bool:
    return operator.passes() >= times
