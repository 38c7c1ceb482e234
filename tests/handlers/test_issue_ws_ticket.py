"""POST /api/ws-tickets."""

from __future__ import annotations

import secrets

import pytest

from shared.wiring import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.limits import limit_requests


def ticket(authorization: str | None) -> HandlerReply:
    headers = {} if authorization is None else {"Authorization": authorization}
    return call("issue_ws_ticket", "POST /api/ws-tickets", headers=headers)


def token_of(deployed: Container, user_id: str = "u-1") -> str:
    return f"Bearer {deployed.access_tokens.issue(user_id, 'player', deployed.clock.now())[0]}"


def test_a_caller_gets_a_ticket_for_thirty_seconds(deployed: Container) -> None:
    reply = ticket(token_of(deployed))
    assert reply.status == 201
    assert set(reply.data) == {"ticket", "expiresIn"}
    assert reply.data["expiresIn"] == 30
    assert deployed.ws_tickets.spend(reply.data["ticket"]).user_id == "u-1"


@pytest.mark.parametrize(
    ("authorization", "code"), [(None, "missing_token"), ("Basic eDp5", "missing_token"), ("Bearer nonsense", "invalid_token")]
)
def test_nobody_else_does(deployed: Container, authorization: str | None, code: str) -> None:
    assert ticket(authorization).problem == (401, code)


def test_a_redis_that_is_away_is_told_so(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    assert ticket(token_of(deployed)).problem == (503, "leaderboard_unavailable")


def test_tickets_are_limited_for_each_caller(deployed: Container) -> None:
    limit_requests(deployed, "ws_ticket", 3)
    authorization = token_of(deployed, f"u-{secrets.token_hex(6)}")
    replies = [ticket(authorization) for _ in range(4)]
    assert [reply.status for reply in replies] == [201, 201, 201, 429]
    assert replies[-1].problem == (429, "too_many_requests")
    assert int(replies[-1].headers["Retry-After"]) > 35_000
    assert ticket(token_of(deployed, f"u-{secrets.token_hex(6)}")).status == 201
