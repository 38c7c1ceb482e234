"""What the operator sees of processes that start and stop: a line for each, and on a terminal a list that fills."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from local_runtime.cli.output import terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

_TITLES = {"at_start": "preparing the stores"}


@dataclass(slots=True)
class _Step:
    """Something that is awaited until `seconds` is known."""

    began_at: float
    seconds: float | None = None


class Progress:
    """Plain lines, or none where nobody reads them; an Observer of the supervisor."""

    def __init__(self, out: TextIO | None) -> None:
        self._out = out
        self._steps: dict[str, _Step] = {}
        self._is_stopping = False
        self.start_seconds: dict[str, float] = {}

    def starting(self, name: str) -> None:
        """See Observer."""
        self._steps.setdefault(name, _Step(time.monotonic()))

    def ready(self, name: str, seconds: float) -> None:
        """See Observer."""
        self.start_seconds[name] = seconds
        self._done(name, seconds, "ready")

    def ended(self, name: str, how: str, delay_seconds: float) -> None:
        """See Observer."""

    def stopping(self, name: str) -> None:
        """See Observer."""
        if not self._is_stopping:
            self._is_stopping = True
            self.close()
            self._steps.clear()
            self._say("stopping")
        self._steps[name] = _Step(time.monotonic())

    def stopped(self, name: str, seconds: float) -> None:
        """See Observer."""
        self._done(name, seconds, "stopped")

    def tick(self) -> None:
        """See Observer."""

    def serving(self) -> None:
        """Everything is ready: who wants to know what was awaited asks for `start_seconds`."""
        self._steps.clear()

    def close(self) -> None:
        """Nothing is awaited any more."""

    def _done(self, name: str, seconds: float, what: str) -> None:
        if name in self._steps:
            self._steps[name].seconds = seconds
            self._say(f"{_TITLES.get(name, name)}: {what} in {seconds:.1f} s")

    def _say(self, line: str) -> None:
        if self._out is not None:
            with contextlib.suppress(OSError):  # a terminal that was closed must not take the instance with it
                self._out.write(f"{line}\n")
                self._out.flush()


class LiveProgress(Progress):
    """The same on a terminal; refreshed by the supervisor's own ticks, for a thread would not survive its forks."""

    def __init__(self, console: Console) -> None:
        super().__init__(None)
        self._console = console
        self._live: Live | None = None

    def tick(self) -> None:
        """See Observer."""
        if not self._steps:
            return
        from rich.live import Live
        from rich.spinner import Spinner

        if self._live is None:
            self._spinner = Spinner("dots")
            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False)
            self._live.start()
        with contextlib.suppress(OSError):
            self._live.update(self._table(), refresh=True)

    def serving(self) -> None:
        """See Progress: what comes next says it better."""
        if self._live is not None:
            self._live.transient = True
        self.close()
        super().serving()

    def close(self) -> None:
        """See Progress."""
        if self._live is not None:
            live, self._live = self._live, None
            with contextlib.suppress(OSError):
                live.update(self._table(), refresh=True)
                live.stop()

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 1))
        for name, step in self._steps.items():
            done = step.seconds is not None
            seconds = step.seconds if step.seconds is not None else time.monotonic() - step.began_at
            title = Text(_TITLES.get(name, name), "" if done else "bold")
            table.add_row(Text("✓", "green") if done else self._spinner, title, Text(f"{seconds:5.1f} s", "dim"))
        return table

    def _say(self, line: str) -> None:
        if not self._steps:
            with contextlib.suppress(OSError):
                self._console.print(line)


def make_progress(out: TextIO, *, lines: bool) -> Progress:
    """The one that suits the stream; `lines` says whether somebody reads lines where there is no terminal."""
    console = terminal(out)
    return LiveProgress(console) if console is not None else Progress(out if lines else None)
