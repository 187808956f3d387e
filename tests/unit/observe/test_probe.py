"""The probe's answers: captured on lab hosts (comments of redis.conf left out), cut, damaged, and as EL7's tools write.

A case is a file of `probe/`; what it means is the file of the same name with the ending .json.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator.conf.family import family
from redis_sentinel_operator.conf.kernel import FILES
from redis_sentinel_operator.model.fact import FileFacts, Known, OsFacts, Unknown
from redis_sentinel_operator.observe.probe import SECTIONS, Asked, ProbeFacts, parse, paths, script, split, units

FOLDER = Path(__file__).with_name("probe")
CASES = sorted(path.stem for path in FOLDER.glob("*.txt"))
DROP_INS = tuple(
    f"/etc/systemd/system/{unit}.service.d/zz-redis-sentinel-operator.conf" for unit in ("redis", "redis-sentinel")
)
ASKED = Asked(
    files=("/etc/redis.conf", "/etc/redis-sentinel.conf", *DROP_INS),
    units=("redis.service", "redis-sentinel.service"),
    confs=("/etc/redis.conf",),
    data_dirs=("/var/lib/redis",),
    address="192.168.37.42",
    ports=(6379, 26379),
)
# Captured with what is asked of every host: the files and units of all families.
WHOLE_QUESTION = dataclasses.replace(ASKED, files=paths(), units=units())
FAMILY_CASES = ("el8", "el9", "el10")


def plain(value: Any) -> Any:
    """Facts as JSON; of a file's text only its first words and how many lines it has."""
    match value:
        case Unknown():
            return f"Unknown, {value.reason}: {value.message}"
        case Known():
            return plain(value.value)
        case FileFacts():
            shown = f"{len(value.text.splitlines())} lines, the first: {value.text.splitlines()[0]}"
            return {"mode": oct(value.mode), "owner": f"{value.owner}:{value.group}", "text": shown}
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case frozenset():
            return sorted(map(str, value))
        case tuple():
            return [plain(each) for each in value]
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def document(facts: ProbeFacts) -> dict[str, Any]:
    found = {field.name: plain(getattr(facts, field.name)) for field in dataclasses.fields(facts)}
    return found | {"listeners": plain(facts.listeners(ASKED.ports))}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_means(case: str) -> None:
    question = WHOLE_QUESTION if case in FAMILY_CASES else ASKED
    facts = parse((FOLDER / f"{case}.txt").read_bytes(), question)
    assert document(facts) == json.loads((FOLDER / f"{case}.json").read_text())


@pytest.mark.parametrize("case", FAMILY_CASES)
def test_a_family_has_its_own_files_and_units_only(case: str) -> None:
    facts = parse((FOLDER / f"{case}.txt").read_bytes(), WHOLE_QUESTION)
    assert isinstance(facts.os, Known) and isinstance(facts.files, Known) and isinstance(facts.units, Known)
    found = family(OsFacts(facts.os.value.id, facts.os.value.version_id))
    assert found is not None
    assert {path for path, file in facts.files.value.items() if file} == {
        *found.files,
        *(FILES if case == "el8" else FILES[:1]),
        "/etc/yum.conf",
        "/etc/dnf/dnf.conf",
    }
    assert {name for name, unit in facts.units.value.items() if unit.running} == set(found.units)


def facts_of(answer: bytes) -> ProbeFacts:
    return parse(answer, ASKED)


@given(st.binary(max_size=2000))
def test_any_bytes_are_facts(answer: bytes) -> None:
    for field in dataclasses.fields(facts_of(answer)):
        assert isinstance(getattr(facts_of(answer), field.name), Known | Unknown)


RUNNING = (FOLDER / "running.txt").read_bytes()
WHOLE = facts_of(RUNNING)


@given(st.integers(0, len(RUNNING)))
def test_an_answer_cut_anywhere_is_the_truth_or_unknown(length: int) -> None:
    cut = facts_of(RUNNING[:length])
    for field in dataclasses.fields(cut):
        fact = getattr(cut, field.name)
        assert isinstance(fact, Unknown) or fact == getattr(WHOLE, field.name), field.name


@given(st.integers(0, len(RUNNING) - 1), st.integers(0, 255))
def test_a_changed_byte_raises_nothing(at: int, byte: int) -> None:
    facts_of(RUNNING[:at] + bytes([byte]) + RUNNING[at + 1 :])


def test_content_cannot_look_like_a_mark() -> None:
    answer = b"[files]\nfile 644 a b =WwpbL2ZpbGVzIG9rXQ== /etc/redis.conf\n[/files ok]\n"
    rows = split(answer)["files"]
    assert isinstance(rows, Known) and len(rows.value) == 1


def test_a_file_that_was_asked_for_and_is_not_spoken_of_makes_the_part_unknown() -> None:
    answer = RUNNING.replace(f"absent {DROP_INS[0]}\n".encode(), b"")
    assert isinstance(facts_of(answer).files, Unknown)


def test_texts_keep_every_byte() -> None:
    answer = b"[claim]\nfile 600 root root =eyJvd25lciI6ICL/In0= /x\n[/claim ok]\n"
    claim = facts_of(answer).claim
    assert isinstance(claim, Known) and claim.value is not None
    assert claim.value.owner.encode("utf-8", "surrogateescape") == b"\xff"


def test_what_is_asked_is_quoted() -> None:
    asked = dataclasses.replace(ASKED, files=("/etc/it's; rm -rf $HOME",))
    first = script(asked, SECTIONS).split("# Reads a host")[0]
    assert "RSO_FILES='/etc/it'\"'\"'s; rm -rf $HOME'\n" in first


def test_what_an_update_left_behind_is_read() -> None:
    answer = b"[packages]\npackage redis 3.2.6-2.el7\nleft /etc/redis.conf.rpmnew\n[/packages ok]\n"
    facts = facts_of(answer)
    assert facts.packages == Known({"redis": "3.2.6-2.el7"})
    assert facts.leftovers == Known(("/etc/redis.conf.rpmnew",))
