"""Where the verbs print: plain lines, and colour only on a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def say(line: str = "") -> None:
    """Print a line to stdout at once."""
    print(line, flush=True)  # noqa: T201 - a command's output


def terminal() -> Console | None:
    """A rich console on stdout where that is a terminal."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console

    return Console(highlight=False)
