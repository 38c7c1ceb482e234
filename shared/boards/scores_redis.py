"""What is read of boards in Redis: pages, places, players among each other, each at one instant in one round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import redis

from shared.accounts.session import Question
from shared.boards.board import MAIN
from shared.boards.board_rows import MAIN_SEASON, After, Around, FromRank, Page, PlayerRows, Row, SeasonRows, Stale
from shared.boards.definition import BoardDefinition
from shared.boards.member import EPOCH, SECOND, SEQUENCE, member_of, parse_member
from shared.boards.season import BoardState
from shared.core.errors import LeaderboardRebuilding
from shared.ledger.events import Number
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script, script_command

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """A script that reads, and how its answer is read; LeaderboardRebuilding where this Redis knows no places."""

    script: str
    keys: Sequence[str]
    arguments: Sequence[str | int]
    read: Callable[[Any], T]

    @property
    def question(self) -> Question[T]:
        """To be sent along with the check of a caller's access."""
        return Question(script_command(self.script, self.keys, self.arguments), self.read)


class ShardOfBoard(NamedTuple):
    """The Redis in which a board is, the keys there, and the one that says that places are known."""

    client: redis.Redis
    shard: ShardKeys
    whole: str


class BoardScores:
    """Rows of all boards (Redis). What it is asked is written for a state of the board; an answer is Stale where that is over."""

    def __init__(self, client: redis.Redis, shard: ShardKeys) -> None:
        self._redis: Any = client
        self._shard = shard
        self._main = MAIN.keys(shard)

    @property
    def place(self) -> ShardOfBoard:
        """Where these boards are."""
        return ShardOfBoard(self._redis, self._shard, self._main.whole)

    @translated()
    def answer(self, asked: Asked[T]) -> T:
        """The answer for somebody whose access nobody has to check."""
        return asked.read(run_script(self._redis, asked.script, asked.keys, asked.arguments))

    def page(
        self, state: BoardState, period: str, season: int, place: FromRank | Around | After, limit: int, since: str
    ) -> Asked[Page | Stale]:
        """So many rows of a season; none around a player who is not there. Rows left out for their number may make a page shorter
        that others follow.
        """
        board = state.definition
        after: tuple[str | int, ...] = ("", 0, 0, 0)
        if isinstance(place, FromRank):
            where: tuple[str | int, ...] = ("from", place.rank)
        elif isinstance(place, Around):
            where = ("around", place.user_id)
        else:
            where, after = ("after", place.score), (place.member, *_bound(board, place.number))

        def read(answer: list[Any] | None) -> Page | Stale:
            return _page(board, (period, season), answer, place.number if isinstance(place, After) else None, since)

        keys = (*self._shared(board), self._main.numbers, *season_keys(self._shard, board, period, season))
        return Asked("read_board_page", keys, (*_about(state, since), limit, *where, *after), read)

    def players(
        self,
        state: BoardState,
        seasons: Sequence[tuple[str, int]],
        user_ids: Sequence[str],
        neighbours: int,
        since: str,
        *,
        asker: str = "",
    ) -> Asked[PlayerRows | Stale]:
        """The rows of players in seasons (period, number), and of so many on each side of them. The `asker`, who is one of the
        players, sees themself where they are hidden, as if they stood on the board.
        """
        board = state.definition

        def read(answer: list[Any] | None) -> PlayerRows | Stale:
            return _player_rows(board, seasons, answer, since)

        keys = (*self._shared(board), *(key for season in seasons for key in self._with_hidden(board, *season)))
        return Asked("read_board_players", keys, (*_about(state, since), neighbours, asker, *user_ids), read)

    def _shared(self, board: BoardDefinition) -> tuple[str, ...]:
        return (self._shard.defined(board.board_id).board, self._main.whole, self._shard.changed_profiles)

    def _with_hidden(self, board: BoardDefinition, period: str, season: int) -> tuple[str, str, str]:
        is_mains = _is_main(board) and season == MAIN_SEASON
        hidden = self._main.hidden if is_mains else self._shard.defined(board.board_id).hidden(period, season)
        return (*season_keys(self._shard, board, period, season), hidden)


def season_keys(shard: ShardKeys, board: BoardDefinition, period: str, season: int) -> tuple[str, str]:
    """Where the scores of a season stand, and which member is whose (not on `main`, whose members say so themselves)."""
    keys = shard.defined(board.board_id)
    is_mains = _is_main(board) and season == MAIN_SEASON
    return MAIN.keys(shard).leaderboard if is_mains else keys.scores(period, season), keys.members(period, season)


def rows_of(board: BoardDefinition, values: Sequence[Any]) -> Iterator[Row]:
    """What a script answers: of each row member, score and rank."""
    for at in range(0, len(values), 3):
        member, score, rank = values[at].decode(), int(float(values[at + 1])), values[at + 2]
        if _is_main(board):
            yield Row(MAIN.user_id_of(member), rank, score, 0, member)
        else:
            second, _, user_id = parse_member(board, member)
            yield Row(user_id, rank, score, second, member)


def _is_main(board: BoardDefinition) -> bool:
    return board.board_id == MAIN.board_id


def _about(state: BoardState, since: str) -> tuple[str | int, ...]:
    """The arguments that tell of the board."""
    board = state.definition
    beginning = MAIN.member_prefix if _is_main(board) else ""
    return (state.version, state.until, beginning, board.order, "1" if board.ties == "shared" else "", since or "-")


def _bound(board: BoardDefinition, number: Number) -> tuple[int, int, int]:
    """Where in a member its number begins (from 1), and the parts of this one as they stand there; all 0 on `main`, without."""
    if _is_main(board):
        return 0, 0, 0
    begins = SECOND if board.has_second else 0
    member = member_of(board, "", 0, number)[begins:]
    return begins + 1, int(member[:EPOCH]), int(member[EPOCH : EPOCH + SEQUENCE])


def _page(
    board: BoardDefinition, season: tuple[str, int], answer: list[Any] | None, bound: Number | None, since: str
) -> Page | Stale:
    if answer is None:
        raise LeaderboardRebuilding
    if answer[0] == b"board":
        return Stale(answer[1])
    _, now, epoch, sequence, total, last_member, last_score, more, changes, rows = answer
    number = Number(int(epoch), int(sequence))
    following = After(int(float(last_score)), last_member.decode(), bound or number) if more and last_member else None
    return Page(*season, list(rows_of(board, rows)), total, number, now, following, since, list(_changes(changes)))


def _player_rows(
    board: BoardDefinition, seasons: Sequence[tuple[str, int]], answer: list[Any] | None, since: str
) -> PlayerRows | Stale:
    if answer is None:
        raise LeaderboardRebuilding
    if answer[0] == b"board":
        return Stale(answer[1])
    _, now, changes, *found = answer
    rows = [
        SeasonRows(*season, total, [list(rows_of(board, around)) for around in players])
        for season, (total, *players) in zip(seasons, found, strict=True)
    ]
    return PlayerRows(rows, now, since, list(_changes(changes)))


def _changes(values: Sequence[bytes]) -> Iterable[tuple[str, str]]:
    return ((values[at].decode(), values[at + 1].decode()) for at in range(0, len(values), 2))
