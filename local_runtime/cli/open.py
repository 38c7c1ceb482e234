"""`open`: the live board in a browser."""

from __future__ import annotations

import argparse
import webbrowser

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say
from local_runtime.cli.running import running_instance

PAGES = ("board", "admin", "docs")
EPILOG = """\
examples:
  scoreboard open
  scoreboard open admin

exit codes:
  0  a browser was started
  1  there is no browser here; the address is printed all the same
  2  bad usage, or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which page."""
    parser.add_argument("page", nargs="?", choices=PAGES, default="board", help="which page (board)")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints the address first."""
    base_url = running_instance(settings_from(arguments).data_dir)["base_url"]
    url = f"{base_url}/" if arguments.page == "board" else f"{base_url}/{arguments.page}"
    say(url)
    if not webbrowser.open(url):
        raise CliError("no browser could be started: open that address in one", EXIT_FAILED)
    return EXIT_OK
