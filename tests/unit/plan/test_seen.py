"""What is written down of a host: units and files of a person's own, and that redis could rewrite its file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import HostFacts, Known, Process, RedisFacts, UnitFacts
from redis_sentinel_operator.model.step import EditConf, EnableUnits, Need, ProveRewrite, RememberNotes, StartUnit
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import alive, edited, planned
from unit.plan.world import (
    DONE,
    S1,
    SEEN,
    M,
    cluster,
    desired,
    stopped_redis,
    text_of,
    verdict,
    with_file,
)

OWN_FILE, OWN_UNIT = "/opt/redis/6379.conf", "redis-6379.service"
OWN = {"redisFile": OWN_FILE, "redisUnit": OWN_UNIT, "rewritten": OWN_FILE}


def noted(host: HostFacts, **notes: str) -> HostFacts:
    assert isinstance(host.claim, Known)
    assert host.claim.value is not None
    return replace(host, claim=Known(replace(host.claim.value, notes=notes)))


def running_by(host: HostFacts, unit: str, file: str = OWN_FILE) -> HostFacts:
    """A redis of another unit ("": of nobody), and with another file than the package's."""
    assert isinstance(host.redis, Known)
    assert isinstance(host.redis.value, RedisFacts)
    assert isinstance(host.processes, Known)
    assert isinstance(host.units, Known)
    server = replace(host.redis.value, config_file=file, process_id=77)
    sentinels = tuple(each for each in host.processes.value if each.sentinel)
    units = {**host.units.value, EL7.redis_unit: UnitFacts(EL7.redis_unit, "loaded", "inactive", "disabled")}
    if unit:
        units[unit] = UnitFacts(unit, "loaded", "active", "disabled", 77)
    return replace(
        with_file(host, file, text_of(host, EL7.redis_conf)),
        redis=Known(server),
        processes=Known((*sentinels, Process(77, "redis-server", unit, sentinel=False))),
        units=Known(units),
    )


# -- the proof


def test_once_everything_is_done_redis_is_asked_to_rewrite_its_file_and_never_again() -> None:
    todo = planned(S1=noted)
    assert [(step.host, step.what, step.why, step.needs) for step in todo.steps] == [
        (
            S1,
            "let redis rewrite /etc/redis.conf (CONFIG REWRITE)",
            "a new role must outlive a restart; asked once",
            {Need.CLAIM, Need.CONFIRMED},
        )
    ]
    assert todo.steps[0].action == ProveRewrite(EL7.redis_conf, 6379, SEEN)
    assert planned(S1=lambda host: noted(host, **SEEN)).settled
    assert not [s for s in planned(S1=lambda host: noted(edited(host, repl_timeout="59"))).steps if _proves(s.action)]


def test_where_nothing_is_done_it_is_shown_with_all_else_that_would_be() -> None:
    facts = cluster(lambda name: replace(edited(alive(name), repl_timeout="59"), claim=Known(None)))
    todo = plan(desired(management="Observe"), facts, verdict(Situation.ALIVE, M), DONE)
    assert {(step.host, step.what) for step in todo.steps if step.host == S1} == {
        (S1, "claim the host for this resource"),
        (S1, "set repl-timeout in /etc/redis.conf"),
        (S1, "let redis rewrite /etc/redis.conf (CONFIG REWRITE)"),
    }


def _proves(action: object) -> bool:
    return isinstance(action, ProveRewrite)


def test_a_redis_that_runs_with_another_file_by_now_is_asked_anew() -> None:
    host = noted(running_by(alive(S1), OWN_UNIT), redisFile=OWN_FILE, redisUnit=OWN_UNIT, rewritten=EL7.redis_conf)
    unit = replace(host.units.value[OWN_UNIT], enabled="enabled")  # type: ignore[union-attr]
    host = replace(host, units=Known({**host.units.value, OWN_UNIT: unit}))  # type: ignore[union-attr]
    assert [step.action for step in planned(S1=lambda _: host).steps] == [ProveRewrite(OWN_FILE, 6379, OWN)]


@pytest.mark.parametrize(
    "judged", [verdict(Situation.ALIVE), verdict(Situation.ALIVE, M, "a failover goes on")], ids=["nobody", "switch"]
)
def test_nothing_is_rewritten_while_nobody_is_master_or_sentinel_is_at_work(judged: object) -> None:
    todo = plan(desired(), cluster(alive, S1=noted), judged, DONE)  # type: ignore[arg-type]
    assert not [step for step in todo.steps if _proves(step.action)]


# -- what is a person's own


def test_units_and_files_of_their_own_are_written_down_and_used() -> None:
    todo = planned(S1=lambda host: running_by(host, OWN_UNIT))
    assert [(step.what, step.action) for step in todo.steps] == [
        (
            f"write down what the servers run with: {OWN_FILE}, {OWN_UNIT}",
            RememberNotes({**SEEN, "redisFile": OWN_FILE, "redisUnit": OWN_UNIT}),
        ),
        (f"enable {OWN_UNIT}", EnableUnits((OWN_UNIT,))),
    ]


def test_what_is_declared_goes_into_the_file_that_is_in_use() -> None:
    todo = planned(S1=lambda host: with_file(running_by(host, OWN_UNIT), OWN_FILE, "port 6379\nbind 0.0.0.0\n"))
    edit = next(step.action for step in todo.steps if isinstance(step.action, EditConf))
    assert edit.path == OWN_FILE


def test_a_server_that_names_another_kind_of_file_is_not_followed() -> None:
    """Whoever broke into a redis must not lead the operator, which is root, to write elsewhere."""
    todo = planned(S1=lambda host: with_file(running_by(host, OWN_UNIT), OWN_FILE, "root:$6$x:19000::::::\n"))
    assert OWN_FILE not in [step.action.path for step in todo.steps if isinstance(step.action, EditConf)]


def test_a_stopped_one_is_started_by_its_own_unit_with_its_role_in_its_own_file() -> None:
    host = stopped_redis(noted(running_by(alive(S1), OWN_UNIT), **OWN))
    units = {**host.units.value, OWN_UNIT: UnitFacts(OWN_UNIT, "loaded", "failed", "enabled")}  # type: ignore[union-attr]
    todo = planned(S1=lambda _: replace(with_file(host, OWN_FILE, "port 6379\n"), units=Known(units)))
    starts = [step.action for step in todo.steps if isinstance(step.action, StartUnit)]
    assert [start.unit for start in starts] == [OWN_UNIT]
    edits = [step.action for step in todo.steps if isinstance(step.action, EditConf)]
    assert [(edit.path, "slaveof" in edit.directives) for edit in edits] == [(OWN_FILE, True)]


def test_one_that_was_started_by_hand_with_its_own_file_is_neither_enabled_nor_started() -> None:
    running = running_by(alive(S1), "")
    todo = planned(S1=lambda _: running)
    assert [type(step.action) for step in todo.steps] == [RememberNotes]
    stopped = stopped_redis(noted(running, redisFile=OWN_FILE, rewritten=OWN_FILE))
    todo = planned(S1=lambda _: with_file(stopped, OWN_FILE, text_of(alive(S1), EL7.redis_conf)))
    assert not [step for step in todo.steps if isinstance(step.action, StartUnit | EnableUnits)]
    assert todo.waiting == (
        f"redis of {S1} was started by hand with {OWN_FILE}, and no unit is known that does it: start it again, or "
        "make a unit for it and start that",
    )


def test_one_that_was_started_by_hand_with_the_packages_file_comes_up_with_the_machine() -> None:
    todo = planned(S1=lambda host: running_by(host, "", EL7.redis_conf))
    assert [step.what for step in todo.steps] == ["enable redis.service"]
