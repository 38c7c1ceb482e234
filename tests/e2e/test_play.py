"""A stranger plays: registers, logs in, raises a score, sees the board move, and the row arrives in PostgreSQL."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.support.api import Api, frame_with
from tests.support.hosted import Hosted
from tests.support.waiting import eventually


@pytest.fixture
def api(hosted: Hosted) -> Api:
    return hosted.api


def history_of(hosted: Hosted, user_id: str) -> list[list[object]]:
    return hosted.query(
        "SELECT request_id, increment, new_score FROM score_history WHERE user_id = :user_id ORDER BY id", user_id=user_id
    )


def full_history(hosted: Hosted, user_id: str, length: int) -> list[list[object]]:
    rows = history_of(hosted, user_id)
    return rows if len(rows) == length else []


def test_a_score_reaches_the_board_the_viewers_and_the_ledger(hosted: Hosted, api: Api) -> None:
    player = api.new_player()
    before = player.climb()
    with player.watch() as viewer:
        snapshot = json.loads(viewer.recv(timeout=60))
        assert snapshot["type"] == "leaderboard"
        receipt = player.score(5).data
        assert (receipt["userId"], receipt["score"], receipt["increment"]) == (player.user_id, before + 5, 5)
        frame = frame_with(viewer, player.user_id, before + 5)
        assert frame["version"] > snapshot["version"]
    rows = eventually(partial(full_history, hosted, player.user_id, before // 5 + 1), 60, "the rows in score_history")
    assert rows[-1] == [receipt["requestId"], 5, before + 5]
    assert player.standing()["score"] == before + 5


def test_everything_acknowledged_is_on_the_board_and_in_the_ledger_once(hosted: Hosted, api: Api) -> None:
    players = [api.new_player() for _ in range(4)]
    plays = [(player, 1 + n % 5) for n in range(25) for player in players]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda play: play[0].score(play[1]), plays))
    assert {answer.status for answer in answers} == {200}
    for player in players:
        expected = sum(increment for who, increment in plays if who is player)
        assert player.standing()["score"] == expected
        rows = eventually(partial(full_history, hosted, player.user_id, 25), 60, "25 rows in score_history")
        assert sum(int(str(row[1])) for row in rows) == expected
        assert hosted.query("SELECT total FROM score_totals WHERE user_id = :id", id=player.user_id) == [[expected]]


def test_the_history_pages_through_every_update_newest_first(hosted: Hosted, api: Api) -> None:
    player = api.new_player()
    for increment in (1, 2, 3, 4, 5):
        assert player.score(increment).status == 200
    eventually(lambda: len(history_of(hosted, player.user_id)) == 5, 60, "five rows")
    path, seen = f"/api/score/{player.user_id}/history?limit=2", []
    cursor: str | None = ""
    while cursor is not None:
        page = player.get(path + (f"&cursor={cursor}" if cursor else "")).json
        seen += [entry["increment"] for entry in page["data"]]
        cursor = page["nextCursor"]
    assert seen == [5, 4, 3, 2, 1]


def test_the_board_is_ordered_and_ranks_agree_everywhere(api: Api) -> None:
    first, second = api.new_player(), api.new_player()
    for _ in range(4):
        first.score(5)
        second.score(5)
    second.score(1)
    assert second.standing()["rank"] < first.standing()["rank"]
    neighbours = first.get(f"/api/score/{first.user_id}?neighbours=50").data["neighbours"]
    ranks = [line["rank"] for line in neighbours]
    scores = [line["score"] for line in neighbours]
    assert ranks == sorted(ranks)
    assert scores == sorted(scores, reverse=True)


def test_the_earlier_registered_of_two_equal_players_stands_first(api: Api) -> None:
    earlier, later = api.new_player(), api.new_player()
    assert earlier.score(2).status == later.score(2).status == 200
    assert earlier.standing()["rank"] < later.standing()["rank"]


def test_every_refusal_leaves_score_and_ledger_alone(hosted: Hosted, api: Api) -> None:
    player, other = api.new_player(), api.new_player()
    api.post(f"/api/score/{player.user_id}", {"increment": 1}, other.authorization)
    for wrong in (0, 6, -1, 1.0, "1", True, None):
        assert player.score(wrong).status == 422
    player.score(1, **{"X-API-Key": "wrong"})
    assert player.standing()["score"] == 0
    assert player.score(3).status == 200
    eventually(lambda: history_of(hosted, player.user_id), 60, "the accepted row")
    assert [row[1] for row in history_of(hosted, player.user_id)] == [3]
