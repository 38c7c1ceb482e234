"""Seasons that have ended are closed once, with everything that was accepted in them, whatever dies meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import redis

from shared.boards.fill_boards import fill_boards
from shared.boards.season import Season
from shared.boards.seasons_postgresql import DueSeason
from shared.boards.turn_seasons import turn_seasons
from shared.core.errors import LedgerBehind
from shared.ledger.events import Number
from shared.stores.postgresql.session import Session, int_array, text_array
from shared.stores.postgresql.statements import statement
from tests.contract.read_boards import Entrant, Oracle
from tests.contract.seasons import A_DAY, ACTOR, BoardsStage

DAILY = {"name": "daily", "cron": "0 0 * * *"}
ALL_TIME = {"name": "all_time"}
Ranks = list[tuple[int, int, str, int, int]]


@pytest.fixture
def stage(own_database_url: str, redis_client: redis.Redis) -> Iterator[BoardsStage]:
    made = BoardsStage(own_database_url, redis_client)
    yield made
    made.pool.close()


def turn(stage: BoardsStage) -> dict[str, Any]:
    return turn_seasons(stage.stores, stage.known, stage.pipeline)


def yesterday(stage: BoardsStage) -> Season:
    """The board as it was a day ago; returns its first season."""
    return stage.known.renewed("cups", stage.states.now() - A_DAY).seasons[0]


def rows(stage: BoardsStage) -> list[tuple[str, int, bool, int]]:
    """Period, season, whether it is closed, version."""
    found = stage.run("SELECT period, season, closed_at IS NOT NULL, version FROM board_seasons ORDER BY period, season")
    return [(period, season, closed, version) for period, season, closed, version in found]


def ranks(stage: BoardsStage, version: int = 1, season: int = 1) -> Ranks:
    found = stage.run(
        "SELECT position, rank, user_id, score, second FROM final_ranks"
        " WHERE board_id = 'cups' AND period = 'daily' AND season = :season AND version = :version ORDER BY position",
        season=season, version=version,
    )  # fmt: skip
    return [(position, rank, user_id, score, second) for position, rank, user_id, score, second in found]


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"order": "ascending", "operator": "best"},
        {"ties": "shared"},
        {"order": "ascending", "ties": "shared", "operator": "latest"},
        {"secondColumn": True, "operator": "best"},
        {"secondColumn": True, "order": "ascending", "operator": "best"},
    ],
)
def test_final_ranks_are_those_that_the_board_had(stage: BoardsStage, members: dict[str, Any]) -> None:
    board = stage.define(periods=[DAILY], minValue=-5, **members)
    season = yesterday(stage)
    entrants = {}
    for place in range(30):
        number = Number(1 + place * 11 % 30 // 7, 1 + place * 11 % 30)  # in another order than that of the rows
        second = place * 7 % 5 - 2 if board.has_second else 0
        entrant = Entrant(stage.player(), place * 13 % 4 - 2, second, number)
        stage.record(board, season, entrant.score, entrant.user_id, number, second)
        entrants[entrant.user_id] = entrant
    stage.record(board, season, 4, stage.player(disabled=True), Number(9, 9))
    assert turn(stage) == {"boards": 1, "closed": 1}
    expected = Oracle(board, entrants).rows()
    assert ranks(stage) == [(place, row.rank, row.user_id, row.score, row.second) for place, row in enumerate(expected, 1)]


def test_a_season_that_has_ended_is_closed_and_leaves_redis(stage: BoardsStage) -> None:
    board = stage.define(periods=[DAILY, ALL_TIME])
    season = yesterday(stage)
    player = stage.enter(board, season, 5)
    assert turn(stage) == {"boards": 1, "closed": 1}
    assert rows(stage) == [("all_time", 1, False, 0), ("daily", 1, True, 1), ("daily", 2, False, 0)]
    assert ranks(stage) == [(1, 1, player, 5, 0)]
    assert stage.contents() == {}
    held = stage.states.load("cups")
    assert held is not None
    assert held.ended == []
    [[starts_at, ends_at]] = stage.run(
        "SELECT CAST(extract(epoch FROM starts_at) * 1000 AS bigint), CAST(extract(epoch FROM ends_at) * 1000 AS bigint)"
        " FROM board_seasons WHERE period = 'daily' AND season = 1"
    )
    assert (starts_at, ends_at) == (season.starts_at, season.until)
    assert turn(stage) == {"boards": 1, "closed": 0}


def test_what_was_accepted_before_the_boundary_is_recorded_first(stage: BoardsStage) -> None:
    stage.define(periods=[DAILY])
    yesterday(stage)
    player = stage.player()
    stage.accept(stage.held(), player, 7)
    assert turn(stage)["closed"] == 1
    assert ranks(stage) == [(1, 1, player, 7, 0)]


def test_seasons_without_anybody_in_them_are_closed_too(stage: BoardsStage) -> None:
    stage.define(periods=[{"name": "daily", "cron": "0 0 * * *"}])
    state = stage.known.renewed("cups", stage.states.now() - 4 * A_DAY)
    for _ in range(3):
        state = stage.known.renewed("cups", state.until)
    assert turn(stage)["closed"] == 4
    assert [row for row in rows(stage) if row[2]] == [("daily", number, True, 1) for number in (1, 2, 3, 4)]


def test_a_late_entry_makes_another_version(stage: BoardsStage) -> None:
    stage.define(periods=[DAILY])
    yesterday(stage)
    first, late = stage.player(), stage.player()
    stage.accept(stage.held(), first, 5)
    event = stage.accept(stage.held(), late, 8)
    stage.client.xdel(stage.shard.outbox, event.outbox_id)  # a dead letter
    turn(stage)
    assert ranks(stage) == [(1, 1, first, 5, 0)]
    assert stage.ledger.record([event]).new == 1
    assert rows(stage)[0] == ("daily", 1, False, 1)
    assert turn(stage)["closed"] == 1
    assert rows(stage)[0] == ("daily", 1, True, 2)
    assert ranks(stage, 2) == [(1, 1, late, 8, 0), (2, 2, first, 5, 0)]
    assert ranks(stage, 1) == [(1, 1, first, 5, 0)]


def test_an_entry_that_comes_while_a_season_is_being_closed_is_in_its_ranks(
    stage: BoardsStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.define(periods=[DAILY])
    yesterday(stage)
    player = stage.player()
    event = stage.accept(stage.held(), player, 5)
    stage.client.xdel(stage.shard.outbox, event.outbox_id)
    stage.known.renewed("cups", stage.states.now())
    stage.seasons.note({"cups": stage.states.load_all(["cups"])["cups"].ended})
    [due] = stage.seasons.due(stage.states.now())
    transaction = stage.pool.transaction

    @contextmanager
    def interrupted(name: str, *how: float) -> Iterator[Session]:
        with transaction(name, *how) as session:
            run = session.run

            def run_and_record(sql: str, **given: Any) -> list[list[Any]]:
                answer = run(sql, **given)
                if sql == statement("add_final_ranks"):
                    stage.ledger.record([event])
                return answer

            with monkeypatch.context() as changed:
                changed.setattr(session, "run", run_and_record)
                yield session

    monkeypatch.setattr(stage.pool, "transaction", interrupted)
    with pytest.raises(LedgerBehind):
        stage.seasons.close(due)
    monkeypatch.undo()
    assert ranks(stage) == []
    assert turn(stage)["closed"] == 1
    assert ranks(stage) == [(1, 1, player, 5, 0)]


def test_a_late_entry_looks_at_its_own_season_alone(stage: BoardsStage) -> None:
    stage.define(periods=[DAILY])
    stage.run(
        "INSERT INTO boards (board_id, definition) SELECT 'cups' || n, definition FROM boards, generate_series(1, 500) AS n"
    )
    stage.run(
        "INSERT INTO board_seasons (board_id, period, season, starts_at, ends_at, closed_at, version)"
        " SELECT board_id, 'daily', number, now(), now(), now(), 1 FROM boards, generate_series(1, 100) AS number"
    )
    for table in ("boards", "board_seasons"):
        stage.run(f"ANALYZE {table}")
    texts = ("request_ids", "board_ids", "user_ids", "metadata", "places", "source_ips", "writers")
    numbers = ("values", "seconds", "accepted_ats", "epochs", "sequences")
    given = {name: text_array(["x"] * 500) for name in texts} | {name: int_array([1] * 500) for name in numbers}
    plan = [line for [line] in stage.run(f"EXPLAIN {statement('record_entries')}", **given)]
    read = [line.strip(" ->").partition("  ")[0] for line in plan if " on board_seasons" in line and "Scan" in line]
    assert {line.partition(" on ")[0] for line in read} == {"Index Scan using board_seasons_pkey"}


def test_a_season_is_closed_when_it_is_over_by_the_clocks_of_both_stores(stage: BoardsStage) -> None:
    """Where that of the ledger is behind a late entry does not see that its season has ended, and nobody that it came."""
    stage.define(periods=[DAILY])
    yesterday(stage)
    stage.known.renewed("cups", stage.states.now())
    held = stage.states.load_all(["cups"])["cups"]
    stage.seasons.note({"cups": [*held.ended, *held.state.open_seasons]})
    assert [due.number for due in stage.seasons.due(stage.states.now() + 2 * A_DAY)] == [1]
    assert stage.seasons.due(stage.states.now() - 2 * A_DAY) == []


class Killed(BaseException):
    """Nothing after it is carried out."""


STEPS = (
    ("states", "put"),
    ("seasons", "note"),
    ("seasons", "due"),
    ("seasons", "close"),
    ("seasons", "closed"),
    ("states", "forget"),
)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("store", "step"), STEPS)
def test_a_run_that_died_is_completed_by_the_next_one(stage: BoardsStage, store: str, step: str, *, after: bool) -> None:
    stage.define(periods=[DAILY, ALL_TIME])
    yesterday(stage)
    player = stage.player()
    stage.accept(stage.held(), player, 7)
    dying = getattr(stage, store)
    lives: Callable[..., Any] = getattr(dying, step)

    def dies(*arguments: Any, **named: Any) -> Any:
        if after:
            lives(*arguments, **named)
        raise Killed

    setattr(dying, step, dies)
    with pytest.raises(Killed):
        turn(stage)
    delattr(dying, step)
    with suppress(LedgerBehind):
        turn(stage)
    turn(stage)
    assert rows(stage) == [("all_time", 1, False, 0), ("daily", 1, True, 1), ("daily", 2, False, 0)]
    assert ranks(stage) == [(1, 1, player, 7, 0)]
    assert {key.partition(":")[0] for key in stage.contents()} == {"all_time"}


def test_a_season_that_cannot_be_closed_yet_holds_up_no_other(stage: BoardsStage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.define(periods=[{"name": "daily", "cron": "0 0 * * *"}])
    state = stage.known.renewed("cups", stage.states.now() - 3 * A_DAY)
    for _ in range(2):
        state = stage.known.renewed("cups", state.until)
    close = stage.seasons.close

    def close_all_but_the_first(season: DueSeason) -> int | None:
        if season.number == 1:
            raise LedgerBehind
        return close(season)

    monkeypatch.setattr(stage.seasons, "close", close_all_but_the_first)
    with pytest.raises(LedgerBehind):
        turn(stage)
    assert [season for _, season, closed, _ in rows(stage) if closed] == [2, 3]
    assert {key.split(":")[1] for key in stage.contents()} <= {"1", "4"}
    monkeypatch.undo()
    assert turn(stage)["closed"] == 1


def test_nothing_is_turned_while_redis_is_empty(stage: BoardsStage) -> None:
    stage.define(periods=[DAILY])
    yesterday(stage)
    stage.client.delete(stage.keys.whole)
    assert turn(stage) == {"boards": 0, "closed": 0}


def test_a_redis_that_went_back_to_an_earlier_season_is_filled_again(stage: BoardsStage) -> None:
    board = stage.define(periods=[{"name": "cup"}])
    state = stage.known.get("cups")
    before = stage.client.dump(stage.shard.defined("cups").board)
    stage.states.reset(state, "cup", "r-1")
    turn(stage)
    second = stage.known.renewed("cups", stage.states.now()).seasons[0]
    stage.enter(board, second, 5)
    stage.client.restore(stage.shard.defined("cups").board, 0, before, replace=True)
    turn(stage)
    assert stage.states.load("cups") is None
    assert fill_boards(stage.stores, stage.pipeline) == 1
    assert stage.held().seasons[0][:3] == second[:3]
    assert list(stage.contents()) == ["cup:2", "cup:2:members"]


def test_definitions_and_deletions_that_redis_was_not_told_of_are_told(stage: BoardsStage) -> None:
    stage.define(title="Cups")
    stage.define("mugs")
    for board_id in ("cups", "mugs"):
        stage.known.get(board_id)
    stage.define(title="Bowls")
    stage.boards.delete("mugs", ACTOR)
    turn(stage)
    assert stage.held().definition.title == "Bowls"
    assert stage.states.load("mugs") is None


def test_a_season_that_another_one_followed_has_ended(stage: BoardsStage) -> None:
    stage.define(periods=[{"name": "cup"}])
    stage.known.get("cups")
    turn(stage)
    stage.run(
        "INSERT INTO board_seasons (board_id, period, season, starts_at) VALUES ('cups', 'cup', 2, now() - INTERVAL '1 ms')"
    )
    assert turn(stage)["closed"] == 1
    assert rows(stage) == [("cup", 1, True, 1), ("cup", 2, False, 0)]


def test_a_period_that_is_taken_out_and_put_back_goes_on_counting(stage: BoardsStage) -> None:
    """Before the ledger was told of its season."""
    for members in ({}, {"cron": "0 0 * * *"}):
        period = {"name": "cup", **members}
        stage.define(periods=[ALL_TIME, period])
        stage.known.redefined("cups")
        before = stage.known.current("cups").seasons[1].number
        for periods in ([ALL_TIME], [ALL_TIME, period]):
            stage.define(periods=periods)
            stage.known.redefined("cups")
        state = stage.held()
        assert state.seasons[1].number == before + 1
    player = stage.player()
    stage.accept(state, player, 7)
    turn(stage)
    turn(stage)
    assert stage.contents()[f"cup:{state.seasons[1].number}:members"].keys() == {player}
