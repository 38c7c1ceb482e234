"""Scores that moderators change: in the ledger at once, and on the board with it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.boards.add_entry import add_entry
from shared.boards.entry import AcceptedEntry, ScoreEntry
from shared.boards.states_redis import Reset
from shared.container import Container
from shared.core.errors import (
    AlreadyStruck,
    AlreadyUndone,
    InvalidParameter,
    LedgerBehind,
    NoOpenSeason,
    RedisUnavailable,
    ScoreboardError,
    ScoreOutOfBounds,
    UnknownBoard,
    UnknownDecision,
    UnknownEntry,
    UnknownSeason,
    UnknownUser,
    ValueOutOfBounds,
    WithoutEffect,
)
from shared.core.limits import LARGEST
from shared.ledger.events import Number
from shared.reconciliation.moderate_scores import Moderation, ScoreModeration
from shared.reconciliation.reconcile_scores import ReconciliationOptions, reconcile_scores
from shared.stores.actor import Actor
from tests.handlers.defined_boards import DefinedBoard
from tests.handlers.events import invoke
from tests.handlers.players import new_player
from tests.handlers.test_moderation import moderate
from tests.handlers.test_reconcile_boards import KINDS, as_the_ledger_says, entering, made_boards
from tests.support.product import query
from tests.support.waiting import eventually


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


def by(reason: str = "played by a program") -> Moderation:
    return Moderation(Actor("admin-1", "198.51.100.9", str(uuid4())), reason)


class Stage:
    """A board and a player who entered three times, all of it in the ledger."""

    def __init__(self, deps: Container, client: Any, *values: int, **members: Any) -> None:
        self.deps = deps
        self.board = DefinedBoard.make(deps, client, **members)
        self.player = new_player(deps).user_id
        self.entries = [self.enter(value) for value in values or (5, 90, 7)]
        self.board.arrived(len(self.entries))

    def enter(self, value: int) -> AcceptedEntry:
        return self.board.add(self.player, value)

    def strike(self, place: int) -> dict[str, Any]:
        moderated = self.deps.score_moderation
        return moderated.strike(self.board.board_id, self.player, self.entries[place].request_id, by())

    def adjust(self, **body: Any) -> dict[str, Any]:
        return self.deps.score_moderation.adjust(self.board.board_id, self.player, body, by())

    def undo(self, moderation_id: int) -> dict[str, Any]:
        return self.deps.score_moderation.undo(self.board.board_id, moderation_id, by())

    def scores(self) -> list[int | None]:
        """In both periods, as Redis has them; the ledger says the same."""
        found: list[int | None] = []
        for period in ("all_time", "weekly"):
            standings = self.board.standings(period)
            rows = query(
                self.deps.settings.database_url,
                "SELECT score, second, epoch, sequence FROM season_totals"
                " WHERE board_id = :id AND period = :period AND season = :season AND user_id = :player",
                id=self.board.board_id,
                period=period,
                season=self.board.season(period).number,
                player=self.player,
            )
            standing = standings.get(self.player)
            assert [standing and (*standing[:2], *standing.number)] == [tuple(row) for row in rows or [[]]] or (
                standing is None and not rows
            )
            found.append(standing and standing.score)
        return found

    def unsettled(self) -> list[Any]:
        return self.deps.moderated_scores.unsettled(self.player)


@pytest.mark.parametrize(
    ("operator", "order", "before", "after"),
    [
        ("add", "descending", 102, 12),
        ("best", "descending", 90, 7),
        ("best", "ascending", 5, 5),
        ("latest", "ascending", 7, 7),
    ],
)
def test_a_struck_entry_does_not_count_until_it_is_restored(
    deps: Container, client: Any, operator: str, order: str, before: int, after: int
) -> None:
    stage = Stage(deps, client, operator=operator, order=order)
    assert stage.scores() == [before, before]
    told = stage.strike(1)
    entry = told["entry"]
    assert (entry["action"], entry["board"], entry["userId"]) == ("strike", stage.board.board_id, stage.player)
    assert (entry["struck"], entry["reason"], entry["moderator"]) == (
        stage.entries[1].request_id,
        "played by a program",
        "admin-1",
    )
    assert told["scores"] == [
        {"period": "all_time", "season": 1, "score": after},
        {"period": "weekly", "season": stage.board.season("weekly").number, "score": after},
    ]
    assert stage.scores() == [after, after]
    assert stage.unsettled() == []
    with pytest.raises(AlreadyStruck):
        stage.strike(1)
    undone = stage.undo(told["entry"]["id"])
    assert [each["score"] for each in undone["scores"]] == [before, before]
    assert stage.scores() == [before, before]
    with pytest.raises(AlreadyUndone):
        stage.undo(told["entry"]["id"])
    with pytest.raises(InvalidParameter):
        stage.undo(undone["entry"]["id"])
    assert stage.strike(1)["entry"]["id"] > undone["entry"]["id"], "what was undone can be done again"
    assert stage.scores() == [after, after]


@pytest.mark.parametrize(("operator", "left"), [("add", 98), ("best", 90), ("latest", 90)])
def test_a_player_goes_on_from_what_is_left(deps: Container, client: Any, operator: str, left: int) -> None:
    stage = Stage(deps, client, operator=operator)
    stage.strike(0)
    stage.strike(2)
    assert stage.scores() == [90, 90]
    stage.entries.append(stage.enter(8))
    stage.board.arrived(4)
    assert stage.scores() == [left if operator != "latest" else 8] * 2
    assert invoke("reconcile_scores", {"full": True})["found"] == 0


def test_whose_entries_are_all_struck_stands_nowhere_and_may_begin_anew(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    for place in range(3):
        told = stage.strike(place)
    assert [each["score"] for each in told["scores"]] == [None, None]
    assert stage.scores() == [None, None]
    assert stage.board.standings() == {}
    assert invoke("reconcile_scores", {"full": True})["found"] == 0
    stage.enter(3)
    stage.board.arrived(4)
    assert stage.scores() == [3, 3]
    stage.undo(told["entry"]["id"])
    assert stage.scores() == [10, 10]


@pytest.mark.parametrize(
    ("operator", "order", "value", "after", "then"),
    [
        ("add", "descending", -50, 52, 53),
        ("add", "ascending", 8, 110, 111),
        ("best", "descending", 91, 91, 91),
        ("best", "ascending", 2, 2, 1),
        ("latest", "descending", 40, 40, 1),
    ],
)
def test_an_adjustment_is_an_entry_of_the_moderators(
    deps: Container, client: Any, operator: str, order: str, value: int, after: int, then: int
) -> None:
    stage = Stage(deps, client, operator=operator, order=order)
    told = stage.adjust(value=value)
    assert stage.scores() == [after, after]
    assert stage.unsettled() == []
    stage.enter(1)
    stage.board.arrived(4)
    assert stage.scores() == [then, then]
    stage.undo(told["entry"]["id"])
    assert stage.scores() == [{"add": 103, "best": 90 if order == "descending" else 1, "latest": 1}[operator]] * 2
    assert invoke("reconcile_scores", {"full": True})["found"] == 0


def test_who_never_entered_is_adjusted_in_one_season(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    stage.player = new_player(deps).user_id
    stage.adjust(value=30, period="weekly")
    assert stage.scores() == [None, 30]
    stage.adjust(value=-7, period="weekly", season=stage.board.season("weekly").number)
    assert stage.scores() == [None, 23]
    stage.enter(1)
    stage.board.arrived(4)
    assert stage.scores() == [1, 24]


def test_a_better_score_stays_on_a_board_of_the_best(deps: Container, client: Any) -> None:
    stage = Stage(deps, client, operator="best")
    with pytest.raises(WithoutEffect):
        stage.adjust(value=90)
    stage.strike(1)
    stage.adjust(value=60)
    assert stage.scores() == [60, 60]


def test_a_second_column_is_adjusted_with_the_first(deps: Container, client: Any) -> None:
    stage = Stage(deps, client, secondColumn=True)
    told = stage.adjust(value=0, second=-4)
    assert told["scores"][0] == {"period": "all_time", "season": 1, "score": 102, "second": -4}
    assert stage.board.standings()[stage.player][:2] == (102, -4)
    assert stage.scores() == [102, 102]


@pytest.mark.parametrize(
    ("members", "body", "error"),
    [
        ({}, {"value": 0}, InvalidParameter),
        ({}, {"value": "5"}, InvalidParameter),
        ({}, {"value": 2**53}, ValueOutOfBounds),
        ({}, {"value": LARGEST}, ScoreOutOfBounds),
        ({}, {"value": 5, "second": 1}, InvalidParameter),
        ({}, {"value": 5, "season": 1}, InvalidParameter),
        ({}, {"value": 5, "period": "monthly"}, InvalidParameter),
        ({}, {"value": 5, "period": "weekly", "season": "1"}, InvalidParameter),
        ({}, {"value": 5, "period": "all_time", "season": 2}, UnknownSeason),
        ({"operator": "latest", "maxValue": 100}, {"value": 101}, ValueOutOfBounds),
        ({"operator": "best", "secondColumn": True}, {"value": 101}, InvalidParameter),
    ],
)
def test_what_cannot_be_adjusted_is_told(
    deps: Container, client: Any, members: dict[str, Any], body: dict[str, Any], error: type[ScoreboardError]
) -> None:
    stage = Stage(deps, client, **members)
    before = stage.scores()
    with pytest.raises(error):
        stage.adjust(**body)
    assert stage.scores() == before


def test_only_what_is_there_is_moderated(deps: Container, client: Any) -> None:
    stage, other = Stage(deps, client), Stage(deps, client, 3)
    moderated = deps.score_moderation
    request_id = stage.entries[0].request_id
    with pytest.raises(UnknownEntry):
        moderated.strike(stage.board.board_id, other.player, request_id, by())
    with pytest.raises(UnknownEntry):
        moderated.strike(other.board.board_id, stage.player, request_id, by())
    with pytest.raises(UnknownEntry):
        moderated.strike(stage.board.board_id, stage.player, "no-such", by())
    told = stage.strike(0)
    with pytest.raises(UnknownDecision):
        moderated.undo(other.board.board_id, told["entry"]["id"], by())
    with pytest.raises(UnknownBoard):
        moderated.adjust("no-such", stage.player, {"value": 1}, by())
    with pytest.raises(UnknownUser):
        moderated.adjust(stage.board.board_id, str(uuid4()), {"value": 1}, by())
    over = DefinedBoard.make(deps, client, periods=[{"name": "cup", "endsAt": "2020-01-01T00:00:00Z"}])
    with pytest.raises(NoOpenSeason):
        moderated.adjust(over.board_id, stage.player, {"value": 1}, by())


def test_a_decision_is_in_the_audit_log_with_its_reason(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    told = [stage.strike(1), stage.adjust(value=-2)]
    told.append(stage.undo(told[0]["entry"]["id"]))
    rows = query(
        deps.settings.database_url,
        "SELECT action, actor, detail FROM audit_log WHERE user_id = :id AND actor = 'admin-1' ORDER BY id",
        id=stage.player,
    )
    assert [(action, detail["entry"]) for action, _, detail in rows] == [
        ("score_struck", told[0]["entry"]["id"]),
        ("score_adjusted", told[1]["entry"]["id"]),
        ("moderation_undone", told[2]["entry"]["id"]),
    ]
    assert rows[0][2] == {
        "board": stage.board.board_id,
        "entry": told[0]["entry"]["id"],
        "reason": "played by a program",
        "struck": stage.entries[1].request_id,
        "scores": told[0]["scores"],
    }


def test_an_entry_that_is_still_on_its_way_is_waited_for(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    stage.entries.append(stage.enter(1000))
    stage.strike(3)
    assert stage.scores() == [102, 102]


def test_what_redis_cannot_show_now_it_shows_within_a_minute(deps: Container, client: Any) -> None:
    stage = Stage(deps, client, 5, 900_000, 7)
    away: Any = Away()
    without = replace(deps.reconciliation, board_check=away)
    ScoreModeration(deps.known_boards, without).strike(stage.board.board_id, stage.player, stage.entries[1].request_id, by())
    assert stage.board.scores()[stage.player] == 900_012
    [unsettled] = stage.unsettled()
    invoke("rebuild_leaderboard", {})
    assert stage.scores() == [12, 12]
    assert (unsettled.user_id, stage.unsettled()) == (stage.player, [])


def test_a_reconciliation_needs_no_other_proof_than_the_decision(deps: Container, client: Any) -> None:
    stage = Stage(deps, client, 5, 900_000, 7)
    away: Any = Away()
    without = replace(deps.reconciliation, board_check=away)
    ScoreModeration(deps.known_boards, without).strike(stage.board.board_id, stage.player, stage.entries[1].request_id, by())
    stores = replace(deps.reconciliation, max_points=100)
    run = reconcile_scores(stores, ReconciliationOptions(full=True))
    assert [line for line in run["boards"] if line["board"] == stage.board.board_id] == [
        {"board": stage.board.board_id, "compared": 2, "found": 2, "repaired": 2}
    ]
    assert stage.scores() == [12, 12]


class Away:
    """Redis, when it cannot be reached."""

    def present_mark(self) -> str:
        raise RedisUnavailable

    def mark(self, _run_number: int) -> str:
        raise RedisUnavailable


def test_an_emptied_redis_comes_back_with_what_was_decided(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    stage.strike(1)
    stage.adjust(value=-3)
    client.delete(*client.scan_iter(f"{deps.settings.key_prefix}*"))
    assert invoke("rebuild_leaderboard", {})["rebuilt"] is True
    assert stage.scores() == [9, 9]
    assert invoke("reconcile_scores", {"full": True})["found"] == 0


def test_a_player_with_an_entry_among_the_dead_letters_is_moderated_when_it_is_settled(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    url = deps.settings.migrations_database_url
    query(
        url,
        "INSERT INTO unrecorded_updates (request_id, user_id, epoch, sequence, reason, size, digest, headers, attempts, state)"
        " VALUES (:request_id, :user_id, 1, 1, 'refused', 1, :digest, '{}', 1, 'waiting')",
        request_id=str(uuid4()),
        user_id=stage.player,
        digest=uuid4().hex,
    )
    stage.strike(1)
    assert stage.board.scores()[stage.player] == 102
    assert len(stage.unsettled()) == 1
    query(url, "DELETE FROM unrecorded_updates WHERE user_id = :user_id RETURNING 1", user_id=stage.player)
    invoke("rebuild_leaderboard", {})
    assert stage.scores() == [12, 12]
    assert stage.unsettled() == []


def test_a_closed_season_gets_another_version_of_its_final_ranks(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    other = new_player(deps).user_id
    stage.board.add(other, 50)
    stage.board.arrived(4)
    ended = deps.board_states.reset(stage.board.state, "weekly", "r-1")
    assert isinstance(ended, Reset)
    number = ended.ended.number

    def ranks() -> list[list[Any]]:
        """Of all versions, once the newest is written."""
        assert invoke("turn_seasons", {})["closed"] >= 1
        return query(
            deps.settings.database_url,
            "SELECT version, rank, user_id, score FROM final_ranks WHERE board_id = :id AND period = 'weekly'"
            " AND season = :season ORDER BY version, position",
            id=stage.board.board_id,
            season=number,
        )

    expected = [[1, 1, stage.player, 102], [1, 2, other, 50]]
    assert ranks() == expected
    told = stage.strike(1)
    assert stage.scores() == [12, None]
    expected += [[2, 1, other, 50], [2, 2, stage.player, 12]]
    assert ranks() == expected
    stage.undo(told["entry"]["id"])
    expected += [[3, 1, stage.player, 102], [3, 2, other, 50]]
    assert ranks() == expected
    adjusted = stage.adjust(value=-60, period="weekly", season=number)
    expected += [[4, 1, other, 50], [4, 2, stage.player, 42]]
    assert ranks() == expected
    stage.undo(adjusted["entry"]["id"])
    for place in range(3):
        stage.strike(place)
    assert ranks() == [*expected, [5, 1, other, 50]]
    page = deps.board_reading.final_ranks.page(
        stage.board.board_id, "weekly", number, 1, position=0, number=Number(2**40, 0), limit=10
    )
    assert [row.user_id for row in page.rows] == [stage.player, other], "an earlier version is read as it was"


def test_a_replayed_receipt_is_the_first_one_after_a_strike(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    keyed = ScoreEntry("", stage.board.board_id, stage.player, 11, 0, "", "198.51.100.7", key_id=str(uuid4()))

    def entry() -> AcceptedEntry:
        return add_entry(keyed._replace(request_id=str(uuid4())), deps.shards).entry

    first = entry()
    stage.board.arrived(4)
    deps.score_moderation.strike(stage.board.board_id, stage.player, first.request_id, by())
    again = entry()
    assert again.replayed
    assert (again.places, again.request_id) == (first.places, first.request_id)
    assert stage.scores() == [102, 102]


def test_the_ledger_that_does_not_get_as_far_is_told(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    client.hincrby(deps._board_keys.numbers, "sequence", 1)  # an entry that nobody has
    stores = replace(deps.reconciliation, pipeline=replace(deps.pipeline, catch_up_seconds=0.1))
    impatient = ScoreModeration(deps.known_boards, stores)
    impatient._stores = stores
    with pytest.raises(LedgerBehind):
        impatient.adjust(stage.board.board_id, stage.player, {"value": 5}, by())
    impatient.strike(stage.board.board_id, stage.player, stage.entries[1].request_id, by())
    assert stage.board.scores()[stage.player] == 102, "nothing is taken off that is not accounted for"
    assert len(stage.unsettled()) == 1


def test_players_who_go_on_entering_lose_nothing(deps: Container, client: Any) -> None:
    boards, players = made_boards(deps, client), [new_player(deps).user_id for _ in range(4)]
    choice = random.Random(11)  # noqa: S311
    decisions: list[tuple[DefinedBoard, str, int]] = []
    decided = 0
    with entering(boards, players, 3) as accepted:
        while decided < 9:
            before = accepted()
            eventually(lambda before=before: accepted() > before + 20, 60, "players entering")  # type: ignore[misc]
            board, player = choice.choice(boards), choice.choice(players)
            try:
                match choice.choice(["strike", "adjust", "undo"] if decisions else ["strike", "adjust"]):
                    case "strike":
                        found = query(
                            deps.settings.database_url,
                            "SELECT request_id FROM score_entries WHERE board_id = :id AND user_id = :player",
                            id=board.board_id,
                            player=player,
                        )
                        if not found:
                            continue
                        told = deps.score_moderation.strike(board.board_id, player, choice.choice(found)[0], by())
                        decisions.append((board, player, told["entry"]["id"]))
                    case "adjust":
                        body = {"value": choice.randint(-20, 20) or 1, "second": choice.randint(-3, 3)}
                        told = deps.score_moderation.adjust(board.board_id, player, body, by())
                        decisions.append((board, player, told["entry"]["id"]))
                    case _:
                        board, player, moderation_id = decisions.pop()
                        deps.score_moderation.undo(board.board_id, moderation_id, by())
            except (WithoutEffect, AlreadyStruck):
                continue
            decided += 1
    for _ in range(3):
        if not invoke("reconcile_scores", {"full": True})["found"]:
            break
    invoke("rebuild_leaderboard", {})
    assert deps.moderated_scores.unsettled() == []
    assert len(boards) == len(KINDS)
    for board in boards:
        assert {user_id: each[:3] for user_id, each in board.standings().items()} == as_the_ledger_says(board)
        assert as_the_ledger_says(board) == counted(board)
    assert invoke("check_balance", {})["gaps"] == []


def counted(board: DefinedBoard) -> dict[str, tuple[int, int, Number]]:
    """What everybody comes to on the board, from all that counts."""
    found: dict[str, tuple[int, int, Number]] = {}
    sign = 1 if board.definition.order == "descending" else -1
    for user_id, value, second, epoch, sequence in query(
        board.deployed.settings.database_url,
        "SELECT user_id, value, second, epoch, sequence FROM ledger_entries"
        " WHERE board_id = :id AND counts ORDER BY epoch, sequence, turn",
        id=board.board_id,
    ):
        before, new = found.get(user_id), (value, second, Number(epoch, sequence))
        match board.definition.operator:
            case "add" if before is not None:
                new = (before[0] + value, before[1] + second, new[2])
            case "best" if before is not None and (sign * value, sign * second) <= (sign * before[0], sign * before[1]):
                new = before
        if before is None or new[:2] != before[:2]:  # who has it already has had it since then
            found[user_id] = new
    return found


class OnMain:
    """A player who updated three times on the specification's board."""

    def __init__(self, deps: Container) -> None:
        self.deps = deps
        self.player = new_player(deps)
        self.updates = [self.player.score(increment).data["requestId"] for increment in (5, 3, 4)]
        self.arrived(3)

    def arrived(self, updates: int) -> None:
        eventually(lambda: len(self.deps.ledger.history(self.player.user_id, 200, None)) == updates, 60, "all of them recorded")

    def strike(self, place: int) -> dict[str, Any]:
        return self.deps.score_moderation.strike("main", self.player.user_id, self.updates[place], by())

    def adjust(self, value: int, **body: Any) -> dict[str, Any]:
        return self.deps.score_moderation.adjust("main", self.player.user_id, {"value": value, **body}, by())

    def undo(self, moderation_id: int) -> dict[str, Any]:
        return self.deps.score_moderation.undo("main", moderation_id, by())

    def score(self) -> int | None:
        """On the board; the ledger says the same."""
        user_id = self.player.user_id
        reading = self.deps.board_check.read([user_id])
        assert self.deps.ledger.totals([user_id]) == {user_id: reading.score(user_id)}
        return reading.score(user_id)


def test_updates_of_main_are_struck_and_adjusted(deps: Container) -> None:
    main = OnMain(deps)
    told = main.strike(0)
    assert told["scores"] == [{"period": "all_time", "season": 1, "score": 7}]
    assert main.score() == 7
    with pytest.raises(AlreadyStruck):
        main.strike(0)
    adjusted = main.adjust(100)
    assert main.score() == 107
    assert main.player.score(2).data["score"] == 109
    main.arrived(4)
    main.undo(told["entry"]["id"])
    main.undo(adjusted["entry"]["id"])
    assert main.score() == 14
    with pytest.raises(AlreadyUndone):
        main.undo(adjusted["entry"]["id"])
    assert deps.moderated_scores.unsettled(main.player.user_id) == []
    assert invoke("reconcile_scores", {"full": True})["found"] == 0


def test_what_cannot_be_decided_on_main_is_told(deps: Container) -> None:
    main = OnMain(deps)
    for value, body, error in (
        (-13, {}, ScoreOutOfBounds),
        (2**31 - 12, {}, ScoreOutOfBounds),
        (5, {"second": 1}, InvalidParameter),
        (5, {"period": "weekly"}, InvalidParameter),
        (5, {"period": "all_time", "season": 2}, UnknownSeason),
    ):
        with pytest.raises(error):
            main.adjust(value, **body)
    with pytest.raises(UnknownEntry):
        deps.score_moderation.strike("main", new_player(deps).user_id, main.updates[0], by())
    with pytest.raises(UnknownUser):
        deps.score_moderation.adjust("main", new_player(deps, "admin").user_id, {"value": 1}, by())
    assert main.score() == 12


def test_main_comes_back_with_what_was_decided(deps: Container, client: Any) -> None:
    main = OnMain(deps)
    main.strike(1)
    main.adjust(-2)
    client.delete(*client.scan_iter(f"{deps.settings.key_prefix}*"))
    assert invoke("rebuild_leaderboard", {})["rebuilt"] is True
    assert main.score() == 7
    assert invoke("reconcile_scores", {"full": True})["found"] == 0


def test_main_is_compared_at_a_number_before_what_was_struck(deps: Container) -> None:
    main = OnMain(deps)
    user_id = main.player.user_id
    number = deps.board_check.read([user_id]).number
    assert number is not None
    main.updates.append(main.player.score(1).data["requestId"])
    main.arrived(4)
    told = main.strike(3)
    assert deps.reconciliations.points_at([user_id], number) == {user_id: 12}
    main.undo(told["entry"]["id"])
    assert deps.reconciliations.points_at([user_id], number) == {user_id: 12}


def test_a_decision_about_main_waits_for_a_reconciliation_and_is_shown_within_a_minute(
    deps: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = OnMain(deps)
    with deps.reconciliations.alone(), monkeypatch.context() as impatient:
        impatient.setattr("shared.reconciliation.settle_moderation.TURN_SECONDS", 0.1)
        main.strike(0)
        assert deps.board_check.read([main.player.user_id]).score(main.player.user_id) == 12
    invoke("rebuild_leaderboard", {})
    assert main.score() == 7
    main.strike(1)
    run = reconcile_scores(replace(deps.reconciliation, max_points=0, max_players=0), ReconciliationOptions(full=True))
    assert (run["found"], main.score()) == (0, 4)


def test_a_reconciliation_takes_points_off_main_that_a_moderator_struck(deps: Container) -> None:
    main = OnMain(deps)
    away: Any = Away()
    without = replace(deps.reconciliation, board_check=away)
    ScoreModeration(deps.known_boards, without).strike("main", main.player.user_id, main.updates[0], by())
    run = reconcile_scores(replace(deps.reconciliation, max_points=0, max_players=0), ReconciliationOptions(full=True))
    assert (run["found"], run["repaired"]) == (1, 1)
    assert main.score() == 7


def test_players_of_main_go_on_while_they_are_moderated(deps: Container) -> None:
    main = OnMain(deps)
    stop = threading.Event()
    accepted = [12]

    def play() -> None:
        while not stop.is_set():
            reply = main.player.score(1)
            accepted[0] += reply.status == 200

    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(play)
        points = (50, -20, 7)
        for value in points:
            main.adjust(value)
        main.strike(2)
        stop.set()
        playing.result(60)
    main.arrived(accepted[0] - 9)
    assert main.score() == accepted[0] + sum(points) - 4
    assert invoke("reconcile_scores", {"full": True})["found"] == 0


def test_scores_are_corrected_over_the_api(deps: Container, client: Any) -> None:
    stage, admin = Stage(deps, client), new_player(deps, "admin")
    board_id, about = stage.board.board_id, {"userId": stage.player, "reason": "a short cut"}
    request_id = stage.entries[1].request_id
    strike = {**about, "action": "strike", "requestId": request_id.upper()}
    struck = moderate(admin, board_id, strike, Idempotency_Key="k-1")
    assert struck.status == 200, struck.body
    assert struck.data["changed"] is True
    assert [each["score"] for each in struck.data["scores"]] == [12, 12]
    again = moderate(admin, board_id, strike, Idempotency_Key="k-1")
    assert (again.data, again.headers["Idempotency-Replayed"]) == (struck.data, "true")
    assert moderate(admin, board_id, strike).problem == (409, "already_struck")
    adjusted = moderate(admin, board_id, {**about, "action": "adjust", "value": 30, "period": "weekly"})
    assert adjusted.data["entry"].items() >= {"action": "adjust", "value": 30, "moderator": admin.user_id}.items()
    assert stage.scores() == [12, 42]
    undo = {"action": "undo", "entryId": struck.data["entry"]["id"], "reason": "it was none"}
    assert moderate(admin, board_id, undo).data["entry"]["undoes"] == struck.data["entry"]["id"]
    assert moderate(admin, board_id, undo).problem == (409, "already_undone")
    assert stage.scores() == [102, 132]
    for body, problem in (
        ({"action": "strike", "reason": "x", "requestId": request_id}, (422, "invalid_parameter")),
        ({**about, "action": "strike"}, (422, "invalid_parameter")),
        ({**about, "action": "strike", "requestId": request_id, "reason": ""}, (422, "invalid_parameter")),
        ({**about, "action": "adjust"}, (422, "invalid_parameter")),
        ({**undo, "userId": stage.player}, (422, "invalid_parameter")),
        ({**about, "action": "strike", "requestId": "no-such"}, (404, "unknown_entry")),
    ):
        assert moderate(admin, board_id, body).problem == problem
    assert moderate(admin, "*", {**about, "action": "strike", "requestId": request_id}).problem == (422, "invalid_parameter")
    assert moderate(new_player(deps), board_id, strike).problem == (403, "forbidden")
