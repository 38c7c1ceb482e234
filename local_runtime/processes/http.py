"""`python -m local_runtime.processes.http`: the process that serves HTTP and WebSockets."""

from __future__ import annotations

import sys


def run() -> int:
    """Make the standard library cooperative before anything else is imported, then serve."""
    from gevent import monkey

    monkey.patch_all()
    from local_runtime.gateway.server import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
