"""`dead-letters`: updates that could not be recorded."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from local_runtime.cli.errors import EXIT_OK
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, terminal
from local_runtime.cli.running import invoke_function

FUNCTION = "manage_dead_letters"
MOST_AT_ONCE = 10_000
COLUMNS = ("requestId", "userId", "increment", "reason", "parkedAt", "attempts")
EPILOG = """\
`list` shows the oldest ones with the reason why they could not be recorded; they stay where they are. After the cause is gone,
`redrive` has them recorded: what the ledger has already counts no second time, and what fails again is parked again.

examples:
  python -m local_runtime dead-letters list
  python -m local_runtime dead-letters redrive
  python -m local_runtime dead-letters redrive --request-id 6d1a6e0b-7f6f-4b9e-8f55-0b9c4d0f8a11

exit codes:
  0  done
  1  it failed
  2  bad usage, or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with how many, and with which."""
    parser.add_argument("action", choices=("list", "redrive"), help="show them, or have them recorded")
    parser.add_argument("--limit", type=int, help=f"how many: 50 are shown, up to {MOST_AT_ONCE} are redriven if it is left out")
    parser.add_argument(
        "--request-id", action="append", dest="request_ids", metavar="ID", help="redrive only this one; may be repeated"
    )
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints a table, or how many were moved."""
    data_dir = settings_from(arguments).data_dir
    if arguments.action == "list":
        event = {"action": "list"} if arguments.limit is None else {"action": "list", "limit": arguments.limit}
        _show(invoke_function(data_dir, FUNCTION, event))
        return EXIT_OK
    event = {"action": "redrive", "limit": arguments.limit or MOST_AT_ONCE}
    if arguments.request_ids:
        event["requestIds"] = arguments.request_ids
    moved = invoke_function(data_dir, FUNCTION, event)
    say(f"{moved['redriven']} moved back to be recorded, {moved['left']} left")
    return EXIT_OK


def _show(page: Mapping[str, Any]) -> None:
    letters: Sequence[Mapping[str, Any]] = page["data"]
    if not letters:
        say("there are no dead letters")
        return
    lines = [["" if letter[column] is None else str(letter[column]) for column in COLUMNS] for letter in letters]
    console = terminal()
    if console is None:
        for line in [list(COLUMNS), *lines]:
            say("\t".join(line))
    else:
        from rich.table import Table

        table = Table(*COLUMNS)
        for line in lines:
            table.add_row(*line)
        console.print(table)
    say(f"{len(letters)} of {page['total']} dead letters")
