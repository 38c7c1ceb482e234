"""The Lambda authorizer of the AppSync Events API."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.accounts.player import Caller
from shared.container import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import call, invoke, payload

LIVE = "/scoreboard/live"


def is_let_in(operation: str, ticket: str, channel: str | None = None) -> bool:
    event = payload("appsync_events_authorizer")
    event["authorizationToken"] = ticket
    event["requestContext"].update(operation=operation, channel=channel)
    answer = invoke("authorize_viewer", event)
    assert set(answer) == {"isAuthorized", "ttlOverride"}
    assert answer["ttlOverride"] == 0, "a ticket is good once"
    return bool(answer["isAuthorized"])


def new_ticket(deployed: Container) -> str:
    caller = deployed.authenticate(deployed.access_tokens.issue("u-1", "player", deployed.clock.now())[0])
    return deployed.ws_tickets.issue(caller)[0]


def test_a_ticket_connects_once_and_subscribes_once(deployed: Container) -> None:
    ticket = new_ticket(deployed)
    asked = [("EVENT_CONNECT", None), ("EVENT_CONNECT", None), ("EVENT_SUBSCRIBE", LIVE), ("EVENT_SUBSCRIBE", LIVE)]
    assert [is_let_in(operation, ticket, channel) for operation, channel in asked] == [True, False, True, False]


def test_a_request_to_connect_may_say_nothing_of_a_channel(deployed: Container) -> None:
    """AppSync's documentation has null there; what is left out is the same."""
    event = payload("appsync_events_authorizer")
    event["authorizationToken"] = new_ticket(deployed)
    event["requestContext"] |= {"operation": "EVENT_CONNECT"}
    for name in ("channel", "channelNamespaceName"):
        event["requestContext"].pop(name, None)
    assert invoke("authorize_viewer", event) == {"isAuthorized": True, "ttlOverride": 0}


def test_nobody_subscribes_who_has_not_connected(deployed: Container) -> None:
    assert not is_let_in("EVENT_SUBSCRIBE", new_ticket(deployed), LIVE)


@pytest.mark.parametrize("channel", ["/scoreboard/*", "/scoreboard/live/more", "/*", "", None])
def test_no_other_channel_is_open(deployed: Container, channel: str | None) -> None:
    ticket = new_ticket(deployed)
    assert is_let_in("EVENT_CONNECT", ticket)
    assert not is_let_in("EVENT_SUBSCRIBE", ticket, channel)
    assert is_let_in("EVENT_SUBSCRIBE", ticket, LIVE), "a refusal spends nothing"


def test_viewers_never_publish(deployed: Container) -> None:
    ticket = new_ticket(deployed)
    assert is_let_in("EVENT_CONNECT", ticket)
    assert not is_let_in("EVENT_PUBLISH", ticket, LIVE)


def test_a_ticket_without_an_account_connects_and_subscribes_while_the_board_is_public(redeploy: Redeploy) -> None:
    redeploy(PUBLIC_LEADERBOARD="true")
    tickets = [call("issue_ws_ticket", "POST /api/ws-tickets").data["ticket"] for _ in range(2)]
    asked = [("EVENT_CONNECT", None), ("EVENT_CONNECT", None), ("EVENT_SUBSCRIBE", LIVE), ("EVENT_SUBSCRIBE", LIVE)]
    assert [is_let_in(operation, tickets[0], channel) for operation, channel in asked] == [True, False, True, False]
    assert is_let_in("EVENT_CONNECT", tickets[1])
    redeploy(PUBLIC_LEADERBOARD="false")
    assert not is_let_in("EVENT_SUBSCRIBE", tickets[1], LIVE)


@pytest.mark.parametrize("ticket", ["", "nonsense", "x" * 1000, "é"])
def test_nobody_else_is_let_in(deployed: Container, ticket: str) -> None:
    assert not is_let_in("EVENT_CONNECT", ticket)


def test_a_ticket_outlives_no_token(deployed: Container) -> None:
    ticket, _ = deployed.ws_tickets.issue(Caller("u-1", "player", deployed.clock.now() - timedelta(seconds=1)))
    assert not is_let_in("EVENT_CONNECT", ticket)


def test_nobody_is_let_in_while_redis_is_away(deployed: Container, redeploy: Redeploy) -> None:
    ticket = new_ticket(deployed)
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    assert not is_let_in("EVENT_CONNECT", ticket)
