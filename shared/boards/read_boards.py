"""The boards there are: their definitions, and the seasons that are open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.accounts.manage_server_keys import ServerKeyStores, good_key
from shared.accounts.server_key import BEGINNING, parse_server_key
from shared.boards.board import MAIN
from shared.boards.board_rows import main_state
from shared.boards.board_shards import Holder
from shared.boards.season import NEVER, BoardState
from shared.core.clock import utc_text
from shared.core.errors import RedisUnavailable, UnknownBoard

if TYPE_CHECKING:
    from shared.boards.board_shards import BoardShards
    from shared.boards.known_boards import KnownBoards
    from shared.boards.postgresql import Boards


Board = dict[str, Any]


def seen_with(token: str | None, identify: Callable[[str], object], keys: ServerKeyStores) -> Callable[[Board], bool]:
    """Which boards are shown to whoever has this token: all to those who are logged in, to a game's server beside the public ones
    those that its key is good for, and the public ones to who has none. Raises InvalidServerKey and what `identify` raises.
    """
    if token is None:
        return lambda board: bool(board["public"])
    if not token.startswith(BEGINNING):
        identify(token)
        return lambda board: True
    key = good_key(parse_server_key(token), keys)
    return lambda board: board["public"] or key.boards is None or board["id"] in key.boards


def list_boards(
    main: Board, boards: Boards, shards: BoardShards[Holder], is_seen: Callable[[Board], bool] = lambda board: True
) -> list[Board]:
    """`main` first, the others in the order of their ids; without seasons those that are being rebuilt, or are in a further shard
    that is away.
    """
    places = boards.places()
    states = {board_id: BoardState("", placed.definition, ()) for board_id, placed in places.items()}
    for shard in shards.all:
        here = [each.definition for each in places.values() if each.shard == shard.name and each.moving_to is None]
        try:
            states |= {state.definition.board_id: state for state in shard.known_boards.all(here)}
        except RedisUnavailable:
            if shard is shards.first:
                raise
    listed = [main, *(described(states[board_id]) for board_id in places)]
    return list(filter(is_seen, listed))


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
