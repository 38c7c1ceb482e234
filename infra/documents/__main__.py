"""Entry point of `python -m infra.documents`."""

import sys

from infra.documents.command import main

sys.exit(main(sys.argv[1:]))
