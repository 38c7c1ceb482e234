"""Every limit tells what is left of it: in the answer to a request that it let through, and in the one that it refused."""

from __future__ import annotations

import glob
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest

from infra.documents import openapi
from shared.accounts.redis import OF_ACCOUNT_FROM_NETWORK
from shared.accounts.request_limit import RequestKind, request_limits
from shared.container import Container
from tests.handlers.conftest import Redeploy
from tests.handlers.events import HandlerReply, call
from tests.handlers.limits import limit_requests
from tests.handlers.players import new_board, new_player
from tests.handlers.sessions import PASSWORD, LoggedIn, log_in, newcomer

LIMITS = request_limits(network_registrations=600, registrations=10_000, updates=100, update_window_seconds=60)
HERE = "203.0.113.7"
Ask = Callable[[], HandlerReply]


def changes_of_password(player: LoggedIn) -> Iterator[HandlerReply]:
    passwords = [PASSWORD, "staple an honest mule"]
    while True:
        body = {"currentPassword": passwords[0], "newPassword": passwords[1]}
        yield player.call("change_password", "PUT /api/users/{user_id}/password", body=body, source_ip=HERE)
        passwords.reverse()


def log_outs(player: LoggedIn) -> Iterator[HandlerReply]:
    yield from [session.call("log_out", "DELETE /api/tokens") for session in (player.again(), player)]


def refreshes(player: LoggedIn) -> Iterator[HandlerReply]:
    while True:
        yield call("issue_token", "POST /api/tokens", body={"refreshToken": player.refresh_token}, source_ip=HERE)


def register() -> HandlerReply:
    body = {"username": f"Player-{secrets.token_hex(6)}", "password": PASSWORD}
    return call("register_user", "POST /api/users", body=body, source_ip=HERE)


def watch(**headers: str) -> HandlerReply:
    return call("issue_ws_ticket", "POST /api/ws-tickets", headers=headers, source_ip=HERE)


# How a request comes that each kind of limit counts, and on which route.
REQUESTS: dict[RequestKind, tuple[str, Callable[[LoggedIn], Ask]]] = {
    "registration": ("POST /api/users", lambda _: register),
    "password_check": ("POST /api/tokens", lambda player: lambda: log_in(player.username, source_ip=HERE)),
    "session": ("POST /api/tokens", lambda player: lambda: log_in(player.username, source_ip=HERE)),
    "token_refresh": ("POST /api/tokens", lambda player: refreshes(player).__next__),
    "password_change": ("PUT /api/users/{user_id}/password", lambda player: changes_of_password(player).__next__),
    "log_out": ("DELETE /api/tokens", lambda player: log_outs(player).__next__),
    "ws_ticket": ("POST /api/ws-tickets", lambda player: lambda: watch(**player.authorization)),
    "anonymous_ws_ticket": ("POST /api/ws-tickets", lambda _: watch),
    "action_ticket": (
        "POST /api/score/{user_id}/tickets",
        lambda player: lambda: player.call("issue_action_ticket", "POST /api/score/{user_id}/tickets"),
    ),
    "display_name_change": (
        "PATCH /api/me",
        lambda player: lambda: player.call("update_me", "PATCH /api/me", body={"displayName": "Ada"}),
    ),
    "api_key_rotation": (
        "POST /api/users/{user_id}/api-key",
        lambda player: lambda: player.call("rotate_api_key", "POST /api/users/{user_id}/api-key"),
    ),
}


@pytest.fixture
def board(redeploy: Redeploy) -> Container:
    """Counters that nobody else has used."""
    redeploy(PUBLIC_LEADERBOARD="true")
    return new_board(redeploy)


def told(reply: HandlerReply) -> dict[str, tuple[int, int, int, int]]:
    """Requests, window, remaining and seconds of each limit that an answer tells of."""
    policies = re.findall(r'"(\w+)";q=(\d+);w=(\d+)(?:, |$)', reply.headers["RateLimit-Policy"])
    left = re.findall(r'"(\w+)";r=(\d+);t=(\d+)(?:, |$)', reply.headers["RateLimit"])
    assert [name for name, _, _ in policies] == [name for name, _, _ in left]
    return {name: (int(q), int(w), int(r), int(t)) for (name, q, w), (_, r, t) in zip(policies, left, strict=True)}


def test_every_kind_of_request_that_is_limited_is_tried() -> None:
    assert REQUESTS.keys() == LIMITS.keys() == set(get_args(RequestKind))


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_limit_says_what_is_left_of_it_and_when_there_will_be_more(board: Container, kind: RequestKind) -> None:
    player = newcomer()
    board._redis.delete(*board._redis.scan_iter(glob.escape(f"{board._shard.prefix}requests:") + "*"))
    ask = REQUESTS[kind][1](player)
    limit_requests(board, kind, 1)
    names = {f"{kind}_{limit.scope}" for limit in LIMITS[kind]}
    first = ask()
    assert first.status < 300, first.body
    for name in names:
        assert told(first)[name] == (1, 36_000, 0, 36_000)
    refused = ask()
    assert refused.problem == (429, "too_many_requests")
    for name in names:
        requests, window, remaining, seconds = told(refused)[name]
        assert (requests, window, remaining) == (1, 36_000, 0)
        assert 35_000 < seconds == int(refused.headers["Retry-After"])


def test_what_is_left_comes_back_evenly(board: Container) -> None:
    player = newcomer()
    limit_requests(board, "ws_ticket", 3)
    told_after = [told(watch(**player.authorization))["ws_ticket_user"] for _ in range(4)]
    assert [remaining for _, _, remaining, _ in told_after] == [2, 1, 0, 0]
    assert all(35_000 < seconds <= 36_000 for _, _, _, seconds in told_after)


@pytest.mark.usefixtures("time_stands")
def test_failed_log_ins_tell_how_many_may_follow(board: Container) -> None:
    name = newcomer().username
    free = OF_ACCOUNT_FROM_NETWORK.free_attempts
    failures = [told(log_in(name, "not the password", HERE))["failed_log_in"] for _ in range(free)]
    assert [remaining for _, _, remaining, _ in failures] == [*range(free - 1, -1, -1)]
    assert failures[0] == (free, 900, free - 1, 900)
    assert failures[-1] == (free, 900, 0, 2)
    refused = log_in(name, PASSWORD, HERE)
    assert refused.problem == (429, "too_many_attempts")
    assert told(refused)["failed_log_in"][2:] == (0, int(refused.headers["Retry-After"]))
    assert told(log_in(name, PASSWORD))["failed_log_in"][2:] == (free, 0), "elsewhere, with the right one"
    limit_requests(board, "password_check", 1)
    log_in(name, PASSWORD)
    assert told(log_in(name, PASSWORD))["failed_log_in"][2:] == (free, 0), "what was not looked at did not fail"


def test_a_request_that_no_limit_counts_tells_of_none(board: Container) -> None:
    player = new_player(board)
    reply = call("get_scores", "GET /api/scores", headers=player.authorization)
    assert not {"RateLimit", "RateLimit-Policy"} & set(reply.headers)


def test_what_is_limited_is_described_so() -> None:
    document: dict[str, Any] = openapi.build()
    described = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for status, response in operation["responses"].items()
        if status < "300" and set(openapi.LIMITS) <= set(response.get("headers", ()))
    }
    updates = {"POST /api/score/{user_id}", "POST /api/boards/{board}/scores/{user_id}"}
    assert described == {route for route, _ in REQUESTS.values()} | updates
