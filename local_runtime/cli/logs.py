"""`logs`: what the processes and the private servers of an instance wrote, and write."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from local_runtime.cli.errors import EXIT_OK, EXIT_USAGE, CliError
from local_runtime.cli.options import add_options, count, settings_from
from local_runtime.cli.output import say
from local_runtime.cli.running import not_ours
from local_runtime.logs.follower import LogFollower, as_json
from local_runtime.logs.options import LogOptions
from local_runtime.logs.servers import server_line
from local_runtime.logs.text import parsed, rendered
from shared.core.clock import utc_text

LAST = 50
LOOK_SECONDS = 0.25
BLOCK_BYTES = 64 * 1024
EPILOG = """\
PROCESS is http, consumer, scheduler, supervisor, at_start, or a private server: redis, rabbitmq, postgresql. The instance need
not run. LOG_FORMAT chooses between text (the default on a terminal) and json.

examples:
  scoreboard logs
  scoreboard logs http consumer --follow
  scoreboard logs rabbitmq --last 200

exit codes:
  0  the lines were shown, or --follow was ended with Ctrl-C
  1  a log could not be read
  2  bad usage, there is no such log, or it is another user's
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whose lines, and how many."""
    parser.add_argument("processes", nargs="*", metavar="PROCESS", help="only of these; all of the product's own otherwise")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is written from now on")
    parser.add_argument("-n", "--last", type=count, default=LAST, metavar="N", help=f"how many lines of each ({LAST})")
    add_options(parser, "data_dir")


def run(arguments: argparse.Namespace) -> int:
    """Shows them in the order of their time."""
    data_dir = settings_from(arguments).data_dir.resolve()
    files = _chosen(data_dir, arguments.processes)
    show = _printer()
    follower = LogFollower(data_dir / "logs", "DEBUG", show, names=arguments.processes, most=sys.maxsize)
    follower.follow(file for file in files if file.parent != data_dir / "logs")
    try:
        lines = [line for file in files for line in _last(file, arguments.last)]
    except PermissionError as error:
        raise not_ours(error) from None
    except OSError as error:
        raise CliError(f"{error.filename} cannot be read: {error.strerror}") from None
    for line in sorted(lines, key=lambda line: str(line["at"])):
        show(line)
    try:
        while arguments.follow:
            time.sleep(LOOK_SECONDS)
            follower.poll()
    except KeyboardInterrupt:
        pass
    return EXIT_OK


def _chosen(data_dir: Path, processes: list[str]) -> list[Path]:
    own = {path.stem: path for path in _logs_in(data_dir / "logs")}
    servers = {path.stem: path for path in sorted(data_dir.glob("*/*.log")) if path.parent.name == path.stem}
    if not own:
        raise CliError(f"there are no logs in {data_dir}/logs: name the instance's data directory with --data-dir", EXIT_USAGE)
    known = own | servers
    unknown = [name for name in processes if name not in known]
    if unknown:
        raise CliError(f"there is no log of `{unknown[0]}`: there are {', '.join(known)}", EXIT_USAGE)
    return [known[name] for name in processes] or list(own.values())


def _logs_in(directory: Path) -> list[Path]:
    """In the order of their names; CliError when they may not be looked at, of which `glob` says nothing."""
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == ".log")
    except PermissionError as error:
        raise not_ours(error) from None
    except (FileNotFoundError, NotADirectoryError):
        return []


def _last(path: Path, count: int) -> Iterator[Mapping[str, Any]]:
    """A private server's lines, and what a process wrote before it logged, are dated by the line before or the file."""
    at = utc_text(datetime.fromtimestamp(path.stat().st_mtime, UTC))
    for text in reversed([*islice(_from_end(path), count)]):
        line = parsed(text)
        if line is None:
            line = server_line(path.stem, text, at)
        at = line["at"]
        yield line


def _from_end(path: Path) -> Iterator[str]:
    """Lines, the newest first; a file may be larger than memory."""
    with path.open("rb") as file:
        left, rest = file.seek(0, os.SEEK_END), b""
        while left:
            size = min(BLOCK_BYTES, left)
            left -= size
            file.seek(left)
            rest, *lines = (file.read(size) + rest).split(b"\n")
            yield from (line.decode(errors="replace") for line in reversed(lines) if line)
        if rest:
            yield rest.decode(errors="replace")


def _printer() -> Any:
    if not LogOptions.from_environment(os.environ).is_text(sys.stdout):
        return lambda line: say(as_json(line))
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return lambda line: say(rendered(line, coloured=coloured))
