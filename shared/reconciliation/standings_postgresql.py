"""What the seasons of boards should say, as the ledger knows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.ledger.events import Number
from shared.reconciliation.model import is_possible
from shared.reconciliation.postgresql import ANSWER_SECONDS
from shared.reconciliation.standings import BoardSeason, Expected
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement

PAGE, ENTRIES = 5000, 20_000


class SeasonBooks:
    """Seasons in the ledger (PostgreSQL). Names that no account could have are not asked for: they have no entries."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def standings_at(self, season: BoardSeason, user_ids: Sequence[str], number: Number) -> dict[str, Expected]:
        """What players have, as accepted up to this number."""
        rows = self._run(
            "standings_at",
            user_ids=_possible(user_ids),
            **_of(season),
            operator=season.board.operator,
            sign=1 if season.board.order == "descending" else -1,
            epoch=number.epoch,
            sequence=number.sequence,
        )
        return {
            user_id: Expected(score, second or 0, Number(epoch or 0, sequence or 0), waits, is_hidden)
            for user_id, score, second, epoch, sequence, waits, is_hidden in rows
        }

    def count(self, season: BoardSeason) -> int:
        """How many players a season has."""
        [[players]] = self._run("count_season_players", **_of(season))
        return int(players)

    def players_after(self, season: BoardSeason, user_id: str, limit: int) -> list[str]:
        """At most `limit` players of a season with ids above this one, in their order."""
        [[user_ids]] = self._run("season_players_page", **_of(season), after=user_id, page=limit)
        return user_ids or []

    def hidden(self, season: BoardSeason) -> Iterator[list[str]]:
        """Players of a season who are to be hidden, in pages."""
        after = ""
        while True:
            [[user_ids]] = self._run("hidden_in_season", **_of(season), after=after, page=PAGE)
            if not user_ids:
                return
            yield user_ids
            after = user_ids[-1]

    def unknown(self, season: BoardSeason, user_ids: Sequence[str]) -> set[str]:
        """Those who have no entries in a season."""
        [[unknown]] = self._run("unknown_in_season", **_of(season), user_ids=_possible(user_ids))
        return {*(unknown or ()), *(user_id for user_id in user_ids if not is_possible(user_id))}

    def newest_entry(self) -> int:
        """The id of the newest entry, 0 without one."""
        with self._pool.connection() as session:
            [[newest]] = session.run("SELECT coalesce(max(id), 0) FROM score_entries")
        return int(newest)

    def entered_since(self, entry_id: int) -> Iterator[Mapping[str, Sequence[str]]]:
        """By board, who entered after this entry, in pages."""
        while True:
            [[by_board, last]] = self._run("entered_since", after=entry_id, page=ENTRIES)
            if last is None:
                return
            yield by_board
            entry_id = last

    def _run(self, name: str, **parameters: Any) -> list[list[Any]]:
        with self._pool.connection(ANSWER_SECONDS) as session:
            return session.run(statement(name), **parameters)


def _of(season: BoardSeason) -> dict[str, Any]:
    return {"board_id": season.board.board_id, "period": season.period, "season": season.number}


def _possible(user_ids: Sequence[str]) -> str:
    return json.dumps([user_id for user_id in user_ids if is_possible(user_id)])
