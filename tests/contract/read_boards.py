"""Boards in Redis as their layout is documented, and what a few lines of Python say that readers should see of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import redis

from shared.boards.board_rows import After, Around, FromRank, Page, PlayerRows, Row, read_place, write_place
from shared.boards.definition import BoardDefinition
from shared.boards.member import member_of
from shared.boards.scores_redis import BoardScores
from shared.boards.season import NEVER, BoardState, Season
from shared.ledger.events import Number
from shared.stores.keys import ShardKeys


class Entrant(NamedTuple):
    """A player of a season, as the ledger would know it."""

    user_id: str
    score: int
    second: int
    number: Number


@dataclass
class Oracle:
    """A season as the definition of its board says it is read."""

    board: BoardDefinition
    entrants: dict[str, Entrant]

    def rows(self, entrants: Iterable[Entrant] | None = None) -> list[Row]:
        """All rows, best first."""
        direction = 1 if self.board.order == "ascending" else -1
        found = list(self.entrants.values() if entrants is None else entrants)
        found.sort(key=lambda one: (one.score * direction, one.second * direction, one.number))
        rows = [Row(one.user_id, place, one.score, one.second) for place, one in enumerate(found, 1)]
        if self.board.ties == "shared":
            first = {row.score: row.rank for row in reversed(rows)}
            rows = [row._replace(rank=first[row.score]) for row in rows]
        return rows

    def page(self, begins: int, limit: int) -> list[Row]:
        """So many rows from a place (from 0) on."""
        return self.rows()[begins : begins + limit]

    def from_rank(self, rank: int, limit: int) -> list[Row]:
        """So many rows of this rank or later ones."""
        return [row for row in self.rows() if row.rank >= rank][:limit]

    def around(self, user_id: str, limit: int) -> list[Row]:
        """So many rows with the player in the middle, as far as there are any on both sides."""
        ids = [row.user_id for row in self.rows()]
        begins = max(min(ids.index(user_id) - limit // 2, len(ids) - limit), 0)
        return self.page(begins, limit)

    def beside(self, user_id: str, neighbours: int) -> list[Row]:
        """The player's row and so many on each side."""
        place = [row.user_id for row in self.rows()].index(user_id)
        return self.rows()[max(place - neighbours, 0) : place + neighbours + 1]


class HeldSeason:
    """One season of a board of a test's own, written as the layout says."""

    def __init__(self, client: redis.Redis, board: BoardDefinition, *, until: int = NEVER) -> None:
        self.client = client
        self.shard = ShardKeys(f"{{{secrets.token_hex(6)}}}:")
        self.keys = self.shard.defined(board.board_id)
        seasons = tuple(Season(period.name, 1, 0, until) for period in board.periods)
        self.state = BoardState(secrets.token_hex(8), board, seasons)
        self.period = board.periods[0].name
        self.oracle = Oracle(board, {})
        self.scores = BoardScores(client, self.shard)
        client.set(f"{self.shard.prefix}leaderboard:whole", 0)
        client.hset(self.keys.board, "version", self.state.version)

    @property
    def board(self) -> BoardDefinition:
        """The definition."""
        return self.state.definition

    def number(self) -> Number:
        """The next one; now and then of a new epoch."""
        newest = max([Number(1, 0), *(one.number for one in self.oracle.entrants.values())])
        newest = max(newest, self._newest())
        following = Number(newest.epoch + 1, 1) if newest.sequence % 7 == 6 else Number(newest.epoch, newest.sequence + 1)
        key = f"{self.shard.prefix}leaderboard:numbers"
        self.client.hset(key, mapping={"epoch": following.epoch, "sequence": following.sequence})
        return following

    def _newest(self) -> Number:
        epoch, sequence = self.client.hmget(f"{self.shard.prefix}leaderboard:numbers", "epoch", "sequence")
        return Number(int(epoch or 0), int(sequence or 0))

    def put(self, user_id: str, score: int, second: int = 0) -> None:
        """An entry that makes this the player's score."""
        self.take(user_id)
        entrant = Entrant(user_id, score, second if self.board.has_second else 0, self.number())
        member = member_of(self.board, user_id, entrant.second, entrant.number)
        self.client.zadd(self.keys.scores(self.period, 1), {member: score})
        self.client.hset(self.keys.members(self.period, 1), user_id, member)
        self.oracle.entrants[user_id] = entrant

    def take(self, user_id: str) -> None:
        """The player leaves the board."""
        member = self.client.hget(self.keys.members(self.period, 1), user_id)
        if member is not None:
            self.client.zrem(self.keys.scores(self.period, 1), member)
            self.client.hdel(self.keys.members(self.period, 1), user_id)
        self.oracle.entrants.pop(user_id, None)

    def page(self, place: FromRank | Around | After, limit: int) -> Page:
        """What BoardScores answers."""
        page = self.scores.answer(self.scores.page(self.state, self.period, 1, place, limit, ""))
        assert isinstance(page, Page)
        return page

    def following(self, page: Page) -> After | None:
        """Where the next page begins, by way of the text that a client is given."""
        if page.following is None:
            return None
        period, season, place = read_place(
            self.board.board_id, write_place(self.board.board_id, page.period, page.season, page.following)
        )
        assert (period, season) == (self.period, 1)
        assert isinstance(place, After)
        return place

    def players(self, user_ids: Sequence[str], neighbours: int) -> PlayerRows:
        """What BoardScores answers about these."""
        found = self.scores.answer(self.scores.players(self.state, [(self.period, 1)], user_ids, neighbours, ""))
        assert isinstance(found, PlayerRows)
        return found


def plain(rows: Iterable[Row]) -> list[Row]:
    """Without their names in Redis."""
    return [row._replace(member="") for row in rows]
