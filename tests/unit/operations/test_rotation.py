"""A new password: in which order the servers get it, what is known at each cut, and when nothing is begun."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from redis_sentinel_operator.conf import redis_conf, sentinel_conf, users
from redis_sentinel_operator.conf.directives import sha256
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
from unit.operations.scenes import NOBODY, NOON, SHORTS, bare, both, config, facts, redis, scene
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


def at(read: ClusterFacts, found: Verdict = CALM, secret: Secret | None = SECRET) -> Scene:
    """What a pass knows: the password in force, and the Secret's."""
    now = in_force(desired(password=secret), read, found, OWNER)
    return replace(scene(read, found, what=now), secret=secret)


def begun(read: ClusterFacts, secret: Secret | None = SECRET) -> Operation:
    record = due(at(read, secret=secret))
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
        given = step.action.password or ""
        for name in step.action.redis:
            own = {"masterauth": given} if name in step.action.bare or not given else {}
            yield replace(step, host=name, action=ConfigSet({"requirepass": given, **own}, 6379))
        for name in step.action.sentinels:
            yield replace(step, host=name, action=SentinelSet(CLUSTER, {"auth-pass": SECRET}, 26379))


def after(read: ClusterFacts, step: Step) -> ClusterFacts:
    """The facts when one command was carried out; a sentinel writes its own file."""
    if isinstance(step.action, AdmitPassword):
        return read
    if isinstance(step.action, SentinelSet):
        host = read.hosts[step.host]
        given = step.action.values["auth-pass"]
        assert isinstance(given, Secret)
        conf = sentinel_conf.parse(text_of(host, EL7.sentinel_conf))
        text = conf.with_auth_pass(CLUSTER, given) if given.reveal() else _bare_sentinel(conf.raws)
        return ClusterFacts({**read.hosts, step.host: with_file(host, EL7.sentinel_conf, text)}, read.at)
    return carried_out(read, Plan((step,)))


def _bare_sentinel(raws: tuple[str, ...]) -> str:
    return "\n".join(raw for raw in raws if "auth-pass" not in raw)


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


PEOPLE = "/etc/redis/users.acl"


def listed(host: HostFacts) -> HostFacts:
    """Its users are in a file of their own, with the digest of the password alone: that counts at a start."""
    host = with_file(host, EL7.redis_conf, f"{text_of(host, EL7.redis_conf)}aclfile {PEOPLE}\n")
    return with_file(host, PEOPLE, f"user default on #{sha256(PASSWORD)} ~* &* +@all\n")


def would_let_us_in(host: HostFacts) -> bool:
    """Whether its redis, were it started now, would take a password that its files tell, or take everybody in."""
    conf = redis_conf.parse(text_of(host, EL7.redis_conf))
    known = {each.reveal() for each in passwords(host.files)}
    if conf.get("aclfile") is None:
        return (conf.get("requirepass") or "") in {"", *known}
    text = text_of(host, PEOPLE)
    return users.file_takes_all(text) or any(users.file_takes_only(text, each) for each in known)


def _texts(host: HostFacts) -> Iterator[str]:
    assert isinstance(host.files, Known)
    yield from (each.text for each in host.files.value.values() if each)


def finished(read: ClusterFacts, record: Operation, secret: Secret | None = SECRET, leaving: str = "") -> ClusterFacts:
    """The facts when passes went on until it has ended."""
    for _ in range(3):
        move = next_move(replace(at(read, secret=secret), leaving=leaving), record)
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


@pytest.mark.parametrize("version", ["3.2.6", "6.2.14"])
def test_where_none_is_declared_all_redis_lose_it_at_once_and_then_sentinels_and_files(version: str) -> None:
    read = all_of(version)
    steps = list(chain(next_move(at(read, secret=None), begun(read, None))))
    all_ = (M, S1, S2, S3)
    assert [(at_, step.host, step.what) for at_, step in steps] == [
        ("switch", M, f"take the password from redis on {', '.join(all_)}"),
        *(("files", host, "take auth-pass from the sentinel") for host in all_[1:]),
        *(("files", host, "remove requirepass, masterauth in /etc/redis.conf") for host in all_),
    ]
    assert steps[0][1].action == GivePassword(None, all_, ())


def bare_all(read: ClusterFacts) -> bool:
    """Whether neither servers nor files have a password."""
    running = [live(read, host, name) for host in read.hosts for name in ("requirepass", "masterauth")]
    texts = [text for host in read.hosts.values() for text in _texts(host)]
    return not any(running) and not any(PASSWORD in text for text in texts)


@pytest.mark.parametrize("name", ["3.2", "6.2", "6.2 users"])
def test_cut_anywhere_while_it_is_taken_away_the_next_operator_ends_it(name: str) -> None:
    start = STATES[name]
    record = begun(start, None)
    cut = list(commands(chain(next_move(at(start, secret=None), record))))
    for number in range(len(cut) + 1):
        read = start
        for step in cut[:number]:
            read = after(read, step)
        for host in read.hosts:
            assert live(read, host) in {"", *(each.reveal() for each in passwords(read.hosts[host].files))}
            assert would_let_us_in(read.hosts[host]), "also where it restarts before the next operator comes"
        assert bare_all(finished(read, record, None))
        assert has_all(finished(read, begun(read))), "spec.auth comes back in the middle"


def test_in_protected_mode_it_is_not_taken_away_as_nobody_would_be_let_in() -> None:
    read = all_of("3.2.6", S1=config(bind="", protected_mode="yes"))
    said = due(at(read, secret=None))
    assert said == (
        "the resource names no password any more, and the servers lose theirs as soon as it is safe: redis on "
        f"{S1} is in protected mode, in which it answers nobody but its own host without a password: set "
        'protected-mode: "no" in spec.redis.config first'
    )
    bound = all_of("7.2.4", **dict.fromkeys(SHORTS, config(protected_mode="yes")))
    assert isinstance(due(at(bound, secret=None)), str), "from 7.0 on it does not matter what it is bound to"
    old = all_of("6.2.14", **dict.fromkeys(SHORTS, config(protected_mode="yes")))
    assert isinstance(due(at(old, secret=None)), Operation)
    gone = next_move(at(read, secret=None), begun(all_of("3.2.6"), None))
    assert (gone.record.step, gone.record.result, gone.steps) == ("restore", "Failed", ())


def test_who_is_connected_from_elsewhere_is_named_before_anything_is_changed() -> None:
    survey = SurveyFacts((0.0, 0.0), clients=frozenset({"10.9.9.1", "127.0.0.1", "192.168.3.42"}))
    read = facts(M=lambda host: replace(host, survey=Known(survey)))
    told_of = begun(read).message
    assert told_of == ("Connected from elsewhere when last looked: 10.9.9.1. Who connects anew needs the new password.")
    assert begun(read, None).message.endswith("10.9.9.1. Who connects anew must not send a password any more.")
    assert begun(facts()).message == ""
    assert told(read)[2].endswith("from then on. Connected from elsewhere when last looked: 10.9.9.1.")


# -- killed anywhere


STATES: dict[str, ClusterFacts] = {
    "3.2": all_of("3.2.6"),
    "6.2": all_of("6.2.14"),
    "3.2 bare": all_of("3.2.6", **dict.fromkeys(SHORTS, bare)),
    "6.2 bare": all_of("6.2.14", **dict.fromkeys(SHORTS, bare)),
    "6.2 users": all_of("6.2.14", **dict.fromkeys(SHORTS, listed)),
}


def cuts(read: ClusterFacts) -> list[int]:
    return list(range(len(list(commands(chain(next_move(at(read), begun(read)))))) + 1))


POINTS = [(name, cut) for name, read in STATES.items() for cut in cuts(read)]


def after_commands(read: ClusterFacts, record: Operation, number: int) -> ClusterFacts:
    """What there is when an operator ends after so many commands of the procedure."""
    for step in list(commands(chain(next_move(at(read), record))))[:number]:
        read = after(read, step)
    return read


@pytest.mark.parametrize(("name", "cut"), POINTS)
def test_cut_between_any_two_commands_the_next_operator_finds_its_way_and_ends_it(name: str, cut: int) -> None:
    read = STATES[name]
    record = begun(read)
    read = after_commands(read, record, cut)
    for host in read.hosts:
        known = {each.reveal() for each in passwords(read.hosts[host].files)}
        assert live(read, host) in {"", *known}, (
            "also where the Secret has changed once more it is in a file of its host"
        )
        assert would_let_us_in(read.hosts[host]), "also where it restarts before the next operator comes"
    anew = due(at(read))
    assert anew is None or isinstance(anew, Operation), "its record may be lost"
    assert has_all(finished(read, record))
    assert due(at(finished(read, record))) is None


@pytest.mark.parametrize(("name", "cut"), POINTS)
def test_left_between_any_two_commands_it_ends_with_one_password_on_all(name: str, cut: int) -> None:
    """Management is Paused, or the resource deleted: nobody would mend a replica that cannot log in at its master."""
    read = STATES[name]
    record = begun(read)
    read = after_commands(read, record, cut)
    assert has_all(finished(read, record, leaving="management became Paused"))


@pytest.mark.parametrize(("name", "cut"), [point for point in POINTS if "bare" not in point[0]])
def test_left_while_spec_auth_is_removed_no_server_loses_its_password(name: str, cut: int) -> None:
    """Paused changes nothing but what was begun, and that was another password, not none."""
    read = STATES[name]
    record = begun(read)
    read = after_commands(read, record, cut)
    read = finished(read, record, None, leaving="management became Paused")
    passwords_of = {live(read, host, key) for host in read.hosts for key in ("requirepass", "masterauth")}
    assert passwords_of in ({PASSWORD}, {NEW})


def test_left_in_the_middle_of_a_failover_it_waits_for_that_as_it_would_not_be_begun_anew() -> None:
    why = "the sentinel on S1 says o_down"
    record = replace(begun(facts()), step="follow")
    known = replace(at(facts(), replace(CALM, transition=(why,))), leaving="management became Paused")
    waits = next_move(known, record)
    assert (waits.record, waits.steps) == (record, ())
    assert waits.says == f"the rotation of the password goes on as soon as it is safe: {why}"
    late = replace(known, now=known.now + timedelta(seconds=121))
    assert next_move(late, record).record.result == "Failed", "but not for ever"


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
    assert due(at(STATES["3.2 bare"], secret=None)) is None


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
    assert in_force(desired(password=None), STATES["3.2 bare"], CALM, OWNER).password is None
    assert in_force(desired(password=None), facts(), CALM, OWNER).password == Secret(PASSWORD)


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
    ok, reason, message = told(facts(), None)
    assert (ok, reason) == (False, "PasswordNotDeclared")
    assert message.startswith(f"Redis on {M}, {S1}, {S2}, {S3} has a password, and spec.auth is gone.")
