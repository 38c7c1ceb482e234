"""What use cases that read boards have in common: who may read, which season is meant, names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from shared.accounts.check_access import Accounts, ask
from shared.accounts.manage_server_keys import ServerKeyStores, check_server_key
from shared.accounts.player import Caller
from shared.accounts.server_key import BEGINNING
from shared.boards.board import MAIN
from shared.boards.board_rows import EndedSeason, Page, PlayerRows, Row, Stale, main_state
from shared.boards.definition import BoardDefinition
from shared.boards.entry import Made
from shared.boards.ranking import Places, Position
from shared.boards.read_board import Names
from shared.boards.season import BoardState, Season
from shared.core.errors import InvalidParameter, LeaderboardRebuilding, Unauthenticated, UnknownBoard, UnknownSeason

if TYPE_CHECKING:
    from shared.boards.final_ranks_postgresql import FinalRanks
    from shared.boards.known_boards import KnownBoards
    from shared.boards.scores_redis import Asked, BoardScores


MAX_TRIES = 5
MAX_SEASON = 999_999_999
T = TypeVar("T")
# Who asks; None for a game's server, whose key was found to be good.
Identify = Callable[[], Caller | None]


@dataclass(frozen=True, slots=True)
class BoardReading:
    """Where boards are read: `main`, too, which everybody may read when `main_is_public`."""

    boards: KnownBoards
    scores: BoardScores
    final_ranks: FinalRanks
    accounts: Accounts
    names: Names
    metadata_of: Callable[[str, str, int, Sequence[str]], Mapping[str, Made]]
    main_is_public: bool

    def board(self, board_id: str) -> BoardState:
        """As it was last known: scripts say when that is over. Raises UnknownBoard and LeaderboardRebuilding."""
        return main_state(is_public=self.main_is_public) if board_id == MAIN.board_id else self.boards.get(board_id)


def ask_board(
    board_id: str,
    asks: Callable[[BoardState], Asked[T | Stale]],
    identify: Identify,
    reading: BoardReading,
    *,
    is_personal: bool = False,
) -> tuple[BoardState, T]:
    """The answer to what is asked of a board, and the state that it is right for.

    One round trip, in which the caller is checked, too; nobody is asked who they are where the board is public, unless what they
    ask for `is_personal`. Raises UnknownBoard, LeaderboardRebuilding and what `identify` and check_access raise.
    """
    is_main = board_id == MAIN.board_id
    try:
        state = reading.board(board_id)
        for _ in range(MAX_TRIES):
            try:
                answer = _answer(state, asks, identify, reading, is_personal=is_personal)
            except (Unauthenticated, InvalidParameter, UnknownSeason):
                # What another process has changed meanwhile may allow it.
                probe = None if is_main else reading.scores.answer(reading.scores.players(state, (), (), 0, reading.names.since))
                if not isinstance(probe, Stale):
                    raise
                answer = probe
            if not isinstance(answer, Stale):
                return state, answer
            state = reading.boards.renewed(board_id, answer.now)
    except UnknownBoard:
        identify()
        raise
    raise LeaderboardRebuilding


def _answer(
    state: BoardState,
    asks: Callable[[BoardState], Asked[T | Stale]],
    identify: Identify,
    reading: BoardReading,
    *,
    is_personal: bool,
) -> T | Stale:
    if state.definition.is_public and not is_personal:
        return reading.scores.answer(asks(state))
    caller = identify()
    return reading.scores.answer(asks(state)) if caller is None else ask(asks(state).question, caller, reading.accounts)


def reader_of(token: str, board_id: str, identify: Callable[[str], Caller], keys: ServerKeyStores) -> Caller | None:
    """Whom `identify` finds in an access token; None for a game's server with a key that is good for the board.

    Raises InvalidServerKey, NotItsBoard or NotItsScope, and what `identify` raises.
    """
    if not token.startswith(BEGINNING):
        return identify(token)
    check_server_key(token, board_id, "read", keys)
    return None


def period_of(state: BoardState, wanted: str) -> str:
    """The period that is meant, the board's first one unless another is wanted; raises InvalidParameter."""
    names = [period.name for period in state.definition.periods]
    if wanted and wanted not in names:
        raise InvalidParameter(f"`period` must be one of this board's: {', '.join(names)}.")
    return wanted or names[0]


def season_of(state: BoardState, period: str, wanted: int) -> int:
    """The season that is meant: the open one unless another is wanted, or the newest while none is open; raises UnknownSeason."""
    season = wanted or _newest(state, period).newest
    if not season:
        raise UnknownSeason("No season of this period has begun.")
    return season


def ended_season(state: BoardState, period: str, season: int, reading: BoardReading) -> EndedSeason | None:
    """What became of a season of which Redis has no rows; None for one in which nobody has scored.

    Raises UnknownSeason for one that never was, and LeaderboardRebuilding while the ranks of one are being made.
    """
    newest = _newest(state, period)
    if season == newest.number:
        return None
    ended = reading.final_ranks.season(state.definition.board_id, period, season)
    if ended is None:
        if season > newest.newest:
            raise UnknownSeason
        return None
    if not ended.version and ended.has_entries:
        raise LeaderboardRebuilding("The final ranks of this season are being made. Try again shortly.")
    return ended if ended.version else None


def _newest(state: BoardState, period: str) -> Season:
    return next(season for season in state.seasons if season.period == period)


def named(board: BoardDefinition, rows: Sequence[Row], read: Page | PlayerRows, names: Names) -> list[dict[str, Any]]:
    """Rows in the words of the API; `read` tells whose profile was changed."""
    positions = [Position(row.user_id, row.rank, row.score) for row in rows]
    lines: list[dict[str, Any]] = [line.as_json() for line in names.of(Places(positions, read.since, read.changes))]
    if board.has_second:
        for line, row in zip(lines, rows, strict=True):
            line["second"] = row.second
    return lines
