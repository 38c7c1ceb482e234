"""`simulate`: plays the game against a running instance, with a progress bar."""

from __future__ import annotations

import argparse
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, terminal
from local_runtime.cli.running import running_instance

if TYPE_CHECKING:
    from local_runtime.simulate.game import Game
    from local_runtime.simulate.tally import Tally

DEFAULT_PLAYERS, DEFAULT_SECONDS = 20, 10.0
LINE_SECONDS = 5.0
EPILOG = """\
example:
  python -m local_runtime simulate --players 20 --seconds 10

Every player registers, logs in and scores about once a second; one viewer watches. In the end each player's acknowledged
points are compared with the score that the instance shows.

exit codes:
  0  every score is right
  1  a score is wrong, or the instance stopped answering
  2  bad usage, or no instance is running
"""
Report = Callable[[float, str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, how long, and where."""
    parser.add_argument("--players", type=int, default=DEFAULT_PLAYERS, metavar="N", help=f"how many play ({DEFAULT_PLAYERS})")
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, metavar="S", help=f"how long ({DEFAULT_SECONDS:g})")
    parser.add_argument("--url", help="base URL of an instance elsewhere, instead of the one on --data-dir")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Plays and prints a summary."""
    from local_runtime.simulate.client import Unreachable
    from local_runtime.simulate.tally import Tally

    if arguments.players < 1 or arguments.seconds <= 0:
        raise CliError("--players and --seconds must be positive", EXIT_USAGE)
    game, tally = _game(arguments), Tally()
    try:
        with _progress("players joining", game.players) as report:
            joined = 0

            def one_joined() -> None:
                nonlocal joined
                joined += 1
                report(joined, f"{joined} of {game.players}")

            players = game.join(one_joined)
        with _progress("playing", game.seconds) as report:
            game.play(players, tally, lambda gone: report(gone, _line(tally, gone)))
        wrong = game.differences(players)
    except Unreachable as error:
        raise CliError(str(error), EXIT_FAILED) from None
    _summary(game, tally)
    for difference in wrong:
        say(f"WRONG: {difference.username} was acknowledged {difference.acknowledged} points, shown {difference.shown}")
    if wrong:
        return EXIT_FAILED
    say(f"all {game.players} scores are exactly what was acknowledged")
    return EXIT_OK


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
    tls = None
    if base_url.startswith("https"):
        tls = ssl.create_default_context()
        if ca_file:
            tls.load_verify_locations(ca_file)
    return Game(base_url, ws_url, tls, arguments.players, arguments.seconds)


def _line(tally: Tally, gone: float) -> str:
    median, p99 = tally.percentiles_ms()
    rate = tally.accepted / gone if gone else 0.0
    return f"{rate:.0f} updates/s, p50 {median:.0f} ms, p99 {p99:.0f} ms, {tally.refused} refused, {tally.frames} frames seen"


def _summary(game: Game, tally: Tally) -> None:
    median, p99 = tally.percentiles_ms()
    say(f"updates accepted   {tally.accepted} ({tally.accepted / game.seconds:.0f}/s)")
    say(f"updates refused    {tally.refused} {_refusals(tally)}".rstrip())
    say(f"latency            p50 {median:.1f} ms, p99 {p99:.1f} ms")
    say(f"frames seen        {tally.frames} ({tally.frames / game.seconds:.1f}/s)")


def _refusals(tally: Tally) -> str:
    codes = [f"{count} x {status}" for status, count in sorted(tally.statuses.items()) if status != 200]
    return f"({', '.join(codes)})" if codes else ""


@contextmanager
def _progress(title: str, total: float) -> Iterator[Report]:
    console = terminal()
    if console is None:
        yield _plain(title)
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total, note="")
        yield lambda done, note: progress.update(task, completed=done, note=note)


def _plain(title: str) -> Report:
    next_at = 0.0

    def report(_done: float, note: str) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            say(f"{title}: {note}")
            next_at = time.monotonic() + LINE_SECONDS

    return report
