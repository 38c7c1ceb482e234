"""Entry point of `python -m infra.check_template`."""

import sys

from infra.check_template.command import main

sys.exit(main(sys.argv[1:]))
