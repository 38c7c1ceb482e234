"""`simulate`: plays the game against a running instance, with a progress bar."""

from __future__ import annotations

import argparse
import getpass
import json
import math
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import count
from typing import TYPE_CHECKING

from local_runtime.cli.create_user import first_line_of_stdin
from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, tell
from local_runtime.cli.running import function_of, running_instance
from local_runtime.cli.simulate_display import in_words, joining, playing
from local_runtime.instance.own_tls import context_for
from shared.core.tls import client_context

if TYPE_CHECKING:
    from pathlib import Path

    from local_runtime.simulate.crew import Change
    from local_runtime.simulate.game import Difference, Game
    from local_runtime.simulate.tally import Counted

DEFAULT_PLAYERS, DEFAULT_SECONDS = 20, 10.0
FUNCTION = "change_users"
EXIT_INTERRUPTED = 130
EPILOG = """\
Every player registers, is marked as simulated, logs in and scores about once a second; one viewer watches. Shown are how long
answers took, and how long it took from sending an update until the viewer had it on the board. In the end, or when Ctrl-C ends it
earlier, each player's acknowledged points are compared with the score that the instance shows. Then the players leave the board:
their accounts are disabled, nothing is deleted, and an admin may enable them again. With --url only an admin may do that: name
one with --admin, whose password is asked for, or is the first line of stdin; without one the players stay, and their names are
told.

examples:
  scoreboard simulate --players 20 --seconds 10
  scoreboard simulate --players 200 --seconds 60 --json
  scoreboard simulate --url https://scores.example --admin root

exit codes:
  0    every score is right
  1    a score is wrong, or the instance stopped answering
  2    bad usage, or no instance is running
  130  it was interrupted, after it has printed what was measured
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, how long, and where."""
    parser.add_argument("--players", type=int, default=DEFAULT_PLAYERS, metavar="N", help=f"how many play ({DEFAULT_PLAYERS})")
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, metavar="S", help=f"how long ({DEFAULT_SECONDS:g})")
    parser.add_argument("--url", help="base URL of an instance elsewhere, instead of the one on --data-dir")
    parser.add_argument(
        "--admin", metavar="NAME", help="with --url: the admin who marks the players as simulated and disables them at the end"
    )
    parser.add_argument("--keep", action="store_true", help="leave the players on the board")
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object, progress on stderr")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Plays, prints a summary, and takes the players off the board."""
    from local_runtime.simulate.player import Unreachable

    if arguments.players < 1 or not 0 < arguments.seconds < math.inf:
        raise CliError("--players and --seconds must be positive numbers", EXIT_USAGE)
    if arguments.admin and not arguments.url:
        raise CliError("--admin is for --url: on its own data directory the instance needs none", EXIT_USAGE)
    if arguments.url is not None and not arguments.url.lower().startswith(("http://", "https://")):
        raise CliError(f"--url {arguments.url}: it must begin with http:// or https://", EXIT_USAGE)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends it wants no players left, either
    try:
        game = _game(arguments)
    except Unreachable as error:
        raise CliError(str(error), EXIT_FAILED) from None
    try:
        return _play(game, arguments)
    except Unreachable as error:
        raise CliError(str(error), EXIT_FAILED) from None
    finally:
        _leave(game, tell if arguments.json else say, keep=arguments.keep)


def _play(game: Game, arguments: argparse.Namespace) -> int:
    from local_runtime.simulate.tally import Tally

    progress, tally = tell if arguments.json else say, Tally()
    with joining(game.players, progress) as joined:
        numbers = count(1)
        players = game.join(lambda: joined(next(numbers)))
    with playing(game.seconds, tally, progress) as report:
        seconds = game.play(players, tally, report)
    wrong = game.differences(players)
    (_print_json if arguments.json else _print)(game, seconds, tally.counted(), wrong)
    if wrong:
        return EXIT_FAILED
    return EXIT_OK if seconds >= game.seconds else EXIT_INTERRUPTED


def _leave(game: Game, say_so: Callable[[str], None], *, keep: bool) -> None:
    """Take the players off the board, or tell who stays."""
    if not keep and (ended := game.crew.end()):
        say_so(f"the {ended} simulated players are off the board: their accounts are disabled")
    elif names := game.crew.usernames:
        advice = "" if keep else ", and only an admin could end them (--admin)"
        say_so(f"{len(names)} simulated players stay on the board{advice}: {', '.join(names)}")


def _game(arguments: argparse.Namespace) -> Game:
    from local_runtime.simulate.admin import admins_changes
    from local_runtime.simulate.crew import Crew
    from local_runtime.simulate.game import Game

    if arguments.url:
        tls = client_context("", "the certificate") if arguments.url.startswith("https") else None
        change = admins_changes(arguments.url, tls, arguments.admin, _password(arguments.admin)) if arguments.admin else None
        return Game(arguments.url, tls, arguments.players, arguments.seconds, Crew(change))
    data_dir = settings_from(arguments).data_dir
    runtime = running_instance(data_dir)
    crew = Crew(operators_changes(data_dir))
    return Game(runtime["base_url"], context_for(runtime), arguments.players, arguments.seconds, crew)


def _password(admin: str) -> str:
    return getpass.getpass(f"Password of {admin}: ") if sys.stdin.isatty() else first_line_of_stdin()


def operators_changes(data_dir: Path) -> Change:
    """Of accounts of the instance that runs here."""
    function = function_of(data_dir, FUNCTION)

    def change(user_ids: Sequence[str], flag: str) -> None:
        function({"userIds": list(user_ids), flag: True})

    return change


def _print(game: Game, seconds: float, counted: Counted, wrong: Sequence[Difference]) -> None:
    refused = ", ".join(f"{count} x {code}" for code, count in sorted(counted.refused.items()))
    say(f"updates accepted   {counted.accepted} ({counted.accepted / seconds:.0f}/s)")
    say(f"updates refused    {sum(counted.refused.values())} {f'({refused})' if refused else ''}".rstrip())
    say(f"latency            {in_words(counted.latency_ms)}")
    say(f"update to screen   {in_words(counted.lag_ms)}")
    say(f"frames seen        {counted.frames} ({counted.frames / seconds:.1f}/s)")
    for difference in wrong:
        say(f"WRONG: {difference.username} was acknowledged {difference.acknowledged} points, shown {difference.shown}")
    if not wrong:
        say(f"all {game.players} scores are exactly what was acknowledged")


def _print_json(game: Game, seconds: float, counted: Counted, wrong: Sequence[Difference]) -> None:
    summary = {
        "players": game.players,
        "seconds": round(seconds, 3),
        "accepted": counted.accepted,
        "acceptedPerSecond": round(counted.accepted / seconds, 1),
        "refused": counted.refused,
        "latencyMs": counted.latency_ms,
        "updateToScreenMs": counted.lag_ms,
        "frames": counted.frames,
        "wrong": [asdict(difference) for difference in wrong],
    }
    say(json.dumps(summary))
