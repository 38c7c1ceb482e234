"""`scoreboard`, or `python -m local_runtime`: see local_runtime.cli."""

from __future__ import annotations

import sys

from local_runtime.cli.main import main


def run() -> int:
    """The command line of this process; answers the exit code."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
