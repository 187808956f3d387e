"""Helm, built from its Go modules, and what the chart renders; `python -m lab.helm` writes deploy/ from it.

The files of deploy/ are the chart without any values: who has kustomize and who has Helm get the same.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from lab.cache import artefact
from lab.console import Console
from lab.golang import KUBERNETES_MAJOR, KUBERNETES_MINOR, go_build, go_command
from lab.machine import run

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "chart"
NAME = "redis-sentinel-operator"  # of the chart, of the release, and of its namespace
VERSION = "3.21.4"
MODULE = Path(__file__).parent / "go-helm"
GENERATED = "# Generated from deploy/chart by `make generate`; change that.\n"
# Where which of the chart's templates are written, and with which values.
WRITTEN = {
    ".": (("serviceaccount", "clusterrole", "role", "deployment"), ()),
    "components/two-replicas": (("deployment", "poddisruptionbudget"), ("replicas=2",)),
    "components/network-policy": (("networkpolicy",), ("networkPolicy.enabled=true",)),
}


def helm_command(console: Console | None = None) -> Path:
    """The command helm, kept in the cache. Raises LabError when its build fails."""
    key = f"helm-{VERSION}-{hashlib.sha256((MODULE / 'go.sum').read_bytes()).hexdigest()[:8]}"
    stamps = {
        "helm.sh/helm/v3/internal/version.version": f"v{VERSION}",
        # What it takes for the version of the cluster where it asks none.
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": KUBERNETES_MAJOR,
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": KUBERNETES_MINOR,
    }

    def build(directory: Path) -> None:
        go_build(go_command(console), "helm.sh/helm/v3/cmd/helm", directory / "helm", MODULE, stamps)

    return artefact(key, build, console, "compiling helm") / "helm"


def helm(*arguments: str, kubeconfig: Path | None = None) -> str:
    """The output of `helm ARGUMENTS`; its own files are in a directory that is gone then. Raises LabError."""
    with tempfile.TemporaryDirectory() as home:
        places = {f"HELM_{name}_HOME": f"{home}/{name}" for name in ("CACHE", "CONFIG", "DATA")}
        chosen = [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
        return run([helm_command(), *arguments, *chosen], env={"PATH": "/usr/bin:/bin", "HOME": home, **places})


def rendered(*values: str, release: str = NAME, namespace: str = NAME) -> dict[str, str]:
    """What the chart renders with these values (`--set`): by template, without those that render nothing."""
    with tempfile.TemporaryDirectory() as directory:
        set_ = [f"--set={value}" for value in values]
        helm("template", release, str(CHART), f"--namespace={namespace}", f"--output-dir={directory}", *set_)
        made = Path(directory, NAME, "templates").glob("*.yaml")
        return {path.stem: path.read_text(encoding="utf-8") for path in made}


def generated() -> dict[Path, str]:
    """The files of deploy/ that are made from the chart, with what they are to contain."""
    return {
        DEPLOY / where / f"{template}.yaml": GENERATED + _plain(rendered(*values)[template])
        for where, (templates, values) in WRITTEN.items()
        for template in templates
    }


def _plain(text: str) -> str:
    """A rendering without Helm's lines on where each document comes from, and with one line between two."""
    lines = [line.rstrip() for line in text.strip().splitlines() if not line.startswith("# Source: ")]
    return "\n".join(lines[1:] if lines[0] == "---" else lines) + "\n"


def main() -> None:
    """Write the files."""
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
