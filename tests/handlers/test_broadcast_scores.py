"""score_updated_queue: the board to everybody who watches."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pika
import pytest
import redis

from local_runtime.hosting.events.queue import QueueDelivery, queue_event
from shared.boards.board import MAIN
from shared.container import Container
from shared.core.errors import RedisUnavailable, ViewersUnavailable
from shared.ledger.events import ScoresRecorded
from shared.ledger.messages import EventCodec
from shared.reconciliation.rebuild_leaderboard import pages
from tests.handlers.conftest import Cloud, Redeploy
from tests.handlers.events import invoke, websocket_event
from tests.handlers.players import delivered, give, new_player
from tests.support import aws


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


@pytest.fixture
def frames(deployed: Container, client: redis.Redis) -> Iterator[Any]:
    """Every frame that goes out."""
    channel = deployed.settings.broadcast_channel
    subscription = cast("Any", client).pubsub(ignore_subscribe_messages=True)
    subscription.subscribe(channel)
    subscription.get_message(ignore_subscribe_messages=False, timeout=60)

    def take() -> list[Any]:
        client.publish(channel, "null")
        found = []
        while (message := subscription.get_message(timeout=60))["data"] != b"null":
            found.append(json.loads(message["data"]))
        return found

    yield take
    subscription.close()


@pytest.fixture
def flushed(deployed: Container, client: redis.Redis) -> Iterator[None]:
    """Redis loses everything; the board is filled again after the test."""
    client.flushall()
    yield
    deployed.leaderboard.rebuild(pages(deployed.reconciliations), deployed.hidden_players.pages_of_main())


def tell(deployed: Container, *updates: int, garbage: int = 0) -> None:
    """Hand the function a batch, after so many messages that mean nothing."""
    codec = EventCodec(deployed.sealer, MAIN.increments)
    bodies = [b"garbage"] * garbage + [codec.recorded(ScoresRecorded(number, deployed.clock.now())) for number in updates]
    batch = [QueueDelivery(tag, False, pika.BasicProperties(), body) for tag, body in enumerate(bodies, 1)]
    assert invoke("broadcast_scores", queue_event("arn", "score_updated_queue", "/", batch)) is None


def lead(deployed: Container) -> str:
    """A new player in the first place."""
    player = new_player(deployed)
    best = max([0, *(position.score for position in deployed.leaderboard.top(1).positions)])
    give(deployed, {player.user_id: best + 1})
    return player.user_id


def test_a_batch_of_changes_is_one_frame_with_the_board(deployed: Container, frames: Any) -> None:
    leader = lead(deployed)
    tell(deployed, 1, 5, 3, garbage=2)
    [frame] = frames()
    assert list(frame) == ["type", "version", "data", "cache_time"]
    assert frame["type"] == "leaderboard"
    assert len(frame["data"]) <= 10
    first = frame["data"][0]
    assert (set(first), first["userId"], first["rank"]) == ({"userId", "username", "displayName", "rank", "score"}, leader, 1)
    assert first["username"].startswith("Player-")


def test_messages_that_mean_nothing_move_nobody(deployed: Container, frames: Any) -> None:
    tell(deployed, garbage=3)
    assert frames() == []


def test_a_change_that_a_newer_version_tells_of_is_shown(deployed: Container, frames: Any) -> None:
    sealed = deployed.sealer.seal(b'{"v": 2, "updates": 1, "accepted_at": 0}', b'["scores.recorded"]')
    body = json.dumps({"encrypted_data": sealed}).encode()
    batch = [QueueDelivery(1, False, pika.BasicProperties(), body)]
    invoke("broadcast_scores", queue_event("arn", "score_updated_queue", "/", batch))
    assert len(frames()) == 1


def test_versions_rise(deployed: Container, frames: Any) -> None:
    for _ in range(5):
        tell(deployed, 1)
    versions = [frame["version"] for frame in frames()]
    assert len(versions) == 5
    assert versions == sorted(set(versions))


def test_the_newest_frame_is_kept_for_newcomers(deployed: Container, frames: Any, client: redis.Redis) -> None:
    for _ in range(2):
        tell(deployed, 1)
    kept: Any = client.get(f"{deployed.settings.broadcast_channel}:last")
    assert json.loads(kept) == frames()[-1]


def test_versions_rise_even_after_redis_lost_everything(deployed: Container, frames: Any, request: pytest.FixtureRequest) -> None:
    tell(deployed, 1)
    request.getfixturevalue("flushed")
    tell(deployed, 1)
    [before] = frames()
    deployed.leaderboard.rebuild([])
    tell(deployed, 1)
    [after] = frames()
    assert after["version"] > before["version"]
    assert after["data"] == []


def test_a_redis_that_is_away_sends_the_batch_back(deployed: Container, redeploy: Redeploy) -> None:
    redeploy(REDIS_URL="redis://127.0.0.1:1/0")
    with pytest.raises(RedisUnavailable):
        tell(deployed, 1)


def test_on_api_gateway_a_viewer_gets_the_board_with_the_first_broadcast(cloud: Cloud) -> None:
    api, deployed = cloud
    event = websocket_event("$connect", connection_id=api.connect("XfGLwd8wDjMCIPg="))
    token, _ = deployed.access_tokens.issue("u-1", "player", deployed.clock.now())
    event["headers"]["Authorization"] = f"Bearer {token}"
    with delivered(deployed, "score_updated_queue") as messages:
        assert invoke("ws_connect", event)["statusCode"] == 200
        bodies = messages(1)
    leader = lead(deployed)
    batch = [QueueDelivery(tag, False, pika.BasicProperties(), body) for tag, body in enumerate(bodies, 1)]
    invoke("broadcast_scores", queue_event("arn", "score_updated_queue", "/", batch))
    [frame] = api.frames("XfGLwd8wDjMCIPg=")
    assert frame["data"][0]["userId"] == leader
    assert invoke("sweep_viewers", {}) == {"ended": 0}


def test_a_sweep_has_those_served_whom_a_crash_left_waiting(cloud: Cloud) -> None:
    api, deployed = cloud
    deployed.viewers.welcome(api.connect("left-waiting="), deployed.clock.now() + timedelta(minutes=1))
    with delivered(deployed, "score_updated_queue") as messages:
        assert invoke("sweep_viewers", {}) == {"ended": 0}
        assert len(messages(1)) == 1
    tell(deployed, 1)
    assert len(api.frames("left-waiting=")) == 1
    with delivered(deployed, "score_updated_queue") as messages:
        assert invoke("sweep_viewers", {}) == {"ended": 0}
        assert messages() == []


def test_a_gateway_that_does_not_let_us_sends_the_batch_back(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    api, deployed = cloud
    deployed.viewers.welcome(api.connect("viewer="), deployed.clock.now() + timedelta(minutes=1))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(ViewersUnavailable):
        tell(deployed, 1)


def test_with_appsync_the_board_is_published_there(redeploy: Redeploy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    api = aws.EventsApi()
    with aws.serving(api) as url:
        prefix = f"{{{secrets.token_hex(6)}}}:"
        made = redeploy(BROADCAST_CHANNEL="", KEY_PREFIX=prefix, APPSYNC_EVENTS_URL=f"{url}/event")
        made.leaderboard.rebuild(pages(made.reconciliations), made.hidden_players.pages_of_main())
        leader = lead(made)
        tell(made, 1)
        made.close()
    [(channel, _)] = api.published
    [frame] = api.frames()
    assert (channel, frame["data"][0]["userId"]) == ("/scoreboard/live", leader)
