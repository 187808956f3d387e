"""Facts that pages tell in their own words, compared with where they come from."""

from __future__ import annotations

import re

import yaml

from handbook.blocks import blocks
from handbook.sources import DOCS
from lab.golang import KUBERNETES_VERSION
from lab.operator import ROOT
from redis_sentinel_operator.api.unsupported import ONLY
from redis_sentinel_operator.connect.command import sudo_mend


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_sudoers_file_has_the_lines_that_the_operator_asks_for() -> None:
    """Those with which tests/hosts/test_steps.py works as a user with sudo."""
    (file,) = (block.code for block in blocks() if block.title.startswith("/etc/sudoers.d/"))
    assert file.splitlines() == re.findall("`([^`]+)`", sudo_mend("deploy"))


def test_the_table_of_rights_is_the_role_of_deploy() -> None:
    files = sorted((ROOT / "deploy").glob("*.yaml"))
    documents = [document for file in files for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    given: dict[str, set[str]] = {}
    for rule in (rule for document in documents for rule in document.get("rules", ())):
        for resource in rule["resources"]:
            given.setdefault(resource, set()).update(rule["verbs"])
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", text("security.md").partition("\n## RBAC\n")[2], re.MULTILINE)
    told = [set(re.findall(r"`(get|list|watch|patch|create|update|delete)`", verbs)) for _, verbs in rows]
    names = [name for name, _ in rows]
    assert len(names) == len(given)
    assert sorted(map(sorted, told)) == sorted(map(sorted, given.values()))
    assert told[names.index("Secrets")] == given["secrets"] == {"get"}


def test_every_field_that_is_not_supported_is_among_the_limits() -> None:
    part = text("limits.md").partition("\n## Not supported yet\n")[2].partition("\n## ")[0]
    assert [field for field in ONLY if field not in part] == []


def test_the_kubernetes_that_was_run_is_named() -> None:
    assert f"Kubernetes {KUBERNETES_VERSION.rpartition('.')[0]}," in text("limits.md")
