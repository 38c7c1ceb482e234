"""`make test-cluster`: what needs root, network namespaces or a container engine."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster.containers import prove_containers
from tests.cluster.hosts.proof import prove_hosts
from tests.cluster.machine import CannotRun, say

EXIT_CANNOT_RUN = 2
PARTS: Mapping[str, Callable[[Path], None]] = {"containers": prove_containers, "hosts": lambda _: prove_hosts()}


def main() -> int:
    """Exit code 1 when a promise was broken, 2 when this machine cannot run a part."""
    parser = argparse.ArgumentParser(
        description="Build the image, start the cluster of containers, start three hosts in network namespaces, break them in"
        " every way, and count the points."
    )
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="these parts alone")
    parser.add_argument("--keep", type=Path, help="where images stay for the next run; without it all is removed")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # removes what was made
    place = arguments.keep or Path(tempfile.mkdtemp(prefix="scoreboard-cluster-"))
    try:
        ends = {_run(part, place.resolve()) for part in arguments.only}
        return 1 if 1 in ends else max(ends)
    finally:
        if arguments.keep is None:
            shutil.rmtree(place, ignore_errors=True)


def _run(part: str, place: Path) -> int:
    try:
        PARTS[part](place)
    except CannotRun as error:
        say(f"{part}: this machine cannot run them: {error}")
        return EXIT_CANNOT_RUN
    except AssertionError as error:
        say(f"{part}: failed: {error}")
        return 1
    say(f"{part}: nothing is lost, nothing is counted twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
