"""What is read of boards equals what a few lines of Python make of the same entries, and walks miss nobody who stood still."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from shared.boards.board import MAIN
from shared.boards.board_rows import NO_BOUND, After, Around, FromRank, Page, Stale, main_state, read_place, write_place
from shared.boards.definition import BoardDefinition, Order, Period, Ties
from shared.boards.member import member_of
from shared.core.errors import InvalidParameter, LeaderboardRebuilding
from shared.core.limits import LARGEST
from shared.ledger.events import Number
from tests.contract.read_boards import HeldSeason, plain

SMALL = st.integers(-3, 3)  # many are equal
SCORES = st.one_of(SMALL, st.sampled_from([LARGEST, -LARGEST, LARGEST - 1]))
PLAYERS = [f"player-{n:02d}" for n in range(16)]
SECOND_AND_TIES: list[tuple[bool, Ties]] = [(False, "first_to_reach"), (True, "first_to_reach"), (False, "shared")]
ORDERS: list[Order] = ["descending", "ascending"]
BOARDS = st.sampled_from(
    [
        BoardDefinition("a-board", "A board", order=order, has_second=has_second, ties=ties, min_value=-LARGEST)
        for order in ORDERS
        for has_second, ties in SECOND_AND_TIES
    ]
)
ENTRIES = st.lists(st.tuples(st.sampled_from(PLAYERS), SCORES, SCORES), max_size=40)


@pytest.fixture(scope="module")
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


def held(client: redis.Redis, board: BoardDefinition, entries: list[tuple[str, int, int]]) -> HeldSeason:
    made = HeldSeason(client, board)
    for entry in entries:
        made.put(*entry)
    return made


def walk(season: HeldSeason, limit: int) -> list[Page]:
    pages = [season.page(FromRank(1), limit)]
    while (place := season.following(pages[-1])) is not None:
        pages.append(season.page(place, limit))
    return pages


@given(board=BOARDS, entries=ENTRIES, limit=st.integers(1, 7))
def test_pages_from_a_rank_around_players_and_by_cursor_are_those_of_the_oracle(
    client: redis.Redis, board: BoardDefinition, entries: list[tuple[str, int, int]], limit: int
) -> None:
    season = held(client, board, entries)
    oracle = season.oracle
    total = len(oracle.entrants)
    pages = walk(season, limit)
    assert plain(row for page in pages for row in page.rows) == oracle.rows()
    assert all(len(page.rows) == limit for page in pages[:-1])
    assert {page.total for page in pages} == {total}
    for rank in range(1, total + 2):
        assert plain(season.page(FromRank(rank), limit).rows) == oracle.from_rank(rank, limit)
    for user_id in oracle.entrants:
        assert plain(season.page(Around(user_id), limit).rows) == oracle.around(user_id, limit)
    assert season.page(Around("nobody"), limit).rows == []


@given(board=BOARDS, entries=ENTRIES, neighbours=st.integers(0, 3))
def test_places_of_players_are_those_of_the_oracle(
    client: redis.Redis, board: BoardDefinition, entries: list[tuple[str, int, int]], neighbours: int
) -> None:
    season = held(client, board, entries)
    [(period, number, total, around)] = season.players(PLAYERS, neighbours).seasons
    assert (period, number, total) == (season.period, 1, len(season.oracle.entrants))
    for user_id, rows in zip(PLAYERS, around, strict=True):
        expected = season.oracle.beside(user_id, neighbours) if user_id in season.oracle.entrants else []
        assert plain(rows) == expected


@given(data=st.data(), board=BOARDS, entries=ENTRIES, limit=st.integers(1, 4))
def test_a_walk_while_scores_change_shows_nobody_twice_and_all_who_stood_still(
    client: redis.Redis, data: Any, board: BoardDefinition, entries: list[tuple[str, int, int]], limit: int
) -> None:
    season = held(client, board, entries)
    before, touched = dict(season.oracle.entrants), set[str]()
    page = season.page(FromRank(1), limit)
    shown = plain(page.rows)
    while (place := season.following(page)) is not None:
        for user_id, score, second in data.draw(st.lists(st.tuples(st.sampled_from(PLAYERS), SCORES, SCORES), max_size=3)):
            touched.add(user_id)
            season.put(user_id, score, second)
        for user_id in data.draw(st.lists(st.sampled_from(PLAYERS), max_size=1)):
            touched.add(user_id)
            season.take(user_id)
        page = season.page(place, limit)
        ranks = {row.user_id: row.rank for row in season.oracle.rows()}
        assert all(row.rank == ranks[row.user_id] for row in page.rows)
        assert len(page.rows) == limit or page.following is None
        shown += plain(page.rows)
    ids = [row.user_id for row in shown]
    assert len(ids) == len(set(ids))
    assert before.keys() - touched <= set(ids) <= before.keys()


@given(data=st.data(), board=BOARDS, entries=ENTRIES.filter(bool))
def test_a_page_begins_after_a_place_where_nobody_stands_any_more(
    client: redis.Redis, data: Any, board: BoardDefinition, entries: list[tuple[str, int, int]]
) -> None:
    season = held(client, board, entries)
    rows = season.page(FromRank(1), len(PLAYERS)).rows
    place = data.draw(st.integers(0, len(rows) - 1))
    for row in data.draw(st.lists(st.sampled_from(rows))):
        season.take(row.user_id)
    left = [row.user_id for row in rows[place + 1 :] if row.user_id in season.oracle.entrants]
    page = season.page(After(rows[place].score, rows[place].member, NO_BOUND), len(PLAYERS))
    assert [row.user_id for row in page.rows] == left


def test_reading_writes_nothing(client: redis.Redis) -> None:
    season = held(client, BoardDefinition("b", "B"), [(user_id, 5, 0) for user_id in PLAYERS])
    before = {key: client.dump(key) for key in client.scan_iter(f"{season.shard.prefix}*")}
    member = member_of(season.board, "gone", 0, Number(1, 3))
    season.page(After(5, member, Number(99, 1)), 3)
    season.players(PLAYERS, 2)
    assert {key: client.dump(key) for key in client.scan_iter(f"{season.shard.prefix}*")} == before


def test_a_page_after_very_many_who_changed_is_shorter_and_says_where_to_go_on(client: redis.Redis) -> None:
    season = held(client, BoardDefinition("b", "B"), [("first", 100, 0), ("last", 1, 0)])
    place = season.following(season.page(FromRank(1), 1))
    assert place is not None
    later = {member_of(season.board, f"u-{n}", 0, Number(2, n)): 50 for n in range(10_400)}
    client.zadd(season.keys.scores(season.period, 1), later)
    page = season.page(place, 10)
    assert (page.rows, page.following is None) == ([], False)
    place = season.following(page)
    assert place is not None
    page = season.page(place, 10)
    assert ([row.user_id for row in page.rows], page.following) == (["last"], None)


def test_a_state_that_is_out_of_date_is_told_with_the_time(client: redis.Redis) -> None:
    season = held(client, BoardDefinition("b", "B", periods=(Period("all_time"), Period("week"))), [("ada", 5, 0)])
    now = int(client.time()[0] * 1000)
    over = replace(season.state, seasons=tuple(one._replace(until=now) for one in season.state.seasons[:1]))
    for state in (replace(season.state, version="another"), over):
        for asked in (
            season.scores.page(state, season.period, 1, FromRank(1), 10, ""),
            season.scores.players(state, [(season.period, 1)], ["ada"], 0, ""),
        ):
            answer = season.scores.answer(asked)  # type: ignore[misc]
            assert isinstance(answer, Stale)
            assert now <= answer.now < now + 60_000


def test_while_a_redis_is_not_whole_it_knows_no_places(client: redis.Redis) -> None:
    season = held(client, BoardDefinition("b", "B"), [("ada", 5, 0)])
    client.delete(f"{season.shard.prefix}leaderboard:whole")
    with pytest.raises(LeaderboardRebuilding):
        season.page(FromRank(1), 10)
    with pytest.raises(LeaderboardRebuilding):
        season.players(["ada"], 1)


def test_the_specifications_board_is_read_by_the_same_scripts(client: redis.Redis) -> None:
    season = held(client, BoardDefinition("b", "B"), [])
    points = {f"u-{n:02d}": n // 3 for n in range(20)}
    client.zadd(MAIN.keys(season.shard).leaderboard, {MAIN.member(user_id): score for user_id, score in points.items()})
    expected = sorted(points, key=lambda user_id: (points[user_id], user_id), reverse=True)
    season.state, season.period = main_state(is_public=True), "all_time"
    pages = walk(season, 6)
    assert [row.user_id for page in pages for row in page.rows] == expected
    assert [row.rank for page in pages for row in page.rows] == list(range(1, 21))
    assert [row.score for row in pages[0].rows] == [6, 6, 5, 5, 5, 4]
    assert [row.user_id for row in season.page(Around(expected[9]), 3).rows] == expected[8:11]
    [(_, _, total, [rows, nobody])] = season.players([expected[4], "nobody"], 1).seasons
    assert (total, [row.user_id for row in rows], nobody) == (20, expected[3:6], [])


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "before:1",
        "place:",
        "place:[]",
        'place:["x","a",1,1,true,1,1]',
        'place:["x","a",1,1,1.5,1,1]',
        'place:["x","a",1,1,1,1,"b"]',
        'place:["x","a",1,1,"\\ud800",1,1]',
        'place:["x","a",1,1,"\\u0000",1,1]',
        'place:["x","a",1,1,"b",9007199254740991,1]',
        'place:["x","a",1,1,"b",1,9007199254740991]',
        'place:["x","a",1,1,"b",-1,1]',
        'place:["x","a",0,1,"b",1,1]',
        'place:["x","a",1,9007199254740992,"b",1,1]',
    ],
)
def test_a_made_up_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        read_place("x", base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))


def test_a_cursor_is_read_as_it_was_written() -> None:
    place = After(-5, "00000001ada", Number(3, 4))
    cursor = write_place("cups", "all_time", 7, place)
    assert read_place("cups", cursor) == ("all_time", 7, place)
    with pytest.raises(InvalidParameter):
        read_place("mugs", cursor)
