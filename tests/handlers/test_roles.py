"""Who may do what: every route of the template with every kind of caller (BOLA and BFLA of the OWASP API Security Top 10)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from infra.documents.openapi import template_routes
from shared.accounts.session import EndedSession
from shared.container import Container
from tests.handlers.boards import define_board
from tests.handlers.conftest import Redeploy
from tests.handlers.events import call, invoke, websocket_event
from tests.handlers.players import Player, new_player
from tests.support.product import query

PASSWORD = "correct horse battery staple"
ROUTES = template_routes()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route answers to each kind of caller, when all else about the request is in order.

    In a path stands the player's id, whoever calls. `admin` is not that player; nor is `other`, who plays, too.
    """

    player: int
    other: int
    admin: int
    disabled: int = 403
    without_a_token: int = 401
    request: Callable[[], Mapping[str, Any]] = field(default=dict)
    nobody: int | None = None  # who shows no token at all; as one that is no good where it is left out

    def status(self, kind: str) -> int:
        """The status for one of CALLERS."""
        known = {"player": self.player, "other": self.other, "admin": self.admin, "disabled": self.disabled}
        return self.nobody if kind == "nobody" and self.nobody is not None else known.get(kind, self.without_a_token)


def anybody(status: int, request: Callable[[], Mapping[str, Any]] = dict) -> Rule:
    """A route that asks for no token and is none the worse for a bad one."""
    return Rule(status, status, status, status, status, request)


def only_the_player(status: int, request: Callable[[], Mapping[str, Any]] = dict) -> Rule:
    """A route about what is one's own."""
    return Rule(status, 403, 403, request=request)


def everybody_with_a_token(status: int) -> Rule:
    """A route for those who are known."""
    return Rule(status, status, status)


def only_an_admin(status: int, request: Callable[[], Mapping[str, Any]] = dict) -> Rule:
    """A route for those who look after the scoreboard."""
    return Rule(403, 403, status, request=request)


TABLE = {
    "POST /api/users": anybody(201, lambda: {"body": {"username": f"New-{secrets.token_hex(6)}", "password": PASSWORD}}),
    "POST /api/tokens": anybody(422, lambda: {"body": {}}),
    "DELETE /api/tokens": everybody_with_a_token(204),
    "PUT /api/users/{user_id}/password": only_the_player(
        204, lambda: {"body": {"currentPassword": PASSWORD, "newPassword": "staple an honest mule"}}
    ),
    "POST /api/users/{user_id}/api-key": only_the_player(201),
    "GET /api/me": everybody_with_a_token(200),
    "PATCH /api/me": Rule(200, 200, 200, request=lambda: {"body": {"displayName": "Ада"}}),
    "POST /api/score/{user_id}": only_the_player(200, lambda: {"body": {"increment": 1}}),
    "GET /api/boards/{board}/scores": everybody_with_a_token(200),
    "GET /api/boards/{board}/scores/{user_id}": everybody_with_a_token(200),
    "GET /api/boards/{board}/scores/{user_id}/entries": Rule(200, 403, 200),
    "POST /api/boards/{board}/scores/query": Rule(200, 200, 200, request=lambda: {"body": {"userIds": [str(uuid4())]}}),
    "POST /api/boards/{board}/scores/{user_id}": only_the_player(200, lambda: {"body": {"value": 1}}),
    "POST /api/boards/{board}/scores": Rule(403, 403, 403, request=lambda: {"body": {"entries": [{}]}}),
    "POST /api/admin/boards/{board}/moderation": only_an_admin(
        404, lambda: {"body": {"action": "hide", "userId": "nobody", "reason": "x"}}
    ),
    "GET /api/admin/boards/{board}/moderation": only_an_admin(200),
    "GET /api/admin/server-keys": only_an_admin(200),
    "POST /api/admin/server-keys": only_an_admin(201, lambda: {"body": {"name": "race server"}}),
    "POST /api/admin/server-keys/{key_id}/secret": only_an_admin(404, lambda: {"path_parameters": {"key_id": "0a1b"}}),
    "DELETE /api/admin/server-keys/{key_id}": only_an_admin(404, lambda: {"path_parameters": {"key_id": "0a1b"}}),
    "POST /api/score/{user_id}/tickets": only_the_player(201),
    "GET /api/scores": everybody_with_a_token(200),
    "GET /api/score/{user_id}": everybody_with_a_token(200),
    "GET /api/score/{user_id}/history": Rule(200, 403, 200),
    "GET /api/boards": Rule(200, 200, 200, nobody=200),
    "GET /api/boards/{board}": everybody_with_a_token(200),
    "PUT /api/boards/{board}": only_an_admin(200, lambda: {"body": {"title": "New"}}),
    "DELETE /api/boards/{board}": only_an_admin(204),
    "GET /api/boards/{board}/seasons": everybody_with_a_token(200),
    # It has one period alone, which is never reset; that this is said says that the caller may.
    "POST /api/boards/{board}/reset": only_an_admin(409, lambda: {"body": {}}),
    "POST /api/ws-tickets": everybody_with_a_token(201),
    "GET /api/admin/overview": only_an_admin(200),
    "GET /api/admin/audit-log": only_an_admin(200),
    "GET /api/admin/dead-letters": only_an_admin(200),
    "GET /api/admin/dead-letters/{id}": only_an_admin(404, lambda: {"path_parameters": {"id": str(uuid4())}}),
    "POST /api/admin/dead-letters/redrive": only_an_admin(200, lambda: {"body": {"requestIds": [str(uuid4())]}}),
    "POST /api/admin/dead-letters/discard": only_an_admin(200, lambda: {"body": {"requestIds": [str(uuid4())], "reason": "x"}}),
    # With a consumer it would be 201; that the body is looked at says that the caller may.
    "POST /api/admin/reconciliations": only_an_admin(422, lambda: {"body": {"dryRun": "perhaps"}}),
    "GET /api/admin/reconciliations": only_an_admin(200),
    "GET /api/admin/users": only_an_admin(200, lambda: {"query": {"username": "somebody"}}),
    "PATCH /api/admin/users/{user_id}": only_an_admin(200, lambda: {"body": {"disabled": True}}),
    "GET /.well-known/jwks.json": anybody(200),
    "GET /openapi.json": anybody(200),
    "GET /asyncapi.json": anybody(200),
    "GET /": anybody(200),
    "GET /admin": anybody(200),
    "GET /docs": anybody(200),
    "GET /docs/problems": anybody(200),
    "GET /docs/runbook": anybody(200),
    "GET /admin/": anybody(308),
    "GET /docs/": anybody(308),
    "GET /favicon.ico": anybody(200),
    "GET /robots.txt": anybody(200),
    "GET /.well-known/security.txt": anybody(404),
    "GET /assets/{name}": anybody(200, lambda: {"path_parameters": {"name": "app.js"}}),
    "GET /healthz": anybody(200),
    "GET /readyz": anybody(200),
}


def with_password(deployed: Container, player: Player) -> Player:
    """A player who has the password."""
    query(
        deployed.settings.database_url,
        "UPDATE users SET hashed_password = :hashed WHERE user_id = :id",
        hashed=deployed.password_hasher.hash(PASSWORD),
        id=player.user_id,
    )
    return player


def logged_out(deployed: Container, player: Player) -> dict[str, str]:
    session_id = deployed.identify(player.access_token).session_id
    deployed.access.end([EndedSession(session_id, deployed.clock.now())])
    return player.authorization


def expired(deployed: Container, player: Player) -> dict[str, str]:
    long_ago = deployed.clock.now() - timedelta(hours=1)
    return {"Authorization": f"Bearer {deployed.access_tokens.issue(player.user_id, 'admin', long_ago, str(uuid4()))[0]}"}


def garbage(deployed: Container, player: Player) -> dict[str, str]:
    return {"Authorization": f"Bearer {player.access_token[:-4]}AAAA"}


# How each kind of caller proves who they are; the argument is the player whom the path names.
CALLERS: dict[str, Callable[[Container, Player], dict[str, str]]] = {
    "nobody": lambda _deployed, _player: {},
    "player": lambda _deployed, player: player.authorization,
    "other": lambda deployed, _player: new_player(deployed).authorization,
    "admin": lambda deployed, _player: new_player(deployed, "admin").authorization,
    "disabled": lambda deployed, _player: new_player(deployed, "admin", disabled=True).authorization,
    "logged out": logged_out,
    "expired": expired,
    "garbage": garbage,
}


def named_in(route: str, player: Player, deployed: Container) -> dict[str, Any]:
    """A path's player and board, where it names any."""
    found = {"user_id": player.user_id} if "{user_id}" in route else {}
    if "{board}" in route:
        found["board"] = define_board(deployed)
    return {"path_parameters": found} if found else {}


def test_every_route_of_the_template_stands_in_the_table() -> None:
    assert set(TABLE) == set(ROUTES)


@pytest.mark.usefixtures("nothing_public")
@pytest.mark.parametrize("route", TABLE)
def test_a_route_answers_each_caller_as_the_table_says(deployed: Container, route: str) -> None:
    answers = {}
    for kind, prove in CALLERS.items():
        player = new_player(deployed)
        if route.endswith("/password"):
            with_password(deployed, player)
        parameters = named_in(route, player, deployed)
        source_ip = secrets.token_hex(4)
        headers = prove(deployed, player)
        answers[kind] = call(ROUTES[route], route, headers=headers, source_ip=source_ip, **parameters, **TABLE[route].request())
    statuses = {kind: reply.status for kind, reply in answers.items()}
    assert statuses == {kind: TABLE[route].status(kind) for kind in CALLERS}, {kind: one.body for kind, one in answers.items()}


# What of it is otherwise where the board is public: to watch, nobody needs an account.
PUBLIC = {
    "GET /api/scores": anybody(200),
    "GET /api/boards/{board}": anybody(200, lambda: {"path_parameters": {"board": "main"}}),
    "POST /api/ws-tickets": everybody_with_a_token(201),
    "GET /api/score/{user_id}": everybody_with_a_token(200),
}


@pytest.mark.parametrize("route", PUBLIC)
def test_a_public_board_answers_each_caller_as_the_table_says(redeploy: Redeploy, route: str) -> None:
    public = redeploy(PUBLIC_LEADERBOARD="true")
    for kind, prove in CALLERS.items():
        player = new_player(public)
        asked = named_in(route, player, public) | dict(PUBLIC[route].request())
        reply = call(ROUTES[route], route, headers=prove(public, player), source_ip=secrets.token_hex(4), **asked)
        gets_a_ticket = kind == "nobody" and route == "POST /api/ws-tickets"
        assert reply.status == (201 if gets_a_ticket else PUBLIC[route].status(kind)), kind


def test_the_live_board_admits_whom_the_table_says(deployed: Container) -> None:
    for kind, prove in CALLERS.items():
        headers = prove(deployed, new_player(deployed))
        answer = invoke("ws_connect", websocket_event("$connect", headers=headers))
        assert answer["statusCode"] == everybody_with_a_token(200).status(kind), kind


def test_a_disabled_admin_is_no_admin_even_for_what_is_their_own(deployed: Container) -> None:
    admin = new_player(deployed, "admin", disabled=True)
    for route, rule in TABLE.items():
        if rule.without_a_token == 401:
            parameters = named_in(route, admin, deployed)
            assert call(ROUTES[route], route, headers=admin.authorization, **parameters, **rule.request()).status == 403, route
