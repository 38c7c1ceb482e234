"""The WebSocket's contract, asked of the local runtime and of the packages as Lambda runs them."""

from __future__ import annotations

import json
import secrets
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.api import Api, frame_with
from tests.support.hosted import Hosted
from tests.support.product import Product
from tests.support.waiting import eventually


@pytest.fixture
def api(hosted: Hosted) -> Api:
    return hosted.api


def refused_status(url: str, **options: Any) -> int:
    with pytest.raises(InvalidStatus) as refused, connect(url, proxy=None, open_timeout=60, **options):
        pass
    return refused.value.response.status_code


def receive_until_closed(viewer: ClientConnection) -> None:
    while True:
        viewer.recv(timeout=60)


@pytest.mark.parametrize("path", ["/", "/ws"])
def test_a_viewer_gets_a_snapshot_at_once(api: Api, path: str) -> None:
    with api.new_player().watch(path) as viewer:
        frame = json.loads(viewer.recv(timeout=60))
    assert set(frame) == {"type", "version", "data", "cache_time"}
    assert all(set(line) == {"userId", "username", "displayName", "rank", "score"} for line in frame["data"])


def test_a_ticket_admits_once(api: Api) -> None:
    player = api.new_player()
    answer = api.post("/api/ws-tickets", headers=player.authorization)
    assert answer.status == 201
    assert answer.data["expiresIn"] == 30
    url = api.websocket_url(f"/ws?ticket={answer.data['ticket']}")
    with connect(url, proxy=None, open_timeout=60) as viewer:
        assert json.loads(viewer.recv(timeout=60))["type"] == "leaderboard"
    assert refused_status(url) == 401


def test_the_handshake_is_refused_without_a_valid_token(api: Api) -> None:
    assert refused_status(api.websocket_url()) == 401
    assert refused_status(api.websocket_url(), additional_headers={"Authorization": "Bearer nonsense"}) == 401
    assert refused_status(api.websocket_url("/ws?ticket=nonsense")) == 401


def test_a_page_of_another_origin_is_refused_by_the_local_runtime(product: Product) -> None:
    player = product.api.new_player()
    headers = {**player.authorization, "Origin": "https://evil.example"}
    assert refused_status(product.api.websocket_url(), additional_headers=headers) == 403


def test_versions_only_rise_and_the_last_state_arrives(api: Api) -> None:
    player = api.new_player()
    top = player.climb() + 40
    with player.watch() as viewer:
        for _ in range(8):
            assert player.score(5).status == 200
        versions, frame = [], json.loads(viewer.recv(timeout=60))
        while not any(line["userId"] == player.user_id and line["score"] == top for line in frame["data"]):
            versions.append(frame["version"])
            frame = json.loads(viewer.recv(timeout=60))
    assert versions == sorted(set(versions))


def test_a_message_too_big_ends_the_connection(api: Api) -> None:
    with api.new_player().watch() as viewer:
        viewer.recv(timeout=60)
        with suppress(ConnectionClosed):  # the server need not hear all of it
            viewer.send("x" * (129 * 1024))
        with pytest.raises(ConnectionClosed) as closed:
            receive_until_closed(viewer)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_all_viewers_see_the_board_whoever_serves_them(api: Api) -> None:
    player = api.new_player()
    with ExitStack() as stack:
        viewers = [stack.enter_context(player.watch()) for _ in range(8)]
        score = player.climb()
        for viewer in viewers:
            frame_with(viewer, player.user_id, score)


def test_a_new_name_is_sent_to_whoever_watches_and_shown_everywhere(api: Api) -> None:
    player = api.new_player()
    player.climb()
    name = f"\N{FOX FACE} {secrets.token_hex(4)}"

    def is_shown(lines: list[dict[str, Any]]) -> bool:
        return any((line["username"], line["displayName"]) == (player.username, name) for line in lines)

    with player.watch() as viewer:
        assert api.request("PATCH", "/api/me", {"displayName": name}, player.authorization).status == 200
        while not is_shown(json.loads(viewer.recv(timeout=60))["data"]):
            pass
    with player.watch() as newcomer:
        assert is_shown(json.loads(newcomer.recv(timeout=60))["data"])
    for _ in range(4):  # whichever worker answers
        assert (player.standing()["displayName"], player.get("/api/me").data["displayName"]) == (name, name)
    eventually(lambda: is_shown(player.get("/api/scores").json["data"]), 60, "the prepared board with the name")


def close_code(viewer: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        receive_until_closed(viewer)
    return closed.value.rcvd.code if closed.value.rcvd else None


def test_who_logs_out_is_disconnected_by_the_local_runtime_and_others_are_not(product: Product) -> None:
    api = product.api  # API Gateway has no close codes to give; there the next sweep closes the connection
    player, other = api.new_player(), api.new_player()
    with player.watch() as leaving, other.watch() as staying:
        assert api.request("DELETE", "/api/tokens", headers=player.authorization).status == 204
        assert close_code(leaving) == 4401
        frame_with(staying, other.user_id, other.climb())


def test_a_disabled_account_is_disconnected_by_the_local_runtime(product: Product) -> None:
    api = product.api
    player, admin = api.new_player(), api.new_player()
    product.query("UPDATE users SET role = 'admin' WHERE user_id = :id", id=admin.user_id)
    product.redis().delete(f"user:{admin.user_id}:profile")
    with player.watch() as leaving:
        disabled = api.request("PATCH", f"/api/admin/users/{player.user_id}", {"disabled": True}, admin.authorization)
        assert disabled.data["disabled"] is True
        assert close_code(leaving) == 1008, "not 4401: to renew the token would be of no use"
