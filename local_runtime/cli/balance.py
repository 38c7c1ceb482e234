"""`balance`: whether every accepted update is accounted for."""

from __future__ import annotations

import argparse

from local_runtime.cli.errors import EXIT_OK
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say
from local_runtime.cli.running import invoke_function

FUNCTION = "check_balance"
EXIT_IN_FLIGHT = 3
EPILOG = """\
Every accepted update has a number. Each one up to the newest is in the ledger, noted there as refused (see `dead-letters`), in
the outbox, or in flight: published and not yet recorded. Under load a few are in the outbox at any moment. One that stays in
flight for minutes is lost, or only the broker has it.

Updates that are lost with Redis were numbered by a Redis that died before anything else had them. Their points are not on the
board either. Players were told so, by an error or no answer, unless the broker was away at that moment, too.

example:
  scoreboard balance

exit codes:
  0  every update is accounted for
  1  it failed
  2  bad usage, or no instance is running
  3  some updates are in flight; each line says which
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which instance."""
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Prints the counts and the numbers that are in flight."""
    report = invoke_function(settings_from(arguments).data_dir, FUNCTION, {})
    numbers = {shard: each["number"] for shard, each in report.get("shards", {"main": report}).items()}
    if not any(numbers.values()):
        say("no update has been accepted yet")
        return EXIT_OK
    for shard, number in numbers.items():
        where = f" in the shard {shard}" if len(numbers) > 1 else ""
        said = "none" if number is None else f"{number['epoch']}:{number['sequence']}"
        say(f"newest update{where}: {said}")
    say(f"in the outbox: {report['outbox']}")
    say(f"in flight: {report['inFlight']}")
    for gap in report["gaps"]:
        say(f"  {gap['epoch']}:{gap['first']} to {gap['epoch']}:{gap['last']}")
    if report["lost"]:
        say(f"lost with Redis: {report['lost']}")
    if not report["inFlight"]:
        say("every accepted update is accounted for")
    return EXIT_IN_FLIGHT if report["inFlight"] else EXIT_OK
