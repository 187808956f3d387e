"""What a host may leave out: two answers of a lab host, one after the other, and all that must not be believed."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator.model.fact import Known, Unknown
from redis_sentinel_operator.observe.memory import Memory, Recall
from redis_sentinel_operator.observe.probe import Asked, ProbeFacts, parse, paths, script, units

FOLDER = Path(__file__).with_name("again")
FIRST, SECOND = ((FOLDER / f"{name}.txt").read_bytes() for name in ("first", "second"))
ASKED = Asked(
    files=paths(),
    units=units(),
    confs=("/etc/redis.conf",),
    data_dirs=("/var/lib/redis",),
    address="192.168.227.42",
    ports=(6379, 26379),
)
LEFT_OUT = ("packages", "data", "firewall")


def read(answer: bytes, before: Memory | None = None) -> tuple[ProbeFacts, Memory]:
    recall = Recall(before or Memory())
    return parse(answer, ASKED, recall), recall.memory()


WHOLE, MEMORY = read(FIRST)


def settled(facts: ProbeFacts) -> ProbeFacts:
    """Without the memory that is free, which was another one."""
    return dataclasses.replace(facts, machine=Unknown(""))


def test_what_is_left_out_the_second_time_is_as_it_was() -> None:
    assert len(SECOND) < len(FIRST) / 2
    assert b"=" not in re.sub(rb"unit \w+=|pid=|fd=", b"", SECOND)  # no content
    facts, after = read(SECOND, MEMORY)
    assert settled(facts) == settled(WHOLE)
    assert all(isinstance(getattr(facts, field.name), Known) for field in dataclasses.fields(facts))
    assert after.texts == MEMORY.texts
    assert {name: after.lines(name) for name in LEFT_OUT} == {name: MEMORY.lines(name) for name in LEFT_OUT}


def test_a_third_answer_may_leave_out_the_same() -> None:
    _, after = read(SECOND, MEMORY)
    assert set(after.marked) == set(LEFT_OUT)
    assert after.mark("packages") == MEMORY.mark("packages")
    assert after.mark("firewall") != MEMORY.mark("firewall")  # it counts on


def test_what_was_never_told_cannot_be_left_out() -> None:
    facts, after = read(SECOND)
    for name in ("claim", "files", "packages", "data", "firewall"):
        fact = getattr(facts, name)
        assert isinstance(fact, Unknown) and "never told" in fact.message, name
    assert after == Memory()


def test_the_script_is_told_what_is_known() -> None:
    head = script(ASKED, memory=MEMORY).split("# Reads a host")[0]
    known = "\n".join(MEMORY.texts)
    assert f"RSO_KNOWN='{known}'\n" in head
    for name in LEFT_OUT:
        assert f"RSO_MARK_{name.upper()}={shlex.quote(MEMORY.mark(name))}\n" in head
    assert "RSO_PLACES='dbfilename dump.rdb\ndir /var/lib/redis\nappendfilename appendonly.aof'\n" in head
    assert "RSO_KNOWN=''\n" in script(ASKED)


def stamps_gone(answer: bytes, path: bytes) -> bytes:
    return re.sub(rb"stamp \S+ " + re.escape(path) + rb"\n", b"", answer)


def test_a_content_without_a_stamp_of_after_its_reading_is_read_again() -> None:
    facts, after = read(stamps_gone(FIRST, b"/etc/redis-sentinel.conf"))
    assert facts == WHOLE
    assert len(after.texts) == len(MEMORY.texts) - 1
    assert not any("\nsentinel monitor" in text for text in after.texts.values())


@pytest.mark.parametrize(
    ("section", "path"), [("packages", b"/var/lib/rpm/rpmdb.sqlite"), ("data", b"/etc/redis.conf")]
)
def test_what_follows_from_a_file_that_changed_meanwhile_is_read_again(section: str, path: bytes) -> None:
    _, after = read(stamps_gone(FIRST, path))
    assert section not in after.marked and section in MEMORY.marked


def test_an_answer_that_is_cut_before_the_stamps_is_true_and_not_kept() -> None:
    facts, after = read(FIRST[: FIRST.index(b"[stamps]")])
    assert facts == WHOLE
    assert after.texts == {} and set(after.marked) == {"firewall"}  # its mark is its own


def test_a_section_that_cannot_be_understood_is_not_kept() -> None:
    facts, after = read(FIRST.replace(b"\npackage redis", b"\npackage\n"))
    assert isinstance(facts.packages, Unknown)
    assert "packages" not in after.marked


def dbus(lines: str, kind: str = "rules") -> bytes:
    """The first answer with another one of firewalld, as dbus-send prints it."""
    rows = "".join(f"runtime {kind} {line}\n" for line in ("method return time=1.2 sender=:1.2", *lines.split("\n")))
    return re.sub(rf"(runtime {kind} .*\n)+".encode(), lambda _: rows.encode(), FIRST)


def test_a_rich_rule_as_dbus_send_prints_it() -> None:
    rule = 'rule family="ipv4" source address="10.0.0.0/8" port port="6379" protocol="tcp" accept'
    facts, _ = read(dbus(f'   array [\n      string "{rule}"\n   ]'))
    assert isinstance(facts.firewall, Known)
    assert rule in facts.firewall.value.runtime


@pytest.mark.parametrize(
    "lines",
    [
        "   array [",
        '   array [\n      string "a"',
        '   array [\n      array [\n         string "6379"\n      ]\n   ]',
        "   uint32 5",
        "",
    ],
)
def test_an_answer_of_another_shape_is_unknown_and_not_kept(lines: str) -> None:
    facts, after = read(dbus(lines, "ports"))
    assert isinstance(facts.firewall, Unknown) and "unknown shape" in facts.firewall.message
    assert "firewall" not in after.marked


@given(st.integers(0, len(SECOND)))
def test_a_second_answer_cut_anywhere_is_the_truth_or_unknown(length: int) -> None:
    cut, _ = read(SECOND[:length], MEMORY)
    whole, _ = read(SECOND, MEMORY)
    for field in dataclasses.fields(cut):
        fact = getattr(cut, field.name)
        assert isinstance(fact, Unknown) or fact == getattr(whole, field.name), field.name
