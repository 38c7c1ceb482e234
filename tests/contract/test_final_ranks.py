"""Closed seasons in PostgreSQL are read as they would have been before they were closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.boards.board_rows import NO_BOUND
from shared.boards.definition import BoardDefinition, Order, Ties
from shared.boards.final_ranks_postgresql import FinalRanks
from shared.boards.member import Member
from shared.ledger.events import Number
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from tests.contract.read_boards import Entrant, Oracle
from tests.support.product import query

BOARD, PERIOD, SEASON = "a-board", "week", 3
PLAYERS = 24
ADD_USER = "INSERT INTO users (user_id, username, hashed_password, api_key, role) VALUES (:id, :id, 'h', :id, 'player')"
ADD_TOTAL = (
    "INSERT INTO season_totals VALUES"
    " (:board, :period, :season, :id, :score, :second, :epoch, :sequence, :id, CAST(:epoch AS bigint), CAST(:sequence AS bigint))"
)
ADD_RANK = "INSERT INTO final_ranks VALUES (:board, :period, :season, :version, :position, :rank, :id, :score, :second)"


class Closed:
    """A closed season of a database of its own, with the season as it was."""

    def __init__(self, url: str, board: BoardDefinition) -> None:
        self.url, self.board = url, board
        self.pool = Pool(url)
        self.ranks = FinalRanks(self.pool)
        self.oracle = Oracle(board, {})
        of = {"board": BOARD, "period": PERIOD, "season": SEASON}
        with self.pool.transaction("make_season") as session:
            session.run("INSERT INTO boards (board_id, definition) VALUES (:board, '{}')", board=BOARD)
            session.run("INSERT INTO board_seasons VALUES (:board, :period, :season, now(), now(), now(), 2)", **of)
            for number in range(PLAYERS):
                user_id = f"player-{number:02d}"
                second = number * 5 % 3 - 1 if board.has_second else 0
                one = Entrant(user_id, number * 7 % 5 - 2, second, Number(1 + number // 9, 1 + number % 9))
                self.oracle.entrants[user_id] = one
                session.run(ADD_USER, id=user_id)
                session.run(
                    ADD_TOTAL, **of, id=user_id, score=one.score, second=second, epoch=one.number[0], sequence=one.number[1]
                )
            self._write(session, 1)
            del self.oracle.entrants["player-11"]  # whose entries did not count after all
            self._write(session, 2)

    def _write(self, session: Session, version: int) -> None:
        of = {"board": BOARD, "period": PERIOD, "season": SEASON, "version": version}
        for position, row in enumerate(self.oracle.rows(), 1):
            own = {"id": row.user_id, "score": row.score, "second": row.second}
            session.run(ADD_RANK, **of, position=position, rank=row.rank, **own)


@pytest.fixture(
    params=[
        (order, second, ties)
        for order in ("descending", "ascending")
        for second, ties in ((False, "first_to_reach"), (True, "first_to_reach"), (False, "shared"))
    ],
    ids=str,
)
def closed(own_database_url: str, request: pytest.FixtureRequest) -> Iterator[Closed]:
    order: Order
    ties: Ties
    order, has_second, ties = request.param
    made = Closed(own_database_url, BoardDefinition(BOARD, "A board", order=order, has_second=has_second, ties=ties))
    yield made
    made.pool.close()


def test_pages_are_those_of_the_oracle(closed: Closed) -> None:
    rows = closed.oracle.rows()
    for position in range(len(rows) + 1):
        page = closed.ranks.page(BOARD, PERIOD, SEASON, 2, position=position, number=NO_BOUND, limit=5)
        assert (page.rows, page.total) == (rows[position : position + 5], len(rows))
        assert list(page.positions) == list(range(position + 1, min(position + 5, len(rows)) + 1))
        assert page.following == (position + 5 if position + 5 < len(rows) else None)
    for rank in range(1, len(rows) + 2):
        position = closed.ranks.before_rank(closed.board, PERIOD, SEASON, 2, rank)
        page = closed.ranks.page(BOARD, PERIOD, SEASON, 2, position=position, number=NO_BOUND, limit=5)
        assert page.rows == closed.oracle.from_rank(rank, 5)


def test_a_page_has_no_score_that_a_later_entry_made(closed: Closed) -> None:
    bound = Number(2, 4)
    page = closed.ranks.page(BOARD, PERIOD, SEASON, 2, position=0, number=bound, limit=PLAYERS)
    assert page.rows == [row for row in closed.oracle.rows() if closed.oracle.entrants[row.user_id].number <= bound]


def test_a_page_without_any_of_very_many_rows_says_where_to_go_on(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.boards.final_ranks_postgresql.MOST", 4)
    page = closed.ranks.page(BOARD, PERIOD, SEASON, 2, position=3, number=Number(0, 0), limit=2)
    assert (page.rows, page.following) == ([], 7)
    page = closed.ranks.page(BOARD, PERIOD, SEASON, 2, position=PLAYERS - 4, number=Number(0, 0), limit=2)
    assert (page.rows, page.following) == ([], None)


def test_a_place_has_its_position_whether_or_not_somebody_stands_there(closed: Closed) -> None:
    rows = closed.oracle.rows()
    for position, row in enumerate(rows, 1):
        member = Member(row.second, closed.oracle.entrants[row.user_id].number, row.user_id)
        assert closed.ranks.position_of(closed.board, PERIOD, SEASON, 2, row.score, member) == position
        # With epochs that nobody has: just before, and behind all who have the same score and second column.
        before = member._replace(number=Number(0, 1))
        equal = [one for one in rows if (one.score, one.second) == (row.score, row.second)]
        assert closed.ranks.position_of(closed.board, PERIOD, SEASON, 2, row.score, before) == rows.index(equal[0])
        behind = member._replace(number=Number(99, 1))
        assert closed.ranks.position_of(closed.board, PERIOD, SEASON, 2, row.score, behind) == rows.index(equal[-1]) + 1


def test_an_earlier_version_stays_and_one_that_never_was_is_empty(closed: Closed) -> None:
    page = closed.ranks.page(BOARD, PERIOD, SEASON, 1, position=0, number=NO_BOUND, limit=100)
    assert len(page.rows) == page.total == PLAYERS
    assert closed.ranks.page(BOARD, PERIOD, SEASON, 7, position=0, number=NO_BOUND, limit=100).total == 0
    assert closed.ranks.position_of(closed.board, PERIOD, SEASON, 7, 1, Member(0, Number(1, 1), "x")) == 0


def test_disabled_accounts_are_left_out(closed: Closed) -> None:
    query(closed.url, "UPDATE users SET disabled = true WHERE user_id = 'player-03'")
    page = closed.ranks.page(BOARD, PERIOD, SEASON, 2, position=0, number=NO_BOUND, limit=100)
    assert page.rows == [row for row in closed.oracle.rows() if row.user_id != "player-03"]
    found = closed.ranks.players(BOARD, PERIOD, SEASON, 2, ["player-03", "player-05", "player-11", "nobody"])
    assert found.rows == [row for row in closed.oracle.rows() if row.user_id == "player-05"]


def test_what_is_known_of_a_season(closed: Closed) -> None:
    found = closed.ranks.season(BOARD, PERIOD, SEASON)
    assert found is not None
    assert (found.number, found.version, found.has_entries) == (SEASON, 2, True)
    assert found.as_of is not None
    assert closed.ranks.season(BOARD, PERIOD, 4) is None
    assert closed.ranks.season(BOARD, "month", SEASON) is None
