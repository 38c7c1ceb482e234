"""GET /api/score/{user_id}/history."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.container import Container
from shared.ledger.events import ScoreAccepted
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.players import Player, new_player

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


def get(user_id: str, reader: Player | None, **query: str) -> HandlerReply:
    return call(
        "get_score_history",
        "GET /api/score/{user_id}/history",
        path_parameters={"user_id": user_id},
        query=query,
        headers={} if reader is None else reader.authorization,
    )


@pytest.fixture
def player(deployed: Container) -> Player:
    """One with seven updates."""
    made = new_player(deployed)
    for score in range(1, 8):
        deployed.ledger.record([ScoreAccepted(str(uuid4()), made.user_id, 1, score, ACCEPTED_AT, "198.51.100.7")])
    return made


def test_updates_come_newest_first(player: Player) -> None:
    document = get(player.user_id, player).json
    assert list(document) == ["data", "nextCursor"]
    assert document["nextCursor"] is None
    assert [entry["newScore"] for entry in document["data"]] == [7, 6, 5, 4, 3, 2, 1]
    newest = document["data"][0]
    assert set(newest) == {"requestId", "increment", "newScore", "createdAt"}
    assert (newest["increment"], newest["createdAt"]) == (1, "2026-11-23T12:00:00.123Z")


@pytest.mark.parametrize("limit", [1, 3, 6, 7, 8])
def test_pages_join_without_gap_or_repetition(deployed: Container, player: Player, limit: int) -> None:
    seen, cursor = [], ""
    while True:
        page = get(player.user_id, player, limit=str(limit), **({"cursor": cursor} if cursor else {})).json
        assert len(page["data"]) <= limit
        seen += [entry["newScore"] for entry in page["data"]]
        deployed.ledger.record([ScoreAccepted(str(uuid4()), player.user_id, 1, 99, ACCEPTED_AT, "198.51.100.7")])
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_one_who_never_scored_has_an_empty_history(deployed: Container) -> None:
    newcomer = new_player(deployed)
    assert get(newcomer.user_id, newcomer).json == {"data": [], "nextCursor": None}


def test_a_player_reads_no_other_history_but_an_admin_every_one(deployed: Container, player: Player) -> None:
    refused = get(player.user_id, new_player(deployed))
    assert refused.problem == (403, "not_your_score")
    assert "only that player and admins may read" in refused.json["detail"]
    assert len(get(player.user_id, new_player(deployed, "admin")).json["data"]) == 7
    assert get(player.user_id, None).problem == (401, "missing_token")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many"])
def test_another_limit_is_refused(player: Player, limit: str) -> None:
    assert get(player.user_id, player, limit=limit).problem == (422, "invalid_parameter")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "????",
        "ключ",
        *(base64.urlsafe_b64encode(text).decode() for text in (b"5", b"before:", b"before:-1", b"before:9223372036854775808")),
    ],
)
def test_a_cursor_that_we_did_not_make_is_refused(player: Player, cursor: str) -> None:
    assert get(player.user_id, player, cursor=cursor).problem == (422, "invalid_parameter")


def test_a_cursor_may_be_any_id_that_there_can_be(player: Player) -> None:
    """At 10,000 updates a second 12 digits are used up in three years."""
    cursor = base64.urlsafe_b64encode(b"before:9223372036854775807").decode()
    assert get(player.user_id, player, cursor=cursor).status == 200


def test_a_database_that_is_away_is_told_so(player: Player, redeploy: Redeploy) -> None:
    redeploy(DATABASE_URL="postgresql://u:p@127.0.0.1:1/scoreboard")
    assert get(player.user_id, player).problem == (503, "database_unavailable")


def test_an_admin_is_told_that_there_is_no_such_player(deployed: Container) -> None:
    admin, idle = new_player(deployed, "admin"), new_player(deployed)
    assert get(idle.user_id, admin).json == {"data": [], "nextCursor": None}
    assert get("nobody", admin).problem == (404, "unknown_user")
    assert get("x" * 500, admin).problem == (404, "unknown_user")
