"""The image: what is in it, how much, and as whom it runs; and its bill of materials."""

from __future__ import annotations

import io
import json
import re
import tarfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lab.image import image_archive
from lab.sbom import PINS, ROOT, write_sbom

ENOUGH = 80e6  # bytes of the operator's own layer
SITE = re.compile(r"opt/operator/lib/python3\.\d+/site-packages/(?P<rest>.+)")


@dataclass(frozen=True, slots=True)
class Image:
    """The settings of an image, and the files of its last layer: what we put upon the base."""

    settings: dict[str, Any]
    files: tuple[tarfile.TarInfo, ...]

    @property
    def packages(self) -> set[tuple[str, str]]:
        """Name and version of each Python package, the name as PyPI compares it."""
        found = (re.fullmatch(r"(.+)-([^-]+)\.dist-info", each.partition("/")[0]) for each in self.site)
        return {(plain(match[1]), match[2]) for match in found if match}

    @property
    def site(self) -> list[str]:
        """The paths below site-packages."""
        return [match["rest"] for match in (SITE.fullmatch(file.name) for file in self.files) if match]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def image() -> Image:
    with tarfile.open(image_archive()) as archive:

        def content(name: str) -> bytes:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()

        (manifest,) = json.loads(content("manifest.json"))
        settings = json.loads(content(manifest["Config"]))["config"]
        with tarfile.open(fileobj=io.BytesIO(content(manifest["Layers"][-1]))) as layer:
            return Image(settings, tuple(layer))


def test_it_runs_as_nobody_in_particular() -> None:
    assert image().settings["User"] == "65532:65532"
    assert image().settings["Entrypoint"] == ["redis-sentinel-operator"]
    privileged = [file.name for file in image().files if file.mode & 0o6000 or (file.isfile() and file.mode & 0o002)]
    assert privileged == []
    assert {file.uid for file in image().files} == {0}, "who runs it owns nothing of it"


def test_it_is_small_and_has_nothing_to_build_with() -> None:
    size = sum(file.size for file in image().files)
    assert size < ENOUGH, f"{size / 1e6:.0f} MB"
    assert {"pip", "setuptools", "wheel", "hatchling"} & {name for name, _ in image().packages} == set()
    assert [path for path in image().site if path.startswith("redis_sentinel_operator/") and "test" in path] == []


def test_the_bill_of_materials_is_what_the_image_has(tmp_path: Path) -> None:
    write_sbom(tmp_path / "sbom.json")
    bill = json.loads((tmp_path / "sbom.json").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ours = bill["metadata"]["component"]
    assert (ours["name"], ours["version"], ours["type"]) == (project["name"], project["version"], "application")
    listed = {(plain(each["name"]), each["version"]) for each in bill["components"]}
    assert listed == image().packages - {(project["name"], project["version"])}
    pinned = set(re.findall(r"sha256:([0-9a-f]{64})", PINS.read_text()))
    for each in bill["components"]:
        hashes = {one["content"] for where in each["externalReferences"] for one in where.get("hashes", ())}
        assert hashes and hashes <= pinned, each["name"]
        assert each["purl"] == f"pkg:pypi/{each['name'].lower()}@{each['version']}"


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sbom(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
