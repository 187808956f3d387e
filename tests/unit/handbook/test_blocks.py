"""Every block of README and docs/ has somebody who runs it, or says that nobody does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from handbook.blocks import OWN, README, Block, blocks, inline, pages, unread
from handbook.sources import DOCS
from lab.operator import ROOT
from redis_sentinel_operator.cli.acts import VERBS
from redis_sentinel_operator.cli.main import rsc


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_somebody_runs_every_block(page: Path) -> None:
    assert [str(block) for block in blocks(of=page) if block.runner is None] == [], "nobody runs these blocks"
    assert unread(page) == [], "fences at these lines are none of a block that tests can read"


def test_all_kinds_of_blocks_are_there() -> None:
    assert len(blocks()) > 60
    assert {block.runner for block in blocks()} >= {
        "kubectl", "hosts", "nodes", "host", "checkout", "spec", "cluster", "manifest", "kustomization", "output",
        "client", "example",
    }  # fmt: skip


def test_a_block_that_nobody_runs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handbook.blocks.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        '```sh\na\n```\n\n- x\n\n    ```sh title="Elsewhere"\n    b\n    ```\n\n```c\n```\n\n~~~sh\nc\n~~~\n'
    )
    assert [(str(block), block.code, block.runner) for block in blocks(of=page)] == [
        ("page.md:1", "a\n", "kubectl"),
        ("page.md:7", "b\n", None),
        ("page.md:11", "", None),
    ]
    assert unread(page) == [14, 16]


def test_the_reader_is_told_of_every_title() -> None:
    told = (DOCS / "index.md").read_text(encoding="utf-8").partition("\n## What is run of these pages\n")[2]
    titles = {block.title for block in blocks() if block.language == "sh" and block.title}
    assert {title for title in titles if f"**{title}**" not in told} == set()


def test_examples_are_few() -> None:
    """What is not run is what only the reader has: that it needs a registry."""
    assert [block.code for block in blocks() if block.runner == "example" and "REGISTRY" not in block.code] == []


def test_commands_for_a_checkout_are_targets_that_there_are() -> None:
    told = {
        line.split()[1] for each in blocks() if each.runner == "checkout" for line in each.code.splitlines() if line
    }
    told |= {words.split()[1] for words in inline("make ")}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets |= set(re.findall(r"^((?:[a-z-]+ )*[a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert told - targets == set()
    lines = [line for each in blocks() if each.runner == "checkout" for line in each.code.splitlines() if line]
    assert [line for line in lines if not line.startswith("make ")] == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda page: page.name)
def test_links_beside_the_sources_lead_somewhere(page: Path) -> None:
    """Those of docs/ are looked at by `make docs`."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        assert (ROOT / file).exists(), target
        headings = re.findall("^#+ (.*)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}, target


def test_what_the_readme_shows_is_in_the_pages_word_for_word() -> None:
    """So it is run with them; but for what is for a checkout, which is looked at wherever it stands."""
    told = {(block.code, block.runner) for block in blocks() if block.page != "README.md"}
    own = [block for block in blocks(of=README) if block.runner != "checkout"]
    assert len(own) > 8
    assert [str(block) for block in own if (block.code, block.runner) not in told] == []


def test_a_block_for_hosts_on_a_page_that_no_test_follows_is_found() -> None:
    keyscan = Block("docs/start.md", 1, "sh", "", "ssh-keyscan 192.168.3.41\n")
    assert (keyscan.runner, replace(keyscan, page="docs/new.md").runner) == ("hosts", None)


@pytest.mark.parametrize("page", [page for page in OWN if (ROOT / page).exists()])
def test_a_page_with_tests_of_its_own_has_them(page: str) -> None:
    suite = ROOT / OWN[page]
    files = [suite] if suite.is_file() else sorted(suite.glob("*.py"))
    assert any(page in file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("runner", ["client", "kustomization"])
def test_there_is_one_of_each_of_what_a_test_takes_from_the_readme(runner: str) -> None:
    """tests/e2e/test_readme.py runs the one, tests/api/test_deploy.py the other."""
    assert len({block.code for block in blocks() if block.runner == runner}) == 1


def test_what_pages_ask_of_kubectl_rsc_it_has() -> None:
    asked = {words.split()[2] for words in inline("kubectl rsc ") if len(words.split()) > 2}
    assert asked
    assert asked - set(rsc.commands) == set()


@pytest.mark.parametrize("words", [each for each in inline("kubectl rsc ") if len(each.split()) > 3])
def test_what_pages_type_after_kubectl_rsc_it_takes(words: str) -> None:
    _, _, command, *arguments = words.split()
    with rsc.commands[command].make_context(command, arguments):
        pass


def test_each_act_and_each_state_has_its_command_in_the_tasks() -> None:
    told = {words.split()[2] for words in inline("kubectl rsc ", of=DOCS / "tasks.md") if len(words.split()) > 3}
    assert told >= {verb.name for verb in VERBS} | {"rotate", "pause", "resume", "maintenance", "fence", "unfence"}
