"""The boards there are: their definitions, and the seasons that are open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.boards.board import MAIN
from shared.boards.board_rows import main_state
from shared.boards.season import NEVER, BoardState
from shared.core.clock import utc_text
from shared.core.errors import UnknownBoard

if TYPE_CHECKING:
    from shared.boards.known_boards import KnownBoards


Board = dict[str, Any]


def list_boards(main: Board, known: KnownBoards, *, only_public: bool = False) -> list[Board]:
    """`main` first, the others in the order of their ids."""
    boards = [main, *map(described, known.all())]
    return [board for board in boards if board["public"] or not only_public]


def get_board(board_id: str, main: Board, known: KnownBoards, identify: Callable[[], object]) -> Board:
    """One of them; raises UnknownBoard and LeaderboardRebuilding, and what `identify` raises.

    Nobody is asked who they are where the board is public.
    """
    try:
        board = main if board_id == MAIN.board_id else described(known.current(board_id))
    except UnknownBoard:
        identify()  # who may see none of the others is not told which there are
        raise
    if not board["public"]:
        identify()
    return board


def described(state: BoardState) -> Board:
    """A board as the API shows it: its definition, and its open seasons."""
    seasons = [
        {
            "period": season.period,
            "season": season.number,
            "startsAt": _instant(season.starts_at),
            "endsAt": _instant(season.until),
        }
        for season in state.open_seasons
    ]
    return {"id": state.definition.board_id, **state.definition.as_json(), "seasons": seasons}


def described_main(*, is_public: bool, updates_per_minute: int) -> Board:
    """The specification's board in the same form."""
    return described(main_state(is_public=is_public)) | {"ties": "first_registered", "updatesPerMinute": updates_per_minute}


def _instant(at_ms: int) -> str | None:
    return None if at_ms in (0, NEVER) else utc_text(datetime.fromtimestamp(at_ms / 1000, UTC))
