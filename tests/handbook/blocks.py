"""The blocks of README and docs/, and who runs each.

The convention, which docs/index.md tells the reader: a block of commands without a title is run as it stands; one with
the title Example is for the reader's machine. What has no runner here fails a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from handbook.sources import DOCS
from lab.operator import ROOT

README: Final = ROOT / "README.md"
Runner = Literal[
    "kubectl",  # a shell whose kubectl speaks to a real API server
    "hosts",  # the same, with hosts of the lab behind it
    "nodes",  # the same, on a control plane with a kubelet
    "host",  # root's shell on a host of the lab
    "checkout",  # make's own reading of its targets
    "spec",  # a part of a spec, put into the example and dry-run on the API server
    "cluster",  # a whole resource, which the page's commands apply
    "manifest",  # any other object, dry-run on the API server
    "kustomization",  # lines for deploy/kustomization.yaml
    "output",  # a command and what it prints, compared on real hosts
    "client",  # an application
    "own",  # tests of the page's own
    "example",  # nobody: names and machines that only the reader has
    "nothing",  # no command in it
]
_RUNNERS: Final[dict[tuple[str, str], Runner]] = {
    ("sh", ""): "kubectl",
    ("sh", "On a cluster with nodes"): "nodes",
    ("sh", "On a host"): "host",
    ("sh", "In a checkout"): "checkout",
    ("sh", "Example"): "example",
    ("yaml", ""): "spec",
    ("yaml", "cluster.yaml"): "cluster",
    ("yaml", "deploy/kustomization.yaml"): "kustomization",
    ("console", ""): "output",
    ("python", ""): "client",
}
FOLLOWED: Final = ("README.md", "docs/start.md", "docs/tasks.md")
"""The pages that tests follow on hosts: a block that needs some is run by nobody on another page."""
OWN: Final = {
    "docs/gitops.md": "tests/api/test_gitops.py",
    "docs/kubectl-rsc.md": "tests/api/test_rsc_install.py",
    "docs/monitoring.md": "tests/monitoring",
}
"""Pages about programs that have tests of their own: those run the blocks."""
_BLOCK: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]*)\")?\n(?P<code>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_INLINE: Final = re.compile(r"`([^`\n]+)`")
_FENCE: Final = re.compile(r"^ *(?:```|~~~)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page. `line` is where it begins."""

    page: str
    line: int
    language: str
    title: str
    code: str

    @property
    def runner(self) -> Runner | None:
        """Who runs it, None where nobody does."""
        if self.page in OWN:
            return "own"
        if (self.language, self.title) == ("sh", "") and "ssh-keyscan" in self.code:
            return "hosts" if self.page in FOLLOWED else None
        if self.language == "yaml" and self.title.endswith(".yaml") and "kind: " in self.code:
            return "cluster" if self.title == "cluster.yaml" else "manifest"
        return "nothing" if self.language == "text" else _RUNNERS.get((self.language, self.title))

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return all pages of docs/, README, and what stands beside it."""
    return [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]


def blocks(*, of: Path | None = None) -> list[Block]:
    """Return the blocks of a page, or of all."""
    return [block for page in ([of] if of else pages()) for block in _of_page(page)]


def unread(page: Path) -> list[int]:
    """Return the lines of fences that belong to no block as this module reads them."""
    text = page.read_text(encoding="utf-8")
    read = {line for block in _of_page(page) for line in (block.line, block.line + block.code.count("\n") + 1)}
    return [line for found in _FENCE.finditer(text) if (line := _line(text, found.start())) not in read]


def inline(beginning: str, *, of: Path | None = None) -> list[str]:
    """Return the commands in the text of a page, or of all, outside of blocks, that begin like that."""
    texts = (_BLOCK.sub("", page.read_text(encoding="utf-8")) for page in ([of] if of else pages()))
    return [found for text in texts for found in _INLINE.findall(text) if found.startswith(beginning)]


def _of_page(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        code = re.sub(f"^{found['indent']}", "", found["code"], flags=re.MULTILINE)
        name = str(page.relative_to(ROOT))
        yield Block(name, _line(text, found.start()), found["language"], found["title"] or "", code)


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
