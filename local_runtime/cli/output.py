"""Where the verbs print: plain lines, and colour only on a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def say(line: str = "") -> None:
    """Print a line to stdout at once, and whole: Ctrl-C comes before or after it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


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
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in str(text))
