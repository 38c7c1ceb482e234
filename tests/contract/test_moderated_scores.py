"""Scores that moderators change: ledger, Redis and a plain count of what counts agree, whatever comes in which order."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.boards.definition import BoardDefinition
from shared.boards.entry import EntryPlace
from shared.core.errors import AlreadyStruck, AlreadyUndone, WithoutEffect
from shared.ledger.events import Number, ScoreAccepted
from shared.ledger.postgresql import Ledger
from shared.reconciliation.moderation_postgresql import ModeratedScores
from shared.reconciliation.score_decision import Decided, Decision
from shared.reconciliation.standings import NOTHING, BoardDiscrepancy, BoardSeason
from shared.reconciliation.standings_postgresql import SeasonBooks
from shared.reconciliation.standings_redis import SeasonCheck
from shared.stores.actor import Actor
from shared.stores.postgresql.pool import Pool
from tests.contract.test_entries import EntryBoard

SEASONS = (("all_time", 7), ("weekly", 8))


@dataclass
class Item:
    """An entry or an adjustment; of two with one number the one with the later turn is later."""

    user_id: str
    value: int
    second: int
    number: Number
    turn: int
    periods: Sequence[str]
    name: str | int
    counts: bool = True


@dataclass
class Count:
    """What a board comes to: all that counts, counted anew each time."""

    board: BoardDefinition
    items: list[Item] = field(default_factory=list)

    @property
    def sign(self) -> int:
        return 1 if self.board.order == "descending" else -1

    def standing(self, period: str) -> dict[str, tuple[int, int, Number]]:
        """By player score, second column, and the number of what made it."""
        found: dict[str, tuple[int, int, Number]] = {}
        for item in sorted(self.items, key=lambda item: (item.number, item.turn)):
            if not item.counts or period not in item.periods:
                continue
            before = found.get(item.user_id)
            new = (item.value, item.second, item.number)
            if before is not None and self.board.operator == "add":
                new = (before[0] + item.value, before[1] + item.second, item.number)
            if before is None or (
                self.worth(new) > self.worth(before) if self.board.operator == "best" else new[:2] != before[:2]
            ):
                found[item.user_id] = new
        return found

    def worth(self, standing: tuple[int, int, Number]) -> tuple[int, int]:
        return self.sign * standing[0], self.sign * standing[1]

    def rows(self, period: str) -> list[tuple[str, int, int]]:
        names = sorted(self.standing(period).items(), reverse=self.sign == 1)
        ordered = sorted(names, key=lambda item: (*(-part for part in self.worth(item[1])), item[1][2]))
        return [(user_id, score, second) for user_id, (score, second, _) in ordered]

    def rank(self, period: str, user_id: str) -> int:
        standing = self.standing(period)
        if self.board.ties == "shared":
            own = self.worth(standing[user_id])
            return 1 + sum(self.worth(other) > own for other in standing.values())
        return 1 + [name for name, _, _ in self.rows(period)].index(user_id)


class Scene:
    """A board in Redis and in the ledger, which hears of entries when it is told to."""

    def __init__(self, client: redis.Redis, database: Pool, seed: int, **definition: Any) -> None:
        self.board = EntryBoard(client, database=database, **definition)
        for period, season in SEASONS:
            client.hset(self.board.keys.board, f"season:{period}", f"{season} 0 0")
        self.choice = random.Random(seed)  # noqa: S311
        self.count = Count(self.board.definition)
        self.users = [self._player(database) for _ in range(4)]
        self.waiting: list[ScoreAccepted] = []
        self.heard: list[ScoreAccepted] = []
        self.ledger, self.scores, self.books = Ledger(database), ModeratedScores(database), SeasonBooks(database)
        self.check = SeasonCheck(client, self.board.main.keys, self.board.main.shard)
        self.database = database
        self.decisions: list[tuple[int, Item, str]] = []

    def _player(self, database: Pool) -> str:
        account = Account(str(uuid4()), f"Player-{secrets.token_hex(6)}", "player", "hash", secrets.token_hex(32))
        Users(database).add(account)
        self.board.main.profile(account.user_id)
        return account.user_id

    def enter(self, user_id: str, value: int, second: int) -> None:
        before = {period: self.count.standing(period).get(user_id) for period, _ in SEASONS}
        accepted = self.board.add(user_id, value, second)
        assert accepted.number is not None
        event = self.board.main.outbox.pending(0, 1000)[-1]
        self.waiting.append(event)
        self.count.items.append(
            Item(user_id, value, second, accepted.number, 0, [period for period, _ in SEASONS], accepted.request_id)
        )
        expected = []
        for period, season in SEASONS:
            now, was = self.count.standing(period)[user_id], before[period]
            improved = was is None or self.count.worth(now) > self.count.worth(was)
            expected.append(EntryPlace(period, season, *now[:2], self.count.rank(period, user_id), improved))
        assert list(accepted.places) == expected

    def hear(self, share: float = 1.0) -> None:
        """The ledger hears of so many of those that wait, in any order, some of them twice, and of some that it has."""
        self.choice.shuffle(self.waiting)
        cut = round(len(self.waiting) * share)
        told, self.waiting = self.waiting[:cut], self.waiting[cut:]
        again = self.choice.choices([*self.heard, *told], k=2) if self.heard or told else []
        messages = [*told, *again]
        self.choice.shuffle(messages)
        middle = self.choice.randrange(len(messages) + 1)
        for part in (messages[:middle], messages[middle:]):
            self.ledger.record(part)
        self.heard += told

    def decide(self, user_id: str, action: str, seasons: Sequence[tuple[str, int]] = SEASONS, **what: Any) -> Decided:
        decision = Decision(self.board.definition.board_id, user_id, action, seasons, "a reason", **what)
        return self.scores.decide(decision, Actor("admin", request_id=str(uuid4())), lambda _: None)

    def strike(self) -> None:
        known = {event.request_id for event in self.heard}
        entries = [item for item in self.count.items if item.name in known]
        if not entries:
            return
        item = self.choice.choice(entries)
        if not item.counts:
            with pytest.raises(AlreadyStruck):
                self.decide(item.user_id, "strike", struck=item.name)
            return
        decided = self.decide(item.user_id, "strike", struck=item.name)
        item.counts = False
        self.decisions.append((decided.moderation_id, item, "strike"))

    def adjust(self, user_id: str, value: int, second: int) -> None:
        if self.board.definition.operator == "add" and not (value or second):
            return
        seasons = self.choice.choice([SEASONS, SEASONS[:1], SEASONS[1:]])
        newest = self.board.main.leaderboard.newest_epoch().newest
        item = Item(user_id, value, second, newest or Number(0, 0), 0, [period for period, _ in seasons], 0)
        try:
            decided = self.decide(user_id, "adjust", seasons, value=value, second=second, number=item.number)
        except WithoutEffect:
            assert self.board.definition.operator == "best"
            return
        item.turn = item.name = decided.moderation_id
        self.count.items.append(item)
        self.decisions.append((decided.moderation_id, item, "adjust"))

    def undo(self) -> None:
        if not self.decisions:
            return
        moderation_id, item, action = self.choice.choice(self.decisions)
        seasons = [season for season in SEASONS if season[0] in item.periods]
        found = self.scores.decision(self.board.definition.board_id, moderation_id)
        assert found is not None
        assert (found.user_id, found.action, sorted(found.seasons)) == (item.user_id, action, seasons)
        if found.is_undone:
            with pytest.raises(AlreadyUndone):
                self.decide(item.user_id, "undo", seasons, undoes=moderation_id)
            return
        self.decide(item.user_id, "undo", seasons, undoes=moderation_id)
        item.counts = action == "strike"

    def follow(self) -> None:
        """The ledger has heard of everything, and Redis is set to what it says."""
        self.hear()
        for period, number in SEASONS:
            season = BoardSeason(self.board.definition, period, number, True)
            reading = self.check.read(season, [(user_id, b"") for user_id in self.users])
            assert reading is not None
            assert reading.number is not None
            expected = self.books.standings_at(season, self.users, reading.number)
            found = [
                entry
                for seen in reading.players
                for entry in BoardDiscrepancy.compared(season, reading.version, seen, expected.get(seen.user_id, NOTHING))
            ]
            self.check.repair(found, self.mark, None)

    @property
    def mark(self) -> str:
        mark: Any = self.board.client.get(self.board.main.keys.whole)
        return str(mark.decode())

    def totals(self, period: str) -> dict[str, tuple[int, int, Number]]:
        with self.database.connection() as session:
            rows = session.run(
                "SELECT user_id, score, second, epoch, sequence FROM season_totals WHERE board_id = :id AND period = :period",
                id=self.board.definition.board_id,
                period=period,
            )
        return {user_id: (score, second, Number(epoch, sequence)) for user_id, score, second, epoch, sequence in rows}


def test_late_entries_and_decisions_about_an_ended_season_wait_for_each_other(redis_client: redis.Redis, database: Pool) -> None:
    scene = Scene(redis_client, database, 1, operator="add")
    for user_id in scene.users * 3:
        scene.enter(user_id, 1, 0)
    scene.hear()
    with database.connection() as session:
        session.run(
            "INSERT INTO board_seasons (board_id, period, season, starts_at, ends_at, closed_at, version)"
            " SELECT :id, period, season, now() - INTERVAL '1 day', now() - INTERVAL '1 hour', now(), 1"
            " FROM (VALUES ('all_time', 7), ('weekly', 8)) AS t (period, season)",
            id=scene.board.definition.board_id,
        )
    entries = list(scene.count.items)
    for user_id in scene.users * 20:
        scene.enter(user_id, 10, 0)
    late = [scene.waiting[at : at + 4] for at in range(0, len(scene.waiting), 4)]

    def strike(entry: Item) -> None:
        scene.decide(entry.user_id, "strike", struck=entry.name)

    with ThreadPoolExecutor(2) as threads:
        started: list[Future[Any]] = []
        for at, batch in enumerate(late):
            started += [
                threads.submit(scene.ledger.record, batch),
                *(threads.submit(strike, each) for each in entries[at : at + 1]),
            ]
        for done in started:
            done.result(60)
    for period, _ in SEASONS:
        assert {user_id: score for user_id, (score, _, _) in scene.totals(period).items()} == dict.fromkeys(scene.users, 200)


VALUES = st.one_of(st.integers(-3, 3), st.sampled_from([2**31, -(2**40)]))
STEPS = st.lists(
    st.tuples(st.sampled_from(["enter"] * 4 + ["strike", "strike", "adjust", "undo", "hear"]), st.integers(0, 3), VALUES, VALUES),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize("order", ["descending", "ascending"])
@pytest.mark.parametrize("operator", ["add", "best", "latest"])
@pytest.mark.parametrize("form", ["first", "first and second column", "shared"])
@settings(
    deadline=None,
    max_examples=6,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, seed=st.integers(0, 2**32))
def test_ledger_redis_and_count_agree_whatever_is_decided(
    redis_client: redis.Redis,
    database: Pool,
    order: Any,
    operator: Any,
    form: str,
    steps: list[tuple[str, int, int, int]],
    seed: int,
) -> None:
    has_second = "second" in form
    ties = "shared" if form == "shared" else "first_to_reach"
    scene = Scene(redis_client, database, seed, order=order, operator=operator, has_second=has_second, ties=ties)
    for step, place, value, some in steps:
        second = some if has_second else 0
        match step:
            case "enter":
                scene.enter(scene.users[place], value, second)
            case "hear":
                scene.hear(scene.choice.random())
            case "strike":
                scene.hear(scene.choice.random())
                scene.strike()
                scene.follow()
            case "adjust":
                scene.adjust(scene.users[place], value, second)
                scene.follow()
            case _:
                scene.undo()
                scene.follow()
    scene.follow()
    for period, _ in SEASONS:
        assert scene.totals(period) == scene.count.standing(period)
        assert scene.board.rows(period) == scene.count.rows(period)
