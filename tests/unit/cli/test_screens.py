"""What `status` and `history` show, whole; and that it says the same without colour."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
import yaml
from rich.console import Console, RenderableType

from redis_sentinel_operator.api.status import FailoverEntry, Status
from redis_sentinel_operator.cli import terminal
from redis_sentinel_operator.cli.history import PHASES, WIDTH, bars, drawn, in_a_line, legend, phases_of
from redis_sentinel_operator.cli.options import status_of
from redis_sentinel_operator.cli.status import _link, _name, _notes, _redis, _sentinel, kind_of, screen
from unit.cli.clusters import NOW, SWITCH, healthy, troubled

HEALTHY = """\
Cluster  redis/redis-cluster
Phase    Healthy: all is as declared
Master   redis_slave02 (192.168.3.43:6379), config epoch 2, since 2026-01-31T11:00:02Z (59m)
Counts   4/4 hosts ready, 3/3 replicas, 3/3 sentinels

HOST            ADDRESS       STATE   ROLE     REDIS    LINK  SENTINEL
redis_master01  192.168.3.41  Member  Replica  Running  Up    -
redis_slave01   192.168.3.42  Member  Replica  Running  Up    Running
redis_slave02   192.168.3.43  Member  Master   Running  -     Running
redis_slave03   192.168.3.44  Member  Replica  Running  Up    Running

Conditions
  ok  Ready, MasterConfirmed, QuorumHealthy

Last failover
  60m ago: redis_master01 -> redis_slave02 (cause Failure, Succeeded in 2.0 s, config epoch 2)
"""

TROUBLED = """\
Cluster     redis/redis-cluster
Phase       Degraded: one replica is not in touch
Master      redis_slave02 (192.168.3.43:6379), config epoch 2, since 2026-01-31T11:00:02Z (59m); not to be used since \
2026-01-31T11:59:50Z: the sentinels call it down
Counts      3/4 hosts ready, 2/3 replicas, 3/3 sentinels
Management  Paused: the operator changes nothing on any host
Spec        generation 4 is not true on the hosts yet (the last one that was: 3)
Aside       in maintenance: redis_slave03
Now         switchover redis_slave03, at the step fence (begun 12s ago, this step 3s ago): to redis_slave03

HOST            ADDRESS       STATE        ROLE     REDIS    LINK  SENTINEL
redis_master01  192.168.3.41  Member       Replica  Running  Up    -
redis_slave01   192.168.3.42  Member       -        Stopped  Down  not heard
redis_slave02   192.168.3.43  Member       Master   Running  -     Running
redis_slave03   192.168.3.44  Maintenance  Replica  Running  Up    Running

  redis_slave01: its redis does not run
  redis_master01: databases is '16' instead of '32'; redis takes it at its next start

Conditions
  ok  Ready, MasterConfirmed, QuorumHealthy
  ..  Reconciling is True, Switching (2m): a switchover goes on
  !!  ReplicationHealthy is False, ReplicaDown (2m): redis_slave01: its redis does not run; start it.
  ??  HostsReachable is Unknown, NotReadYet (2m): not all hosts were read yet

LAST ACTS                 ASKED    RESULT   ANSWER
drill                     2h ago   Refused  a replica is down
switchover redis_slave03  12s ago  Running

Last failover
  60m ago: redis_master01 -> redis_slave02 (cause Failure, Succeeded in 2.0 s, config epoch 2)
"""

NARROW = """\
Conditions
  ok  Ready, MasterConfirmed, QuorumHealthy
  ..  Reconciling is True, Switching (2m): a switchover goes on
  !!  ReplicationHealthy is False, ReplicaDown (2m): redis_slave01: its redis
      does not run; start it.
  ??  HostsReachable is Unknown, NotReadYet (2m): not all hosts were read yet
"""

TIMELINE = """\
2026-01-31T11:00:00.000Z  redis_master01 -> redis_slave02
  cause Failure, Succeeded in 2.0 s, config epoch 2
  detected   +0.400 s  ████████
  elected    +0.100 s          ██
  promoted   +1.400 s            ████████████████████████████
  switched   +0.100 s                                        ██
  published  +0.009 s                                         █
"""

ABORTED = """\
2026-01-31T11:00:00.000Z  redis_master01 -> nobody
  cause Failure, Aborted, config epoch 2
  no replica could be promoted
  detected   +0.400 s  ################################
  elected    +0.100 s                                  ########
  promoted          -  not reached or not heard
  switched          -  not reached or not heard
  published         -  not reached or not heard
"""


def plain(capsys: pytest.CaptureFixture[str], what: RenderableType) -> str:
    """What stdout gets where it is no terminal."""
    terminal.show(what)
    return capsys.readouterr().out.rstrip("\n") + "\n"


def test_a_healthy_cluster_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain(capsys, screen(healthy(), NOW)) == HEALTHY


def test_all_that_can_be_wrong_at_once_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain(capsys, screen(troubled(), NOW)) == TROUBLED


def at(width: int, what: Callable[[], RenderableType], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines on a terminal that is so wide."""
    monkeypatch.setattr(terminal, "console", lambda: Console(file=io.StringIO(), width=width, highlight=False))
    out = Console(file=io.StringIO(), width=width, highlight=False)
    with out.capture() as text:
        out.print(what())
    return [line.rstrip() for line in text.get().splitlines()]


def test_on_80_columns_no_cell_is_folded_and_what_goes_on_is_below_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = at(80, lambda: screen(troubled(), NOW), monkeypatch)
    table = [line for line in TROUBLED.splitlines() if line.startswith(("HOST", "redis_"))]
    assert [line for line in lines if line.startswith(("HOST", "redis_"))] == table
    assert NARROW.rstrip() in "\n".join(lines)
    assert max(map(len, lines)) <= 80


def test_where_addresses_do_not_fit_names_are_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    body = troubled()
    for number, host in enumerate(body["status"]["hosts"]):
        host["address"] = f"2001:db8:1111:2222:3333:4444:5555:{number:04}"
    assert "ADDRESS" in "\n".join(at(120, lambda: screen(body, NOW), monkeypatch))
    lines = at(80, lambda: screen(body, NOW), monkeypatch)
    assert "HOST            STATE        ROLE     REDIS    LINK  SENTINEL" in lines
    assert "redis_slave01   Member       -        Stopped  Down  not heard" in lines


@pytest.mark.parametrize("width", [30, 80])
def test_each_part_of_a_failover_is_seen_on_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = at(width, lambda: drawn(FailoverEntry.model_validate(SWITCH), bars(width)), monkeypatch)
    assert [line.split()[0] for line in lines if "█" in line] == list(PHASES)
    assert "…" not in "".join(lines)


def test_a_cluster_that_no_operator_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    body = healthy()
    del body["status"]
    shown = plain(capsys, screen(body, NOW))
    assert "Phase    none: no operator has looked at it yet\n" in shown
    assert "Master   none was confirmed yet\n" in shown
    assert "not true on the hosts" not in shown
    assert "Conditions\n  none yet\n" in shown


def test_who_is_to_be_set_aside_is_not_said_to_be_it_already() -> None:
    body = troubled()
    body["spec"] |= {"maintenanceHosts": ["redis_slave02", "redis_slave03"], "fencedHosts": ["redis_slave03"]}
    told = [text for name, text in _notes(body, status_of(body)) if name == "Aside"]
    assert told == [
        "in maintenance: redis_slave03", "to be in maintenance: redis_slave02", "to be fenced: redis_slave03",
    ]  # fmt: skip


def test_what_is_stopped_on_purpose_is_not_in_the_colour_of_the_bad() -> None:
    found = Status.from_document(troubled()["status"])
    stopped = found.hosts[1].model_copy(update={"sentinel": "Stopped"})
    assert {str(cell(stopped).style) for cell in (_redis, _link, _sentinel)} == {terminal.STYLES["bad"]}
    aside = stopped.model_copy(update={"state": "Fenced"})
    assert {str(cell(aside).style) for cell in (_redis, _link, _sentinel)} == {terminal.STYLES["dim"]}


def test_an_act_for_all_has_no_host(capsys: pytest.CaptureFixture[str]) -> None:
    body = troubled()
    body["status"]["acts"] = [{"verb": "switchover", "arg": "-", "at": "2026-01-31T11:59:48Z", "result": "Done"}]
    body["status"]["operation"]["arg"] = "-"
    lines = plain(capsys, screen(body, NOW)).splitlines()
    assert "switchover  12s ago  Done" in lines
    assert any(line.startswith("Now         switchover, at the step fence") for line in lines)


def test_what_was_said_above_is_not_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    body = troubled()
    down = "The sentinels name redis_slave02 as master, but no redis listens there."
    body["status"]["message"] = f"The sentinels are switching the master. {down}"
    for condition in body["status"]["conditions"]:
        if condition["type"] in ("Reconciling", "ReplicationHealthy"):
            condition["message"] = down
    shown = plain(capsys, screen(body, NOW))
    assert shown.count(down) == 1
    assert "  !!  ReplicationHealthy is False, ReplicaDown (2m): as above\n" in shown


def test_a_master_that_is_not_to_be_used_is_not_in_the_colour_of_the_good() -> None:
    found = Status.from_document(troubled()["status"])
    assert found.master is not None
    host = next(each for each in found.hosts if each.name == found.master.host)
    assert str(_name(found, host).style) == ""
    found = Status.from_document(healthy()["status"])
    assert str(_name(found, host).style) == terminal.STYLES["good"]


def test_colours_say_nothing_that_words_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal the text is the same, and of colours only blue and orange are used."""
    out = Console(file=io.StringIO(), force_terminal=True, color_system="256", width=200, highlight=False, markup=False)
    with out.capture() as coloured:
        out.print(screen(troubled(), NOW))
    text = coloured.get()
    codes = {code for part in text.split("\x1b[")[1:] for code in part.partition("m")[0].split(";")}
    assert codes <= {"0", "1", "2", "34", "38", "5", "208", "214"}, codes
    assert "208" in codes
    without = "".join(part.partition("m")[2] if index else part for index, part in enumerate(text.split("\x1b[")))
    assert [line.rstrip() for line in without.strip("\n").split("\n")] == TROUBLED.strip("\n").split("\n")


def test_stalled_is_bad_although_it_is_true() -> None:
    conditions = {each.type: each for each in Status.from_document(troubled()["status"]).conditions}
    stalled = conditions["Reconciling"].model_copy(update={"type": "Stalled"})
    assert [kind_of(each) for each in (conditions["Ready"], conditions["Reconciling"], stalled)] == [
        "good",
        "odd",
        "bad",
    ]


def test_a_failover_as_a_timeline(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain(capsys, drawn(FailoverEntry.model_validate(SWITCH))) == TIMELINE


def test_what_each_part_is_stands_below_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    lines = plain(capsys, legend()).splitlines()
    assert [line.split()[0] for line in lines] == [*PHASES, "Times"]
    assert lines[0] == "detected   the sentinels agree that the master is down"


def test_one_that_goes_on_has_nobody_yet_and_no_end() -> None:
    begun = {key: SWITCH[key] for key in ("from", "cause", "at", "detected")}
    assert in_a_line(FailoverEntry.model_validate(begun), NOW) == (
        "60m ago: redis_master01 -> nobody yet (cause Failure, goes on)"
    )


def test_one_that_came_to_nothing_on_a_terminal_without_unicode(capsys: pytest.CaptureFixture[str]) -> None:
    gone = {key: SWITCH[key] for key in SWITCH if key not in ("to", "promoted", "switched", "published")}
    entry = FailoverEntry.model_validate(gone | {"result": "Aborted", "message": "no replica could be promoted"})
    assert plain(capsys, drawn(entry, ascii_only=True)) == ABORTED


def test_a_part_that_nobody_told_of_is_passed_over() -> None:
    entry = FailoverEntry.model_validate({key: SWITCH[key] for key in SWITCH if key != "elected"})
    spans = {phase.name: (phase.begin, phase.end) for phase in phases_of(entry)}
    assert spans["elected"] == (0.4, None)
    assert spans["promoted"] == (0.4, 1.9)


@pytest.mark.parametrize("at", [SWITCH["at"], None])
def test_bars_stay_within_their_width(at: str | None) -> None:
    entry = FailoverEntry.model_validate(SWITCH | {"at": at})
    assert all(phase.end is None for phase in phases_of(entry)) is (at is None)
    out = Console(file=io.StringIO(), width=500)
    with out.capture() as text:
        out.print(drawn(entry))
    assert max(line.count("█") for line in text.get().splitlines()) <= WIDTH
    assert in_a_line(entry, NOW).startswith("60m ago: " if at else "redis_master01 -> ")


def test_programs_get_json_or_yaml() -> None:
    value = {"ready": "4/4", "message": "ein Büro"}
    assert json.loads(terminal.document(value, "json")) == value
    assert yaml.safe_load(terminal.document(value, "yaml")) == value


@pytest.mark.parametrize(
    ("then", "told"),
    [
        ("2026-01-31T11:59:55Z", "5s"), ("2026-01-31T11:55:00Z", "5m"), ("2026-01-31T02:00:00Z", "10h"),
        ("2026-01-01T12:00:00Z", "30d"), ("2026-01-31T12:00:09Z", "0s"), (None, ""), ("soon", ""),
    ],
)  # fmt: skip
def test_how_long_ago(then: str | None, told: str) -> None:
    assert terminal.age(then, NOW) == told
