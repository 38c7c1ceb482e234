"""`simulate`: plays the game against a running instance, with a progress bar."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, tell
from local_runtime.cli.running import running_instance
from local_runtime.cli.simulate_display import in_words, joining, playing
from shared.core.tls import client_context

if TYPE_CHECKING:
    from local_runtime.simulate.game import Difference, Game
    from local_runtime.simulate.tally import Counted

DEFAULT_PLAYERS, DEFAULT_SECONDS = 20, 10.0
EPILOG = """\
Every player registers, logs in and scores about once a second; one viewer watches. Shown are how long answers took, and how long
it took from sending an update until the viewer had it on the board. In the end each player's acknowledged points are compared
with the score that the instance shows.

examples:
  python -m local_runtime simulate --players 20 --seconds 10
  python -m local_runtime simulate --players 200 --seconds 60 --json

exit codes:
  0  every score is right
  1  a score is wrong, or the instance stopped answering
  2  bad usage, or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, how long, and where."""
    parser.add_argument("--players", type=int, default=DEFAULT_PLAYERS, metavar="N", help=f"how many play ({DEFAULT_PLAYERS})")
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, metavar="S", help=f"how long ({DEFAULT_SECONDS:g})")
    parser.add_argument("--url", help="base URL of an instance elsewhere, instead of the one on --data-dir")
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object, progress on stderr")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Plays and prints a summary."""
    from local_runtime.simulate.client import Unreachable
    from local_runtime.simulate.tally import Tally

    if arguments.players < 1 or arguments.seconds <= 0:
        raise CliError("--players and --seconds must be positive", EXIT_USAGE)
    game, tally = _game(arguments), Tally()
    progress = tell if arguments.json else say
    try:
        with joining(game.players, progress) as report:
            numbers = count(1)
            players = game.join(lambda: report(next(numbers)))
        with playing(game.seconds, tally, progress) as report:
            game.play(players, tally, report)
        wrong = game.differences(players)
    except Unreachable as error:
        raise CliError(str(error), EXIT_FAILED) from None
    (_print_json if arguments.json else _print)(game, tally.counted(), wrong)
    return EXIT_FAILED if wrong else EXIT_OK


def _game(arguments: argparse.Namespace) -> Game:
    from local_runtime.simulate.game import Game

    ca_file = ""
    if arguments.url:
        base_url = arguments.url.rstrip("/")
        ws_url = base_url.replace("http", "ws", 1) + "/ws"
    else:
        settings = settings_from(arguments)
        runtime = running_instance(settings.data_dir)
        base_url, ws_url = runtime["base_url"], runtime["ws_url"]
        ca_file = runtime["ca_file"]
    tls = client_context(ca_file, "the certificate") if base_url.startswith("https") else None
    return Game(base_url, ws_url, tls, arguments.players, arguments.seconds)


def _print(game: Game, counted: Counted, wrong: Sequence[Difference]) -> None:
    refused = ", ".join(f"{count} x {code}" for code, count in sorted(counted.refused.items()))
    say(f"updates accepted   {counted.accepted} ({counted.accepted / game.seconds:.0f}/s)")
    say(f"updates refused    {sum(counted.refused.values())} {f'({refused})' if refused else ''}".rstrip())
    say(f"latency            {in_words(counted.latency_ms)}")
    say(f"update to screen   {in_words(counted.lag_ms)}")
    say(f"frames seen        {counted.frames} ({counted.frames / game.seconds:.1f}/s)")
    for difference in wrong:
        say(f"WRONG: {difference.username} was acknowledged {difference.acknowledged} points, shown {difference.shown}")
    if not wrong:
        say(f"all {game.players} scores are exactly what was acknowledged")


def _print_json(game: Game, counted: Counted, wrong: Sequence[Difference]) -> None:
    summary = {
        "players": game.players,
        "seconds": game.seconds,
        "accepted": counted.accepted,
        "acceptedPerSecond": round(counted.accepted / game.seconds, 1),
        "refused": counted.refused,
        "latencyMs": counted.latency_ms,
        "updateToScreenMs": counted.lag_ms,
        "frames": counted.frames,
        "wrong": [asdict(difference) for difference in wrong],
    }
    say(json.dumps(summary))
