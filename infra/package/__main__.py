"""Entry point of `python -m infra.package`."""

import sys

from infra.package.command import main

sys.exit(main(sys.argv[1:]))
