"""`create-user`: make an account with a role, without the API."""

from __future__ import annotations

import argparse
import getpass
import sys

from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say
from local_runtime.cli.running import invoke_function, running_instance

FUNCTION = "create_user"
EPILOG = """\
Asks for the password twice, or reads the first line of stdin. The API key is shown this once.

example:
  echo 'correct horse battery' | scoreboard create-user root --role admin --password-stdin

exit codes:
  0  the account is there
  1  it was refused: the name is taken or not allowed, the password too weak
  2  bad usage, or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Who, and what they may do."""
    parser.add_argument("username", metavar="USERNAME")
    parser.add_argument("--role", choices=("player", "admin"), default="player", help="what the account may do (player)")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from the first line of stdin")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints the id and the key."""
    data_dir = settings_from(arguments).data_dir
    running_instance(data_dir)
    password = first_line_of_stdin() if arguments.password_stdin else _from_terminal()
    event = {"username": arguments.username, "password": password, "role": arguments.role}
    account = invoke_function(data_dir, FUNCTION, event)
    say(f"user id: {account['userId']}")
    say(f"API key: {account['apiKey']}  (shown this once)")
    return EXIT_OK


def first_line_of_stdin() -> str:
    """A password; CliError when there is none."""
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CliError("stdin holds no password: its first line is the password", EXIT_USAGE)
    return password


def _from_terminal() -> str:
    if not sys.stdin.isatty():
        raise CliError("there is no terminal to ask for the password: give it on stdin with --password-stdin", EXIT_USAGE)
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise CliError("the two passwords differ", EXIT_USAGE)
    return password
