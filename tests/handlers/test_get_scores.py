"""GET /api/scores."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from shared.boards import read_board
from shared.boards import redis as stored
from shared.container import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, give, new_player
from tests.support.waiting import eventually


@pytest.fixture
def board(deployed: Container, redeploy: Redeploy) -> Container:
    """A board on which nobody stands yet, and which everybody may read."""
    made: Container = redeploy(KEY_PREFIX=f"{{{secrets.token_hex(6)}}}:", PUBLIC_LEADERBOARD="true")
    made.leaderboard.rebuild([])
    return made


def get(limit: str | None = None, **headers: str) -> HandlerReply:
    return call("get_scores", "GET /api/scores", query=None if limit is None else {"limit": limit}, headers=headers)


def twelve(board: Container) -> list[Player]:
    """Twelve players, the best first."""
    players = [new_player(board) for _ in range(12)]
    for place, player in enumerate(players):
        give(board, {player.user_id: 1000 - place})
    return players


def test_the_ten_best_come_best_first_with_the_instant_they_were_read(board: Container) -> None:
    players = twelve(board)
    document = get().json
    assert list(document) == ["data", "cache_time"]
    assert document["data"] == [
        {
            "userId": player.user_id,
            "username": player.username,
            "displayName": player.username,
            "rank": place,
            "score": 1001 - place,
        }
        for place, player in enumerate(players[:10], 1)
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["cache_time"])
    assert datetime.now(UTC) - datetime.fromisoformat(document["cache_time"]) < timedelta(seconds=30)


@pytest.mark.parametrize("limit", ["1", "3", "10", "12"])
def test_as_many_come_as_were_asked_for(board: Container, limit: str) -> None:
    players = twelve(board)
    lines = get(limit).json["data"]
    assert [line["userId"] for line in lines] == [player.user_id for player in players[: int(limit)]]


def test_no_more_than_a_hundred_come(board: Container) -> None:
    for number in range(101):
        give(board, {f"stranger-{number:03}": 5000})
    lines = get("100").json["data"]
    assert len(lines) == 100
    assert lines[0] == {
        "userId": "stranger-100",
        "username": "stranger-100",
        "displayName": "stranger-100",
        "rank": 1,
        "score": 5000,
    }


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "", "1.5", "1e1", "\u0661"])
def test_another_limit_is_refused(board: Container, limit: str) -> None:
    assert get(limit).problem == (422, "invalid_parameter")


def test_a_board_may_be_five_seconds_old(board: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (read_board.FRESH_SECONDS, stored.DOCUMENT_MS) == (5, 5000)
    monkeypatch.setattr(read_board, "FRESH_SECONDS", 300.0)  # a test may be slow
    monkeypatch.setattr(stored, "DOCUMENT_MS", 300_000)
    player = twelve(board)[0]
    before = get()
    give(board, {player.user_id: 500})
    assert get().body == before.body
    assert get("3").json["cache_time"] == before.json["cache_time"]
    document = board.board_cache.get(10)
    assert document is not None
    assert document.decode() == before.body


def test_what_is_cached_is_forgotten_after_five_seconds(board: Container, redeploy: Redeploy, redis_url: str) -> None:
    import redis

    redeploy()
    with redis.Redis.from_url(redis_url) as client:

        def lasts_ms() -> int:
            """0 when it is over before this has asked."""
            get()
            return max(0, int(client.pttl(f"{board.settings.key_prefix}cached_top_10")))

        assert eventually(lasts_ms, 60, "a board in the cache") <= 5000
    redeploy()  # another process remembers nothing of it
    with redis.Redis.from_url(redis_url) as client:
        client.delete(f"{board.settings.key_prefix}cached_top_10")
    player = twelve(board)[0]
    assert get().json["data"][0]["userId"] == player.user_id


def test_who_has_the_board_is_not_sent_it_again(board: Container) -> None:
    twelve(board)
    first = get()
    assert first.headers["Cache-Control"] == "no-cache"
    etag = first.headers["ETag"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = get(**{"If-None-Match": sent})
        assert (again.status, again.body, again.headers["ETag"]) == (304, "", etag)
    assert get(**{"If-None-Match": '"other"'}).body == first.body
    shorter = get("3", **{"If-None-Match": etag})
    assert shorter.status == 200
    assert shorter.headers["ETag"] != etag


def test_the_board_is_private_unless_it_is_opened(deployed: Container) -> None:
    player = new_player(deployed)
    assert get().problem == (401, "missing_token")
    assert get(Authorization="Bearer nonsense").problem == (401, "invalid_token")
    assert get(**player.authorization).status == 200


def test_a_redis_that_is_away_is_told_so(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0", PUBLIC_LEADERBOARD="true")
    assert get().problem == (503, "leaderboard_unavailable")
