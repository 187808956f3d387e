"""What forbids changes: a transition, another owner, another password, what is foreign."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from redis_sentinel_operator.judge.findings import credentials
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import (
    Denied,
    FirewallFacts,
    HostFacts,
    Known,
    PeerView,
    RedisFacts,
    SentinelFacts,
)
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import (
    Need,
    Plan,
    Refusal,
    TakeClaim,
)
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.plan.order import PlanContext, plan
from redis_sentinel_operator.plan.password import in_force
from unit.plan.living import ALIVE, NOBODY, alive, edited, planned, with_config
from unit.plan.test_bootstrap import SETTING_UP, shown
from unit.plan.world import (
    ADDRESS,
    DONE,
    OWNER,
    PASSWORD,
    S1,
    S2,
    S3,
    Change,
    M,
    bare,
    claimed,
    cluster,
    desired,
    stopped_redis,
    stopped_sentinel,
    unreachable,
    verdict,
)

# -- what is in transition, or whose it is


def test_in_a_transition_only_what_a_failover_needs_is_done() -> None:
    closed = Known(FirewallFacts("firewalld", "public"))
    changed: dict[str, Change] = {
        "M": stopped_redis,
        "S1": lambda host: replace(edited(host, repl_timeout="59"), firewall=closed),
        "S2": stopped_sentinel,
        "S3": stopped_redis,
    }
    todo = plan(desired(), cluster(alive, **changed), verdict(Situation.ALIVE, None, "S1 sees it down"), DONE)
    assert shown(todo) == [
        (2, S1, "open 6379/tcp, 26379/tcp in firewalld in zone public"),
        (6, S2, "start sentinel (redis-sentinel.service)"),
    ]
    assert todo.waiting == ("S1 sees it down",)
    assert all(step.needs == {Need.CLAIM} for step in todo.steps)


def test_an_unreadable_host_gets_no_step_and_holds_nobody() -> None:
    todo = planned(S1=unreachable, S2=lambda host: edited(host, repl_timeout="59"))
    assert [step.host for step in todo.steps] == [S2]
    assert todo.waiting == (f"{S1} could not be read and is left alone: no route to host",)


def test_an_unclaimed_host_is_claimed_before_anything_else_happens_to_it() -> None:
    todo = planned(S1=lambda host: replace(edited(host, repl_timeout="59"), claim=Known(None)))
    assert [(step.host, step.action) for step in todo.steps] == [(S1, TakeClaim(OWNER, "b1", ADDRESS[M]))]


def test_what_would_be_done_is_shown_without_a_claim_where_nothing_is_done() -> None:
    own = desired(management="Observe")
    facts = cluster(alive, S1=lambda host: replace(edited(host, repl_timeout="59"), claim=Known(None)))
    todo = plan(own, facts, ALIVE, DONE)
    assert [step.what for step in todo.steps] == [
        "claim the host for this resource",
        "set repl-timeout in /etc/redis.conf",
        "let redis rewrite /etc/redis.conf (CONFIG REWRITE)",
    ]


def test_a_host_of_another_owner_stops_everything_until_a_person_says_so() -> None:
    facts = cluster(
        alive,
        S1=lambda host: claimed(host, "beef/other/redis", ""),
        S2=lambda host: edited(host, repl_timeout="59"),
    )
    todo = plan(desired(), facts, ALIVE, DONE)
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.reason, todo.refusal.condition) == ("HostClaimedByAnother", "HostsClaimed")
    assert todo.refusal.message.startswith(f"Owned by beef/other/redis: {S1}.")
    adopted = plan(desired(), facts, ALIVE, PlanContext(OWNER, DONE.bootstrap, adopt_claim=True))
    assert adopted.steps[0].action == TakeClaim(OWNER, "b1", ADDRESS[M], force=True)


# -- passwords


def test_another_password_of_the_running_master_is_refused() -> None:
    own = desired(password=Secret("another"))
    todo = plan(own, cluster(alive), ALIVE, DONE)
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.reason, todo.refusal.condition) == ("PasswordChanged", "CredentialsInSync")
    assert PASSWORD not in repr(todo)


def test_another_password_that_shuts_us_out_is_refused() -> None:
    shut = Known(Denied("WRONGPASS"))
    facts = cluster(alive, **{short: lambda host: replace(host, redis=shut) for short in ("M", "S1", "S2", "S3")})
    todo = plan(desired(password=Secret("another")), facts, NOBODY, DONE)
    assert todo.refusal is not None
    assert todo.refusal.reason == "PasswordChanged"


def test_a_password_where_there_is_none_is_refused() -> None:
    facts = cluster(
        alive,
        **{short: lambda host: with_config(host, requirepass="", masterauth="") for short in ("M", "S1", "S2", "S3")},
    )
    todo = plan(desired(), facts, ALIVE, DONE)
    assert todo.refusal is not None
    assert todo.refusal.reason == "PasswordChanged"


def test_the_password_may_be_that_of_the_default_user_alone_and_requirepass_is_set_too() -> None:
    """An ACL file says so: CONFIG GET requirepass is empty then."""

    def of_user(name: str) -> HostFacts:
        host = with_config(alive(name), requirepass="")
        assert isinstance(host.redis, Known)
        assert isinstance(host.redis.value, RedisFacts)
        return replace(host, redis=Known(replace(host.redis.value, by_user=PASSWORD)))

    facts = cluster(of_user)
    assert credentials(desired(), facts).ok
    assert in_force(desired(), facts, ALIVE, OWNER) == desired()
    todo = plan(desired(), facts, ALIVE, DONE)
    assert todo.refusal is None
    assert {step.what for step in todo.steps} == {"set requirepass on the running redis"}
    assert PASSWORD not in repr(facts)


def test_a_stopped_cluster_with_another_password_is_not_started() -> None:
    facts = cluster(lambda name: stopped_redis(alive(name) if name == M else stopped_sentinel(alive(name))))
    todo = plan(desired(password=Secret("another")), facts, verdict(Situation.STOPPED), DONE)
    assert todo.refusal is not None
    assert todo.refusal.reason == "PasswordChanged"


def asking(version: str, **package: Any) -> Desired:
    wish = {"version": version, **package}
    return desired(
        hosts=tuple(replace(host, package=replace(host.package, **wish)) for host in desired().hosts),
    )


OTHERWISE: dict[str, tuple[Desired, Verdict]] = {
    "a downgrade": (asking("3.2.6-1.el7"), ALIVE),
    "another hand's affair": (asking("3.2.6-3.el7", manage="CheckOnly"), ALIVE),
    "stopped": (asking("3.2.6-3.el7"), verdict(Situation.STOPPED)),
    "not read enough": (asking("3.2.6-3.el7"), verdict(Situation.UNREADABLE)),
}


@pytest.mark.parametrize("case", OTHERWISE)
def test_another_version_of_the_package_is_refused(case: str) -> None:
    what, found = OTHERWISE[case]
    todo = plan(what, cluster(alive), found, DONE)
    assert todo.refusal == Refusal(
        "PreflightPassed",
        "OtherVersion",
        f"Redis 3.2.6-2.el7 is installed, package.version asks for {what.hosts[0].package.version}. Nothing is changed "
        "on any host: none is ever downgraded, and an older one is upgraded only on hosts of a cluster that runs, and "
        "not with package.manage CheckOnly. Declare in spec.package.version what is installed. Or install the newer "
        "one yourself, on the replicas first, as that restarts redis: "
        "`yum --disableexcludes=main update <package>-<version>`.",
    )


def test_an_older_package_in_a_cluster_that_runs_is_no_reason_and_the_plan_itself_does_not_touch_it() -> None:
    assert plan(asking("3.2.6-3.el7"), cluster(alive), ALIVE, DONE) == Plan()


def test_for_a_look_all_that_would_be_upgraded_is_shown() -> None:
    todo = plan(replace(asking("3.2.6-3.el7"), management="Observe"), cluster(alive), ALIVE, DONE)
    assert [(step.host, step.what) for step in todo.steps] == [
        (host, "upgrade to redis-3.2.6-3.el7") for host in (M, S1, S2, S3)
    ]


@pytest.mark.parametrize("declared", ["3.2.6", "3.2.6-2.el7", "redis-3.2.6"])
def test_the_declared_version_may_be_less_exact(declared: str) -> None:
    hosts = tuple(replace(host, package=replace(host.package, version=declared)) for host in desired().hosts)
    assert plan(desired(hosts=hosts), cluster(alive), ALIVE, DONE).settled


def test_foreign_data_is_refused_with_the_judges_words() -> None:
    foreign = verdict(Situation.FOREIGN, message="There is data.", reason="ForeignData")
    todo = plan(desired(), cluster(bare), foreign, DONE)
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.reason, todo.refusal.message) == ("ForeignData", "There is data.")


def test_an_unsupported_system_is_refused() -> None:
    def debian(host: HostFacts) -> HostFacts:
        assert isinstance(host.os, Known)
        return replace(host, os=Known(replace(host.os.value, id="debian", version_id="12")))

    todo = plan(desired(), cluster(bare, S1=debian), SETTING_UP, DONE)
    assert todo.refusal is not None
    assert todo.refusal.reason == "UnsupportedSystem"


def test_nothing_is_changed_while_undeclared_sentinels_vote() -> None:
    strangers = tuple(PeerView(str(i) * 40, f"10.9.9.{i}", 26379, frozenset({"sentinel"})) for i in range(4))

    def visited(host: HostFacts) -> HostFacts:
        fact = host.sentinel
        assert isinstance(fact, Known)
        assert isinstance(fact.value, SentinelFacts)
        assert fact.value.view is not None
        return replace(host, sentinel=Known(replace(fact.value, view=replace(fact.value.view, peers=strangers))))

    todo = plan(desired(), cluster(alive, S1=visited, S2=stopped_redis), ALIVE, DONE)
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.condition, todo.refusal.reason) == ("PreflightPassed", "UndeclaredSentinels")
