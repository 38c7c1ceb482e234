"""The schedule that looks after ended sessions."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from shared.accounts.session import EndedSession
from shared.container import Container
from shared.core.errors import SessionEnded
from tests.handlers.conftest import Redeploy
from tests.handlers.events import invoke
from tests.handlers.players import new_board, new_player
from tests.support.product import query


def note(database_url: str, minutes_ago: int) -> str:
    session_id = str(uuid4())
    query(
        database_url,
        "INSERT INTO ended_sessions (session_id, user_id, ended_at) VALUES (:id, 'u', now() - CAST(:ago AS interval))",
        id=session_id,
        ago=f"{minutes_ago} minutes",
    )
    return session_id


def test_what_redis_does_not_know_it_is_told_and_what_is_past_is_forgotten(
    deployed: Container, redeploy: Redeploy, database_url: str
) -> None:
    board = new_board(redeploy)
    old, young = note(database_url, 17), note(database_url, 14)
    board.access.end([EndedSession(old, board.clock.now() - timedelta(minutes=17))])
    assert invoke("forget_sessions", {})["forgotten"] >= 1
    known = query(database_url, "SELECT session_id FROM ended_sessions WHERE session_id IN (:old, :young)", old=old, young=young)
    assert known == [[young]]
    player = new_player(board)
    caller = board.identify(player.access_token)
    board.authenticate(player.access_token)
    for session_id, is_over in ((young, True), (old, False)):
        token, _ = board.access_tokens.issue(caller.user_id, "player", board.clock.now(), session_id)
        if is_over:
            with pytest.raises(SessionEnded):
                board.authenticate(token)
        else:
            assert board.authenticate(token).session_id == session_id


def test_a_session_that_ended_before_redis_lost_everything_stays_over(
    deployed: Container, redeploy: Redeploy, database_url: str
) -> None:
    player = new_player(deployed)
    session_id = deployed.identify(player.access_token).session_id
    query(database_url, "INSERT INTO ended_sessions (session_id, user_id) VALUES (:id, 'u')", id=session_id)
    new_board(redeploy)
    assert player.score().problem == (401, "session_ended")
