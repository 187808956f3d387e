"""What other files say that redis.conf names: those that it includes, and that of its users."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import HostFacts
from redis_sentinel_operator.model.step import EditConf, Plan
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, alive, planned, with_version
from unit.plan.world import DONE, PASSWORD, S1, Change, cluster, desired, text_of, with_file

LOCAL, PEOPLE = "/etc/redis-local.conf", "/etc/redis/users.acl"
OURS = f"#{sha256(PASSWORD)}"


def including(host: HostFacts, local: str | None, line: str = f"include {LOCAL}") -> HostFacts:
    text = text_of(host, EL7.redis_conf)
    return with_file(with_file(host, EL7.redis_conf, f"{text}{line}\n"), line.split()[1], local)


def of_version(version: str, change: Change) -> Plan:
    """The plan for a cluster of that version in which one host is changed."""
    facts = cluster(
        lambda name: with_version(alive(name), version), S1=lambda host: change(with_version(host, version))
    )
    return plan(desired(), facts, ALIVE, DONE)


def edit_of(todo: Plan) -> EditConf:
    (action,) = [step.action for step in todo.steps]
    assert isinstance(action, EditConf)
    return action


def test_an_included_file_that_says_nothing_else_changes_nothing() -> None:
    assert planned(S1=lambda host: including(host, "hz 50\n")).settled
    assert planned(S1=lambda host: including(host, "repl-timeout 60\n")).settled


def test_what_an_included_file_says_otherwise_is_overruled_behind_it_and_the_file_stays() -> None:
    todo = planned(S1=lambda host: including(host, "repl-timeout 59\n"))
    assert [(step.what, step.why) for step in todo.steps] == [
        ("set repl-timeout in /etc/redis.conf", "repl-timeout is 59, wanted is 60")
    ]
    assert edit_of(todo).path == EL7.redis_conf
    assert edit_of(todo).text.reveal().endswith(f"include {LOCAL}\nrepl-timeout 60\n")


def test_what_cannot_be_overruled_is_told() -> None:
    todo = of_version("6.2.14", lambda host: including(host, "user default on >other ~* +@all\n"))
    assert todo.steps == ()
    assert todo.waiting == (
        f"requirepass of {S1} cannot be set in /etc/redis.conf: one of the files that it includes says something else "
        f"and counts ({LOCAL}); correct it there",
    )


# -- the file of the users


def with_people(host: HostFacts, text: str | None) -> HostFacts:
    return including(host, text, f"aclfile {PEOPLE}")


@pytest.mark.parametrize(
    ("text", "version", "after"),
    [
        ("user default on >other ~* +@all\n", "6.2.14", f"user default on ~* +@all {OURS}\n"),
        ("user carol on >c\n", "6.2.14", f"user default on ~* &* +@all {OURS}\nuser carol on >c\n"),
        ("user carol on >c\n", "6.0.16", f"user default on ~* +@all {OURS}\nuser carol on >c\n"),
    ],
)
def test_the_default_user_of_the_acl_file_gets_the_password(text: str, version: str, after: str) -> None:
    todo = of_version(version, lambda host: with_people(host, text))
    assert [(step.what, step.why) for step in todo.steps] == [
        (f"give the default user in {PEOPLE} the password", "what that file says counts at the next start")
    ]
    assert (edit_of(todo).path, edit_of(todo).text.reveal()) == (PEOPLE, after)
    assert edit_of(todo).base_sha256 == sha256(text)
    assert PASSWORD not in repr(todo)


def test_another_kind_of_file_is_not_written_whoever_names_it() -> None:
    todo = of_version("6.2.14", lambda host: with_people(host, "root:$6$x:19000::::::\n"))
    assert (todo.steps, todo.waiting) == (
        (),
        (f"{PEOPLE} of {S1} is named as aclfile, but holds more than users: it is left as it is",),
    )


@pytest.mark.parametrize("text", [f"user default on {OURS} ~* +@all\n", None])
def test_an_acl_file_that_is_right_or_was_not_read_is_left(text: str | None) -> None:
    assert of_version("6.2.14", lambda host: with_people(host, text)).settled


def test_without_a_password_the_people_of_the_host_keep_their_users() -> None:
    facts = cluster(alive, S1=lambda host: with_people(host, "user default on nopass ~* +@all\n"))
    todo = plan(replace(desired(), password=None), facts, ALIVE, DONE)
    assert PEOPLE not in [step.action.path for step in todo.steps if isinstance(step.action, EditConf)]
