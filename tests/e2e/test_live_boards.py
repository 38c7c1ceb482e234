"""Boards beside `main`, live: subscribed to over a WebSocket by players and by people without an account, here and on Lambda."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import Any

import pytest
from scoreboard_client import Scoreboard, ScoreboardError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.lambda_runtime.deployment import Deployment
from tests.support.api import Api, Player, problem
from tests.support.hosted import Hosted
from tests.support.product import Product

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def own_product() -> Iterator[Product]:
    """One whose `main` is not public, as it is not on Lambda."""
    with Product() as running:
        yield running


@pytest.fixture(scope="module", params=["own_product", "deployment"], ids=["local runtime", "lambda"])
def hosted(request: pytest.FixtureRequest) -> Product | Deployment:
    """The scoreboard twice."""
    running: Product | Deployment = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def api(hosted: Hosted) -> Api:
    return hosted.api


@pytest.fixture(scope="module")
def admin(hosted: Product | Deployment) -> dict[str, str]:
    """The header of an admin."""
    return new_admin(hosted)


@pytest.fixture
def soon(hosted: Product | Deployment) -> float:
    """The seconds within which a change is seen; on Lambda functions start first."""
    return 1.0 if isinstance(hosted, Product) else 15.0


def new_admin(hosted: Product | Deployment) -> dict[str, str]:
    name = f"admin-{secrets.token_hex(4)}"
    if isinstance(hosted, Product):
        assert hosted.verb("create-user", name, "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n").returncode == 0
    else:
        hosted.invoke("create_user", {"username": name, "password": PASSWORD, "role": "admin"})
    tokens = hosted.api.post("/api/tokens", {"username": name, "password": PASSWORD}).data
    return {"Authorization": f"Bearer {tokens['accessToken']}"}


def define(api: Api, admin: dict[str, str], **members: Any) -> str:
    board = f"board-{secrets.token_hex(4)}"
    assert api.request("PUT", f"/api/boards/{board}", {"title": "A board", **members}, admin).status in (200, 201)
    return board


def enter(player: Player, board: str, value: int) -> None:
    path = f"/api/boards/{board}/scores/{player.user_id}"
    assert player.api.post(path, {"value": value}, player.authorization).status == 200


def anonymous(api: Api) -> ClientConnection:
    ticket = api.post("/api/ws-tickets").data["ticket"]
    return connect(api.websocket_url(f"/ws?ticket={ticket}"), proxy=None)


def subscribe(viewer: ClientConnection, board: str, top: int, message_id: str = "1", **members: str) -> Any:
    """What is answered; frames of `main` may come before."""
    viewer.send(json.dumps({"type": "subscribe", "id": message_id, "board": board, "view": {"top": top}, **members}))
    return next_of(viewer, lambda message: message.get("id") == message_id)


def next_of(viewer: ClientConnection, is_wanted: Any, seconds: float = 15.0) -> Any:
    deadline = time.monotonic() + seconds
    while not is_wanted(message := json.loads(viewer.recv(timeout=max(0.01, deadline - time.monotonic())))):
        pass
    return message


def shows(board: str, *scores: int) -> Any:
    return lambda message: message.get("board") == board and [row["score"] for row in message["data"]] == list(scores)


def test_two_viewers_see_their_views_of_one_board_and_another_soon(api: Api, admin: dict[str, str], soon: float) -> None:
    one = define(api, admin, public=True, periods=[{"name": "all_time"}, {"name": "daily", "cron": "0 0 * * *"}])
    other = define(api, admin, order="ascending", operator="best")
    ada, bob = api.new_player(), api.new_player()
    enter(ada, one, 3)
    with anonymous(api) as guest, ada.watch() as player:
        answer = subscribe(guest, one, 1)
        assert {name: answer[name] for name in ("type", "board", "period", "season", "id")} == {
            "type": "leaderboard",
            "board": one,
            "period": "all_time",
            "season": 1,
            "id": "1",
        }
        assert [(row["userId"], row["score"], row["rank"]) for row in answer["data"]] == [(ada.user_id, 3, 1)]
        subscribe(player, one, 10, "daily", period="daily")
        subscribe(player, other, 10, "other")
        enter(bob, one, 5)
        frame = next_of(guest, shows(one, 5), soon)
        assert "id" not in frame
        assert frame["version"] > answer["version"]
        assert next_of(player, shows(one, 5, 3), soon)["period"] == "daily"
        enter(bob, other, 40)
        enter(ada, other, 20)
        next_of(player, shows(other, 20, 40), soon)
        player.send(json.dumps({"type": "unsubscribe", "id": "other"}))
        assert next_of(player, lambda message: message.get("id") == "other")["type"] == "unsubscribed"
        enter(ada, other, 10)
        enter(ada, one, 1)
        assert next_of(player, lambda message: message.get("board") is not None)["board"] == one
    with anonymous(api) as guest:
        assert ada.score().status == 200
        answer = subscribe(guest, one, 10)
        assert [row["score"] for row in answer["data"]] == [5, 4]
        enter(ada, one, 5)
        assert json.loads(guest.recv(timeout=60))["board"] == one, "nothing of `main`, which is not public"


def test_main_is_subscribed_to_for_more_than_its_first_ten(api: Api, soon: float) -> None:
    ada = api.new_player()
    with ada.watch() as viewer:
        answer = subscribe(viewer, "main", 100)
        assert (answer["board"], answer["period"], answer["season"]) == ("main", "all_time", 1)
        score = ada.climb()
        wanted, seen = {"userId": ada.user_id, "score": score}, [next_of(viewer, lambda _: True, 15 + soon)]
        while not [message for message in seen if message.get("board") == "main" and wanted in scores_of(message)]:
            seen.append(next_of(viewer, lambda _: True, 15 + soon))
        assert seen[-1]["version"] > answer["version"]
        while all("board" in message for message in seen):  # the specification's messages go on, before it or after
            seen.append(next_of(viewer, lambda _: True, 15 + soon))
        assert all(len(message["data"]) <= 10 for message in seen if "board" not in message)


def scores_of(message: Any) -> list[dict[str, Any]]:
    return [{"userId": row["userId"], "score": row["score"]} for row in message["data"]]


def test_a_private_board_is_refused_to_whoever_comes_without_a_token(api: Api, admin: dict[str, str]) -> None:
    public, private = define(api, admin, public=True), define(api, admin)
    with anonymous(api) as guest:
        assert subscribe(guest, private, 10)["code"] == "missing_token"
        assert subscribe(guest, "no-such-board", 10)["code"] == "missing_token"
        assert subscribe(guest, public, 10)["data"] == []
        assert api.request("PUT", f"/api/boards/{public}", {"title": "A board"}, admin).status == 200
        assert next_of(guest, lambda message: message["type"] == "error")["code"] == "missing_token"
    with api.new_player().watch() as player:
        assert subscribe(player, private, 10)["data"] == []
        assert subscribe(player, "no-such-board", 10)["code"] == "unknown_board"


def test_a_season_that_turns_is_seen_at_once(api: Api, admin: dict[str, str]) -> None:
    board = define(api, admin, periods=[{"name": "round"}, {"name": "weekly", "cron": "0 0 * * 1"}])
    ada = api.new_player()
    with ada.watch() as viewer:
        subscribe(viewer, board, 10)
        enter(ada, board, 3)
        next_of(viewer, shows(board, 3))
        assert api.post(f"/api/boards/{board}/reset", {"period": "round"}, admin).status == 200
        assert next_of(viewer, lambda message: message.get("season") == 2 and message.get("period") == "round")["data"] == []


def test_a_season_that_turns_by_itself_is_seen_at_once(own_product: Product) -> None:
    """Where schedules run."""
    api, ada = own_product.api, own_product.api.new_player()
    board = define(api, new_admin(own_product), periods=[{"name": "minutes", "cron": "* * * * *"}])
    with ada.watch() as viewer:
        first = subscribe(viewer, board, 10)["season"]
        turned = next_of(viewer, lambda message: message.get("season", 0) > first and message.get("period") == "minutes", 65)
        assert datetime.fromisoformat(turned["cache_time"]).second < 30


def test_the_client_is_told_that_main_is_not_public(api: Api, admin: dict[str, str]) -> None:
    define(api, admin, public=True)
    with closing(Scoreboard(api.base_url)) as scoreboard, scoreboard.watch() as live, pytest.raises(ScoreboardError) as refused:
        next(live)
    assert (refused.value.status, refused.value.code) == (401, "missing_token")


def test_the_client_watches_boards(api: Api, admin: dict[str, str]) -> None:
    board, private, ada = define(api, admin, public=True), define(api, admin), api.new_player()
    with closing(Scoreboard(api.base_url)) as guest:
        with guest.watch(board, top=3) as live:
            assert next(live)["data"] == []
            enter(ada, board, 7)
            assert [row["score"] for row in next(live)["data"]] == [7]
        with guest.watch(private) as live, pytest.raises(ScoreboardError) as refused:
            next(live)
    assert (refused.value.status, refused.value.code) == (401, "missing_token")


def test_without_anything_public_nobody_watches_without_an_account(hosted: Product | Deployment) -> None:
    write = hosted.write if isinstance(hosted, Product) else hosted.query
    write("UPDATE boards SET definition = definition || '{\"public\": false}'")
    assert problem(hosted.api.post("/api/ws-tickets")) == (401, "missing_token")
    with pytest.raises(InvalidStatus), connect(hosted.api.websocket_url(), proxy=None):
        pass
