"""POST /api/users/{user_id}/api-key."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.container import Container
from tests.handlers.events import HandlerReply
from tests.handlers.sessions import LoggedIn, newcomer
from tests.support.product import query

ROUTE = "POST /api/users/{user_id}/api-key"


@pytest.fixture
def player(deployed: Container) -> LoggedIn:
    return newcomer()


def rotate(session: LoggedIn, **request: Any) -> HandlerReply:
    return session.call("rotate_api_key", ROUTE, **request)


def test_the_new_key_counts_and_the_old_one_is_dead_with_the_next_request(player: LoggedIn, database_url: str) -> None:
    assert player.score(X_API_Key=player.api_key).status == 200
    reply = rotate(player)
    assert (reply.status, set(reply.data), reply.headers["Cache-Control"]) == (201, {"apiKey"}, "no-store")
    assert player.score(X_API_Key=player.api_key).problem == (401, "invalid_api_key")
    assert player.score(X_API_Key=reply.data["apiKey"]).status == 200
    assert player.score().status == 200
    stored = query(database_url, "SELECT api_key FROM users WHERE user_id = :id", id=player.user_id)
    assert stored == [[hashlib.sha256(reply.data["apiKey"].encode()).hexdigest()]]
    audit = query(
        database_url, "SELECT detail FROM audit_log WHERE action = 'api_key_rotated' AND user_id = :id", id=player.user_id
    )
    assert audit == [[{}]]


def test_nobody_rotates_the_key_of_another(player: LoggedIn) -> None:
    assert rotate(newcomer(), path_parameters={"user_id": player.user_id}).problem == (403, "not_your_account")
    assert player.score(X_API_Key=player.api_key).status == 200


def test_of_many_rotations_at_once_the_last_one_counts(player: LoggedIn, database_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        keys = [reply.data["apiKey"] for reply in threads.map(lambda _: rotate(player), range(4))]
    ((stored,),) = query(database_url, "SELECT api_key FROM users WHERE user_id = :id", id=player.user_id)
    good = [key for key in keys if player.score(X_API_Key=key).status == 200]
    assert [hashlib.sha256(key.encode()).hexdigest() for key in good] == [stored]
