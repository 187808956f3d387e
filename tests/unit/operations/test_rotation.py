"""A new password: in which order the servers get it, what is known at each cut, and when nothing is begun."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from redis_sentinel_operator.conf import sentinel_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.judge.findings import credentials
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known, RedisFacts, SurveyFacts, Unknown
from redis_sentinel_operator.model.operation import AdmitPassword, GivePassword, Operation
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigSet, EditConf, Plan, SentinelSet, Step
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.observe.combine import passwords
from redis_sentinel_operator.operations.move import Move, Scene
from redis_sentinel_operator.operations.procedures import failed, next_move
from redis_sentinel_operator.operations.rotation import NAME, due
from redis_sentinel_operator.plan.password import in_force
from unit.operations.scenes import NOBODY, NOON, both, config, facts, redis, scene
from unit.plan.living import with_config, without
from unit.plan.world import (
    NAME as CLUSTER,
)
from unit.plan.world import (
    OWNER,
    PASSWORD,
    S1,
    S2,
    S3,
    Change,
    M,
    carried_out,
    claimed,
    desired,
    stopped_redis,
    text_of,
    unreachable,
    verdict,
    with_file,
)

NEW = "new-and-better"
SECRET = Secret(NEW)
CALM = verdict(Situation.ALIVE, M)
SHORTS = ("M", "S1", "S2", "S3")


def at(read: ClusterFacts, found: Verdict = CALM) -> Scene:
    """What a pass knows: the password in force, and the Secret's."""
    now = in_force(desired(password=SECRET), read, found, OWNER)
    return replace(scene(read, found, what=now), secret=SECRET)


def begun(read: ClusterFacts) -> Operation:
    record = due(at(read))
    assert isinstance(record, Operation), record
    return record


def all_of(version: str, **changed: Change) -> ClusterFacts:
    """All hosts with a version, some of them changed."""
    of = redis(version=version)
    return facts(**{short: both(of, changed[short]) if short in changed else of for short in SHORTS})


def chain(move: Move | None) -> Iterator[tuple[str, Step]]:
    """Every step of a move and of those that follow it, with the step of the record."""
    while move is not None:
        yield from ((move.record.step, each) for each in move.steps)
        move = move.then


def commands(steps: Iterator[tuple[str, Step]]) -> Iterator[Step]:
    """Each command apart: what is given to all at once is given to one after the other as well."""
    for _, step in steps:
        if not isinstance(step.action, GivePassword):
            yield step
            continue
        for name in step.action.redis:
            own = {"masterauth": SECRET} if name in step.action.bare else {}
            yield replace(step, host=name, action=ConfigSet({"requirepass": SECRET, **own}, 6379))
        for name in step.action.sentinels:
            yield replace(step, host=name, action=SentinelSet(CLUSTER, {"auth-pass": SECRET}, 26379))


def after(read: ClusterFacts, step: Step) -> ClusterFacts:
    """The facts when one command was carried out; a sentinel writes its own file."""
    if isinstance(step.action, AdmitPassword):
        return read
    if isinstance(step.action, SentinelSet):
        host = read.hosts[step.host]
        assert isinstance(step.action.values["auth-pass"], Secret)
        text = sentinel_conf.parse(text_of(host, EL7.sentinel_conf)).with_auth_pass(CLUSTER, SECRET)
        return ClusterFacts({**read.hosts, step.host: with_file(host, EL7.sentinel_conf, text)}, read.at)
    return carried_out(read, Plan((step,)))


def live(read: ClusterFacts, host: str, name: str = "requirepass") -> str:
    fact = read.hosts[host].redis
    assert isinstance(fact, Known)
    assert isinstance(fact.value, RedisFacts)
    return fact.value.config[name]


def has_all(read: ClusterFacts) -> bool:
    """Whether servers and files have the new password, and nobody the old one."""
    files = [each for host in read.hosts.values() for each in [*_texts(host)]]
    return all(live(read, host, name) == NEW for host in read.hosts for name in ("requirepass", "masterauth")) and (
        all(PASSWORD not in text for text in files)
    )


def _texts(host: HostFacts) -> Iterator[str]:
    assert isinstance(host.files, Known)
    yield from (each.text for each in host.files.value.values() if each)


def finished(read: ClusterFacts, record: Operation) -> ClusterFacts:
    """The facts when passes went on until it has ended."""
    for _ in range(3):
        move = next_move(at(read), record)
        if move.record.step == "ended":
            assert (move.record.result, move.steps) == ("Done", ())
            return read
        for step in commands(chain(move)):
            read = after(read, step)
    raise AssertionError("it does not end")


# -- the order


def test_before_redis_6_all_get_it_in_one_window() -> None:
    steps = list(chain(next_move(at(facts()), begun(facts()))))
    told = [(at_, step.host, step.what) for at_, step in steps]
    hosts = (M, S1, S2, S3)
    assert told[:8] == [
        ("follow", host, what)
        for host in hosts
        for what in ("set masterauth on the running redis", "set masterauth in /etc/redis.conf")
    ]
    assert told[8:] == [
        (
            "switch",
            M,
            f"give the new password to redis on {', '.join(hosts)} and to the sentinels on {S1}, {S2}, {S3}",
        ),
        *(("files", host, "set requirepass in /etc/redis.conf") for host in hosts),
    ]
    window = steps[8][1].action
    assert window == GivePassword(SECRET, hosts, (S1, S2, S3))
    assert NEW not in repr(steps)


def test_from_redis_6_on_both_are_good_until_everybody_uses_the_new_one() -> None:
    read = all_of("6.2.14")
    steps = list(chain(next_move(at(read), begun(read))))
    assert [(at_, type(step.action).__name__) for at_, step in steps if step.host == S1] == [
        ("admit", "AdmitPassword"),
        ("follow", "ConfigSet"),
        ("follow", "EditConf"),
        ("follow", "SentinelSet"),
        ("files", "EditConf"),
    ]
    assert [step.action for at_, step in steps if at_ == "switch"] == [GivePassword(SECRET, (M, S1, S2, S3), ())]


def test_one_old_server_among_new_ones_makes_it_one_window() -> None:
    read = all_of("6.2.14", S3=redis(version="5.0.6"))
    kinds = {type(step.action) for _, step in chain(next_move(at(read), begun(read)))}
    assert kinds == {ConfigSet, EditConf, GivePassword}


def bare(host: HostFacts) -> HostFacts:
    """Without a password, in force and in its files."""
    host = without(without(with_config(host, requirepass="", masterauth=""), "requirepass"), "masterauth")
    text = text_of(host, EL7.sentinel_conf)
    return with_file(host, EL7.sentinel_conf, text.replace(f"sentinel auth-pass {CLUSTER} {PASSWORD}\n", ""))


@pytest.mark.parametrize(("version", "ends"), [("3.2.6", (M, S1, S2, S3)), ("6.2.14", ())])
def test_servers_without_one_get_it_after_the_sentinels_and_all_at_once(version: str, ends: tuple[str, ...]) -> None:
    read = all_of(version, **dict.fromkeys(SHORTS, bare))
    steps = list(chain(next_move(at(read), begun(read))))
    assert [(at_, type(step.action).__name__) for at_, step in steps if step.host == S1] == [
        ("follow", "EditConf"),
        ("follow", "SentinelSet"),
        ("files", "EditConf"),
    ]
    all_ = (M, S1, S2, S3)
    assert [step.action for at_, step in steps if at_ == "switch"] == [GivePassword(SECRET, all_, (), all_, ends)]


# -- killed anywhere


STATES: dict[str, ClusterFacts] = {
    "3.2": all_of("3.2.6"),
    "6.2": all_of("6.2.14"),
    "3.2 bare": all_of("3.2.6", **dict.fromkeys(SHORTS, bare)),
    "6.2 bare": all_of("6.2.14", **dict.fromkeys(SHORTS, bare)),
}


def cuts(read: ClusterFacts) -> list[int]:
    return list(range(len(list(commands(chain(next_move(at(read), begun(read)))))) + 1))


POINTS = [(name, cut) for name, read in STATES.items() for cut in cuts(read)]


@pytest.mark.parametrize(("name", "cut"), POINTS)
def test_cut_between_any_two_commands_the_next_operator_finds_its_way_and_ends_it(name: str, cut: int) -> None:
    read = STATES[name]
    record = begun(read)
    for step in list(commands(chain(next_move(at(read), record))))[:cut]:
        read = after(read, step)
    for host in read.hosts:
        known = {each.reveal() for each in passwords(read.hosts[host].files)}
        assert live(read, host) in {"", *known}, (
            "also where the Secret has changed once more it is in a file of its host"
        )
    anew = due(at(read))
    assert anew is None or isinstance(anew, Operation), "its record may be lost"
    assert has_all(finished(read, record))
    assert due(at(finished(read, record))) is None


def test_a_redis_that_restarts_with_the_old_one_in_its_file_is_given_it_again() -> None:
    read = facts(**{short: config(requirepass=NEW, masterauth=NEW) for short in ("M", "S1", "S3")})
    record = Operation("r1", NAME, "files", "", NOON_TEXT, "", "", "", "", 0, "")
    window = [step.action for at_, step in chain(next_move(at(read), record)) if at_ == "switch"]
    assert window == [GivePassword(SECRET, (S2,), (S1, S2, S3))]
    assert has_all(finished(read, record))


# -- when


NOON_TEXT = "2026-01-31T12:00:00.000Z"


def test_it_begins_by_itself_and_only_where_the_password_is_another() -> None:
    assert begun(facts()).type == NAME
    assert due(replace(at(facts()), secret=Secret(PASSWORD))) is None
    assert due(replace(at(facts()), secret=None)) is None


@pytest.mark.parametrize(
    ("read", "found", "why"),
    [
        (facts(), replace(CALM, transition=("the sentinel on S1 says o_down",)), "the sentinel on S1 says o_down"),
        (facts(), NOBODY, "No majority names one."),
        (facts(S1=unreachable, S2=unreachable), CALM, "a majority of the sentinels does not answer"),
        (facts(M=unreachable), CALM, "the host of the master could not be read"),
    ],
)
def test_it_waits_as_long_as_a_failover_may_come_of_it(read: ClusterFacts, found: Verdict, why: str) -> None:
    known = replace(at(read, found), desired=desired())
    assert due(known) == (
        f"the Secret has another password than the servers, who are given it as soon as it is safe: {why}"
    )
    record = begun(facts())
    gone = next_move(known, record)
    assert (gone.record.step, gone.record.result, gone.record.message, gone.steps) == ("restore", "Failed", why, ())
    ended = next_move(known, gone.record)
    assert (ended.record.step, ended.steps) == ("ended", ()), "it holds up nobody who heals"


def test_sentinels_of_nobody_known_are_named_first_as_they_would_call_the_master_down() -> None:
    survey = SurveyFacts((0.0, 0.0), sentinels=frozenset((str(i) * 8, f"10.9.9.{i}") for i in range(4)))
    said = due(at(facts(M=lambda host: replace(host, survey=Known(survey)))))
    assert isinstance(said, str)
    assert "10.9.9.0, 10.9.9.1, 10.9.9.2, 10.9.9.3" in said


def test_a_host_that_is_away_holds_nothing_up_and_is_named() -> None:
    read = facts(S3=unreachable, S2=stopped_redis)
    record = begun(read)
    done = list(commands(chain(next_move(at(read), record))))
    assert {step.host for step in done if not isinstance(step.action, SentinelSet)} == {M, S1}
    for step in done:
        read = after(read, step)
    ended = next_move(at(read), record).record
    assert ended.message == f"the servers have the Secret's new password; not given to: {S3}, {S2}"
    assert due(at(read)) is None, "what is back later is mended as drift"


def test_a_failed_step_is_done_again_until_its_time_is_up() -> None:
    record = begun(facts())
    step = next_move(at(facts()), record).steps[0]
    assert failed(record, step, "no answer", begun=True, sure=False, now=NOON) is None


# -- which password is in force


def test_the_cluster_is_kept_by_the_masters_password_until_it_is_changed() -> None:
    mixed = facts(S2=config(requirepass=NEW))
    assert in_force(desired(password=SECRET), mixed, CALM, OWNER).password == Secret(PASSWORD)
    changed = facts(M=config(requirepass=NEW))
    assert in_force(desired(password=SECRET), changed, CALM, OWNER).password == SECRET
    assert in_force(desired(password=SECRET), facts(), NOBODY, OWNER).password == Secret(PASSWORD)
    assert in_force(desired(password=SECRET), mixed, NOBODY, OWNER).password == SECRET, "nobody knows: the Secret's"


def test_a_cluster_that_is_not_ours_yet_keeps_its_password() -> None:
    others = facts(**dict.fromkeys(SHORTS, lambda host: claimed(host, "beef/other/redis")))
    assert in_force(desired(password=SECRET), others, CALM, OWNER).password == SECRET
    assert due(at(others)) is None
    unknown = facts(**dict.fromkeys(SHORTS, lambda host: replace(host, claim=Unknown("not read"))))
    assert in_force(desired(password=SECRET), unknown, CALM, OWNER).password == SECRET


def test_a_cluster_without_a_password_has_none_in_force() -> None:
    assert in_force(desired(password=SECRET), STATES["3.2 bare"], CALM, OWNER).password is None
    assert in_force(desired(password=None), facts(), CALM, OWNER).password is None


# -- what is told of it


def told(read: ClusterFacts, password: Secret | None = SECRET) -> tuple[bool | None, str, str]:
    found = credentials(desired(password=password, password_version="17" if password else ""), read)
    return found.ok, found.reason, found.message


def test_the_condition_names_who_lacks_it_and_the_version_of_the_secret() -> None:
    ok, reason, message = told(facts(S1=config(requirepass=NEW, masterauth=NEW)))
    assert (ok, reason) == (False, "PasswordChanging")
    assert message.startswith(
        f"Redis on {M}, {S2}, {S3} does not have the Secret's password of resourceVersion 17 yet."
    )
    changed = dict.fromkeys(SHORTS, config(requirepass=NEW, masterauth=NEW))
    assert told(facts(**changed)) == (
        True,
        "CredentialsInSync",
        "The Secrets can be used and the servers accept the password of resourceVersion 17.",
    )
    half = facts(**changed | {"S2": config(requirepass=NEW)})
    assert told(half)[:2] == (False, "PasswordChanging"), "it could not follow a master once it must log in again"
    ok, reason, message = told(facts(**changed | {"S3": unreachable}))
    assert (ok, reason) == (None, "PasswordNotProved")
    assert f"Not read: redis on {S3};" in message


def test_where_no_password_is_declared_nothing_is_said_of_one() -> None:
    assert told(STATES["3.2 bare"])[:2] == (False, "PasswordChanging")
    assert told(STATES["3.2 bare"], None)[2] == "The Secrets can be used and the servers accept the password."
