"""What a process knows of boards: put by one, seen by all, and filled from the ledger when Redis lost it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from shared.boards.entry import BoardMoved
from shared.boards.fill_boards import fill_board
from shared.boards.known_boards import KnownBoards
from shared.boards.season import NEVER, Season, begun
from shared.boards.seasons_postgresql import BoardSeasons
from shared.boards.states_redis import Reset
from shared.boards.turn_seasons import turn_seasons
from shared.core.errors import LeaderboardRebuilding, UnknownBoard
from shared.ledger.events import Number
from tests.contract.seasons import A_DAY, ACTOR, BoardsStage

DAILY = {"name": "daily", "cron": "0 0 * * *"}
ALL_TIME = {"name": "all_time"}


@pytest.fixture
def stage(own_database_url: str, redis_client: redis.Redis) -> Iterator[BoardsStage]:
    made = BoardsStage(own_database_url, redis_client)
    yield made
    made.pool.close()


def test_the_first_who_asks_for_a_board_puts_it(stage: BoardsStage) -> None:
    board, now = stage.define(periods=[DAILY, ALL_TIME]), stage.states.now()
    state = stage.known.get("cups")
    assert (state.definition, stage.held()) == (board, state)
    daily, total = state.seasons
    assert (daily.number, daily.until - daily.starts_at, daily.starts_at % A_DAY) == (1, A_DAY, 0)
    assert (total.number, total.until) == (1, NEVER)
    assert 0 <= total.starts_at - now < 60_000
    assert stage.process().get("cups") == state
    assert stage.known.get("cups") is state


@pytest.mark.parametrize("board_id", ["cups", "main"])
def test_what_nobody_defined_is_unknown(stage: BoardsStage, board_id: str) -> None:
    with pytest.raises(UnknownBoard):
        stage.known.get(board_id)


def test_one_of_many_rolls_and_all_know_it(stage: BoardsStage) -> None:
    stage.define(periods=[DAILY])
    before = stage.known.get("cups")
    now = before.until
    processes = [stage.process() for _ in range(8)]
    with ThreadPoolExecutor(len(processes)) as threads:
        states = list(threads.map(lambda process: process.renewed("cups", now), processes))
    assert len({state.version for state in states}) == 1
    assert states[0].seasons == (Season("daily", 2, now, now + A_DAY),)
    held = stage.states.load("cups")
    assert held is not None
    assert held.ended == list(before.seasons)


def test_a_version_that_is_out_of_date_puts_nothing(stage: BoardsStage) -> None:
    stage.define()
    first = stage.known.get("cups")
    second = stage.states.put(first.version, first)
    assert second is not None
    assert second.version != first.version
    assert stage.states.put(first.version, first) is None
    assert stage.states.put("", first) is None
    assert stage.held() == second


def test_nothing_is_put_while_redis_is_empty(stage: BoardsStage) -> None:
    stage.define()
    stage.client.delete(stage.keys.whole)
    with pytest.raises(LeaderboardRebuilding):
        stage.known.get("cups")
    assert stage.states.load("cups") is None
    assert stage.asked == 1


def test_another_definition_counts_at_once_and_open_seasons_go_on(stage: BoardsStage) -> None:
    stage.define(title="Cups", periods=[DAILY, ALL_TIME])
    before = stage.known.get("cups")
    stage.define(title="Mugs", periods=[ALL_TIME, {"name": "season"}])
    stage.known.redefined("cups")
    state = stage.known.get("cups")
    assert state == stage.held()
    assert (state.definition.title, state.version != before.version) == ("Mugs", True)
    assert state.seasons[0] == before.seasons[1]
    assert (state.seasons[1].period, state.seasons[1].number) == ("season", 1)
    held = stage.states.load("cups")
    assert held is not None
    assert [season[:3] for season in held.ended] == [before.seasons[0][:3]]
    stage.known.redefined("cups")
    assert stage.held() == state


def test_entries_that_come_while_their_meaning_is_changed_are_named_anew(stage: BoardsStage) -> None:
    """The board leaves Redis, and is filled with what the ledger makes of them."""
    board = stage.define(periods=[ALL_TIME])
    [season] = stage.known.get("cups").seasons
    stage.define(order="ascending", periods=[ALL_TIME])
    stage.enter(board, season, 5)
    stage.known.redefined("cups")
    assert stage.states.load("cups") is None
    assert stage.asked == 1


def test_a_change_of_one_period_leaves_those_of_another_where_they_are(stage: BoardsStage) -> None:
    board = stage.define(periods=[ALL_TIME, DAILY])
    total, _ = stage.known.get("cups").seasons
    stage.enter(board, total, 5)
    stage.define(periods=[ALL_TIME, DAILY | {"cron": "0 6 * * *"}])
    stage.known.redefined("cups")
    assert stage.states.load("cups") is not None
    assert stage.asked == 0


def test_a_deleted_board_leaves_with_its_keys(stage: BoardsStage) -> None:
    board = stage.define(periods=[DAILY, ALL_TIME])
    for season in stage.known.get("cups").seasons:
        stage.enter(board, season, 5)
    tomorrow = stage.known.renewed("cups", stage.held().until)
    stage.enter(board, tomorrow.seasons[0], 5)
    stage.boards.delete("cups", ACTOR)
    stage.known.redefined("cups")
    assert stage.contents() == {}
    for process in (stage.known, stage.process()):
        with pytest.raises(UnknownBoard):
            process.get("cups")


def test_the_definition_that_was_read_last_counts(stage: BoardsStage) -> None:
    stage.define()
    stage.known.get("cups")

    def change(number: int) -> None:
        stage.define(title=f"Cups {number}")
        stage.process().redefined("cups")

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(change, range(12)))
    assert stage.held().definition == stage.boards.get("cups")


@pytest.mark.parametrize("members", [{}, {"order": "ascending", "operator": "best"}, {"secondColumn": True, "operator": "best"}])
def test_a_board_that_redis_lost_is_filled_with_what_it_had(stage: BoardsStage, members: dict[str, Any]) -> None:
    board = stage.define(periods=[DAILY, ALL_TIME], minValue=-10, **members)
    seasons = stage.known.get("cups").seasons
    for score in (5, 5, -3, 0):
        for season in seasons:
            stage.enter(board, season, score, second=-score if board.has_second else 0)
    before = stage.contents()
    stage.lose_redis()
    with pytest.raises(LeaderboardRebuilding):
        stage.process().get("cups")
    assert (stage.asked, stage.contents()) == (1, {})
    [listed] = stage.process().all(stage.boards.list())
    assert listed.seasons == ()
    assert stage.states.load("cups") is None
    assert fill_board("cups", stage.stores)
    assert stage.contents() == before
    state = stage.process().get("cups")
    assert [season[:2] for season in state.seasons] == [season[:2] for season in seasons]
    assert state.seasons[0] == seasons[0]
    assert not fill_board("cups", stage.stores)
    assert stage.contents() == before
    assert all(stage.client.ttl(key) == -1 for key in stage.client.scan_iter(f"{stage.shard.prefix}*"))


def test_disabled_accounts_are_filled_in_beside_the_board(stage: BoardsStage) -> None:
    board = stage.define()
    [season] = stage.known.get("cups").seasons
    shown = stage.enter(board, season, 5)
    hidden = stage.enter(board, season, 7, stage.player(disabled=True))
    stage.lose_redis()
    assert fill_board("cups", stage.stores)
    contents = stage.contents()
    members = contents["all_time:1:members"]
    assert contents["all_time:1"] == {members[shown]: 5}
    assert contents["all_time:1:hidden"] == {members[hidden]: 7}


def test_a_board_is_never_half_filled(stage: BoardsStage) -> None:
    board = stage.define()
    [season] = stage.known.get("cups").seasons
    stage.enter(board, season, 5)
    stage.lose_redis()

    def interrupted() -> Iterator[Any]:
        yield from ((season, page) for page in stage.seasons.standings(board, season))
        stage.client.delete(*stage.client.scan_iter(f"{stage.shard.prefix}*:building:*"))

    state = begun(board, stage.states.now(), stage.seasons.newest("cups"))
    with pytest.raises(redis.ResponseError, match="lost"):
        stage.states.fill(state, interrupted())
    assert stage.states.load("cups") is None
    assert stage.contents() == {}


def test_what_the_ledger_knows_of_seasons_outlives_redis(stage: BoardsStage) -> None:
    board = stage.define(periods=[DAILY, {"name": "cup"}])
    now = stage.states.now()
    midnight = now - now % A_DAY
    stage.run(
        "INSERT INTO board_seasons (board_id, period, season, starts_at, ends_at) VALUES"
        " ('cups', 'daily', 4, to_timestamp(:midnight / 1000.0) - INTERVAL '1 day', to_timestamp(:midnight / 1000.0)),"
        " ('cups', 'cup', 3, to_timestamp(:midnight / 1000.0), NULL)",
        midnight=midnight,
    )
    daily, cup = stage.process().get("cups").seasons
    assert daily == Season("daily", 5, midnight, midnight + A_DAY)
    assert cup == Season("cup", 3, midnight, NEVER)
    stage.lose_redis()
    # Entries of a season that was begun a moment before Redis was lost, and is written nowhere else.
    stage.record(board, daily._replace(number=6), 5, stage.player(), Number(1, 1))
    assert stage.seasons.newest("cups")[-1] == Season("daily", 6, midnight, NEVER)
    fill_board("cups", stage.stores)
    assert stage.held().seasons[0] == Season("daily", 6, midnight, midnight + A_DAY)


def test_seasons_that_nobody_wrote_down_before_redis_was_lost_are_where_their_entries_were(stage: BoardsStage) -> None:
    board = stage.define(periods=[DAILY])
    now = stage.states.now()
    midnight = now - now % A_DAY
    stage.run("UPDATE boards SET created_at = created_at - INTERVAL '30 days'")
    for season, days_ago in ((1, 20), (2, 7), (3, 0)):  # in the days between nobody played
        begins = midnight - days_ago * A_DAY
        stage.record(board, Season("daily", season, 0, 0), season, stage.player(), Number(1, season))
        stage.run(
            "INSERT INTO score_entries (request_id, board_id, user_id, value, second, places, epoch, sequence, accepted_at)"
            " SELECT request_id, board_id, user_id, score, 0, '', epoch, sequence, to_timestamp(:at / 1000.0)"
            " FROM season_totals WHERE season = :season",
            season=season, at=begins + 1000,
        )  # fmt: skip
    fill_board("cups", stage.stores)
    held = stage.states.load("cups")
    assert held is not None
    assert held.state.seasons == (Season("daily", 3, midnight, midnight + A_DAY),)
    ended = [
        Season("daily", season, midnight - days * A_DAY, midnight - (days - 1) * A_DAY) for season, days in ((1, 20), (2, 7))
    ]
    assert sorted(held.ended) == ended
    assert turn_seasons(stage.stores, stage.known, stage.pipeline) == {"boards": 1, "closed": 2}
    assert stage.run("SELECT season, score FROM final_ranks ORDER BY season") == [[1, 1], [2, 2]]


def test_a_season_ends_now_and_the_next_one_begins(stage: BoardsStage) -> None:
    stage.define(periods=[DAILY, {"name": "cup"}])
    state = stage.known.get("cups")
    reset = stage.states.reset(state, "cup", "request-1")
    assert isinstance(reset, Reset)
    assert reset.ended[:3] == state.seasons[1][:3]
    daily, cup = stage.held().seasons
    assert daily == state.seasons[0]
    assert cup == reset.began == Season("cup", 2, reset.ended.until, NEVER)
    assert stage.states.reset(state, "cup", "request-1") == reset, "the same request"
    assert isinstance(stage.states.reset(state, "cup", "request-2"), BoardMoved)
    held = stage.states.load("cups")
    assert held is not None
    assert held.ended == [reset.ended]


def test_a_season_with_an_end_of_its_own_is_followed_by_one_with_that_end(stage: BoardsStage) -> None:
    stage.define(periods=[DAILY])
    state = stage.known.get("cups")
    reset = stage.states.reset(state, "daily", "request-1")
    assert isinstance(reset, Reset)
    assert reset.began.until == state.seasons[0].until


def test_a_period_in_which_none_is_open_cannot_be_reset(stage: BoardsStage) -> None:
    stage.define(periods=[{"name": "cup", "endsAt": "2020-01-01T00:00:00Z"}])
    assert stage.states.reset(stage.known.get("cups"), "cup", "request-1") is None


def test_the_busiest_boards_come_first(stage: BoardsStage) -> None:
    for board_id, entries in (("calm", 1), ("busy", 3), ("idle", 0)):
        stage.define(board_id)
        for _ in range(entries):
            number = next(stage.numbers)
            stage.run(
                "INSERT INTO score_entries (request_id, board_id, user_id, value, second, places, epoch, sequence, accepted_at)"
                " VALUES (:id, :board_id, :user_id, 1, 0, '', 1, :number, now())",
                id=f"r-{number}", board_id=board_id, user_id=stage.player(), number=number,
            )  # fmt: skip
    assert stage.seasons.boards_by_traffic() == ["busy", "calm", "idle"]
    assert stage.states.lacking(["busy", "calm", "idle"]) == ["busy", "calm", "idle"]
    stage.known.get("calm")
    assert stage.states.lacking(["busy", "calm", "idle"]) == ["busy", "idle"]


def test_a_board_that_others_put_and_played_on_meanwhile_is_not_taken_for_lost(stage: BoardsStage) -> None:
    board = stage.define()

    class Slow(BoardSeasons):
        def newest(self, board_id: str) -> list[Season]:
            """Read when the others have played already, though Redis was looked at before them."""
            stage.enter(board, stage.known.get(board_id).seasons[0], 5)
            return super().newest(board_id)

    process = KnownBoards(stage.states, stage.boards, Slow(stage.pool), lambda: None)
    assert process.get("cups") == stage.held()
