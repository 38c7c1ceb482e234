"""What the operator sees of the processes: lines, and on a terminal a spinner with the names still awaited."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.live import Live

_TITLES = {"at_start": "preparing the stores"}


class Progress:
    """Plain lines; an Observer of the supervisor."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._pending: list[str] = []
        self._stopping = False

    def starting(self, name: str) -> None:
        """See Observer."""
        if name not in self._pending:
            self._pending.append(name)

    def ready(self, name: str, seconds: float) -> None:
        """See Observer."""
        if name in self._pending:
            self._pending.remove(name)
        self._line(f"{_TITLES.get(name, name)}: ready in {seconds:.1f} s")
        if not self._pending:
            self.close()

    def ended(self, name: str, how: str, delay_seconds: float) -> None:
        """See Observer."""
        when = f"in {delay_seconds:.1f} s" if delay_seconds else "now"
        self._line(f"{name}: {how}; starting it again {when}")

    def stopping(self, name: str) -> None:
        """See Observer."""
        if not self._stopping:
            self._stopping = True
            self._pending.clear()
            self.close()
            self._line("stopping")

    def tick(self) -> None:
        """See Observer."""

    def close(self) -> None:
        """Nothing is awaited any more."""

    def _line(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that was closed must not take the instance with it
            self._out.write(f"{text}\n")
            self._out.flush()


class LiveProgress(Progress):
    """The same on a terminal; refreshed by the supervisor's own ticks, for a thread would not survive its forks."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        from rich.console import Console

        self._console = Console(file=out, highlight=False)
        self._live: Live | None = None
        self._began_at = time.monotonic()

    def tick(self) -> None:
        """See Observer."""
        if not self._pending:
            self.close()
            return
        from rich.live import Live
        from rich.spinner import Spinner

        if self._live is None:
            self._spinner = Spinner("dots")
            self._live = Live(self._spinner, console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()
        waiting = ", ".join(_TITLES.get(name, name) for name in self._pending)
        self._spinner.update(text=f"[dim]{time.monotonic() - self._began_at:4.1f} s[/]  waiting for {waiting}")
        self._live.refresh()

    def close(self) -> None:
        """See Progress."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self, text: str) -> None:
        title, colon, rest = text.partition(":")
        mark = "[green]✓[/] " if rest.startswith(" ready") else "[yellow]![/] " if colon else ""
        with contextlib.suppress(OSError):
            self._console.print(f"{mark}[bold]{title}[/]{colon}{rest}" if colon else text)


def make_progress(out: TextIO = sys.stderr) -> Progress:
    """The one that suits the stream."""
    return LiveProgress(out) if out.isatty() else Progress(out)
