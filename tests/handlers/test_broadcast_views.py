"""score_updated_queue: boards beside `main` to those who watch them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pika
import pytest
import redis

from local_runtime.hosting.events.queue import QueueDelivery, queue_event
from shared.container import Container
from shared.core.errors import RedisUnavailable
from shared.ledger.events import EVERY_BOARD, ScoresRecorded
from shared.stores.actor import Actor
from tests.handlers.board_rows import RowBoard, Standing
from tests.handlers.boards import add_entry
from tests.handlers.conftest import Redeploy
from tests.handlers.events import call, invoke, websocket_event
from tests.handlers.players import consuming, delivered, new_player
from tests.support.waiting import eventually

Heard = Callable[[], list[Any]]


@pytest.fixture
def heard(deployed: Container, redis_url: str) -> Iterator[Heard]:
    """What was published since it was last asked, the channel's end with each frame: "" for `main`."""
    channel = deployed.settings.broadcast_channel
    with redis.Redis.from_url(redis_url) as client:
        subscription = cast("Any", client).pubsub(ignore_subscribe_messages=True)
        subscription.psubscribe(channel, f"{channel}:view:*")
        for _ in range(2):
            subscription.get_message(ignore_subscribe_messages=False, timeout=60)

        def take() -> list[Any]:
            client.publish(channel, "null")
            found = []
            while (message := subscription.get_message(timeout=60))["data"] != b"null":
                found.append((message["channel"].decode().removeprefix(channel), json.loads(message["data"])))
            return found

        yield take
        subscription.close()


def watch(board: RowBoard, top: int, period: str = "all_time", user_id: str = "u-1") -> str:
    """The end of the view's channel; nobody's connection has no user."""
    message = {"type": "subscribe", "id": "1", "board": board.board_id, "period": period, "view": {"top": top}}
    event = websocket_event("$default", body=json.dumps(message))
    event["requestContext"]["authorizer"] = {"principalId": user_id, "subscriptions": ""}
    return ":" + str(invoke("ws_message", event)["headers"]["X-Subscribe"]).partition(" ")[2]


def tell(deployed: Container, *boards: tuple[str, ...]) -> None:
    """Hand the function a message about each of these."""
    now = deployed.clock.now()
    bodies = [deployed.event_codec.recorded(ScoresRecorded(1, now, boards=each)) for each in boards]
    batch = [QueueDelivery(tag, False, pika.BasicProperties(), body) for tag, body in enumerate(bodies, 1)]
    assert invoke("broadcast_scores", queue_event("arn", "score_updated_queue", "/", batch)) is None


def two_periods(deployed: Container) -> RowBoard:
    return RowBoard(deployed, public=True, periods=[{"name": "all_time"}, {"name": "weekly", "cron": "0 0 * * 1"}])


def test_each_view_that_is_watched_gets_its_frame_all_of_one_instant_and_main_none(deployed: Container, heard: Heard) -> None:
    board, unwatched = two_periods(deployed), RowBoard(deployed)
    ada, bob = new_player(deployed), new_player(deployed)
    one, two, weekly = watch(board, 1), watch(board, 2), watch(board, 2, "weekly")
    board.put(Standing(ada.user_id, 3), Standing(bob.user_id, 7))
    tell(deployed, (board.board_id,), (unwatched.board_id,), (board.board_id, unwatched.board_id))
    frames = dict(heard())
    assert set(frames) == {one, two, weekly}
    assert list(frames[two]) == ["type", "version", "board", "period", "season", "data", "cache_time"]
    assert [row["userId"] for row in frames[two]["data"]] == [bob.user_id, ada.user_id]
    assert frames[one]["data"] == frames[two]["data"][:1]
    assert (frames[weekly]["period"], frames[weekly]["data"]) == ("weekly", [])
    assert len({frame["version"] for frame in frames.values()}) == 1
    board.put(Standing(bob.user_id, 1), period="weekly")
    tell(deployed, (board.board_id,))
    later = dict(heard())
    assert later[weekly]["version"] > frames[weekly]["version"]
    assert [row["userId"] for row in later[weekly]["data"]] == [bob.user_id]


def test_a_frame_is_kept_for_a_gateway_that_begins_to_listen(deployed: Container, heard: Heard, redis_url: str) -> None:
    board = RowBoard(deployed)
    view = watch(board, 10)
    tell(deployed, (board.board_id,))
    [(_, frame)] = heard()
    with redis.Redis.from_url(redis_url) as client:
        kept: Any = client.get(f"{deployed.settings.broadcast_channel}{view}:last")
        assert json.loads(kept) == frame
        client.zadd(f"{deployed.settings.broadcast_channel}:watched", {view[1:]: 1})
    tell(deployed, (board.board_id,))
    assert heard() == [], "nobody has watched it of late"


@pytest.mark.parametrize(
    ("boards", "is_of_main", "is_of_board"),
    [
        ((), True, False),
        (("main",), True, False),
        (("main", "{}"), True, True),
        ((EVERY_BOARD,), True, True),
        (("{}",), False, True),
    ],
)
def test_only_what_changed_is_sent(
    deployed: Container, heard: Heard, boards: tuple[str, ...], is_of_main: bool, is_of_board: bool
) -> None:
    board = RowBoard(deployed)
    view = watch(board, 10)
    tell(deployed, tuple(each.format(board.board_id) for each in boards))
    channels = [channel for channel, _ in heard()]
    assert ("" in channels, view in channels) == (is_of_main, is_of_board)


def test_views_that_are_no_more_end_with_a_reason(deployed: Container, heard: Heard, redis_url: str) -> None:
    board = two_periods(deployed)
    public, weekly = watch(board, 10, user_id=""), watch(board, 10, "weekly")
    private = watch(board, 10)
    board.define(public=True)
    tell(deployed, (board.board_id,))
    ended = dict(heard())
    assert ended[public]["type"] == "leaderboard"
    about = {"type": "error", "board": board.board_id, "period": "weekly", "code": "invalid_parameter"}
    assert {name: ended[weekly][name] for name in about} == about
    board.define()
    tell(deployed, (board.board_id,))
    ended = dict(heard())
    assert (ended[public]["code"], ended[private]["type"]) == ("missing_token", "leaderboard")
    deployed.boards.delete(board.board_id, Actor("operator"))
    deployed.known_boards.redefined(board.board_id)
    tell(deployed, (board.board_id,))
    assert [(channel, frame["code"]) for channel, frame in heard()] == [(private, "unknown_board")]
    tell(deployed, (board.board_id,))
    assert heard() == []
    with redis.Redis.from_url(redis_url) as client:
        assert client.exists(*(f"{deployed.settings.broadcast_channel}{each}:last" for each in (public, weekly, private))) == 0


@contextmanager
def told(deployed: Container) -> Iterator[Callable[[str], None]]:
    """Waits until the broadcast of a board is asked for."""
    with delivered(deployed, "score_updated_queue") as messages:

        def boards() -> list[str]:
            return [board_id for body in messages() for board_id in deployed.event_codec.open_recorded(body).boards]

        def expect(board_id: str) -> None:
            eventually(lambda: board_id in boards(), 60, f"a broadcast of {board_id} is asked for")

        yield expect


def test_entries_say_which_boards_have_changed(deployed: Container, heard: Heard) -> None:
    ada = new_player(deployed)
    with told(deployed) as expect:
        board = RowBoard(deployed)
        view = watch(board, 10)
        expect(board.board_id)
        with consuming(deployed):
            assert add_entry(board.board_id, ada, {"value": 4}).status == 200
            expect(board.board_id)
    tell(deployed, (board.board_id,))
    frame = dict(heard())[view]
    assert [(row["userId"], row["score"]) for row in frame["data"]] == [(ada.user_id, 4)]


def test_a_board_that_is_another_one_is_told_of(deployed: Container) -> None:
    with told(deployed) as expect:
        board = RowBoard(deployed)
        expect(board.board_id)
        board.end()
        expect(board.board_id)
        board.define(public=True)
        expect(board.board_id)
        deployed.board_states.drop(board.board_id)
        expect(board.board_id)
        deployed.known_boards.renewed(board.board_id, deployed.board_states.now())
        expect(board.board_id)


def test_a_player_who_is_called_otherwise_is_seen_on_every_board(deployed: Container) -> None:
    player = new_player(deployed)
    with told(deployed) as expect:
        assert call("update_me", "PATCH /api/me", headers=player.authorization, body={"displayName": "Ада"}).status == 200
        expect(EVERY_BOARD)


def test_redis_that_is_away_sends_the_batch_back(deployed: Container, redeploy: Redeploy) -> None:
    away = redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnavailable):
        tell(away, ("board",))
