"""`python -m local_runtime`: see local_runtime.cli."""

from __future__ import annotations

import sys

from local_runtime.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
