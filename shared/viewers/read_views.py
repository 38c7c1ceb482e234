"""The frames of a board's views, all from one instant."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.boards.board_rows import NO_BOUND, Row, Stale
from shared.boards.definition import BoardDefinition
from shared.boards.ranking import Places, Position
from shared.boards.read_rows import MAX_TRIES, BoardReading, ended_season
from shared.boards.season import BoardState
from shared.core.clock import utc_text
from shared.core.errors import LeaderboardRebuilding, ScoreboardError
from shared.viewers.frame import compact, frame_text, joined
from shared.viewers.view import View

if TYPE_CHECKING:
    from shared.viewers.views_redis import BoardViews, ViewRows


@dataclass(frozen=True, slots=True)
class SeasonLines:
    """The first rows of a season, each as JSON; `number` is 0 before the first one of the period."""

    number: int
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class BoardFrames:
    """The board at the instant of a version, by period. A view has at most `max_bytes` of rows: the last are left out."""

    board: BoardDefinition
    version: int
    as_of: datetime
    seasons: Mapping[str, SeasonLines]
    max_bytes: int | None = None

    def content(self, view: View) -> str:
        """What stands in the frame of a view between version and time."""
        season = self.seasons[view.period]
        data = joined(season.lines[: view.top], self.max_bytes)
        return f'"board":"{view.board_id}","period":"{view.period}","season":{season.number},"data":{data}'

    def text(self, view: View, message_id: str | None = None) -> str:
        """The frame of a view; with an id the answer to the message that has it."""
        ending = "" if message_id is None else f',"id":{json.dumps(message_id)}'
        return frame_text(self.version, self.content(view), utc_text(self.as_of), ending)


@dataclass(frozen=True, slots=True)
class MadeViews:
    """The views of a board with the frames they are in, and those that are no more with the error that says so."""

    frames: BoardFrames | None
    views: Sequence[View]
    ended: Mapping[View, str]

    def texts(self) -> list[tuple[View, str]]:
        """The frame of each."""
        return [] if self.frames is None else [(view, self.frames.text(view)) for view in self.views]


@dataclass(frozen=True, slots=True)
class ViewsWanted:
    """How many rows of which periods, and a view that is watched from now on."""

    tops: Mapping[str, int]
    watched: View | None = None


def read_views(
    board_id: str, wanted: Callable[[BoardState], ViewsWanted], reading: BoardReading, views: BoardViews
) -> BoardFrames:
    """One round trip, and as many as it takes while seasons turn; `wanted` is asked again then.

    Raises what `wanted` raises of the board as it is, UnknownBoard and LeaderboardRebuilding.
    """
    state = reading.board(board_id)
    for _ in range(MAX_TRIES):
        refusal: ScoreboardError | None = None
        seasons: list[tuple[str, int, int]] = []
        watched: View | None = None
        try:
            asked = wanted(state)
            seasons = [(each.period, each.newest, asked.tops[each.period]) for each in state.seasons if each.period in asked.tops]
            watched = asked.watched
        except ScoreboardError as error:  # raised below, unless it is of a board that has changed
            refusal = error
        found = views.read(state, seasons, reading.names.since, watched, reading.scores.place)
        if isinstance(found, Stale):
            state = reading.boards.renewed(board_id, found.now)
        elif refusal is not None:
            raise refusal
        else:
            return _frames(state, seasons, found, reading, views.max_bytes)
    raise LeaderboardRebuilding


def _frames(
    state: BoardState, seasons: Sequence[tuple[str, int, int]], found: ViewRows, reading: BoardReading, max_bytes: int | None
) -> BoardFrames:
    board = state.definition
    rows = [_rows(state, season, each, reading) for season, each in zip(seasons, found.rows, strict=True)]
    positions = [Position(row.user_id, row.rank, row.score) for each in rows for row in each]
    standings = iter(reading.names.of(Places(positions, found.since, found.changes)))
    lines = {
        period: SeasonLines(number, [_line(next(standings).as_json(), row, board) for row in each])
        for (period, number, _), each in zip(seasons, rows, strict=True)
    }
    return BoardFrames(board, found.version, datetime.fromtimestamp(found.now / 1000, UTC), lines, max_bytes)


def _rows(state: BoardState, season: tuple[str, int, int], rows: Sequence[Row], reading: BoardReading) -> Sequence[Row]:
    """Of a period without an open season those of its last one, which may be closed already."""
    period, number, limit = season
    if rows or not number or any(each.number == number for each in state.open_seasons if each.period == period):
        return rows
    ended = ended_season(state, period, number, reading)
    if ended is None:
        return rows
    of = state.definition.board_id, period, number, ended.version
    return reading.final_ranks.page(*of, position=0, number=NO_BOUND, limit=limit).rows


def _line(line: dict[str, str | int], row: Row, board: BoardDefinition) -> str:
    second = {"second": row.second} if board.has_second else {}
    return compact({**line, **second})
