"""Rows of a board, page by page, at any depth and in any season."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.boards.board_rows import (
    NO_BOUND,
    After,
    AfterPosition,
    Around,
    EndedSeason,
    FromRank,
    Page,
    Place,
    Row,
    Stale,
    member_in,
    read_place,
    write_place,
)
from shared.boards.definition import BoardDefinition
from shared.boards.member import parse_member
from shared.boards.read_rows import BoardReading, Identify, ask_board, ended_season, named, period_of, season_of
from shared.boards.season import BoardState
from shared.core.clock import utc_text
from shared.core.errors import InvalidParameter, UnknownUser
from shared.core.ids import canonical_id

if TYPE_CHECKING:
    from shared.boards.scores_redis import Asked


DEFAULT_LIMIT, MAX_LIMIT = 10, 100
MAX_RANK = 999_999_999


@dataclass(frozen=True, slots=True)
class PageWanted:
    """Which rows of a board: period and season are the board's own choice where they are "" and 0."""

    period: str
    season: int
    place: Place
    limit: int
    with_metadata: bool

    @classmethod
    def parse(
        cls, board_id: str, period: str, season: int, limit: int, *, cursor: str, around: str, rank: int, with_metadata: bool
    ) -> PageWanted:
        """At most one of `cursor`, `around` and `rank` says where the page begins; raises InvalidParameter."""
        if (cursor != "") + (around != "") + (rank != 0) > 1:
            raise InvalidParameter("Send one of `cursor`, `around` and `rank`.")
        if not around.isprintable():
            raise InvalidParameter("`around` must be the id of a player.")
        if not cursor:
            return cls(period, season, Around(canonical_id(around)) if around else FromRank(rank or 1), limit, with_metadata)
        its_period, its_season, place = read_place(board_id, cursor)
        if period not in ("", its_period) or season not in (0, its_season):
            raise InvalidParameter("`cursor` is of another period or season.")
        return cls(its_period, its_season, place, limit, with_metadata)


def get_board_scores(board_id: str, wanted: PageWanted, identify: Identify, reading: BoardReading) -> dict[str, Any]:
    """`{"data": [...], "nextCursor", "total", "asOf", "version", "period", "season"}`.

    Raises UnknownUser around somebody who is not there, UnknownSeason, InvalidParameter, and what ask_board raises.
    """

    def asks(state: BoardState) -> Asked[Page | Stale]:
        period = period_of(state, wanted.period)
        season = season_of(state, period, wanted.season)
        if isinstance(wanted.place, AfterPosition):  # Redis is asked who the caller is, and whose name has changed
            return reading.scores.page(state, period, season, FromRank(1), 0, reading.names.since)
        return reading.scores.page(state, period, season, wanted.place, wanted.limit, reading.names.since)

    state, page = ask_board(board_id, asks, identify, reading)
    if isinstance(wanted.place, AfterPosition) or not page.total:
        ended = ended_season(state, page.period, page.season, reading)
        if ended is not None:
            return _final(state.definition, ended, wanted, page, reading)
    if isinstance(wanted.place, Around) and not page.rows:
        raise UnknownUser
    version = f"{page.number.epoch:08d}-{page.number.sequence:014d}"
    rows = _lines(state.definition, page.rows, page, wanted, reading)
    return _document(board_id, rows, page, page.following, page.total, None, version)


def _final(board: BoardDefinition, ended: EndedSeason, wanted: PageWanted, page: Page, reading: BoardReading) -> dict[str, Any]:
    """From the final ranks of a closed season; a walk that began in one version of them ends in it."""
    ranks, place, version, number = reading.final_ranks, wanted.place, ended.version, NO_BOUND
    of = (board.board_id, page.period, page.season)
    if isinstance(place, FromRank):
        position = ranks.before_rank(board, *of[1:], version, place.rank)
    elif isinstance(place, Around):
        own = ranks.players(*of, version, [place.user_id])
        if not own.positions:
            raise UnknownUser
        position = max(min(own.positions[0] - 1 - wanted.limit // 2, own.total - wanted.limit), 0)
    elif isinstance(place, After):
        position, number = ranks.position_of(board, *of[1:], version, place.score, member_in(board, place.member)), place.number
    else:
        version, position, number = place
    found = ranks.page(*of, version, position=position, number=number, limit=wanted.limit)
    following = None if found.following is None else AfterPosition(version, found.following, number)
    rows = _lines(board, found.rows, page, wanted, reading)
    return _document(board.board_id, rows, page, following, found.total, ended.as_of, f"final-{version:08d}")


def _lines(
    board: BoardDefinition, rows: Sequence[Row], page: Page, wanted: PageWanted, reading: BoardReading
) -> list[dict[str, Any]]:
    """Rows in the words of the API. Metadata is the ledger's: none where it does not have the entry yet that made the score."""
    lines = named(board, rows, page, reading.names)
    if wanted.with_metadata:
        found = reading.metadata_of(board.board_id, page.period, page.season, [row.user_id for row in rows])
        for line, row in zip(lines, rows, strict=True):
            number, metadata = found.get(row.user_id, (None, None))
            is_of_score = number is None or not row.member or parse_member(board, row.member).number == number
            line["metadata"] = metadata if is_of_score else None
    return lines


def _document(
    board_id: str,
    rows: list[dict[str, Any]],
    page: Page,
    following: After | AfterPosition | None,
    total: int,
    as_of: datetime | None,
    version: str,
) -> dict[str, Any]:
    return {
        "data": rows,
        "nextCursor": None if following is None else write_place(board_id, page.period, page.season, following),
        "total": total,
        "asOf": utc_text(as_of or datetime.fromtimestamp(page.now / 1000, UTC)),
        "version": version,
        "period": page.period,
        "season": page.season,
    }
