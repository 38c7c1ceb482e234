"""`reconcile`: compare the ledger with all boards, now."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Mapping
from typing import Any

from local_runtime.cli.command import pasteable
from local_runtime.cli.errors import EXIT_OK
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, show_table, tell
from local_runtime.cli.running import invoke_function

FUNCTION = "reconcile_scores"
EXIT_DISCREPANCIES = 3
LATE_SECONDS = 3.0
LATE = (
    "still comparing: updates that were accepted and are not recorded yet are waited for, up to a minute"
    " (`scoreboard status` says what works)"
)
EPILOG = """\
Looks at the players whose total changed since the last run and at a part of all others, on every board; with --full at everybody.
Without --dry-run, discrepancies are repaired and audited; updates go on meanwhile. Those that are not recorded yet are waited
for, up to a minute.

example:
  scoreboard reconcile --dry-run

exit codes:
  0  every player is in order
  1  it failed
  2  bad usage, or no instance is running
  3  discrepancies were found (and, without --dry-run, repaired)
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether to repair, and whom to look at."""
    parser.add_argument("--full", action="store_true", help="compare all players, not only those with changes")
    parser.add_argument("--dry-run", action="store_true", help="report discrepancies, repair nothing")
    parser.add_argument(
        "--beyond-bounds", action="store_true", help="also lower more scores than RECONCILIATION_MAX_PLAYERS and _POINTS allow"
    )
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints the summary and the discrepancies."""
    options = {"dryRun": arguments.dry_run, "full": arguments.full, "beyondBounds": arguments.beyond_bounds}
    late = threading.Timer(LATE_SECONDS, tell, [pasteable(LATE)])
    late.daemon = True
    late.start()
    try:
        report = invoke_function(settings_from(arguments).data_dir, FUNCTION, options)
    finally:
        late.cancel()
    found = _discrepancies(report)
    for name, value in report.items():
        if not isinstance(value, list | dict):
            say(f"{name}: {value}")
    for board in report.get("boards", ()):
        left = f", left: {board['leftBecause']}" if "leftBecause" in board else ""
        say(f"board {board['board']}: {board['compared']} compared, {board['found']} found, {board['repaired']} repaired{left}")
    if away := report.get("shardsAway"):
        say(f"not compared, for they are away: the boards in the shards {', '.join(away)}")
    if not found:
        say("every player is in order")
        return EXIT_OK
    _show(found)
    what = "1 discrepancy" if len(found) == 1 else f"{len(found)} discrepancies"
    say(f"{what} {'found' if arguments.dry_run else 'repaired'}")
    return EXIT_DISCREPANCIES


def _discrepancies(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(report.get("discrepancies") or [])


def _show(found: list[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(column for line in found for column in line))
    show_table(columns, [[str(line.get(column, "")) for column in columns] for line in found])
