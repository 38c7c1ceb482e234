"""Ended seasons in PostgreSQL: what became of them, and their final ranks once they are closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.boards.board_rows import NO_BOUND, EndedSeason, FinalPage, Row
from shared.boards.definition import BoardDefinition
from shared.boards.member import Member
from shared.ledger.events import Number
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import text_array
from shared.stores.postgresql.statements import statement

# As many rows with a number that is too late are looked at for one page.
MOST = 10_000


class FinalRanks:
    """Rows of closed seasons (PostgreSQL). A version of them is never changed; who is hidden on the board is left out."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def season(self, board_id: str, period: str, season: int) -> EndedSeason | None:
        """What is known of a season; None where nothing is."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_board_season"), board_id=board_id, period=period, season=season)
        return EndedSeason(*rows[0]) if rows else None

    def page(
        self, board_id: str, period: str, season: int, version: int, *, position: int, number: Number, limit: int
    ) -> FinalPage:
        """So many rows after a position whose scores were made up to the entry with this number.

        Rows left out for their number may make a page shorter that others follow.
        """
        of = {"board_id": board_id, "period": period, "season": season, "version": version}
        last = position + MOST
        bounds = {"position": position, "last": last, "epoch": number.epoch, "sequence": number.sequence}
        with self._pool.connection() as session:
            found = session.run(statement("final_ranks_page"), **of, **bounds, limit=limit + 1)
            [[total]] = session.run(statement("count_final_ranks"), **of)
        following = found[limit - 1][0] if len(found) > limit else last if last < total else None
        return FinalPage(*_rows(found[:limit]), total, following)

    def players(self, board_id: str, period: str, season: int, version: int, user_ids: Sequence[str]) -> FinalPage:
        """The rows of players."""
        of = {"board_id": board_id, "period": period, "season": season, "version": version}
        with self._pool.connection() as session:
            found = session.run(statement("find_final_ranks"), **of, user_ids=text_array(user_ids))
            [[total]] = session.run(statement("count_final_ranks"), **of)
        return FinalPage(*_rows(found), total)

    def before_rank(self, board: BoardDefinition, period: str, season: int, version: int, rank: int) -> int:
        """The position after which rows have this rank or a later one."""
        position = rank - 1
        of = (period, season, version)
        if board.ties == "shared":
            first = self.page(board.board_id, *of, position=position, number=NO_BOUND, limit=1).rows
            if first and first[0].rank < rank:  # it shares the rank with rows before the position
                return self.position_of(board, *of, first[0].score, Member(first[0].second, NO_BOUND, ""))
        return position

    def position_of(self, board: BoardDefinition, period: str, season: int, version: int, score: int, member: Member) -> int:
        """How many rows stand up to where a member stood with this score, whether or not it stands there now."""
        epoch, sequence = member.number
        with self._pool.connection() as session:
            [[position]] = session.run(
                statement("find_final_position"),
                board_id=board.board_id,
                period=period,
                season=season,
                version=version,
                direction=1 if board.order == "ascending" else -1,
                score=score,
                second=member.second,
                epoch=epoch,
                sequence=sequence,
            )
        return int(position)


def _rows(found: Sequence[Sequence[Any]]) -> tuple[list[Row], list[int]]:
    return [Row(user_id, rank, score, second) for _, rank, user_id, score, second in found], [row[0] for row in found]
