"""Who is hidden on which board: disabled accounts, and players whom a moderator has hidden there or everywhere (PostgreSQL)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from shared.boards.board import MAIN
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement

PAGE = 5000


class HiddenPlayers:
    """As the truth is; where they stand in Redis follows it (settle_places)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def on(self, board_ids: Sequence[str], user_ids: Sequence[str]) -> dict[str, set[str]]:
        """By board, those of the users who are hidden there; on `main` only those who would be on it otherwise.

        Names that no account could have (someone wrote them into Redis) are not asked for.
        """
        possible = json.dumps([user_id for user_id in user_ids if user_id.isprintable()])
        with self._pool.connection() as session:
            [[found]] = session.run(statement("hidden_among"), board_ids=json.dumps(list(board_ids)), user_ids=possible)
        return {board_id: set((found or {}).get(board_id, ())) for board_id in board_ids}

    def on_main(self, user_ids: Sequence[str]) -> set[str]:
        """The same of `main`."""
        return self.on([MAIN.board_id], user_ids)[MAIN.board_id]

    def pages_of_main(self) -> Iterator[list[str]]:
        """The ids of all who are hidden on `main`, in pages."""
        return self._pages("hidden_page", board_id=MAIN.board_id)

    def pages(self) -> Iterator[list[str]]:
        """The ids of all who are hidden on some board, in pages."""
        return self._pages("hidden_anywhere_page")

    def _pages(self, name: str, **parameters: str) -> Iterator[list[str]]:
        after: str | None = ""
        while after is not None:
            with self._pool.connection() as session:
                [[user_ids, after]] = session.run(statement(name), after=after, page=PAGE, **parameters)
            if user_ids:
                yield user_ids
