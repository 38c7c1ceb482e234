"""Where the verbs print: plain lines, and colour only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

from local_runtime.cli.errors import EXIT_FAILED, EXIT_USAGE, CliError, StdoutFailed

# Unseen parts of names: joiners of letters and of emoji, and the letters that make a flag of one.
UNSEEN = frozenset("\u200c\u200d").union(map(chr, range(0xE0020, 0xE0080)))


def say(line: str = "") -> None:
    """Print a line to stdout at once, and whole: Ctrl-C comes before or after it."""
    with writing_stdout():
        sys.stdout.write(f"{line}\n")


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Flush in the end; StdoutFailed when stdout cannot be written, BrokenPipeError when its reader has gone."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_stdout()
        raise StdoutFailed(f"stdout cannot be written: {error.strerror}") from None


def drop_stdout() -> None:
    """Nothing arrives any more: the interpreter must not complain about it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(line: str) -> None:
    """Print a line to stderr, whole: what is not the result."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def terminal(out: TextIO | None = None) -> Console | None:
    """A rich console on `out` (stdout) where that is a terminal that can do more than lines; it heeds NO_COLOR."""
    out = sys.stdout if out is None else out
    if not out.isatty() or os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return None
    from rich.console import Console

    return Console(file=out, highlight=False)


def printable(text: object) -> str:
    """A text as it may be shown on a terminal: without what would move its cursor or change its state."""
    return "".join(sign if sign.isprintable() or sign in UNSEEN else "\N{REPLACEMENT CHARACTER}" for sign in str(text))


def show_table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """A table on a terminal, elsewhere lines with a tab between the columns."""
    console = terminal()
    if console is None:
        for line in [columns, *lines]:
            say("\t".join(line))
        return
    from rich.table import Table

    table = Table(*columns)
    for line in lines:
        table.add_row(*line)
    console.print(table)


def ask(question: str, *, is_agreed: bool) -> None:
    """Go on if somebody says yes, or did in advance; raises CliError otherwise."""
    if is_agreed:
        return
    if not sys.stdin.isatty():
        raise CliError("there is no terminal to ask at: say --yes to go ahead", EXIT_USAGE)
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise CliError("nothing was changed", EXIT_FAILED)
