"""`doctor`: what is installed, what is missing, how to get it."""

from __future__ import annotations

import argparse
import sys

from local_runtime.cli.options import add_options, settings_from

EPILOG = """\
example:
  python -m local_runtime doctor

exit codes:
  0  everything is there
  1  something is missing; the line says how to get it
  2  bad usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data directory is looked at, too."""
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints the report."""
    from local_runtime.doctor import doctor

    return doctor(sys.stdout, settings_from(arguments).data_dir)
