"""Seasons in the ledger: what is known of them, what their players have, and how they ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from shared.boards.definition import BoardDefinition
from shared.boards.member import member_of
from shared.boards.season import NEVER, KnownSeason, Season
from shared.boards.states_redis import Reset, Standing
from shared.core.errors import LedgerBehind
from shared.core.redis_shards import FIRST
from shared.ledger.events import Number
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.idempotency import KeptAnswer
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.errors import UniqueViolation
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session, int_array, text_array
from shared.stores.postgresql.statements import statement

PAGE = 5000
CLOSING_SECONDS = 600
LOOKED_AT, OF_LATE_MINUTES = 100_000, 60


class DueSeason(NamedTuple):
    """A season that has ended, and what its board says of order and ties."""

    board_id: str
    period: str
    number: int
    order: str
    ties: str


class BoardSeasons:
    """The seasons of boards, and what entries come to in them (PostgreSQL)."""

    def __init__(self, pool: Pool, shard: str = FIRST) -> None:
        """`shard` is the one whose boards are listed, and whose seasons are due."""
        self._pool = pool
        self._shard = shard

    def newest(self, board_id: str) -> list[Season]:
        """Of each period the newest season that is written down, and those after it that have entries, in their order.

        `until` is NEVER where nobody knows the end; of those that are not written down and follow a schedule `starts_at` is some
        instant in them.
        """
        rows = self._run("newest_seasons", board_id=board_id)
        return [Season(row[0], row[1], row[2], NEVER if row[3] is None else row[3]) for row in rows]

    def have_entries(self, board_id: str, seasons: Sequence[Season]) -> bool:
        """Whether the ledger has entries in one of these seasons."""
        [[found]] = self._run(
            "seasons_with_entries",
            board_id=board_id,
            periods=text_array([season.period for season in seasons]),
            seasons=int_array([season.number for season in seasons]),
        )
        return bool(found)

    def is_known(self, board_id: str, period: str, number: int) -> bool:
        """Whether the ledger knows of a season."""
        with self._pool.connection() as session:
            [[found]] = session.run(
                "SELECT EXISTS (SELECT FROM board_seasons"
                " WHERE board_id = :board_id AND period = :period AND season = CAST(:season AS int))",
                board_id=board_id,
                period=period,
                season=number,
            )
        return bool(found)

    def standings(self, board: BoardDefinition, season: Season) -> Iterator[list[Standing]]:
        """Everybody in a season, in pages."""
        after = ""
        while True:
            rows = self._run(
                "season_totals_page", board_id=board.board_id, period=season.period, season=season.number, after=after, page=PAGE
            )
            if not rows:
                return
            yield [
                Standing(user_id, member_of(board, user_id, second, Number(epoch, sequence)), score, is_hidden)
                for user_id, score, second, epoch, sequence, is_hidden in rows
            ]
            after = rows[-1][0]

    def boards_by_traffic(self) -> list[str]:
        """Ids of all boards of the shard, the busiest of the last hour first."""
        where = {"shard": self._shard, "looked_at": LOOKED_AT, "minutes": OF_LATE_MINUTES}
        return [board_id for [board_id] in self._run("boards_by_traffic", **where)]

    def gone_boards(self) -> list[str]:
        """Ids of boards that were deleted, or came to another shard, within a day: whoever did it may have died before Redis was
        told, or Redis has forgotten it.
        """
        with self._pool.connection() as session:
            rows = session.run(
                "SELECT board_id FROM boards WHERE deleted_at > now() - INTERVAL '1 day'"
                " OR (moved_at > now() - INTERVAL '1 day' AND shard <> :shard AND moving_to IS NULL)",
                shard=self._shard,
            )
        return [board_id for [board_id] in rows]

    def note(self, boards: Mapping[str, Sequence[Season]]) -> None:
        """Write down what Redis says of seasons, by board."""
        with self._pool.connection() as session:
            _note(session, boards)
            session.run(statement("end_overtaken_seasons"))

    def newest_open(self) -> dict[tuple[str, str], int]:
        """By board and period the newest season that is not closed."""
        return {(board_id, period): number for board_id, period, number in self._run("newest_open_seasons")}

    def due(self, now: int) -> list[DueSeason]:
        """Seasons of the shard's boards that have ended by now (ms) and are not closed, or no more since a late entry; oldest
        first.
        """
        return [DueSeason(*row) for row in self._run("due_seasons", shard=self._shard, now=now)]

    def close(self, season: DueSeason) -> int | None:
        """Write the final ranks of a season and close it, in one transaction; returns their version.

        None when another run was faster. Raises LedgerBehind when an entry came meanwhile: the next run closes it. Nothing waits
        for it but late entries of this very season, and those for its last statement alone.
        """
        where = {"board_id": season.board_id, "period": season.period, "season": season.number}
        try:
            with self._pool.transaction("close_season", CLOSING_SECONDS) as session:
                session.script(f"SET LOCAL statement_timeout = '{CLOSING_SECONDS}s'")
                found = session.run(statement("look_at_season"), **where)
                if not found:
                    return None
                [[version, seen]] = found
                session.run(
                    statement("add_final_ranks"),
                    **where,
                    version=version,
                    sign=1 if season.order == "descending" else -1,
                    is_shared=season.ties == "shared",
                )
                if not session.run(statement("close_season"), **where, version=version, seen=seen):
                    raise LedgerBehind
        except UniqueViolation:
            return None
        return int(version)

    def closed(self, board_id: str, seasons: Sequence[Season]) -> list[Season]:
        """Those of the seasons that are closed."""
        rows = self._run(
            "closed_seasons",
            board_id=board_id,
            periods=text_array([season.period for season in seasons]),
            seasons=int_array([season.number for season in seasons]),
        )
        found = {(period, number) for period, number in rows}
        return [season for season in seasons if (season.period, season.number) in found]

    def page(self, board_id: str, period: str, after: tuple[int, str, int], limit: int) -> list[KnownSeason]:
        """Seasons of a board, of one period or of all for "", newest first: those behind a place, which are minus a start (ms), a
        period and minus a number.
        """
        starts, after_period, number = after
        where = {"board_id": board_id, "period": period, "limit": limit}
        rows = self._run("seasons_page", **where, starts=starts, after=after_period, number=number)
        return [
            KnownSeason(Season(row[0], row[1], row[2], NEVER if row[3] is None else row[3]), row[4], int(row[5])) for row in rows
        ]

    def reset(self, board_id: str, reset: Reset, actor: Actor, answer: KeptAnswer | None) -> None:
        """Write down that a season was ended, with its audit row; raises RequestInProgress where there is an answer already."""
        with self._pool.transaction("reset_board") as session:
            keep_answer(session, answer)
            _note(session, {board_id: reset})
            detail = {"board": board_id, "period": reset.ended.period, "ended": reset.ended.number, "began": reset.began.number}
            add_audit_row(session, "board_reset", actor, None, detail)

    def _run(self, name: str, **parameters: Any) -> list[list[Any]]:
        with self._pool.connection() as session:
            return session.run(statement(name), **parameters)


def _note(session: Session, boards: Mapping[str, Sequence[Season]]) -> None:
    told = [(board_id, *season[:4]) for board_id, seasons in boards.items() for season in seasons]
    if told:
        board_ids, periods, numbers, starts, ends = zip(*told, strict=True)
        session.run(
            statement("note_seasons"),
            board_ids=text_array(board_ids),
            periods=text_array(periods),
            seasons=int_array(numbers),
            starts=int_array(starts),
            ends=int_array([0 if at == NEVER else at for at in ends]),
        )
