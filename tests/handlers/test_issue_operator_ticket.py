"""issue_operator_ticket: an operator without an account may watch, and that is all."""

from __future__ import annotations

from shared.container import Container
from tests.handlers.events import call, invoke, websocket_event


def connect(ticket: str) -> int:
    event = websocket_event("$connect", headers={}, query={"ticket": ticket})
    status: int = invoke("ws_connect", event)["statusCode"]
    return status


def test_a_ticket_is_good_for_one_connection(deployed: Container) -> None:
    ticket = invoke("issue_operator_ticket", {})["ticket"]
    assert [connect(ticket), connect(ticket)] == [200, 401]


def test_a_ticket_is_no_access_token(deployed: Container) -> None:
    ticket = invoke("issue_operator_ticket", {})["ticket"]
    reply = call("get_scores", "GET /api/scores", headers={"authorization": f"Bearer {ticket}"})
    assert reply.problem == (401, "invalid_token")


def test_it_gives_the_rights_of_a_player(deployed: Container) -> None:
    caller = deployed.ws_tickets.spend(invoke("issue_operator_ticket", {})["ticket"])
    assert (caller.user_id, caller.role) == ("operator", "player")
