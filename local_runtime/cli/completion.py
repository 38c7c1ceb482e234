"""`completion`: verbs and options completed by the shell."""

from __future__ import annotations

import argparse

import shtab

from local_runtime.cli.errors import EXIT_OK
from local_runtime.cli.output import say

EPILOG = """\
examples:
  scoreboard completion bash > ~/.local/share/bash-completion/completions/scoreboard
  scoreboard completion zsh > ~/.zfunc/_scoreboard

exit codes:
  0  the script was printed
  1  it could not be written
  2  bad usage
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """For which shell."""
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="whose language the script is in")


def run(arguments: argparse.Namespace) -> int:
    """Prints it."""
    from local_runtime.cli.main import build_parser

    parser = build_parser()
    parser.prog = "scoreboard"
    say(shtab.complete(parser, arguments.shell))
    return EXIT_OK
