"""Where `kubectl-rsc` begins, and `python -m redis_sentinel_operator.cli`."""

from __future__ import annotations

import sys
from typing import NoReturn


def run() -> NoReturn:
    """Run the program, or say what it lacks: the operator is installed without what people at a terminal need."""
    try:
        from redis_sentinel_operator.cli.main import main  # noqa: PLC0415 - it may be impossible
    except ModuleNotFoundError as error:
        lacking = str(error.name).partition(".")[0]
        sys.stderr.write(f"kubectl-rsc: {lacking} is missing here: pip install 'redis-sentinel-operator[cli]'\n")
        sys.exit(1)
    main()


if __name__ == "__main__":
    run()
