"""Entry point of `python -m infra.deploy`."""

import sys

from infra.deploy.command import main

sys.exit(main(sys.argv[1:]))
