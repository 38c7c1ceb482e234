"""Ids are accepted in any letter case wherever they come in, and answered in small letters."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from uuid import uuid4

import pytest

from shared.audit.follow_audit_log import FollowAuditLog
from shared.audit.verify_audit import KnownHead
from shared.container import Container
from shared.ledger.read_dead_letters import parse_name
from shared.ledger.redrive_dead_letters import parse_choice
from tests.handlers.boards import define_board
from tests.handlers.events import HandlerReply, call, invoke, websocket_event
from tests.handlers.players import Player, consuming, new_player
from tests.handlers.test_roles import ROUTES, TABLE, with_password
from tests.support.waiting import eventually

OF_A_PLAYER = [route for route in TABLE if "{user_id}" in route]


@pytest.fixture
def admin(deployed: Container) -> Player:
    return new_player(deployed, "admin")


def asked(deployed: Container, route: str, player: Player, caller: Player, user_id: str) -> HandlerReply:
    parameters = {"user_id": user_id}
    if "{board}" in route:
        parameters["board"] = define_board(deployed)
    request = TABLE[route].request()
    return call(ROUTES[route], route, path_parameters=parameters, headers=caller.authorization, **request)


@pytest.mark.parametrize("spelled", [str.upper, lambda text: text.title()], ids=["capitals", "mixed"])
@pytest.mark.parametrize("route", OF_A_PLAYER)
def test_ones_own_id_is_ones_own_in_any_letter_case(
    deployed: Container, admin: Player, route: str, spelled: Callable[[str], str]
) -> None:
    player = new_player(deployed)
    if route.endswith("/password"):
        with_password(deployed, player)
    caller = admin if "/api/admin/" in route else player
    reply = asked(deployed, route, player, caller, spelled(player.user_id))
    assert reply.status == TABLE[route].status("admin" if caller is admin else "player"), reply.body
    if reply.body:
        told = json.loads(reply.body)["data"]
        assert not isinstance(told, dict) or told.get("userId", player.user_id) == player.user_id


@pytest.mark.parametrize("route", OF_A_PLAYER)
def test_an_id_of_another_player_in_capitals_is_another_players(deployed: Container, route: str) -> None:
    player, other = new_player(deployed), new_player(deployed)
    assert asked(deployed, route, player, other, player.user_id.upper()).status == TABLE[route].status("other")


def filters(player: Player, request_id: str) -> list[Mapping[str, str]]:
    return [
        {"userId": player.user_id.upper(), "action": "score_accepted"},
        {"actor": player.user_id.upper(), "userId": player.user_id.title(), "action": "score_accepted"},
        {"requestId": request_id.upper()},
        {"requestId": request_id.upper(), "actor": player.user_id.upper()},
    ]


def test_an_admin_finds_entries_and_accounts_by_ids_in_capitals(deployed: Container, admin: Player) -> None:
    player = new_player(deployed)
    with consuming(deployed):
        request_id = player.score(2).data["requestId"]
        eventually(lambda: deployed.ledger.recorded(request_id), 60, "the update in the ledger")
    for query in filters(player, request_id):
        page = call("get_audit_log", "GET /api/admin/audit-log", headers=admin.authorization, query={**query, "limit": "5"})
        assert [(entry["requestId"], entry["userId"]) for entry in page.data] == [(request_id, player.user_id)], query
    found = call("find_users", "GET /api/admin/users", headers=admin.authorization, query={"userId": player.user_id.upper()})
    assert [account["userId"] for account in found.data] == [player.user_id]


def test_an_operator_follows_a_player_and_a_request_by_ids_in_capitals(deployed: Container) -> None:
    player, request_id = new_player(deployed), str(uuid4())
    deployed.ledger.audit("told", actor="operator", user_id=player.user_id, detail={}, request_id=request_id)
    for user in (player.user_id.upper(), player.username.upper()):
        told = invoke("follow_audit_log", {"last": 3, "user": user, "requestId": request_id.upper()})
        assert [entry["requestId"] for entry in told["entries"]] == [request_id]


def test_ids_in_bodies_and_arguments_are_read_in_any_letter_case() -> None:
    request_ids = [str(uuid4()), "of-another-kind"]
    choice = parse_choice({"requestIds": [request_ids[0].upper(), request_ids[1]]})
    assert choice.request_ids == tuple(request_ids)
    assert [parse_name(name) for name in (request_ids[0].upper(), "7")] == [request_ids[0], 7]
    assert FollowAuditLog.parse({"user": "INGRID"}).user == "INGRID", "a name is folded where names are"
    hash_text = secrets.token_hex(32)
    assert KnownHead.parse(f"3:{hash_text.upper()}") == KnownHead(3, hash_text)


def test_a_viewers_session_ends_under_the_id_that_is_known(deployed: Container) -> None:
    """The labels of a connection say whose it is, as a log-out will."""
    player = new_player(deployed)
    token, _ = deployed.access_tokens.issue(player.user_id.upper(), "player", deployed.clock.now(), str(uuid4()).upper())
    answer = invoke("ws_connect", websocket_event("$connect", headers={"Authorization": f"Bearer {token}"}))
    assert answer["headers"]["X-Session-Labels"].islower()
    assert answer["headers"]["X-Session-Labels"].startswith(player.user_id)
