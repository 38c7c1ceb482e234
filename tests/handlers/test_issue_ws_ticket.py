"""POST /api/ws-tickets."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest

from shared.accounts.player import Caller
from shared.container import Container
from shared.viewers.issue_ws_ticket import WatchingPlace, issue_ws_ticket
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.limits import limit_requests


def ticket(authorization: str | None, source_ip: str = "203.0.113.7") -> HandlerReply:
    headers = {} if authorization is None else {"Authorization": authorization}
    return call("issue_ws_ticket", "POST /api/ws-tickets", headers=headers, source_ip=source_ip)


def token_of(deployed: Container, user_id: str = "u-1") -> str:
    return f"Bearer {deployed.access_tokens.issue(user_id, 'player', deployed.clock.now())[0]}"


def test_a_caller_gets_a_ticket_for_thirty_seconds(deployed: Container) -> None:
    reply = ticket(token_of(deployed))
    assert reply.status == 201
    assert set(reply.data) == {"ticket", "expiresIn", "pingInterval", "reconnectIn"}
    assert reply.data["expiresIn"] == 30
    assert deployed.ws_tickets.spend(reply.data["ticket"]).user_id == "u-1"


def test_a_crowd_is_told_to_come_again_at_different_times_before_its_sessions_end(deployed: Container) -> None:
    times = {ticket(token_of(deployed, f"u-{number}")).data["reconnectIn"] for number in range(20)}
    assert len(times) > 5
    assert min(times) >= 670
    assert max(times) <= 900 * 0.95


def test_nobody_is_told_to_stay_longer_than_api_gateway_keeps_a_connection(deployed: Container) -> None:
    caller = Caller("u-1", "player", deployed.clock.now() + timedelta(days=1))
    for spread in (0.0, 1.0):
        answer = issue_ws_ticket(
            caller, deployed.request_limits, deployed.ws_tickets, WatchingPlace(), deployed.clock, spread
        ).as_json()
        assert 0 < int(answer["pingInterval"]) < 600
        assert 5000 < int(answer["reconnectIn"]) < 7200


def test_viewers_are_told_where_to_connect(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(VIEWERS_URL="wss://events.example.test/event/realtime", APPSYNC_EVENTS_URL="https://events.example.test/event")
    told = ticket(token_of(deployed)).data
    assert (told["url"], told["channel"]) == ("wss://events.example.test/event/realtime", "/scoreboard/live")


@pytest.mark.usefixtures("nothing_public")
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


def test_where_the_board_is_public_nobody_needs_a_token(redeploy: Redeploy) -> None:
    public = redeploy(PUBLIC_LEADERBOARD="true")
    reply = ticket(None)
    assert reply.status == 201
    assert set(reply.data) == {"ticket", "expiresIn", "pingInterval", "reconnectIn"}
    assert 670 <= reply.data["reconnectIn"] <= 900 * 0.95, "as long as with a new access token"
    viewer = public.ws_tickets.spend(reply.data["ticket"])
    assert (viewer.user_id, viewer.role, viewer.session_id, viewer.is_anonymous) == ("", "player", "", True)


@pytest.mark.parametrize(("authorization", "code"), [("Basic eDp5", "missing_token"), ("Bearer nonsense", "invalid_token")])
def test_a_token_that_is_shown_is_checked_on_a_public_board_too(redeploy: Redeploy, authorization: str, code: str) -> None:
    public = redeploy(PUBLIC_LEADERBOARD="true")
    assert ticket(authorization).problem == (401, code)
    assert public.ws_tickets.spend(ticket(token_of(public)).data["ticket"]).user_id == "u-1"


def test_tickets_without_an_account_are_limited_for_each_network(redeploy: Redeploy) -> None:
    public = redeploy(PUBLIC_LEADERBOARD="true")
    limit_requests(public, "anonymous_ws_ticket", 3)
    hall = f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::"
    replies = [ticket(None, f"{hall}{number}") for number in range(1, 5)]
    assert [reply.status for reply in replies] == [201, 201, 201, 429]
    assert ticket(None, f"2001:db9:{secrets.token_hex(2)}:1::1").status == 201
    assert ticket(token_of(public), f"{hall}1").status == 201, "those with an account have limits of their own"
