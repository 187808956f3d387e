"""The bill of materials of the image, in CycloneDX: `python -m lab.sbom FILE`.

It is made from the pins that the image is built from, with their hashes. What the base image brings is not in it: that
is the base's own to tell.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lab.machine import LabError, run

ROOT = Path(__file__).parents[2]
PINS = ROOT / "operator" / "requirements.txt"
SPECIFICATION = "1.6"  # of CycloneDX


def write_sbom(path: Path) -> None:
    """Write the bill of materials; twice the same from the same pins. Raises LabError with what is wrong with them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    what: list[str | Path] = ["requirements", PINS, "--pyproject", ROOT / "pyproject.toml", "--mc-type", "application"]
    how: list[str | Path] = [
        "--sv",
        SPECIFICATION,
        "--of",
        "JSON",
        "--output-reproducible",
        "--validate",
        "--output-file",
        path,
    ]
    run([Path(sys.executable).with_name("cyclonedx-py"), *what, *how])


def main() -> int:
    """Write it where the command line says."""
    try:
        (path,) = (Path(each) for each in sys.argv[1:])
        write_sbom(path)
    except (LabError, ValueError) as error:
        print(f"no bill of materials: {error}", file=sys.stderr)
        return 1
    print(f"the bill of materials of the image's Python packages is {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
