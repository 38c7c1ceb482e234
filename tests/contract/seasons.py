"""Boards of a test's own, in a ledger and a part of Redis of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import redis

from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.boards.board import MAIN
from shared.boards.definition import BoardDefinition
from shared.boards.fill_boards import BoardStores
from shared.boards.hidden_postgresql import HiddenPlayers
from shared.boards.known_boards import KnownBoards
from shared.boards.member import member_of
from shared.boards.postgresql import Boards
from shared.boards.season import BoardState, Season
from shared.boards.seasons_postgresql import BoardSeasons
from shared.boards.states_redis import BoardStates
from shared.core.clock import SystemClock
from shared.ledger.catch_up import Pipeline
from shared.ledger.events import Number, ScoreAccepted
from shared.ledger.postgresql import Ledger
from shared.ledger.redis import Outbox
from shared.stores.actor import Actor
from shared.stores.keys import ShardKeys
from shared.stores.postgresql.pool import Pool

ACTOR = Actor("a-1", "198.51.100.7", "r-1")
A_DAY = 86_400_000


class BoardsStage:
    """Whole from the beginning; `asked` counts how often a rebuild was asked for."""

    def __init__(self, database_url: str, client: redis.Redis) -> None:
        self.pool = Pool(database_url)
        self.client: Any = client
        self.shard = ShardKeys(f"{{{secrets.token_hex(6)}}}:")
        self.keys = MAIN.keys(self.shard)
        self.boards, self.seasons = Boards(self.pool), BoardSeasons(self.pool)
        self.states = BoardStates(client, self.keys, self.shard)
        self.ledger, self.outbox = Ledger(self.pool), Outbox(client, self.shard)
        self.pipeline = Pipeline(self.ledger, self.outbox, StraightPublisher(self.ledger, self.outbox), SystemClock(), 5)
        self.asked = 0
        self.known = self.process()
        self.numbers: Iterator[int] = iter(range(1, 1_000_000))
        self.make_whole()

    @property
    def stores(self) -> BoardStores:
        return BoardStores(self.states, self.boards, self.seasons, HiddenPlayers(self.pool))

    def process(self) -> KnownBoards:
        """What another process knows: nothing yet."""
        return KnownBoards(self.states, self.boards, self.seasons, self._ask)

    def _ask(self) -> None:
        self.asked += 1

    def make_whole(self) -> None:
        self.client.set(self.keys.whole, 0)

    def lose_redis(self) -> None:
        """All of the shard; `main` is back already."""
        for key in self.client.scan_iter(f"{self.shard.prefix}*", 1000):
            self.client.delete(key)
        self.make_whole()

    def define(self, board_id: str = "cups", **members: Any) -> BoardDefinition:
        definition = BoardDefinition.parse(board_id, members)
        self.boards.put(definition, ACTOR)
        return definition

    def accept(self, state: BoardState, user_id: str, value: int) -> ScoreAccepted:
        """An entry that Redis accepted, in every open season, and that waits in the outbox."""
        board, number = state.definition, Number(1, next(self.numbers))
        keys, member = self.shard.defined(board.board_id), member_of(board, user_id, 0, number)
        for season in state.open_seasons:
            self.client.zadd(keys.scores(season.period, season.number), {member: value})
            self.client.hset(keys.members(season.period, season.number), user_id, member)
        places = "|".join(f"{season.period}:{season.number}:{value}:0:1:1" for season in state.open_seasons)
        fields = {
            "request_id": str(uuid4()),
            "user_id": user_id,
            "increment": value,
            "new_score": value,
            "accepted_at": self.states.now(),
            "source_ip": "198.51.100.7",
            "epoch": number.epoch,
            "sequence": number.sequence,
            "board": board.board_id,
            "second": 0,
            "metadata": "",
            "places": places,
        }
        entry_id = self.client.xadd(self.shard.outbox, fields).decode()
        return next(event for event in self.outbox.waiting("", "+", 1000) if event.outbox_id == entry_id)

    def player(self, *, disabled: bool = False) -> str:
        user_id = str(uuid4())
        Users(self.pool).add(Account(user_id, f"Player-{secrets.token_hex(6)}", "player", "hash", secrets.token_hex(32)))
        if disabled:
            self.run("UPDATE users SET disabled = TRUE WHERE user_id = :user_id", user_id=user_id)
        return user_id

    def enter(self, board: BoardDefinition, season: Season, score: int, user_id: str = "", second: int = 0) -> str:
        """An entry that the ledger has, and Redis, too; returns the player."""
        user_id, number = user_id or self.player(), Number(1, next(self.numbers))
        keys, member = self.shard.defined(board.board_id), member_of(board, user_id, second, number)
        self.client.zadd(keys.scores(season.period, season.number), {member: score})
        self.client.hset(keys.members(season.period, season.number), user_id, member)
        self.record(board, season, score, user_id, number, second)
        return user_id

    def record(self, board: BoardDefinition, season: Season, score: int, user_id: str, number: Number, second: int = 0) -> None:
        """In the ledger alone."""
        self.run(
            "INSERT INTO season_totals VALUES (:board_id, :period, :season, :user_id, :score, :second, :epoch, :sequence,"
            " :request_id, :epoch, :sequence)",
            board_id=board.board_id, period=season.period, season=season.number, user_id=user_id, score=score, second=second,
            epoch=number.epoch, sequence=number.sequence, request_id=str(uuid4()),
        )  # fmt: skip

    def contents(self, board_id: str = "cups") -> dict[str, Any]:
        """Every key of a board but its hash."""
        keys = self.shard.defined(board_id)
        read: dict[str, Callable[[str], Any]] = {"zset": self._sorted, "hash": self._hash}
        found = sorted(key.decode() for key in self.client.scan_iter(f"{keys.board}:*", 1000))
        return {key.removeprefix(f"{keys.board}:"): read[self.client.type(key).decode()](key) for key in found}

    def held(self, board_id: str = "cups") -> BoardState:
        held = self.states.load(board_id)
        assert held is not None
        return held.state

    def run(self, sql: str, **parameters: Any) -> list[list[Any]]:
        with self.pool.connection() as session:
            return session.run(sql, **parameters)

    def _sorted(self, key: str) -> dict[str, int]:
        return {member.decode(): int(score) for member, score in self.client.zrange(key, 0, -1, withscores=True)}

    def _hash(self, key: str) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.client.hgetall(key).items()}


class StraightPublisher:
    """The port EventPublisher on a ledger without a broker between: what is published is recorded."""

    def __init__(self, ledger: Ledger, outbox: Outbox) -> None:
        self._ledger, self._outbox = ledger, outbox

    def publish_accepted(self, events: Sequence[ScoreAccepted], *, keep: bool = True) -> None:
        """At once."""
        self._ledger.record(events)
        self._outbox.settle([event.outbox_id for event in events])

    def publish_marker(self, marker_id: str) -> list[str]:
        """At once."""
        self._ledger.record([], [marker_id])
        return [marker_id]

    def publish_again(self, letters: object, *, redriven: bool) -> None:
        """There are none."""

    def publish_recorded(self, event: object) -> None:
        """Nobody watches."""

    def publish_rebuild(self) -> None:
        """Nobody waits."""
