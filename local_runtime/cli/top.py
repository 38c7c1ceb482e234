"""`top`: the board in the terminal, moving."""

from __future__ import annotations

import argparse
import json
import signal
import time
from typing import TYPE_CHECKING, Any

from local_runtime.cli.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, settings_from
from local_runtime.cli.output import say, terminal
from local_runtime.cli.running import LastingFunction, Moved, running_instance
from local_runtime.instance.own_tls import context_for, trust_also

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from local_runtime.cli.board_feed import Feed

FUNCTION = "issue_operator_ticket"
MOST = 10
DRAW_SECONDS = 0.25
EPILOG = f"""\
Watches as any viewer does, over the WebSocket, and connects again when the instance has started again. It needs no account:
whoever may read the data directory can make a ticket that is good for one connection. On a terminal the board moves in place, and
the screen is as before when Ctrl-C ends it; elsewhere each change is a line. The broadcast holds {MOST} players.

examples:
  scoreboard top
  scoreboard top --limit 3
  scoreboard top --json

exit codes:
  0  it was ended with Ctrl-C
  1  it failed
  2  bad usage, or no instance is running
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many, and how."""
    parser.add_argument("--limit", type=int, default=MOST, metavar="N", help=f"how many players, 1 to {MOST} ({MOST})")
    parser.add_argument("--json", action="store_true", help="each change as one JSON object a line, as it came")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Shows boards until it is interrupted."""
    from scoreboard_client import Scoreboard, ScoreboardError

    from local_runtime.cli.board_feed import Feed

    if not 1 <= arguments.limit <= MOST:
        raise CliError(f"--limit must be from 1 to {MOST}: more are not broadcast", EXIT_USAGE)
    door = _Door(settings_from(arguments).data_dir)
    feed = Feed(Scoreboard(door.address, tls=door.tls, get_ticket=door.ticket).watch())
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the screen is given back then, too
    try:
        console = None if arguments.json else terminal()
        if console is None:
            _print(feed, arguments.limit, as_json=arguments.json)
        else:
            _draw(feed, arguments.limit, console, door.address)
    except KeyboardInterrupt:
        pass
    except ScoreboardError as error:
        raise CliError(str(error), EXIT_FAILED) from None
    finally:
        feed.close()
    return EXIT_OK


class _Door:
    """Where the instance is, and a ticket to it; that there is one when this begins is seen to at once."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._issue = LastingFunction(data_dir, FUNCTION)
        runtime = running_instance(data_dir)
        self.address: str = runtime["base_url"]
        self.tls = context_for(runtime)
        self._has_answered = False

    def ticket(self) -> dict[str, Any]:
        """For one connection, to where the instance is now; raises ScoreboardError while it is away."""
        from scoreboard_client import ScoreboardError

        try:
            ticket = self._issue({})
            runtime = running_instance(self._data_dir)
        except CliError as error:
            if isinstance(error, Moved) or not self._has_answered:
                raise
            raise ScoreboardError(0, "no_answer", str(error)) from error
        if runtime["ws_url"].startswith("wss:") != (self.tls is not None):
            raise Moved("the instance has started again with TLS, or without: start this once more", EXIT_FAILED)
        if self.tls is not None:
            trust_also(self.tls, runtime)
        self._has_answered = True
        return {**ticket, "url": runtime["ws_url"]}


def _print(feed: Feed, limit: int, *, as_json: bool) -> None:
    from local_runtime.cli.board_screen import board_line

    while True:
        board = feed.board(DRAW_SECONDS)
        if board is not None and as_json:
            say(json.dumps({**board, "data": board["data"][:limit]}, ensure_ascii=False))
        elif board is not None:
            say(board_line(board, limit))


def _draw(feed: Feed, limit: int, console: Console, address: str) -> None:
    from rich.live import Live

    from local_runtime.cli.board_screen import Screen

    screen = Screen(limit, address)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            board = feed.board(DRAW_SECONDS)
            now = time.monotonic()
            if board is not None:
                screen.take(board, now)
            live.update(screen.drawing(now, connected=feed.is_connected, reconnects=feed.reconnects), refresh=True)
