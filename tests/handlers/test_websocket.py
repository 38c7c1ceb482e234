"""$connect, $disconnect and $default."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import Any

import pytest
import redis

from shared.accounts.player import Caller
from shared.accounts.session import EndedSession
from shared.container import Container
from shared.stores.actor import Actor
from shared.stores.keys import ShardKeys
from shared.viewers.rings import SHARDS
from tests.handlers.boards import define_board
from tests.handlers.conftest import Redeploy
from tests.handlers.events import call, invoke, websocket_event
from tests.handlers.players import delivered, new_player


def connect(headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> Any:
    return invoke("ws_connect", websocket_event("$connect", headers=headers, query=query))


def token_of(deployed: Container) -> str:
    return deployed.access_tokens.issue("u-1", "player", deployed.clock.now())[0]


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_token_admits_until_it_expires(deployed: Container, name: str) -> None:
    token = token_of(deployed)
    ends_at = int(deployed.authenticate(token).expires_at.timestamp())
    expected = {"X-Session-Expires-At": str(ends_at), "X-Session-Labels": "u-1"}
    assert connect({name: f"Bearer {token}"}) == {"statusCode": 200, "headers": expected}


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://w1x2y3z4a5.execute-api.eu-west-1.amazonaws.com", 200),
        ("https://game.example", 200),
        ("https://GAME.example", 200),
        ("https://evil.example", 403),
        ("https://game.example.evil.example", 403),
        ("http://game.example", 403),
        ("https://game.example:8443", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_a_page_of_another_origin_is_refused_before_its_token_is_read(
    deployed: Container, redeploy: Redeploy, origin: str, status: int
) -> None:
    redeploy(CORS_ALLOWED_ORIGINS="https://game.example")
    authorization = f"Bearer {token_of(deployed)}"
    assert connect({"Authorization": authorization, "Origin": origin})["statusCode"] == status
    assert connect({"Origin": origin})["statusCode"] == (401 if status == 200 else 403)


def test_a_ticket_admits_once_until_the_token_expires(deployed: Container) -> None:
    caller = deployed.authenticate(token_of(deployed))
    ticket, _ = deployed.ws_tickets.issue(caller)
    admitted = connect(query={"ticket": ticket})
    expected = {"X-Session-Expires-At": str(int(caller.expires_at.timestamp())), "X-Session-Labels": "u-1"}
    assert admitted == {"statusCode": 200, "headers": expected}
    assert connect(query={"ticket": ticket}) == {"statusCode": 401}


def test_a_ticket_outlives_no_token(deployed: Container) -> None:
    ticket, _ = deployed.ws_tickets.issue(Caller("u-1", "player", deployed.clock.now() - timedelta(seconds=1)))
    assert connect(query={"ticket": ticket}) == {"statusCode": 401}


def test_a_gateway_is_told_whose_connection_it_is(deployed: Container) -> None:
    player = new_player(deployed)
    session_id = deployed.identify(player.access_token).session_id
    assert connect(player.authorization)["headers"]["X-Session-Labels"] == f"{player.user_id} {session_id}"


def test_a_ticket_outlives_no_session(deployed: Container) -> None:
    player = new_player(deployed)
    caller = deployed.identify(player.access_token)
    ticket, _ = deployed.ws_tickets.issue(caller)
    deployed.access.end([EndedSession(caller.session_id, deployed.clock.now())])
    assert connect(query={"ticket": ticket}) == {"statusCode": 401}
    assert connect(player.authorization) == {"statusCode": 401}


def anonymous_ticket() -> str:
    ticket: str = call("issue_ws_ticket", "POST /api/ws-tickets", source_ip="203.0.113.7").data["ticket"]
    return ticket


def test_a_ticket_without_an_account_admits_once_to_a_public_board(redeploy: Redeploy) -> None:
    public = redeploy(PUBLIC_LEADERBOARD="true")
    ticket = anonymous_ticket()
    admitted = connect(query={"ticket": ticket})
    assert admitted["statusCode"] == 200
    assert admitted["headers"]["X-Session-Labels"] == "", "nobody's connection is never dismissed"
    lasts = float(admitted["headers"]["X-Session-Expires-At"]) - public.clock.now().timestamp()
    assert 880 < lasts <= 900
    assert connect(query={"ticket": ticket}) == {"statusCode": 401}
    assert connect() == {"statusCode": 401}, "a public board asks for a ticket, too"


@pytest.mark.usefixtures("nothing_public")
def test_a_ticket_without_an_account_is_worth_nothing_when_the_board_is_public_no_more(redeploy: Redeploy) -> None:
    redeploy(PUBLIC_LEADERBOARD="true")
    ticket = anonymous_ticket()
    redeploy(PUBLIC_LEADERBOARD="false")
    assert connect(query={"ticket": ticket}) == {"statusCode": 401}


@pytest.mark.usefixtures("nothing_public")
def test_who_comes_without_an_account_for_a_public_board_hears_nothing_of_main(deployed: Container) -> None:
    board_id = define_board(deployed, public=True)
    told = call("issue_ws_ticket", "POST /api/ws-tickets", source_ip="203.0.113.7").data
    assert told["broadcast"] is False
    ticket = told["ticket"]
    admitted = connect(query={"ticket": ticket})
    assert (admitted["statusCode"], admitted["headers"]["X-Session-Broadcast"]) == (200, "no")
    assert admitted["headers"]["X-Session-Labels"] == ""
    deployed.boards.delete(board_id, Actor("test"))
    assert call("issue_ws_ticket", "POST /api/ws-tickets").problem == (401, "missing_token")


@pytest.mark.usefixtures("nothing_public")
def test_where_boards_are_not_live_a_public_one_lets_nobody_in(deployed: Container, redeploy: Redeploy) -> None:
    define_board(deployed, public=True)
    ticket = anonymous_ticket()
    redeploy(BROADCAST_CHANNEL="", APPSYNC_EVENTS_URL="http://127.0.0.1:1/event")
    assert connect(query={"ticket": ticket}) == {"statusCode": 401}
    assert call("issue_ws_ticket", "POST /api/ws-tickets").problem == (401, "missing_token")


def test_on_api_gateway_nobodys_connection_ends_by_itself_and_is_kept_under_no_account(
    redeploy: Redeploy, redis_url: str
) -> None:
    prefix = f"{{{secrets.token_hex(4)}}}:"
    redeploy(BROADCAST_CHANNEL="", KEY_PREFIX=prefix, WEBSOCKET_MANAGEMENT_URL="", PUBLIC_LEADERBOARD="true")
    assert connect(query={"ticket": anonymous_ticket()})["statusCode"] == 200
    keys = ShardKeys(prefix)
    with redis.Redis.from_url(redis_url) as client:
        ends = [ms for shard in range(SHARDS) for _, ms in client.zrange(keys.viewers.connections(shard), 0, -1, withscores=True)]
        assert client.exists(keys.user("").viewers) == 0
    assert len(ends) == 1
    assert 880_000 < ends[0] - time.time() * 1000 <= 900_000


def test_a_disabled_account_does_not_watch(deployed: Container) -> None:
    assert connect(new_player(deployed, disabled=True).authorization) == {"statusCode": 403}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (None, None),
        ({"Authorization": "Bearer nonsense"}, None),
        ({"Authorization": "Basic eDp5"}, None),
        (None, {"ticket": "nonsense"}),
        (None, {"ticket": ""}),
        (None, {"token": "tok"}),
    ],
)
def test_nobody_else_is_admitted(deployed: Container, headers: dict[str, str] | None, query: dict[str, str] | None) -> None:
    assert connect(headers, query) == {"statusCode": 401}


def test_the_first_viewer_ever_has_a_frame_made(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(BROADCAST_CHANNEL=f"frames-{secrets.token_hex(4)}")
    with delivered(deployed, "score_updated_queue") as messages:
        assert connect({"Authorization": f"Bearer {token_of(deployed)}"})["statusCode"] == 200
        [body] = messages(1)
    assert deployed.event_codec.open_recorded(body).updates == 0


def test_a_viewer_is_admitted_while_the_broker_is_away(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(BROADCAST_CHANNEL=f"frames-{secrets.token_hex(4)}", AMQP_URL="amqp://127.0.0.1:1/%2F")
    assert connect({"Authorization": f"Bearer {token_of(deployed)}"})["statusCode"] == 200


def test_a_viewer_is_not_admitted_when_nothing_could_be_shown(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    assert connect({"Authorization": f"Bearer {token_of(deployed)}"}) == {"statusCode": 503}


def test_on_api_gateway_viewers_are_noted_until_their_session_ends_and_forgotten(
    deployed: Container, redeploy: Redeploy, redis_url: str
) -> None:
    prefix = f"{{{secrets.token_hex(4)}}}:"
    redeploy(BROADCAST_CHANNEL="", KEY_PREFIX=prefix, WEBSOCKET_MANAGEMENT_URL="")
    token = token_of(deployed)
    connection_id = websocket_event("$connect")["requestContext"]["connectionId"]
    ends_at_ms = deployed.authenticate(token).expires_at.timestamp() * 1000

    def noted(client: Any) -> dict[bytes, float]:
        shards = [client.zrange(ShardKeys(prefix).viewers.connections(shard), 0, -1, withscores=True) for shard in range(SHARDS)]
        return dict(entry for shard in shards for entry in shard)

    with redis.Redis.from_url(redis_url) as client, delivered(deployed, "score_updated_queue") as messages:
        assert connect({"Authorization": f"Bearer {token}"})["statusCode"] == 200
        assert noted(client) == {connection_id.encode(): ends_at_ms}
        assert len(messages(1)) == 1, "somebody must post the board to the newcomer"
        assert invoke("ws_disconnect", websocket_event("$disconnect")) == {"statusCode": 200, "headers": {}}
        assert noted(client) == {}


def test_leaving_twice_does_no_harm(deployed: Container) -> None:
    for _ in range(2):
        assert invoke("ws_disconnect", websocket_event("$disconnect"))["statusCode"] == 200


@pytest.mark.parametrize("body", ['{"action": "ping"}', "", "not json", "[" * 1000])
def test_what_viewers_send_is_received_and_not_answered(body: str) -> None:
    answer = invoke("ws_message", websocket_event("$default", body=body))
    assert answer == {"statusCode": 200, "headers": {}}
