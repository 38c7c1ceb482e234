"""Entries on boards that operators defined: the script and the ledger come to the same, whatever the operator."""

from __future__ import annotations

import json
import random
import secrets
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.accounts.session import Missing
from shared.boards.action_tickets import ActionTicket
from shared.boards.definition import BoardDefinition, Period
from shared.boards.entries_redis import Entries, Outcome
from shared.boards.entry import AcceptedEntry, BoardMoved, EntryPlace, ScoreEntry
from shared.boards.member import member_of, parse_member
from shared.boards.season import NEVER, BoardState, Season
from shared.core.errors import (
    IdempotencyKeyReused,
    NoOpenSeason,
    RateLimited,
    ScoreboardError,
    ScoreOutOfBounds,
    TicketAlreadyUsed,
)
from shared.core.limits import LARGEST
from shared.ledger.events import Number
from shared.ledger.postgresql import Ledger
from shared.stores.postgresql.pool import Pool
from tests.contract.board import Board, Clock

PERIODS = (Period("all_time"), Period("weekly", "0 0 * * 1"))


class EntryBoard:
    """A board of its own on the shared Redis; its definition stands in PostgreSQL, too, where a database is given."""

    def __init__(self, client: redis.Redis, clock: Clock | None = None, database: Pool | None = None, **definition: Any) -> None:
        self.main = Board(client, now=clock)
        self.client = client
        board_id = f"b-{secrets.token_hex(6)}"
        self.definition = BoardDefinition(
            board_id, "A board", **{"periods": PERIODS, "min_value": -LARGEST, "updates_per_minute": 1000, **definition}
        )
        seasons = tuple(Season(period.name, 7 + place, 0, NEVER) for place, period in enumerate(self.definition.periods))
        self.state = BoardState(secrets.token_hex(8), self.definition, seasons)
        self.keys = self.main.shard.defined(board_id)
        self.entries = Entries(client, self.main.keys, self.main.shard, now=clock)
        client.hset(self.keys.board, "version", self.state.version)
        if database is not None:  # where no other board counts in the same epoch
            client.hset(self.main.keys.numbers, "epoch", 2 * 10**7 + secrets.randbelow(7 * 10**7))
            with database.connection() as session:
                session.run(
                    "INSERT INTO boards (board_id, definition) VALUES (:id, CAST(:definition AS jsonb))",
                    id=board_id,
                    definition=json.dumps(self.definition.as_json()),
                )

    def entry(self, user_id: str, value: int, second: int = 0, **fields: Any) -> ScoreEntry:
        return ScoreEntry(str(uuid4()), self.definition.board_id, user_id, value, second, "", "198.51.100.7", **fields)

    def add(self, user_id: str, value: int, second: int = 0, **fields: Any) -> AcceptedEntry:
        accepted = self.attempt(self.entry(user_id, value, second, **fields))
        if isinstance(accepted, ScoreboardError):
            raise accepted
        assert isinstance(accepted, AcceptedEntry)
        return accepted

    def attempt(self, entry: ScoreEntry) -> Outcome:
        [outcome] = self.entries.add([(entry, False)], self.state)
        return outcome

    def rows(self, period: str = "all_time") -> list[tuple[str, int, int]]:
        """Players with score and second column, best first."""
        [season] = [season for season in self.state.seasons if season.period == period]
        key = self.keys.scores(period, season.number)
        client: Any = self.client
        found = client.zrange(key, 0, -1, desc=self.definition.order == "descending", withscores=True)
        members = [(parse_member(self.definition, member.decode()), int(score)) for member, score in found]
        mapped = {user.decode(): name.decode() for user, name in client.hgetall(self.keys.members(period, season.number)).items()}
        assert mapped == {parse_member(self.definition, name.decode()).user_id: name.decode() for name, _ in found}
        return [(member.user_id, score, member.second) for member, score in members]


@dataclass
class Oracle:
    """What a board comes to, said in plain Python."""

    board: BoardDefinition
    standing: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # score, second, when it was reached
    count: int = 0

    def add(self, user_id: str, value: int, second: int) -> tuple[int, int, int, bool]:
        """Score, second, rank, improved."""
        self.count += 1
        before = self.standing.get(user_id)
        sign = 1 if self.board.order == "descending" else -1
        new = (value, second)
        if before is not None and self.board.operator == "add":
            new = (before[0] + value, before[1] + second)
        improved = before is None or (sign * new[0], sign * new[1]) > (sign * before[0], sign * before[1])
        counts = improved or self.board.operator != "best"
        if counts and (before is None or new != before[:2]):
            self.standing[user_id] = (*new, self.count)
        score, second, _ = self.standing[user_id]
        return score, second, self.rank(user_id), improved

    def rank(self, user_id: str) -> int:
        if self.board.ties == "shared":
            sign = 1 if self.board.order == "descending" else -1
            return 1 + sum(sign * other[0] > sign * self.standing[user_id][0] for other in self.standing.values())
        return 1 + [user for user, _, _ in self.rows()].index(user_id)

    def rows(self) -> list[tuple[str, int, int]]:
        sign = 1 if self.board.order == "descending" else -1
        ordered = sorted(self.standing.items(), key=lambda item: (-sign * item[1][0], -sign * item[1][1], item[1][2]))
        return [(user_id, score, second) for user_id, (score, second, _) in ordered]


VALUES = st.one_of(st.integers(-3, 3), st.sampled_from([LARGEST // 4, -(LARGEST // 4), 2**31, -(2**40)]))
CHANGES = st.lists(st.tuples(st.integers(0, 4), VALUES, VALUES), min_size=1, max_size=25)


@pytest.mark.parametrize("order", ["descending", "ascending"])
@pytest.mark.parametrize("operator", ["add", "best", "latest"])
@pytest.mark.parametrize("form", ["first", "first and second column", "shared"])
@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(changes=CHANGES, seed=st.integers(0, 2**32))
def test_script_ledger_and_oracle_agree(
    redis_client: redis.Redis,
    database: Pool,
    order: Any,
    operator: Any,
    form: str,
    changes: list[tuple[int, int, int]],
    seed: int,
) -> None:
    has_second = "second" in form
    board = EntryBoard(
        redis_client,
        database=database,
        order=order,
        operator=operator,
        has_second=has_second,
        ties="shared" if form == "shared" else "first_to_reach",
    )
    users = []
    for _ in range(5):
        account = Account(str(uuid4()), f"Player-{secrets.token_hex(6)}", "player", "hash", secrets.token_hex(32))
        Users(database).add(account)
        board.main.profile(account.user_id)
        users.append(account.user_id)
    oracle = Oracle(board.definition)
    for place, value, some in changes:
        second = some if has_second else 0
        try:
            accepted = board.add(users[place], value, second)
        except ScoreOutOfBounds:
            assert operator == "add"
            before = oracle.standing[users[place]]
            assert max(abs(before[0] + value), abs(before[1] + second)) > LARGEST
            continue
        expected = oracle.add(users[place], value, second)
        assert list(accepted.places) == [
            EntryPlace("all_time", 7, *expected),
            EntryPlace("weekly", 8, *expected),
        ]
    assert board.rows() == board.rows("weekly") == oracle.rows()

    # The ledger comes to the same, in whatever batches and order it hears of it, and however often.
    events = board.main.outbox.pending(0, 100)
    assert [event.places != "" for event in events] == [True] * oracle.count
    shuffled = random.Random(seed)  # noqa: S311
    messages = events + shuffled.choices(events, k=3)
    shuffled.shuffle(messages)
    cut = shuffled.randrange(len(messages) + 1)
    ledger = Ledger(database)
    new = sum(ledger.record(part).new for part in (messages[:cut], messages[cut:]))
    assert new == len(events)
    with database.connection() as session:
        totals = session.run(
            "SELECT period, user_id, score, second, epoch, sequence FROM season_totals WHERE board_id = :id AND season IN (7, 8)",
            id=board.definition.board_id,
        )
    numbers = {event.number.sequence: place for place, event in enumerate(events, 1) if event.number}
    for period in ("all_time", "weekly"):
        of_period = [row for row in totals if row[0] == period]
        standing = {user: (score, second, numbers[sequence]) for _, user, score, second, _, sequence in of_period}
        assert standing == {user: tuple(what) for user, what in oracle.standing.items()}


@pytest.mark.parametrize(("operator", "value"), [("add", 0), ("latest", 5), ("best", 5), ("best", 4)])
def test_an_entry_that_leaves_the_score_as_it_is_costs_nobody_their_place(
    redis_client: redis.Redis, operator: Any, value: int
) -> None:
    board = EntryBoard(redis_client, operator=operator)
    first, second = board.main.player(), board.main.player()
    places = [board.add(user_id, 5).places[0] for user_id in (first, second)]
    places.append(board.add(first, value).places[0])
    assert [(place.score, place.rank, place.improved) for place in places] == [(5, 1, True), (5, 2, True), (5, 1, False)]


@pytest.mark.parametrize("operator", ["add", "best", "latest"])
def test_a_first_entry_of_0_puts_the_player_on_the_board(redis_client: redis.Redis, operator: Any) -> None:
    board = EntryBoard(redis_client, operator=operator)
    user_id = board.main.player()
    assert board.add(user_id, 0).places[0] == EntryPlace("all_time", 7, 0, 0, 1, improved=True)
    assert board.rows() == [(user_id, 0, 0)]


def test_more_than_there_is_is_taken_away(redis_client: redis.Redis) -> None:
    board = EntryBoard(redis_client)
    user_id = board.main.player()
    assert [board.add(user_id, value).places[0].score for value in (3, -5)] == [3, -2]


@pytest.mark.parametrize(("before", "value", "second"), [(10, LARGEST, 0), (-10, -LARGEST, 0), (10, 0, LARGEST)])
def test_a_sum_out_of_bounds_is_told_of_with_those_of_the_board(
    redis_client: redis.Redis, before: int, value: int, second: int
) -> None:
    board = EntryBoard(redis_client, has_second=True)
    user_id = board.main.player()
    board.add(user_id, before, before)
    with pytest.raises(ScoreOutOfBounds, match=f"would exceed {LARGEST} in size"):
        board.add(user_id, value, second)
    assert board.rows() == [(user_id, before, before)]


def test_each_season_counts_by_itself(redis_client: redis.Redis) -> None:
    board = EntryBoard(redis_client)
    user_id = str(uuid4())
    board.main.profile(user_id)
    board.add(user_id, 5)
    all_time, weekly = board.state.seasons
    board.state = replace(board.state, version="next", seasons=(all_time, weekly._replace(number=9)))
    entry = board.entry(user_id, 2)
    assert isinstance(board.attempt(entry), BoardMoved), "the script knows another version"
    board.client.hset(board.keys.board, "version", "next")
    assert [place[:3] for place in board.add(user_id, 2).places] == [("all_time", 7, 7), ("weekly", 9, 2)]


def test_the_boundary_is_where_the_clock_of_redis_says(redis_client: redis.Redis) -> None:
    clock = Clock()
    board = EntryBoard(redis_client, clock)
    user_id = str(uuid4())
    board.main.profile(user_id)
    now = int(clock().timestamp() * 1000)
    board.state = replace(board.state, seasons=tuple(season._replace(until=now + 1) for season in board.state.seasons))
    board.add(user_id, 1)
    clock.move(1)
    assert board.attempt(board.entry(user_id, 1)) == BoardMoved(now + 1)
    closed = tuple(season._replace(number=0, until=now + 2) for season in board.state.seasons)
    board.state = replace(board.state, seasons=closed)
    with pytest.raises(NoOpenSeason):
        board.add(user_id, 1)


def test_windows_of_boards_and_of_main_count_apart(redis_client: redis.Redis) -> None:
    clock = Clock()
    board = EntryBoard(redis_client, clock, updates_per_minute=2)
    user_id = board.main.player()
    board.main.update(user_id)
    assert [board.add(user_id, 1).rate_window.remaining for _ in range(2)] == [1, 0]
    with pytest.raises(RateLimited):
        board.add(user_id, 1)
    board.main.update(user_id)
    clock.move(60_000)
    assert board.main.windows.forget(10) == 2
    assert not [key for key in board.main.contents() if b"requests" in key]
    assert board.add(user_id, 1).rate_window.remaining == 1


def test_an_idempotency_key_counts_once_and_gives_the_first_places(redis_client: redis.Redis) -> None:
    board = EntryBoard(redis_client)
    user_id = str(uuid4())
    board.main.profile(user_id)
    first = board.add(user_id, 3, key_id="k")
    board.add(user_id, 4)
    again = board.add(user_id, 3, key_id="k")
    assert again.replayed
    assert (again.places, again.request_id, again.number) == (first.places, first.request_id, first.number)
    with pytest.raises(IdempotencyKeyReused):
        board.add(user_id, 3, 1, key_id="k")


def test_a_ticket_is_spent_once_on_whatever_board(redis_client: redis.Redis) -> None:
    clock = Clock()
    board = EntryBoard(redis_client, clock)
    user_id = board.main.player()
    ticket = ActionTicket.new(user_id, str(uuid4()), clock())
    entry = board.entry(user_id, 1)._replace(request_id=ticket.request_id, ticket_expires_at=ticket.expires_at)
    assert isinstance(board.attempt(entry), AcceptedEntry)
    assert isinstance(board.attempt(entry), TicketAlreadyUsed)
    with pytest.raises(TicketAlreadyUsed):
        board.main.update(user_id, ticket=ticket)


def test_numbers_are_those_of_all_boards(redis_client: redis.Redis) -> None:
    board = EntryBoard(redis_client)
    user_id = board.main.player()
    numbers = [board.main.update(user_id).number, board.add(user_id, 1).number, board.main.update(user_id).number]
    assert numbers == [Number(1, 1), Number(1, 2), Number(1, 3)]


def test_a_member_whose_score_is_lost_is_noticed(redis_client: redis.Redis) -> None:
    board = EntryBoard(redis_client)
    user_id = str(uuid4())
    board.main.profile(user_id)
    board.add(user_id, 5)
    board.client.delete(board.keys.scores("weekly", 8))
    assert board.attempt(board.entry(user_id, 1)) is Missing.MEMBER
    assert board.rows() == [(user_id, 5, 0)], "nothing was changed"


@pytest.mark.parametrize("order", ["descending", "ascending"])
@pytest.mark.parametrize("second", [0, 1, -1, LARGEST, -LARGEST])
def test_a_member_says_what_it_was_made_of(order: Any, second: int) -> None:
    board = BoardDefinition("b", "B", order=order, has_second=True)
    for number in (Number(1, 1), Number(10**8 - 2, 10**14 - 2)):
        assert parse_member(board, member_of(board, "u-1", second, number)) == (second, number, "u-1")
