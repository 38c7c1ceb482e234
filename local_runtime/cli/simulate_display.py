"""What is seen of a simulation while it runs: a table and a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local_runtime.cli.output import terminal

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from local_runtime.simulate.tally import Counted, Tally

LINE_SECONDS = 5.0
BAR_WIDTH = 40
Report = Callable[[float], None]
Say = Callable[[str], None]


@contextmanager
def joining(players: int, say: Say) -> Iterator[Report]:
    """Is told how many have joined."""
    with _shown("players joining", players, lambda done: f"{done:.0f} of {players}", say) as report:
        yield report


@contextmanager
def playing(seconds: float, tally: Tally, say: Say) -> Iterator[Report]:
    """Is told the seconds gone, and shows what was counted until then."""
    rates = _Rates(tally)

    def note(gone: float) -> str:
        counted = tally.counted()
        return f"{rates.now(gone):.0f} updates/s, {in_words(counted.latency_ms)}, {sum(counted.refused.values())} refused"

    def table(gone: float) -> RenderableType:
        return _table(tally.counted(), rates.now(gone), gone)

    with _shown("playing", seconds, note, say, table) as report:
        yield report


def in_words(summary_ms: Mapping[str, float] | None) -> str:
    """Percentiles in one line."""
    return ", ".join(f"{name} {value:.1f} ms" for name, value in summary_ms.items()) if summary_ms else "nothing yet"


class _Rates:
    """Updates a second over the last moments, not since the beginning."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._since, self._accepted, self._rate = 0.0, 0, 0.0

    def now(self, gone: float) -> float:
        if gone - self._since >= 1.0:
            accepted = self._tally.accepted
            self._rate = (accepted - self._accepted) / (gone - self._since)
            self._since, self._accepted = gone, accepted
        return self._rate


@contextmanager
def _shown(
    title: str, total: float, note: Callable[[float], str], say: Say, table: Callable[[float], RenderableType] | None = None
) -> Iterator[Report]:
    console = terminal(sys.stderr)
    if console is None:
        yield _lines(title, note, say)
        return
    from rich.console import Group
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    with Live(console=console, auto_refresh=False, transient=True) as live:

        def report(done: float) -> None:
            bar = Table.grid(padding=(0, 1))
            bar.add_row(title, ProgressBar(total, done, width=BAR_WIDTH), f"{min(100.0, 100 * done / total):.0f} %")
            live.update(Group(bar, table(done)) if table else bar, refresh=True)

        yield report


def _table(counted: Counted, rate: float, gone: float) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in ("", "p50", "p90", "p99", "max"):
        table.add_column(name, justify="right" if name else "left", header_style="dim", no_wrap=True)
    for name, summary in (("answer, ms", counted.latency_ms), ("on the screen, ms", counted.lag_ms)):
        table.add_row(name, *(f"{value:.1f}" for value in summary.values()) if summary else ("", "", "", ""))
    table.add_row("accepted", str(counted.accepted), f"{rate:.0f}/s", "", "")
    table.add_row("frames", str(counted.frames), f"{counted.frames / gone:.0f}/s" if gone else "", "", "")
    for code, count in sorted(counted.refused.items()):
        table.add_row(f"[red]{code}[/]", str(count), "", "", "")
    return table


def _lines(title: str, note: Callable[[float], str], say: Say) -> Report:
    next_at = 0.0

    def report(done: float) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            say(f"{title}: {note(done)}")
            next_at = time.monotonic() + LINE_SECONDS

    return report
