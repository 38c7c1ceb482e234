"""$default: what viewers subscribe to, and what their gateway is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from shared.boards.settle_places import settle_places
from shared.container import Container
from shared.viewers.view import WATCHED_SECONDS
from tests.handlers.board_rows import RowBoard, Standing
from tests.handlers.conftest import Redeploy
from tests.handlers.events import invoke, websocket_event
from tests.handlers.players import add_account, new_board, new_player

GUEST = {"principalId": "", "subscriptions": ""}
PLAYER = {"principalId": "u-1", "subscriptions": ""}


def send(message: object, known: dict[str, str] | None = None) -> Any:
    """What the gateway is answered to a message of a connection of which it knows this."""
    event = websocket_event("$default", body=message if isinstance(message, str) else json.dumps(message))
    event["requestContext"]["authorizer"] = PLAYER if known is None else known
    return invoke("ws_message", event)


def subscription(board_id: str, **members: object) -> dict[str, object]:
    return {"type": "subscribe", "id": "a b/é", "board": board_id, "view": {"top": 2}, **members}


def refusal(answer: Any) -> tuple[int, str, str | None]:
    """Status and code, and the id of the message that was refused."""
    assert answer["headers"] == {"X-Reply": "yes"}
    message = json.loads(answer["body"])
    assert set(message) == {"type", "id", "status", "code", "detail"}
    assert (message["type"], message["status"]) == ("error", answer["statusCode"])
    assert message["detail"]
    return answer["statusCode"], message["code"], message["id"]


def players(deployed: Container, count: int) -> list[str]:
    return [add_account(deployed, f"u-{new_player(deployed).user_id[:20]}-{number}").user_id for number in range(count)]


def test_a_subscription_is_answered_with_the_first_rows_and_the_gateway_told_what_to_send(deployed: Container) -> None:
    board = RowBoard(deployed, public=True, periods=[{"name": "all_time"}, {"name": "weekly", "cron": "0 0 * * 1"}])
    ada, bob, eve = players(deployed, 3)
    board.put(Standing(ada, 3), Standing(bob, 7), Standing(eve, 1))
    board.put(Standing(eve, 5), period="weekly")
    answer = send(subscription(board.board_id), GUEST)
    assert (answer["statusCode"], set(answer)) == (200, {"statusCode", "headers", "body"})
    assert answer["headers"] == {"X-Reply": "yes", "X-Subscribe": f"a%20b%2F%C3%A9 view:public:{board.board_id}:all_time:2"}
    assert answer["body"].startswith('{"type":"leaderboard","version":'), "the gateway reads the version there"
    frame = json.loads(answer["body"])
    assert list(frame) == ["type", "version", "board", "period", "season", "data", "cache_time", "id"]
    assert (frame["board"], frame["period"], frame["season"], frame["id"]) == (board.board_id, "all_time", 1, "a b/é")
    assert [(row["userId"], row["rank"], row["score"]) for row in frame["data"]] == [(bob, 1, 7), (ada, 2, 3)]
    assert all(set(row) == {"userId", "username", "displayName", "rank", "score"} for row in frame["data"])
    assert abs((datetime.fromisoformat(frame["cache_time"]) - datetime.now(UTC)).total_seconds()) < 60
    weekly = json.loads(send(subscription(board.board_id, period="weekly"))["body"])
    assert (weekly["period"], [row["userId"] for row in weekly["data"]]) == ("weekly", [eve])
    assert weekly["version"] > frame["version"]


def test_the_view_is_watched_from_then_on_before_its_gateway_listens(deployed: Container, redis_url: str) -> None:
    board = RowBoard(deployed)
    answer = send(subscription(board.board_id))
    name = answer["headers"]["X-Subscribe"].partition(" ")[2]
    assert name == f"view:private:{board.board_id}:all_time:2"
    with redis.Redis.from_url(redis_url) as client:
        until: Any = client.zscore(f"{deployed.settings.broadcast_channel}:watched", name)
        seconds: Any = client.time()
    assert WATCHED_SECONDS - 5 < until / 1000 - seconds[0] < WATCHED_SECONDS + 1


def test_rows_stand_as_everywhere(deployed: Container) -> None:
    ties = RowBoard(deployed, ties="shared")
    ada, bob, eve = players(deployed, 3)
    ties.put(Standing(ada, 5), Standing(bob, 5), Standing(eve, 4))
    frame = json.loads(send(subscription(ties.board_id, view={"top": 100}))["body"])
    assert [(row["userId"], row["rank"]) for row in frame["data"]] == [(ada, 1), (bob, 1), (eve, 3)]
    times = RowBoard(deployed, order="ascending", operator="best", secondColumn=True)
    times.put(Standing(ada, 60, 3), Standing(bob, 60, 1), Standing(eve, 59, 9))
    frame = json.loads(send(subscription(times.board_id, view={"top": 100}))["body"])
    found = [(row["userId"], row["rank"], row["score"], row["second"]) for row in frame["data"]]
    assert found == [(eve, 1, 59, 9), (bob, 2, 60, 1), (ada, 3, 60, 3)]


def test_a_season_that_has_turned_is_another_one_at_once(deployed: Container) -> None:
    board, [ada] = RowBoard(deployed), players(deployed, 1)
    board.put(Standing(ada, 5))
    assert json.loads(send(subscription(board.board_id))["body"])["season"] == 1
    board.end()
    frame = json.loads(send(subscription(board.board_id))["body"])
    assert (frame["season"], frame["data"]) == (2, [])


def test_a_period_that_is_over_shows_its_last_season_closed_or_not_and_one_to_come_none(deployed: Container) -> None:
    board, [ada] = RowBoard(deployed), players(deployed, 1)
    board.put(Standing(ada, 5))
    board.define(periods=[{"name": "all_time"}, {"name": "later", "startsAt": "2100-01-01T00:00:00Z"}])
    later = json.loads(send(subscription(board.board_id, period="later"))["body"])
    assert (later["season"], later["data"]) == (0, [])
    board.define(periods=[{"name": "all_time", "endsAt": "2020-01-01T00:00:00Z"}])
    for is_closed in (False, True):
        if is_closed:
            board.record(1, closed=True)
        over = json.loads(send(subscription(board.board_id))["body"])
        assert (over["season"], [(row["userId"], row["score"]) for row in over["data"]]) == (1, [(ada, 5)])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"view": None}, "invalid_parameter"),
        ({"view": {}}, "invalid_parameter"),
        ({"view": {"top": 0}}, "invalid_parameter"),
        ({"view": {"top": 101}}, "invalid_parameter"),
        ({"view": {"top": True}}, "invalid_parameter"),
        ({"view": {"top": 1.5}}, "invalid_parameter"),
        ({"view": {"around": "me"}}, "invalid_parameter"),
        ({"board": 7}, "invalid_parameter"),
        ({"board": "no-such-board"}, "unknown_board"),
        ({"board": "no such\nboard"}, "unknown_board"),
        ({"period": "weekly"}, "invalid_parameter"),
        ({"period": None}, "invalid_parameter"),
        ({"padding": "x" * 5000}, "payload_too_large"),
    ],
)
def test_what_cannot_be_watched_is_told_with_the_id(deployed: Container, changes: dict[str, object], code: str) -> None:
    message = subscription(RowBoard(deployed).board_id, **changes)
    assert refusal(send(message))[1:] == (code, "a b/é")


@pytest.mark.parametrize("message_id", [None, 7, "", "x" * 65, ["a"]])
def test_an_id_is_a_short_text(deployed: Container, message_id: object) -> None:
    answer = send(subscription(RowBoard(deployed).board_id, id=message_id))
    assert refusal(answer) == (422, "invalid_parameter", "" if message_id == "" else None)


def test_without_a_token_only_public_boards_are_watched_and_no_others_told_of(deployed: Container) -> None:
    private = RowBoard(deployed)
    assert refusal(send(subscription(private.board_id), GUEST))[:2] == (401, "missing_token")
    assert refusal(send(subscription("no-such-board"), GUEST))[:2] == (401, "missing_token")
    assert send(subscription(private.board_id), PLAYER)["statusCode"] == 200


def test_main_is_watched_like_any_other_board(deployed: Container, redeploy: Redeploy) -> None:
    board = new_board(redeploy)
    first, second, third, hidden = (new_player(board, disabled=number == 3) for number in range(4))
    for points, player in ((1, first), (3, second), (2, third)):
        player.score(points)
    settle_places([hidden.user_id], board.leaderboard, board.hidden_players)
    answer = send(subscription("main", view={"top": 3}))
    assert answer["headers"]["X-Subscribe"].endswith(" view:private:main:all_time:3")
    frame = json.loads(answer["body"])
    assert (frame["board"], frame["period"], frame["season"]) == ("main", "all_time", 1)
    shown = [(row["userId"], row["rank"], row["score"]) for row in frame["data"]]
    assert shown == [(second.user_id, 1, 3), (third.user_id, 2, 2), (first.user_id, 3, 1)]
    assert refusal(send(subscription("main"), GUEST))[:2] == (401, "missing_token")
    assert refusal(send(subscription("main", period="weekly")))[1] == "invalid_parameter"
    redeploy(PUBLIC_LEADERBOARD="true")
    assert send(subscription("main"), GUEST)["headers"]["X-Subscribe"].endswith(" view:public:main:all_time:2")


def test_what_was_just_changed_counts(deployed: Container, redeploy: Redeploy) -> None:
    board = RowBoard(deployed)
    assert refusal(send(subscription(board.board_id), GUEST))[1] == "missing_token"
    elsewhere = redeploy()
    assert send(subscription(board.board_id))["statusCode"] == 200, "known to this process, too"
    board.define(public=True, periods=[{"name": "all_time"}, {"name": "weekly", "cron": "0 0 * * 1"}])
    assert send(subscription(board.board_id, period="weekly"), GUEST)["statusCode"] == 200
    board.define()
    assert refusal(send(subscription(board.board_id), GUEST))[1] == "missing_token"
    assert elsewhere is not deployed


def test_a_connection_watches_ten_boards_and_may_change_one_of_them(deployed: Container) -> None:
    board = RowBoard(deployed)
    ten = {"principalId": "u-1", "subscriptions": " ".join(["a%20b%2F%C3%A9", *map(str, range(9))])}
    assert send(subscription(board.board_id), ten)["statusCode"] == 200
    assert refusal(send(subscription(board.board_id, id="eleventh"), ten)) == (429, "too_many_requests", "eleventh")


def test_an_end_is_told_to_the_gateway_and_to_the_viewer(deployed: Container) -> None:
    known = {"principalId": "u-1", "subscriptions": "other a%20b"}
    answer = send({"type": "unsubscribe", "id": "a b"}, known)
    assert answer["headers"] == {"X-Reply": "yes", "X-Unsubscribe": "a%20b"}
    assert json.loads(answer["body"]) == {"type": "unsubscribed", "id": "a b"}
    assert refusal(send({"type": "unsubscribe", "id": "a"}, known)) == (422, "invalid_parameter", "a")
    assert refusal(send({"type": "unsubscribe"}, known)) == (422, "invalid_parameter", None)


@pytest.mark.parametrize("message", ["", "no json", "[]", "7", '"subscribe"', "[" * 1000, '{"type": 7}', '{"type": "since"}'])
def test_whatever_else_is_sent_is_received_and_not_answered(message: str) -> None:
    assert send(message) == {"statusCode": 200, "headers": {}}


def test_redis_that_is_away_is_told_so(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    assert refusal(send(subscription("board")))[:2] == (503, "leaderboard_unavailable")


def test_where_viewers_connect_to_appsync_boards_are_not_live(deployed: Container, redeploy: Redeploy) -> None:
    board = RowBoard(deployed)
    redeploy(BROADCAST_CHANNEL="", APPSYNC_EVENTS_URL="http://127.0.0.1:1/event")
    status, code, _ = refusal(send(subscription(board.board_id)))
    assert (status, code) == (503, "viewers_unavailable")
