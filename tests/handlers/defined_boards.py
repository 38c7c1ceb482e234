"""Boards that operators defined, played on and looked at."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

import redis

from shared.boards.add_entry import add_entry
from shared.boards.definition import BoardDefinition
from shared.boards.entry import AcceptedEntry, ScoreEntry
from shared.boards.member import parse_member
from shared.boards.season import BoardState, Season
from shared.container import Container
from shared.core.limits import LARGEST
from shared.ledger.events import Number
from shared.stores.actor import Actor
from shared.stores.keys import DefinedBoardKeys
from tests.support.product import query
from tests.support.waiting import eventually

PERIODS = [{"name": "all_time"}, {"name": "weekly", "cron": "0 0 * * 1"}]


class Standing(NamedTuple):
    """Of one player in one season, as Redis has it; `named` says whether the hash of members agrees."""

    score: int
    second: int
    number: Number
    is_hidden: bool
    named: bool = True


@dataclass(frozen=True)
class DefinedBoard:
    """A board with two periods, made for a test; values from LARGEST down to -LARGEST."""

    deployed: Container
    client: Any
    definition: BoardDefinition

    @classmethod
    def make(cls, deployed: Container, client: redis.Redis, **members: Any) -> DefinedBoard:
        """Members as in the API."""
        given = {"title": "Cups", "periods": PERIODS, "minValue": -LARGEST, "updatesPerMinute": 1000, **members}
        definition = BoardDefinition.parse(f"b-{secrets.token_hex(6)}", given)
        deployed.boards.put(definition, Actor("test"))
        return cls(deployed, client, definition)

    @property
    def board_id(self) -> str:
        return self.definition.board_id

    @property
    def keys(self) -> DefinedBoardKeys:
        return self.deployed._shard.defined(self.board_id)

    @property
    def state(self) -> BoardState:
        held = self.deployed.board_states.load(self.board_id)
        assert held is not None
        return held.state

    def season(self, period: str = "all_time") -> Season:
        return next(season for season in self.state.seasons if season.period == period)

    def add(self, user_id: str, value: int, second: int = 0) -> AcceptedEntry:
        entry = ScoreEntry(str(uuid4()), self.board_id, user_id, value, second, "", "198.51.100.7")
        return add_entry(entry, self.deployed.shards).entry

    def standings(self, period: str = "all_time", number: int = 0) -> dict[str, Standing]:
        """Everybody in a season, the open one for 0."""
        of = period, number or self.season(period).number
        named = set(self.client.hvals(self.keys.members(*of)))
        found: dict[str, Standing] = {}
        for key, is_hidden in ((self.keys.scores(*of), False), (self.keys.hidden(*of), True)):
            for member, score in self.client.zrange(key, 0, -1, withscores=True):
                second, at, user_id = parse_member(self.definition, member.decode())
                assert user_id not in found, "a player stands twice"
                found[user_id] = Standing(int(score), second, at, is_hidden, member in named)
        assert len(named) == len(found)
        return found

    def scores(self, period: str = "all_time", *, hidden: bool = False) -> dict[str, int]:
        """Of those who are shown, or hidden."""
        return {name: each.score for name, each in self.standings(period).items() if each.is_hidden is hidden}

    def arrived(self, entries: int) -> None:
        """So many entries of the board are in the ledger."""
        sql = "SELECT count(*) FROM score_entries WHERE board_id = :id"
        url = self.deployed.settings.database_url
        eventually(lambda: query(url, sql, id=self.board_id) == [[entries]], 60, "all of them in the ledger")
