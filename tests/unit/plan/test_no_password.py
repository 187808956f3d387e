"""A cluster without a password: what is left of one on a host that was away is taken, and nothing of anybody else's."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.conf import users
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.model.fact import HostFacts
from redis_sentinel_operator.model.operation import GivePassword
from redis_sentinel_operator.model.step import EditConf, Plan, SentinelSet
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.order import plan
from unit.operations.scenes import SHORTS, bare, both, config, facts
from unit.plan.living import edited
from unit.plan.world import DONE, NAME, PASSWORD, S1, Change, M, desired, text_of, verdict, with_file

CALM = verdict(Situation.ALIVE, M)


def planned(**changed: Change) -> Plan:
    """The plan for a cluster of which the others have no password any more."""
    return plan(desired(password=None), facts(**{**dict.fromkeys(SHORTS, bare), **changed}), CALM, DONE)


def test_where_nothing_is_left_of_a_password_nothing_is_done() -> None:
    assert planned() == Plan()


def test_a_host_that_was_away_loses_it_in_force_before_anything_else_and_then_in_its_files() -> None:
    todo = planned(S1=lambda host: host)
    mine = [step for step in todo.steps if not isinstance(step.action, SentinelSet)]
    assert [step.action for step in mine] == [GivePassword(None, (S1,), ())]
    assert [step.what for step in todo.steps if step not in mine] == ["take auth-pass from the sentinel"]
    todo = planned(S1=config(requirepass="", masterauth=""))
    edit = next(step.action for step in todo.steps if isinstance(step.action, EditConf))
    assert edit.remove == ("requirepass", "masterauth")
    assert PASSWORD not in edit.text.reveal()
    assert "repl-timeout 60" in edit.text.reveal(), "the rest stays"


def test_a_file_is_edited_once_at_a_time() -> None:
    """Each edit is made from the file as it was read: of two the second would be refused."""
    drifted = both(config(requirepass="", masterauth=""), lambda host: edited(host, repl_timeout="33"))
    edits = [step for step in planned(S1=drifted).steps if isinstance(step.action, EditConf)]
    assert [step.what for step in edits] == [f"set repl-timeout in {EL7.redis_conf}"]


def test_one_that_would_shut_itself_in_keeps_it_and_is_told() -> None:
    todo = planned(S1=config(bind="", protected_mode="yes"))
    assert not any(isinstance(step.action, GivePassword) for step in todo.steps)
    assert any("protected mode" in sentence for sentence in todo.waiting)


def test_a_sentinel_that_logs_in_as_a_user_of_its_own_keeps_its_password() -> None:
    line = f"sentinel auth-user {NAME} watcher\nsentinel auth-pass {NAME} of-the-watcher\n"
    todo = planned(
        S1=lambda host: with_file(bare(host), EL7.sentinel_conf, text_of(bare(host), EL7.sentinel_conf) + line)
    )
    assert todo == Plan()


@pytest.mark.parametrize(
    ("words", "after"),
    [
        ("default on #" + "a" * 64 + " ~* +@all", "user default on ~* +@all nopass"),
        ("default on nopass ~app:* +get", None),
        ("default on nopass >secret +get", "user default on +get nopass"),
        ("default off resetpass", "user default off nopass"),
        ("default on", "user default on nopass"),
    ],
)
def test_the_default_user_is_let_in_without_one(words: str, after: str | None) -> None:
    line = f"user {words}"
    assert users.file_takes_all(line) is (after is None)
    assert users.file_without_password(line + "\nuser other on >x") == f"{after}\nuser other on >x" or after is None
    conf = parse(f"requirepass old\n{line}\n")
    assert not conf.lets_all_in
    edited = parse(conf.edit({}, ("requirepass",)))
    assert edited.lets_all_in
    assert edited.text == f"{after or line}\n"


def test_what_an_included_file_says_is_told_and_not_touched() -> None:
    inner = "/etc/redis-inner.conf"

    def includes(host: HostFacts) -> HostFacts:
        host = bare(host)
        host = with_file(host, EL7.redis_conf, text_of(host, EL7.redis_conf) + f"include {inner}\n")
        return with_file(host, inner, "requirepass of-somebody\n")

    todo = planned(S1=includes)
    assert not any(isinstance(step.action, EditConf) for step in todo.steps)
    assert [each for each in todo.waiting if inner in each] == [
        f"a file that {EL7.redis_conf} of {S1} includes says requirepass or masterauth, and the resource names no "
        f"password ({inner}); remove it there"
    ]
