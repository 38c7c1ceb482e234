"""The seasons of a board: those that were, and those that are open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.boards.board import MAIN
from shared.boards.board_rows import main_state
from shared.boards.boundaries import instant
from shared.boards.read_rows import period_of
from shared.boards.season import NEVER, BoardState, KnownSeason, Season
from shared.core.clock import utc_text
from shared.core.cursor import make_place_cursor, read_place_cursor
from shared.core.errors import UnknownBoard

if TYPE_CHECKING:
    from shared.boards.fill_boards import BoardStores
    from shared.boards.known_boards import KnownBoards
    from shared.boards.states_redis import BoardStates


DEFAULT_LIMIT, MAX_LIMIT = 20, 100
Place = tuple[int, str, int]  # a season's in the order of the page: minus its start, its period, minus its number
BEGINNING: Place = (-NEVER, "", 0)
_KINDS = ((int,), (str,), (int,))


@dataclass(frozen=True, slots=True)
class SeasonPage:
    """What is asked for: so many seasons of one period, or of all for "", behind the page that ended with this cursor."""

    period: str
    limit: int
    cursor: str


def get_seasons(
    board_id: str,
    asked: SeasonPage,
    identify: Callable[[], object],
    known: KnownBoards,
    stores: BoardStores,
    *,
    main_is_public: bool,
) -> dict[str, Any]:
    """`{"data": [...], "nextCursor": ...}`, newest first; nobody is asked who they are where the board is public.

    Raises UnknownBoard, LeaderboardRebuilding, InvalidParameter, and what `identify` raises.
    """
    try:
        state = main_state(is_public=main_is_public) if board_id == MAIN.board_id else known.current(board_id)
    except UnknownBoard:
        identify()  # who may see none of the others is not told which there are
        raise
    if not state.definition.is_public:
        identify()
    if asked.period:
        period_of(state, asked.period)
    return _page(state, asked, stores)


def _page(state: BoardState, asked: SeasonPage, stores: BoardStores) -> dict[str, Any]:
    """What began a moment ago Redis alone knows of, and what it says of seasons that are not closed is newer."""
    place = read_place_cursor(asked.cursor, _KINDS) if asked.cursor else BEGINNING
    after: Place = (place[0], place[1], place[2])
    found = {_name(season): KnownSeason(season) for season in _told(state, asked.period, stores.states) if _place(season) > after}
    if state.definition.board_id != MAIN.board_id:
        for known in stores.seasons.page(state.definition.board_id, asked.period, after, asked.limit + 1):
            if known.version or _name(known.season) not in found:
                found[_name(known.season)] = known
    following = sorted(found.values(), key=lambda known: _place(known.season))
    page = following[: asked.limit]
    return {
        "data": _as_json(page, state, stores.states),
        "nextCursor": make_place_cursor(_place(page[-1].season)) if len(following) > asked.limit else None,
    }


def season_json(season: Season) -> dict[str, Any]:
    """A season as the API shows it."""
    return {
        "period": season.period,
        "season": season.number,
        "startsAt": utc_text(instant(season.starts_at)) if season.starts_at else None,
        "endsAt": None if season.until == NEVER else utc_text(instant(season.until)),
    }


def _told(state: BoardState, period: str, states: BoardStates) -> list[Season]:
    """What Redis knows of."""
    held = states.load(state.definition.board_id)
    told = [*state.open_seasons, *(held.ended if held else ())]
    return [season for season in told if period in ("", season.period)]


def _as_json(page: Sequence[KnownSeason], state: BoardState, states: BoardStates) -> list[dict[str, Any]]:
    open_now = {_name(season) for season in state.open_seasons}
    here = [_name(known.season) for known in page if not known.version]
    players = dict(zip(here, states.players(state.definition.board_id, here), strict=True))
    return [
        {
            **season_json(known.season),
            "state": "closed" if known.version else "open" if _name(known.season) in open_now else "ended",
            "players": known.players if known.version else players[_name(known.season)],
        }
        for known in page
    ]


def _name(season: Season) -> tuple[str, int]:
    return season.period, season.number


def _place(season: Season) -> Place:
    return -season.starts_at, season.period, -season.number
