"""RPMs like EL's, built here: redis with EL's layout, units and scriptlets, and the release package under it.

Three artefacts in a row (source, compiled tree, repository), so that a build that dies goes on where it was and an edit
of a spec file compiles nothing anew. `python -m lab packages` prints where the repository lies.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.cache import artefact
from lab.console import Console, default_console
from lab.families import Family, Source
from lab.machine import LabError, run

_HERE = Path(__file__).with_name("packages")


def repository(family: Family, console: Console | None = None) -> Path:
    """A yum repository with the packages of `family`, every release of redis among them. Built and cached."""
    console = console or default_console()
    tree = _compiled(family.redis.source, family.redis.version, console)

    def build(path: Path) -> None:
        for release in family.redis.releases:
            defines = {"lab_release": release, "lab_version": family.redis.version, "lab_build": str(tree)}
            _rpmbuild(_HERE / family.name / "redis.spec", path, defines)
        shutil.copy(release_package(family, console), path)
        run(["createrepo_c", "--quiet", path])
        path.chmod(0o755)

    return artefact(f"repo-{family.name}-{_fingerprint(family)}", build, console)


def release_package(family: Family, console: Console | None = None) -> Path:
    """The release package of `family`, an RPM file."""
    version, _, release = family.release_version.partition("-")

    def build(path: Path) -> None:
        spec = _HERE / family.name / "centos-release.spec"
        _rpmbuild(spec, path, {"lab_version": version, "lab_release": release})

    folder = artefact(f"release-{family.name}-{_fingerprint(family)}", build, console)
    return next(folder.glob("*.rpm"))


def redis_package(family: Family, release: str) -> Path:
    """The RPM file of one release of redis, such as `2`."""
    name = f"redis-{family.redis.version}-{release}.{family.dist}"
    return next(repository(family).glob(f"{name}.*.rpm"))


def _fingerprint(family: Family) -> str:
    """A short hash of all that goes into the packages of `family`: its entry and its folder."""
    digest = hashlib.sha256(repr(family).encode())
    for file in sorted((_HERE / family.name).iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _compiled(source: Source, version: str, console: Console) -> Path:
    """The compiled source tree of Redis `version`."""

    def build(path: Path) -> None:
        archive = next(_sdist(source, console).glob("*.tar.gz"))
        with TemporaryDirectory(dir=path.parent) as scratch:
            run(["tar", "-xzf", archive, "-C", scratch, "--no-same-owner"])
            tree = next(Path(scratch).iterdir()) / source.folder
            with console.step(f"compiling redis {version}", "make"):
                run(["nice", "make", "-C", tree, f"-j{os.cpu_count()}", *source.make])
            shutil.copytree(tree, path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.o", "*.a", "tests"))

    return artefact(f"redis-{version}-{source.version}", build, console)


def _sdist(source: Source, console: Console) -> Path:
    """The source archive, fetched by pip from wherever this machine's pip is configured to look, and checked."""

    def build(path: Path) -> None:
        wanted = f"{source.project}=={source.version}"
        with console.step(f"fetching the source {wanted}", "pip"):
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", source.project]
            run([*pip, wanted, "-d", path])
        found = hashlib.sha256(next(path.glob("*.tar.gz")).read_bytes()).hexdigest()
        if found != source.sha256:
            raise LabError(f"{wanted}: the archive's sha256 is {found}, not {source.sha256}")

    return artefact(f"sdist-{source.project}-{source.version}", build, console)


def _rpmbuild(spec: Path, output: Path, defines: dict[str, str]) -> None:
    with TemporaryDirectory() as top:
        words = {
            "_topdir": top,
            "_rpmdir": str(output),
            "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        }
        words |= {"lab_files": str(spec.parent), **defines}
        arguments = [part for key, value in words.items() for part in ("--define", f"{key} {value}")]
        run(["rpmbuild", "-bb", "--quiet", "--nodeps", *arguments, spec])
