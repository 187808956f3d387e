"""What kstatus (Flux, kpt) and Argo CD's health script say in each situation: the libraries run, nothing stands in."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from gitops.page import SCRIPT, rows
from gitops.situations import Situation, situations
from lab.health import health
from lab.machine import LabError
from redis_sentinel_operator.api.status import Phase


def test_every_situation_is_told_right() -> None:
    wanted = situations()
    objects = [row.object() for row in wanted]
    found = [
        Situation(row.what, each["status"]["phase"], said.kstatus, said.argo, row.make, row.generation, row.deleted)
        for row, each, said in zip(wanted, objects, health(SCRIPT, objects), strict=True)
    ]
    assert found == list(wanted)
    assert {row.phase for row in wanted} == set(get_args(Phase))


def test_the_script_says_what_status_says() -> None:
    objects = [row.object() for row in situations()]
    assert [said.argo_message for said in health(SCRIPT, objects)] == [each["status"]["message"] for each in objects]


@pytest.mark.parametrize("status", [None, {"observedGeneration": -1}], ids=["none", "as the API server fills it in"])
def test_a_resource_that_was_applied_a_moment_ago(status: dict[str, int] | None) -> None:
    new = situations()[0].object() | {"status": status}
    (said,) = health(SCRIPT, [{key: value for key, value in new.items() if value is not None}])
    assert said.argo == "Progressing"
    assert said.kstatus == ("InProgress" if status else "Current"), "why status has a default"


def test_the_script_needs_no_library_that_argo_cd_does_not_open(tmp_path: Path) -> None:
    """The check can fail: a script that uses `string`, as many do, is refused."""
    other = tmp_path / "other.lua"
    other.write_text('return {status = string.lower("HEALTHY")}')
    with pytest.raises(LabError, match="attempt to index a non-table object"):
        health(other, [{}])


def test_the_page_has_every_phase() -> None:
    assert rows() == {(row.phase, row.kstatus, row.argo) for row in situations()}
