"""What of docs/ is made from the product is current, and has all of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from handbook import reasons, reference
from handbook.regions import current, named, plain, table
from handbook.sources import DOCS, PAGES
from redis_sentinel_operator.acts import VERBS
from redis_sentinel_operator.api.status import Phase
from redis_sentinel_operator.judge.messages import ROWS
from redis_sentinel_operator.judge.news import REASONS


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_current_and_has_every_part(name: str) -> None:
    made = PAGES[name]()
    assert sorted(named(text(name))) == sorted(made), "each part is in the page once"
    assert text(name) == current(text(name), made), "run `make generate`"


def test_no_other_page_has_parts_that_nobody_makes() -> None:
    assert [
        page.name for page in DOCS.rglob("*.md") if "<!-- made: " in page.read_text() and page.name not in PAGES
    ] == []


def test_every_reason_is_told_and_marked_where_it_waits_for_a_person() -> None:
    page = text("conditions.md")
    for row in ROWS:
        part = page.partition(f"<!-- made: {row.condition} -->")[2].partition("<!-- end -->")[0]
        mark = " ⏸" if row.stalled else ""
        assert re.search(rf"`{row.reason}`{mark} \| \S", part), row


def test_a_reason_whose_message_others_make_has_a_note_and_no_other() -> None:
    assert set(reasons.NOTES) == {row.reason for row in ROWS if reasons.needs_note(row)}


def test_every_phase_is_told() -> None:
    part = text("conditions.md").partition("\n## Phases\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([A-Za-z, ]+) \| \w", part, re.MULTILINE)
    told = [word for row in rows for word in row.split(", ")]
    assert sorted(told) == sorted(("phase", *get_args(Phase)))


def test_every_event_is_told() -> None:
    part = text("conditions.md").partition("<!-- made: Events -->")[2]
    assert set(re.findall(r"^\| `(\w+)`", part, re.MULTILINE)) == set(REASONS)


def test_every_act_is_told_in_the_reference_and_among_the_tasks() -> None:
    row = next(
        line for line in text("resource.md").splitlines() if line.startswith("| `redis-sentinel-operator.io/act`")
    )
    assert set(re.findall(r"`([\w-]+)`", row)) == set(VERBS)
    assert {verb for verb in VERBS if f'/act="{verb} ' not in text("tasks.md")} == set()


def test_every_field_has_a_row() -> None:
    made = reference.regions()
    assert "| `downAfterMilliseconds` | integer; at least 100, at most 86400000 |" in made["spec"]
    assert "| `name` (required) | string; at most 63 characters |" in made["spec"]
    assert "### status.hosts[].config[]" in made["status"]
    assert "| `config` | string or integer by name; at most 128 |" in made["spec"]


def test_the_values_of_a_message_are_named_within_a_command_too() -> None:
    assert reasons.said("{a_b}: `x -n {c} *` _d_ {e}.") == r"*a b*: `x -n <c> *` \_d\_ *e*."
    assert [row.reason for row in ROWS if reasons.said(row.message).count("`") % 2] == []


def test_a_text_is_shown_as_it_is() -> None:
    assert plain("a|b *c* <d> `<e_f>` [g]") == r"a&#124;b \*c\* &lt;d&gt; `<e_f>` \[g\]"
    assert table(("a", "b"), [("c\nd", "e")]) == "| a | b |\n| --- | --- |\n| c d | e |"


@pytest.mark.parametrize("name", PAGES)
def test_the_rows_of_each_table_have_as_many_cells_as_its_head(name: str) -> None:
    tables = [part for made in PAGES[name]().values() for part in made.split("\n\n") if part.startswith("| ")]
    assert len(tables) > 3
    assert [part for part in tables if len({line.count("|") for line in part.splitlines()}) != 1] == []


def test_a_part_of_unknown_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="nobody"):
        current("<!-- made: nobody -->\n<!-- end -->\n", {})
