"""Boards with rows that no entry brought."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

from shared.boards.definition import BoardDefinition
from shared.boards.member import member_of, parse_member
from shared.boards.season import BoardState
from shared.container import Container
from shared.ledger.events import Number
from shared.stores.actor import Actor
from shared.stores.keys import DefinedBoardKeys

ADD_SEASON = (
    "INSERT INTO board_seasons (board_id, period, season, starts_at, ends_at)"
    " VALUES (:board, :period, :season, now(), now()) ON CONFLICT DO NOTHING"
)
CLOSE_SEASON = (
    "UPDATE board_seasons SET closed_at = now(), version = 1 WHERE board_id = :board AND period = :period AND season = :season"
)
ADD_TOTAL = (
    "INSERT INTO season_totals VALUES"
    " (:board, :period, :season, :id, :score, :second, :epoch, :sequence, :id, CAST(:epoch AS bigint), CAST(:sequence AS bigint))"
)
ADD_RANK = (
    "INSERT INTO final_ranks VALUES (:board, :period, :season, 1, :position, CAST(:position AS bigint), :id, :score, :second)"
)


class Standing(NamedTuple):
    """A player and what they have."""

    user_id: str
    score: int
    second: int = 0


class RowBoard:
    """A board of a test's own; rows stand in the order in which they are put there."""

    def __init__(self, deployed: Container, **members: Any) -> None:
        self.board_id = f"board-{secrets.token_hex(4)}"
        self.deployed = deployed
        self.keys: DefinedBoardKeys = deployed._shard.defined(self.board_id)
        self.redis: Any = deployed._redis
        self._put = 0
        self.define(**members)

    def define(self, **members: Any) -> None:
        """Make it another board."""
        self.deployed.boards.put(BoardDefinition.parse(self.board_id, members), Actor("operator"))
        self.deployed.known_boards.redefined(self.board_id)

    @property
    def state(self) -> BoardState:
        """As the deployed process knows it."""
        return self.deployed.known_boards.renewed(self.board_id, self.deployed.board_states.now())

    def put(self, *standings: Standing, period: str = "all_time") -> None:
        """Rows of the open season, of entries in an epoch that is long over."""
        [season] = [one.number for one in self.state.seasons if one.period == period]
        for standing in standings:
            self._put += 1
            member = member_of(self.state.definition, standing.user_id, standing.second, Number(1, self._put))
            self.redis.zadd(self.keys.scores(period, season), {member: standing.score})
            self.redis.hset(self.keys.members(period, season), standing.user_id, member)

    def end(self, period: str = "all_time") -> None:
        """The open season of a period ends, and the next one begins."""
        self.deployed.board_states.reset(self.state, period, secrets.token_hex(8))

    def record(self, season: int, period: str = "all_time", *, closed: bool = False) -> None:
        """The ledger gets what stands in Redis of a season; when it is `closed`, final ranks, too, and Redis forgets it."""
        board = self.state.definition
        descending = board.order == "descending"
        rows = self.redis.zrange(self.keys.scores(period, season), 0, -1, desc=descending, withscores=True)
        of = {"board": self.board_id, "period": period, "season": season}
        with self.deployed._pool.transaction("record_season") as session:
            session.run(ADD_SEASON, **of)
            for position, (text, score) in enumerate(rows, 1):
                second, (epoch, sequence), user_id = parse_member(board, text.decode())
                own = {"id": user_id, "score": int(score), "second": second}
                session.run(ADD_TOTAL, **of, **own, epoch=epoch, sequence=sequence)
                if closed:
                    session.run(ADD_RANK, **of, **own, position=position)
            if closed:
                session.run(CLOSE_SEASON, **of)
        if closed:
            self.redis.unlink(self.keys.scores(period, season), self.keys.members(period, season))
