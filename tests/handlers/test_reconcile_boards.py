"""Boards that operators defined, held against the ledger with a consumer at work."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.boards.member import member_of
from shared.container import Container
from shared.core.errors import ScoreboardError
from shared.ledger.events import Number
from shared.reconciliation.reconcile_scores import ReconciliationOptions, reconcile_scores
from tests.handlers.defined_boards import DefinedBoard, Standing
from tests.handlers.events import invoke
from tests.handlers.players import delivered, new_player
from tests.support.product import query
from tests.support.waiting import eventually

KINDS = [(operator, order) for operator in ("add", "best", "latest") for order in ("descending", "ascending")]
ENTRIES = [(0, 5, 1), (1, 7, -3), (2, 7, 2), (0, 4, 0), (3, 9, 9), (2, -6, 5), (1, 7, -3)]


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


class Stage:
    """A board with four players and their entries in the ledger; whatever the test does is undone by a reconciliation."""

    def __init__(self, deps: Container, client: Any, **members: Any) -> None:
        self.board = DefinedBoard.make(deps, client, **members)
        self.client = client
        self.players = [new_player(deps).user_id for _ in range(4)]
        for player, value, second in ENTRIES:
            self.board.add(self.players[player], value, second if self.board.definition.has_second else 0)
        self.board.arrived(len(ENTRIES))
        self.before = self.standings()
        of = "all_time", self.board.season().number
        keys = self.board.keys
        self.scores, self.members, self.hidden = keys.scores(*of), keys.members(*of), keys.hidden(*of)

    def standings(self) -> list[dict[str, Standing]]:
        return [self.board.standings(period) for period in ("all_time", "weekly")]

    def member(self, player: int) -> bytes:
        found: bytes = self.client.hget(self.members, self.players[player])
        return found


def another_score(stage: Stage) -> None:
    stage.client.zadd(stage.scores, {stage.member(0): 999, stage.member(1): -999})


def a_score_that_is_none(stage: Stage) -> None:
    stage.client.zadd(stage.scores, {stage.member(0): 1.5, stage.member(1): "inf"})


def no_member(stage: Stage) -> None:
    stage.client.zrem(stage.scores, stage.member(2))


def no_entry_in_the_hash(stage: Stage) -> None:
    stage.client.hdel(stage.members, stage.players[1])


def neither(stage: Stage) -> None:
    no_entry_in_the_hash(stage)
    stage.client.zremrangebyrank(stage.scores, 0, 1)


def an_invented_player(stage: Stage) -> None:
    user_id = str(uuid4())
    member = member_of(stage.board.definition, user_id, 3, Number(1, 1))
    stage.client.zadd(stage.scores, {member: 77})
    stage.client.hset(stage.members, user_id, member)


def an_invented_member(stage: Stage) -> None:
    definition = stage.board.definition
    members = [member_of(definition, user_id, 3, Number(1, 1)) for user_id in (str(uuid4()), stage.players[0])]
    stage.client.zadd(stage.scores, dict.fromkeys([*members, b"foreign", b"\xff" * 60], 77))
    stage.client.zadd(stage.hidden, {member_of(definition, str(uuid4()), 3, Number(1, 2)): 5})


def an_invented_entry_in_the_hash(stage: Stage) -> None:
    stage.client.hset(stage.members, mapping={str(uuid4()): "member", b"\xff\x00": "member"})


def another_place_among_equals(stage: Stage) -> None:
    spoiled, player = stage.member(1), stage.players[1]
    renamed = member_of(stage.board.definition, player, 2, Number(1, 1))
    stage.client.zadd(stage.scores, {renamed: stage.client.zscore(stage.scores, spoiled)})
    stage.client.zrem(stage.scores, spoiled)
    stage.client.hset(stage.members, player, renamed)


def everybody_another_one(stage: Stage) -> None:
    stage.client.hset(stage.members, stage.players[0], stage.member(1))


def hidden_though_enabled(stage: Stage) -> None:
    stage.client.zadd(stage.hidden, {stage.member(3): 9})


def the_sorted_set_is_lost(stage: Stage) -> None:
    stage.client.delete(stage.scores)


def the_hash_is_lost(stage: Stage) -> None:
    stage.client.delete(stage.members)


def all_of_the_season_is_lost(stage: Stage) -> None:
    stage.client.delete(stage.scores, stage.members, stage.hidden)


DAMAGES = [
    another_score,
    a_score_that_is_none,
    no_member,
    no_entry_in_the_hash,
    neither,
    an_invented_player,
    an_invented_member,
    an_invented_entry_in_the_hash,
    another_place_among_equals,
    everybody_another_one,
    hidden_though_enabled,
    the_sorted_set_is_lost,
    the_hash_is_lost,
    all_of_the_season_is_lost,
]


@pytest.mark.parametrize(("operator", "order"), KINDS)
def test_what_was_spoiled_is_found_and_repaired_exactly(deps: Container, client: Any, operator: str, order: str) -> None:
    stage = Stage(deps, client, operator=operator, order=order, secondColumn=True)
    for spoil in DAMAGES:
        spoil(stage)
        dry = invoke("reconcile_scores", {"dryRun": True})
        mine = [entry for entry in dry["discrepancies"] if entry.get("board") == stage.board.board_id]
        assert mine, spoil.__name__
        assert {(entry["period"], entry["season"]) for entry in mine} == {("all_time", 1)}
        run = invoke("reconcile_scores", {})
        [told] = [line for line in run["boards"] if line["board"] == stage.board.board_id]
        assert (told["found"], told["repaired"]) == (len(mine), len(mine)), spoil.__name__
        assert stage.standings() == stage.before, spoil.__name__
        assert invoke("reconcile_scores", {})["found"] == 0, spoil.__name__


@pytest.mark.parametrize("spoil", [no_member, the_sorted_set_is_lost, the_hash_is_lost, all_of_the_season_is_lost])
def test_what_a_season_has_lost_is_back_within_a_minute(deps: Container, client: Any, spoil: Callable[[Stage], None]) -> None:
    stage = Stage(deps, client)
    assert invoke("rebuild_leaderboard", {})["reconciled"] is True, "the first time in this Redis"
    assert invoke("rebuild_leaderboard", {})["reconciled"] is False
    spoil(stage)
    assert invoke("rebuild_leaderboard", {})["reconciled"] is True
    assert stage.standings() == stage.before


def test_a_repair_is_audited_with_its_board_and_a_run_says_what_it_did(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    another_score(stage)
    with delivered(deps, "score_updated_queue") as changes:
        run = invoke("reconcile_scores", {"full": True})
        told = [deps.event_codec.open_recorded(body) for body in changes()]
    assert [each.boards for each in told if each.boards] == [(stage.board.board_id,)], "those who watch see it"
    [entry] = [entry for entry in run["discrepancies"] if entry["userId"] == stage.players[0]]
    about = {"board": stage.board.board_id, "period": "all_time", "season": 1}
    assert entry.items() >= {**about, "ledgerTotal": 9, "boardBefore": 999, "difference": -990}.items()
    assert (run["found"], run["repaired"], run["leftForTheNextRun"]) == (2, 2, 0)
    assert {"board": stage.board.board_id, "compared": 8, "found": 2, "repaired": 2} in run["boards"]
    url = deps.settings.database_url
    audited = query(url, "SELECT detail FROM audit_log WHERE action = 'score_repaired' AND user_id = :id", id=stage.players[0])
    assert [{name: detail[name] for name in about} for [detail] in audited] == [about]
    [[found, details]] = query(url, "SELECT discrepancies, detail FROM reconciliation_runs WHERE id = :id", id=run["runId"])
    assert (found, {each["board"] for each in details}) == (2, {stage.board.board_id})


def test_scores_are_lowered_within_bounds_and_only_when_everything_is_accounted_for(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    stage.client.zadd(stage.scores, {stage.member(0): 50_000})
    stage.client.zadd(stage.scores, {stage.member(1): 1})
    stores = replace(deps.reconciliation, max_points=100)
    run = reconcile_scores(stores, ReconciliationOptions())
    assert (run["found"], run["repaired"], run["leftForTheNextRun"]) == (2, 1, 1)
    [told] = [line for line in run["boards"] if line["board"] == stage.board.board_id]
    assert "beyond the bounds" in told["leftBecause"]
    assert stage.board.scores()[stage.players[0]] == 50_000

    stage.client.hincrby(deps._board_keys.numbers, "sequence", 1)  # an update that nobody has
    impatient = replace(stores, pipeline=replace(stores.pipeline, catch_up_seconds=0.1))
    beyond = ReconciliationOptions(beyond_bounds=True)
    assert reconcile_scores(impatient, beyond)["repaired"] == 0
    all_of_the_season_is_lost(stage)
    given_back = reconcile_scores(impatient, beyond)
    assert given_back["repaired"] == 4, "what the board lacks"
    assert stage.standings() == stage.before


def test_who_is_on_the_way_to_the_ledger_as_a_letter_is_left_alone(deps: Container, client: Any) -> None:
    stage = Stage(deps, client)
    player, url = stage.players[0], deps.settings.migrations_database_url
    query(
        url,
        "INSERT INTO unrecorded_updates (request_id, user_id, epoch, sequence, reason, size, digest, headers, attempts, state)"
        " VALUES (:request_id, :user_id, 1, 1, 'refused', 1, :digest, '{}', 1, 'waiting')",
        request_id=str(uuid4()),
        user_id=player,
        digest=uuid4().hex,
    )
    another_score(stage)
    assert invoke("reconcile_scores", {})["found"] == 1
    assert stage.board.scores()[player] == 999
    query(url, "DELETE FROM unrecorded_updates WHERE user_id = :user_id RETURNING 1", user_id=player)
    assert invoke("reconcile_scores", {"full": True})["found"] == 1
    assert stage.standings() == stage.before


@pytest.mark.parametrize("disabled", [True, False])
def test_who_stands_where_the_account_does_not_belong_is_moved(deps: Container, client: Any, disabled: bool) -> None:
    stage = Stage(deps, client)
    player = stage.players[0]
    if disabled:
        query(deps.settings.database_url, "UPDATE users SET disabled = true WHERE user_id = :id RETURNING 1", id=player)
    else:
        deps.board_states.place("hide", deps.board_states.load_all([stage.board.board_id]).values(), [player])
    run = invoke("reconcile_scores", {})
    assert [(entry["period"], entry["difference"], entry["misplaced"]) for entry in run["discrepancies"] if "board" in entry] == [
        ("all_time", 0, True),
        ("weekly", 0, True),
    ]
    moved = {player: stage.before[0][player]._replace(is_hidden=disabled)}
    assert stage.board.standings() == {**stage.before[0], **moved}
    assert [entry for entry in invoke("reconcile_scores", {})["discrepancies"] if "board" in entry] == []


def test_a_large_season_is_compared_in_parts_and_who_entered_at_once(
    deps: Container, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.reconciliation.reconcile_boards.SWEPT", 2)
    stage = Stage(deps, client)
    for _ in range(3):
        invoke("reconcile_scores", {})
    stage.client.zadd(stage.scores, {stage.member(place): 500 + place for place in range(4)})
    stage.board.add(max(stage.players), 1)
    stage.board.arrived(len(ENTRIES) + 1)
    found = [invoke("reconcile_scores", {})["found"] for _ in range(4)]
    assert found[0] >= 2
    assert sum(found) == 4
    assert stage.board.scores() == {
        player: standing.score + (player == max(stage.players)) for player, standing in stage.before[0].items()
    }


@contextmanager
def entering(boards: list[DefinedBoard], players: list[str], threads: int) -> Iterator[Callable[[], int]]:
    """So many threads enter on the boards; gives how often they did."""
    stop, accepted = threading.Event(), [0] * threads

    def play(thread: int) -> None:
        choice = random.Random(thread)  # noqa: S311
        while not stop.is_set():
            try:
                choice.choice(boards).add(choice.choice(players), choice.randint(-5, 9), choice.randint(-2, 2))
            except ScoreboardError:
                continue
            accepted[thread] += 1

    with ThreadPoolExecutor(threads) as pool:
        playing = [pool.submit(play, thread) for thread in range(threads)]
        try:
            yield lambda: sum(accepted)
        finally:
            stop.set()
            for each in playing:
                each.result(60)


def made_boards(deps: Container, client: Any) -> list[DefinedBoard]:
    return [DefinedBoard.make(deps, client, operator=operator, order=order, secondColumn=True) for operator, order in KINDS]


def as_the_ledger_says(board: DefinedBoard) -> dict[str, tuple[int, int, Number]]:
    rows = query(
        board.deployed.settings.database_url,
        "SELECT user_id, score, second, epoch, sequence FROM season_totals WHERE board_id = :id AND period = 'all_time'",
        id=board.board_id,
    )
    return {user_id: (score, second, Number(epoch, sequence)) for user_id, score, second, epoch, sequence in rows}


def test_nothing_is_found_while_players_go_on_entering(deps: Container, client: Any) -> None:
    boards, players = made_boards(deps, client), [new_player(deps).user_id for _ in range(8)]
    with entering(boards, players, 4) as accepted:
        for run in range(8):
            before = accepted()
            summary = invoke("reconcile_scores", {"full": run % 2 == 0})
            assert (summary["found"], summary["discrepancies"]) == (0, [])
            eventually(lambda before=before: accepted() > before, 60, "players entering")  # type: ignore[misc]
    assert invoke("reconcile_scores", {})["found"] == 0
    for board in boards:
        assert {user_id: each[:3] for user_id, each in board.standings().items()} == as_the_ledger_says(board)


def test_those_who_go_on_entering_are_repaired_exactly(deps: Container, client: Any) -> None:
    boards, players = made_boards(deps, client), [new_player(deps).user_id for _ in range(8)]
    choice = random.Random(7)  # noqa: S311
    with entering(boards, players, 3) as accepted:
        for _ in range(6):
            before = accepted()
            eventually(lambda before=before: accepted() > before + 40, 60, "players entering")  # type: ignore[misc]
            for board in boards:
                keys = board.keys
                members = client.hgetall(keys.members("all_time", 1))
                for player, member in choice.sample(sorted(members.items()), min(2, len(members))):
                    match choice.choice(["score", "member", "hash"]):
                        case "score":
                            client.zadd(keys.scores("all_time", 1), {member: choice.randint(-99, 99)}, xx=True)
                        case "member":
                            client.zrem(keys.scores("all_time", 1), member)
                        case _:
                            client.hdel(keys.members("all_time", 1), player)
            invoke("reconcile_scores", {})
    for _ in range(3):
        if not invoke("reconcile_scores", {"full": True, "beyondBounds": True})["found"]:
            break
    for board in boards:
        assert {user_id: each[:3] for user_id, each in board.standings().items()} == as_the_ledger_says(board)
