"""Where some players stand: among themselves, and among all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.accounts.player import checked_user_ids
from shared.boards.board_rows import PlayerRows, Row, Stale
from shared.boards.definition import BoardDefinition
from shared.boards.read_rows import MAX_SEASON, BoardReading, Identify, ask_board, ended_season, named, period_of, season_of
from shared.boards.season import BoardState
from shared.core.clock import utc_text
from shared.core.errors import InvalidParameter

if TYPE_CHECKING:
    from shared.boards.scores_redis import Asked


MAX_PLAYERS = 100


@dataclass(frozen=True, slots=True)
class PlayersWanted:
    """Which players of a board: period and season are the board's own choice where they are "" and 0."""

    user_ids: Sequence[str]
    period: str
    season: int

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> PlayersWanted:
        """Read `{"userIds": [1 to 100 ids], "period"?, "season"?}`; raises InvalidParameter."""
        user_ids = list(dict.fromkeys(checked_user_ids(body.get("userIds"))))
        if len(user_ids) > MAX_PLAYERS:
            raise InvalidParameter(f"`userIds` may have at most {MAX_PLAYERS} ids.")
        if not all(map(str.isprintable, user_ids)):
            raise InvalidParameter("`userIds` must be a list of ids of users.")
        period, season = body.get("period", ""), body.get("season", 0)
        if not isinstance(period, str):
            raise InvalidParameter("`period` must be the name of a period.")
        if type(season) is not int or ("season" in body and not 1 <= season <= MAX_SEASON):
            raise InvalidParameter(f"`season` must be an integer from 1 to {MAX_SEASON}.")
        return cls(user_ids, period, season)


def query_board_scores(board_id: str, wanted: PlayersWanted, identify: Identify, reading: BoardReading) -> dict[str, Any]:
    """`{"data": [...], "total", "asOf", "period", "season"}`: those who have a row, best first, with their rank among all and, as
    `groupRank`, among themselves. Raises UnknownSeason, InvalidParameter, and what ask_board raises.
    """

    def asks(state: BoardState) -> Asked[PlayerRows | Stale]:
        period = period_of(state, wanted.period)
        season = season_of(state, period, wanted.season)
        return reading.scores.players(state, [(period, season)], wanted.user_ids, 0, reading.names.since)

    state, found = ask_board(board_id, asks, identify, reading)
    board, [(period, season, total, around)] = state.definition, found.seasons
    rows: Sequence[Row] = _in_order(board, [row for own in around for row in own])
    as_of = datetime.fromtimestamp(found.now / 1000, UTC)
    ended = None if total else ended_season(state, period, season, reading)
    if ended is not None:
        final = reading.final_ranks.players(board.board_id, period, season, ended.version, wanted.user_ids)
        rows, total, as_of = final.rows, final.total, ended.as_of or as_of
    lines = named(board, rows, found, reading.names)
    group_rank, before = 0, None
    for place, (line, row) in enumerate(zip(lines, rows, strict=True), 1):
        if row.rank != before:
            group_rank, before = place, row.rank
        line["groupRank"] = group_rank
    return {"data": lines, "total": total, "asOf": utc_text(as_of), "period": period, "season": season}


def _in_order(board: BoardDefinition, rows: Sequence[Row]) -> list[Row]:
    by_member = sorted(rows, key=lambda row: row.member, reverse=board.order == "descending")
    return sorted(by_member, key=lambda row: row.rank)
