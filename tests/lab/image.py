"""Container images without a registry: the operator's from the Dockerfile, and the `pause` that every Pod needs.

`python -m lab.image` builds the operator's image and says where it is. buildah works in a storage of its own in the
cache, so images of this machine's other container tools are neither used nor touched.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.base import debian_mirror
from lab.cache import artefact, cache_root
from lab.console import Console, default_console
from lab.golang import MODULE, go_build, go_command
from lab.machine import LabError, ensure_host_tools, find, run

ROOT = Path(__file__).parents[2]
IMAGE = "redis-sentinel-operator:0.1.0"  # as in deploy/deployment.yaml
PAUSE = "localhost/pause:1"
BASE = "localhost/lab-python:1"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
CONTEXT = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "operator")


def image_archive(console: Console | None = None) -> Path:
    """The operator's image of this checkout as a docker-archive; built when the sources changed. Raises LabError."""
    console = console or default_console()
    key = f"operator-image-{_digest(ROOT)}"

    def build(directory: Path) -> None:
        base, wheels = base_image(console), _wheels(console)
        options = "--no-index --find-links=/wheels"
        _buildah(
            *("bud", "--isolation=chroot", "--layers=false", "--format=docker", f"--tag={IMAGE}"),
            *(f"--build-arg=BASE={base}", f"--build-arg=PIP_OPTIONS={options}", f"--volume={wheels}:/wheels:ro"),
            str(ROOT),
        )
        _export(IMAGE, directory / "image.tar")

    path = artefact(key, build, console, "building the operator's image") / "image.tar"
    for older in cache_root().glob("operator-image-*"):
        if older.name != key:
            shutil.rmtree(older)
    return path


def base_image(console: Console | None = None) -> str:
    """The name of the Python image that the lab's builds stand on: a Debian of this machine's own package sources."""
    console = console or default_console()

    def build(directory: Path) -> None:
        tree = directory / "tree"
        with console.step("the base of images", "debootstrap"):
            run(["debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", tree, debian_mirror()])
        for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(tree / waste, ignore_errors=True)
        (tree / "etc/resolv.conf").write_text("")
        run(["tar", "-C", tree, "-cf", directory / "base.tar", "."])
        shutil.rmtree(tree)

    archive = artefact("python-base-bookworm-1", build, console) / "base.tar"
    if not _buildah("images", "--quiet", "--filter", f"reference={BASE}").strip():
        _commit(BASE, [("add", str(archive), "/")], ["--cmd=/bin/sh"])
    return BASE


def pause_image(console: Console | None = None) -> Path:
    """The image of a Pod's first process as a docker-archive."""
    console = console or default_console()
    source = MODULE / "pause" / "main.go"

    def build(directory: Path) -> None:
        go_build(go_command(console), "./pause", directory / "pause")
        _commit(
            PAUSE, [("copy", str(directory / "pause"), "/pause")], ['--entrypoint=["/pause"]', "--user=65535:65535"]
        )
        _export(PAUSE, directory / "image.tar")

    key = f"pause-image-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    return artefact(key, build, console) / "image.tar"


def _wheels(console: Console) -> Path:
    """Every wheel that the build installs, checked against the hashes, from where this machine's pip gets its own."""
    files = [ROOT / "operator" / name for name in ("requirements.txt", "requirements-build.txt")]

    def build(directory: Path) -> None:
        for file in files:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
            run([*pip, "--only-binary=:all:", "--require-hashes", "--dest", directory, "-r", file])

    key = f"wheels-{hashlib.sha256(b''.join(file.read_bytes() for file in files)).hexdigest()[:12]}"
    return artefact(key, build, console)


def _digest(root: Path) -> str:
    """Changes when anything changes that the image is made from."""
    total = hashlib.sha256()
    for name in CONTEXT:
        path = root / name
        if not path.exists():
            raise LabError(f"the image needs {name}, and the checkout has none")
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                total.update(f"{file.relative_to(root)}\0{file.stat().st_mode & 0o777:o}\0".encode())
                total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:12]


def _commit(name: str, content: Sequence[tuple[str, str, str]], settings: Sequence[str]) -> None:
    """Make the image `name` of `content` on nothing."""
    container = _buildah("from", "scratch").strip()
    try:
        for verb, source, target in content:
            _buildah(verb, "--quiet", container, source, target)
        _buildah("config", *settings, container)
        _buildah("commit", "--quiet", "--format=docker", container, name)
    finally:
        _buildah("rm", container)


def _export(name: str, archive: Path) -> None:
    _buildah("push", "--quiet", name, f"docker-archive:{archive}:{name}")
    _buildah("rmi", name)


def _buildah(*arguments: str) -> str:
    """Run buildah in the lab's own storage. Raises LabError with what it said."""
    if not find("buildah"):
        ensure_host_tools()
    root, state = cache_root() / "buildah", Path("/run/redis-sentinel-buildah")
    return run(["buildah", f"--root={root}", f"--runroot={state}", "--storage-driver=vfs", *arguments])


def main() -> None:
    """Build the operator's image and say what to do with it."""
    path = image_archive()
    print(f"{IMAGE} ({path.stat().st_size / 1e6:.0f} MB) is the docker-archive {path}")
    print(f"Load it with `ctr -n k8s.io images import {path}` on each node, or push it to a registry with skopeo.")


if __name__ == "__main__":
    main()
