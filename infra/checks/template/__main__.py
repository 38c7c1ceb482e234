"""Entry point of `python -m infra.checks.template`."""

import sys

from infra.checks.template.command import main

sys.exit(main(sys.argv[1:]))
