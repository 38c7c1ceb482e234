"""`routes`: the table of what is hosted."""

from __future__ import annotations

import argparse
import os

from local_runtime.cli.errors import EXIT_OK
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say

EPILOG = """\
Reads the template; nothing needs to run.

example:
  scoreboard routes --format markdown

exit codes:
  0  printed
  1  it failed
  2  bad usage, or the template cannot be hosted; every problem is listed
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which template, which format."""
    parser.add_argument("--format", choices=("text", "markdown"), default="text", help="how to print it (text)")
    add_options(parser, "template")


def run(arguments: argparse.Namespace) -> int:
    """Prints the table."""
    from local_runtime.hosting.load import load_manifest
    from local_runtime.hosting.routes import render_markdown, render_text
    from local_runtime.instance.environment import with_provided_names

    manifest = load_manifest(settings_from(arguments), with_provided_names(os.environ))
    render = render_markdown if arguments.format == "markdown" else render_text
    say(render(manifest).rstrip("\n"))
    return EXIT_OK
