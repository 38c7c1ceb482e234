"""Draws a board for a terminal, with what has just changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from local_runtime.cli.output import printable

SHOWN_SECONDS = 2.0
NAME_WIDTH, SCORE_WIDTH, GAIN_WIDTH, BAR_WIDTH = 20, 9, 5, 24


@dataclass(slots=True)
class _Row:
    rank: int
    score: int
    gained: int = 0
    climbed: int = 0
    changed_at: float = float("-inf")


@dataclass(slots=True)
class Screen:
    """Takes frames and draws the newest; instants are on the monotonic clock."""

    limit: int
    place: str
    _frame: Mapping[str, Any] = field(default_factory=dict)
    _rows: dict[str, _Row] = field(default_factory=dict)

    def take(self, frame: Mapping[str, Any], now: float) -> None:
        """The newest board."""
        rows = {}
        for entry in frame["data"]:
            before = self._rows.get(entry["userId"])
            row = _Row(entry["rank"], entry["score"])
            if before is not None and (before.score, before.rank) == (row.score, row.rank):
                row = before
            elif self._frame:
                row.gained = row.score - before.score if before else 0
                row.climbed = before.rank - row.rank if before else 1
                row.changed_at = now
            rows[entry["userId"]] = row
        self._frame, self._rows = frame, rows

    def drawing(self, now: float, *, connected: bool, reconnects: int) -> RenderableType:
        """As it is to be seen at this moment."""
        table = Table(box=None, pad_edge=False, expand=False, padding=(0, 1))
        table.add_column("#", justify="right", header_style="dim", width=2)
        table.add_column("", width=1)
        table.add_column("player", header_style="dim", no_wrap=True, min_width=NAME_WIDTH)
        table.add_column("score", justify="right", header_style="dim", no_wrap=True, min_width=SCORE_WIDTH)
        table.add_column("", justify="right", width=GAIN_WIDTH)
        table.add_column("", width=BAR_WIDTH)
        entries = self._frame.get("data", [])[: self.limit]
        most = max((entry["score"] for entry in entries), default=0)
        for entry in entries:
            table.add_row(*self._cells(entry, most, now))
        return Group(
            Text.assemble(("scoreboard", "bold"), (f"  {self.place}  Ctrl-C ends", "dim")),
            Text(""),
            table,
            Text(""),
            self._footer(connected, reconnects),
        )

    def _cells(self, entry: Mapping[str, Any], most: int, now: float) -> list[RenderableType]:
        row = self._rows[entry["userId"]]
        fresh = now - row.changed_at < SHOWN_SECONDS
        arrow = Text("▲", "green") if fresh and row.climbed > 0 else Text("▼", "red") if fresh and row.climbed < 0 else Text(" ")
        gained = f"{row.gained:+d}" if fresh and row.gained else ""
        return [
            Text(str(entry["rank"]), "dim"),
            arrow,
            Text(_called(entry), "bold" if gained else ""),
            Text(f"{entry['score']:,}", "bold green" if gained else ""),
            Text(gained, "green"),
            ProgressBar(max(most, 1), entry["score"], width=BAR_WIDTH, complete_style="cyan", finished_style="cyan"),
        ]

    def _footer(self, connected: bool, reconnects: int) -> Text:
        parts = (
            [f"version {self._frame['version']}", f"{_age_seconds(self._frame):.1f} s old"] if self._frame else ["no board yet"]
        )
        parts += [f"reconnected {reconnects} x"]
        footer = Text(" · ".join(parts), "dim")
        return footer if connected else Text.assemble(("not connected, trying again", "bold red"), (" · ", "dim"), footer)


def board_line(frame: Mapping[str, Any], limit: int) -> str:
    """A board in one line."""
    entries = ", ".join(f"{entry['rank']} {_called(entry)} {entry['score']}" for entry in frame["data"][:limit])
    return f"{frame['cache_time']}  version {frame['version']}  {entries or 'nobody yet'}"


def _called(entry: Mapping[str, Any]) -> str:
    """The display name, and the username where that is another one."""
    shown, username = printable(entry["displayName"]), printable(entry["username"])
    return shown if shown == username else f"{shown} ({username})"


def _age_seconds(frame: Mapping[str, Any]) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(frame["cache_time"])).total_seconds())
