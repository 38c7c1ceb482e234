"""What is read of boards, before names are known, and where a page begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from shared.boards.board import MAIN
from shared.boards.definition import ALL_TIME, BoardDefinition
from shared.boards.member import LAST_EPOCH, LAST_SEQUENCE, Member, parse_member
from shared.boards.season import NEVER, BoardState, Season
from shared.core.cursor import make_place_cursor, nonsense, read_place_cursor
from shared.core.errors import InvalidParameter
from shared.ledger.events import Number

NO_BOUND = Number(LAST_EPOCH, LAST_SEQUENCE)
MAIN_SEASON = 1
_KINDS = ((str,), (str,), (int,), (int,), (str, int), (int,), (int,))


class Row(NamedTuple):
    """One line of a season; `rank` is 1-based, `member` the name in Redis, "" of one that comes from the final ranks."""

    user_id: str
    rank: int
    score: int
    second: int
    member: str = ""


class FromRank(NamedTuple):
    """A page that begins with the first row of this rank (1-based) or a later one."""

    rank: int


class Around(NamedTuple):
    """A page with this player in its middle."""

    user_id: str


class After(NamedTuple):
    """A page of the rows after a place, without those that changed after the entry with this number."""

    score: int
    member: str
    number: Number


class AfterPosition(NamedTuple):
    """The same in one version of a closed season."""

    version: int
    position: int
    number: Number


Place = FromRank | Around | After | AfterPosition


@dataclass(frozen=True, slots=True)
class Stale:
    """What a process knows of a board is out of date; `now` is Redis's clock (ms)."""

    now: int


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a season that follow one another at one instant.

    `number` is that of the newest entry of all boards, `now` Redis's clock (ms). `following` is where the next page begins, None
    at the end. `changes` are those of `Places`.
    """

    period: str
    season: int
    rows: Sequence[Row]
    total: int
    number: Number
    now: int
    following: After | None
    since: str
    changes: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PlayerRows:
    """For each season that was asked about and each player: the player's row among those around it, best first, or none."""

    seasons: Sequence[SeasonRows]
    now: int
    since: str
    changes: Sequence[tuple[str, str]]


class SeasonRows(NamedTuple):
    """Of one season: how many rows it has, and those around each player."""

    period: str
    season: int
    total: int
    around: Sequence[Sequence[Row]]


@dataclass(frozen=True, slots=True)
class EndedSeason:
    """What PostgreSQL knows of a season: `version` is that of the newest final ranks, 0 before there are any.

    `as_of` is when they were made, or the season's end while they are not, or are made again. `has_entries`: the ledger has some.
    """

    number: int
    version: int
    as_of: datetime | None
    has_entries: bool


class FinalPage(NamedTuple):
    """Rows of a closed season, with the position of each, and of how many.

    `following` is the position after which the next page begins, None at the end.
    """

    rows: Sequence[Row]
    positions: Sequence[int]
    total: int
    following: int | None = None


def main_state(*, is_public: bool) -> BoardState:
    """The specification's board in the form of the others, for those who read. Nothing of it changes."""
    lowest, highest = MAIN.increments[0], MAIN.increments[-1]
    main = BoardDefinition(MAIN.board_id, "Leaderboard", min_value=lowest, max_value=highest, is_public=is_public)
    return BoardState("", main, (Season(ALL_TIME, MAIN_SEASON, 0, NEVER),))


def write_place(board_id: str, period: str, season: int, place: After | AfterPosition) -> str:
    """A place in a season of a board as text fit for a query string."""
    return make_place_cursor((board_id, period, season, *place[:2], *place.number))


def read_place(board_id: str, cursor: str) -> tuple[str, int, After | AfterPosition]:
    """Period, season and place on this board; raises InvalidParameter."""
    its_board, period, season, first, second, *of_entry = read_place_cursor(cursor, _KINDS)
    if its_board != board_id:
        raise InvalidParameter("`cursor` is not of this board.")
    kind, number = After if isinstance(second, str) else AfterPosition, Number(*of_entry)
    if season < 1 or not (0 <= number.epoch <= LAST_EPOCH and 0 <= number.sequence <= LAST_SEQUENCE):
        raise nonsense()
    return period, season, kind(first, second, number)


def member_in(board: BoardDefinition, member: str) -> Member:
    """The member of a place; raises InvalidParameter."""
    try:
        return parse_member(board, member)
    except (ValueError, IndexError):
        raise InvalidParameter("`cursor` is not of this board.") from None
