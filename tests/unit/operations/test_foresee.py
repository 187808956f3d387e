"""What procedures would do that begin by themselves, told of a file that is not applied yet."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.operations.foresee import foreseen
from unit.operations.scenes import NEWER, NOBODY, asking, facts, upgraded
from unit.plan.world import S1, S2, S3, M, desired, verdict

ALIVE = verdict(Situation.ALIVE, M)
SAME = desired().password


def told(what: Desired, secret: Secret | None = SAME, **changed: object) -> list[tuple[str, str, str]]:
    found = foreseen(what, facts(**changed), ALIVE, secret)  # type: ignore[arg-type]
    return [(each.host, each.what, each.impact.name) for each in found]


def test_nothing_is_foreseen_of_what_is_as_declared() -> None:
    assert told(desired()) == []
    assert told(asking(), M=upgraded(), S1=upgraded(), S2=upgraded(), S3=upgraded()) == []


def test_another_password_is_a_rotation_on_every_redis() -> None:
    given = "give the Secret's password to all servers (rotation)"
    assert told(desired(), Secret("another")) == [(host, given, "RELOAD") for host in (M, S1, S2, S3)]
    taken = "take the password from redis and sentinel (rotation)"
    assert told(desired(), None) == [(host, taken, "RELOAD") for host in (M, S1, S2, S3)]


def test_a_newer_package_restarts_the_replicas_and_replaces_the_master() -> None:
    install = f"install redis-{NEWER} (upgrade)"
    assert told(asking(), S1=upgraded()) == [
        (M, f"replace the master by a switchover, then {install}", "FAILOVER"),
        (S2, install, "RESTART"),
        (S3, install, "RESTART"),
    ]


def test_a_master_that_is_set_aside_is_replaced_and_a_replica_is_in_the_plan_anyway() -> None:
    whole = desired()
    aside = replace(whole, hosts=tuple(replace(each, aside="Fenced") for each in whole.hosts if each.name in (M, S3)))
    assert [each[0] for each in told(aside)] == [M]
    assert foreseen(aside, facts(), ALIVE, SAME)[0].why == "spec.fencedHosts names it"
    assert foreseen(aside, facts(), NOBODY, SAME) == ()
