"""`dead-letters`: updates that could not be recorded."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, count, is_count, settings_from
from local_runtime.cli.output import say, show_table
from local_runtime.cli.running import invoke_function

FUNCTION = "manage_dead_letters"
ACTIONS = ("list", "show", "redrive", "discard")
MOST_AT_ONCE = 10_000
COLUMNS = ("id", "state", "requestId", "userId", "increment", "reason", "parkedAt", "attempts")
DONE = {"recorded", "already_recorded", "discarded"}
MOST_SHOWN = 20
EPILOG = """\
`list` shows the oldest ones with the reason why they could not be recorded; they stay where they are. `show` opens one. After the
cause is gone, `redrive` sends them to the ledger and says what became of each: recorded, returned with the reason why it was
refused again, or moved (on its way, not known yet). What the ledger has already counts no second time. `discard` takes them out
of the accepted updates for good, and reconciliation takes their points off the board; they stay readable.

examples:
  scoreboard dead-letters list
  scoreboard dead-letters show 7
  scoreboard dead-letters redrive
  scoreboard dead-letters redrive 7 8 6d1a6e0b-7f6f-4b9e-8f55-0b9c4d0f8a11
  scoreboard dead-letters discard 7 --reason "not sealed by us"
  scoreboard dead-letters discard --all --reason "sent by a load test"

exit codes:
  0  done
  1  it failed, or some were returned or are still on their way
  2  bad usage, or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with how many, and with which."""
    parser.add_argument("action", choices=ACTIONS, help="show them, show one whole, have them recorded, or discard them")
    parser.add_argument("which", nargs="*", metavar="ID", help="only these: ids of dead letters, or request ids")
    parser.add_argument(
        "--limit", type=count, help=f"how many: 50 are shown, up to {MOST_AT_ONCE} are redriven if it is left out"
    )
    parser.add_argument("--state", choices=("waiting", "parked", "redriven", "discarded"), help="list only those in this state")
    parser.add_argument(
        "--request-id", action="append", dest="request_ids", metavar="ID", help="only this update; may be repeated"
    )
    parser.add_argument("--all", action="store_true", help="discard all of them")
    parser.add_argument("--reason", help="why they are discarded: it goes into the audit log")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints a table, one of them, or what became of each."""
    data_dir = settings_from(arguments).data_dir
    answer = invoke_function(data_dir, FUNCTION, _event(arguments))
    match arguments.action:
        case "list":
            _show_table(answer)
        case "show":
            say(json.dumps(answer, indent=2, ensure_ascii=False))
        case "redrive":
            return _tell(answer, f"{answer['redriven']} moved back to be recorded")
        case _:
            return _tell(answer, f"{answer['discarded']} discarded")
    return EXIT_OK


def _event(arguments: argparse.Namespace) -> dict[str, Any]:
    ids = [int(which) for which in arguments.which if is_count(which)]
    request_ids = [which for which in arguments.which if not is_count(which)] + (arguments.request_ids or [])
    match arguments.action:
        case "list":
            named = {"limit": arguments.limit, "state": arguments.state}
        case "show":
            if len(ids + request_ids) != 1:
                raise CliError("name the one to show: dead-letters show ID", EXIT_USAGE)
            named = {"id": [*ids, *request_ids][0]}
        case "redrive":
            named = {"limit": arguments.limit or MOST_AT_ONCE, "ids": ids or None, "requestIds": request_ids or None}
        case _:
            if not arguments.reason:
                raise CliError('say why: dead-letters discard ID --reason "…"', EXIT_USAGE)
            if arguments.all == bool(ids or request_ids):
                raise CliError("name those to discard, or say --all", EXIT_USAGE)
            which = {"all": True} if arguments.all else {"ids": ids or None, "requestIds": request_ids or None}
            named = {**which, "limit": arguments.limit, "reason": arguments.reason}
    return {"action": arguments.action} | {name: value for name, value in named.items() if value is not None}


def _tell(answer: Mapping[str, Any], done: str) -> int:
    """How many were moved or discarded, and what became of each."""
    say(f"{done}, {answer['left']} left")
    outcomes: Mapping[str, int] = answer.get("outcomes", {})
    if outcomes:
        say(", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(outcomes.items())))
    others = [letter for letter in answer.get("letters", ()) if letter["outcome"] not in DONE]
    for letter in others[:MOST_SHOWN]:
        name = letter["requestId"] or f"dead letter {letter['id']}"
        reason = f": {letter['reason']}" if letter["reason"] else ""
        say(f"{name} {letter['outcome'].replace('_', ' ')}{reason}")
    if len(others) > MOST_SHOWN:
        say(f"and {len(others) - MOST_SHOWN} more")
    return EXIT_FAILED if others else EXIT_OK


def _show_table(page: Mapping[str, Any]) -> None:
    letters: Sequence[Mapping[str, Any]] = page["data"]
    if not letters:
        say("there are no dead letters")
        return
    lines = [["" if letter.get(column) is None else str(letter[column]) for column in COLUMNS] for letter in letters]
    show_table(COLUMNS, lines)
    say(f"{len(letters)} of {page['total']} dead letters")
