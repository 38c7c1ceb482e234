"""What the gateway hears of Redis goes on through failovers, and through connections that nothing comes on any more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from local_runtime.gateway.websocket.subscriber import Subscriber
from local_runtime.gateway.websocket.views import Views
from tests.support.redis_pair import RedisPair, redis_pair
from tests.support.waiting import eventually


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RedisPair]:
    with redis_pair(tmp_path) as made:
        yield made


@pytest.fixture
def heard(pair: RedisPair) -> Iterator[list[bytes]]:
    """Frames that came."""
    frames: list[bytes] = []
    stopping = threading.Event()
    subscriber = Subscriber(pair.url, "frames", frames.append, frames.append, frames.append, Views(0.1, lambda *_: None))

    def listen() -> None:
        while not stopping.is_set():
            with suppress(redis.RedisError, OSError):
                subscriber._listen()
            stopping.wait(0.1)

    thread = threading.Thread(target=listen)
    thread.start()
    eventually(lambda: listeners(pair.first), 60, "the subscription")
    pair.first.publish("frames", "one")
    eventually(lambda: frames == [b"one"], 60, "the first frame")
    yield frames
    stopping.set()
    pair.relay.cut()
    thread.join(60)
    assert not thread.is_alive()


def listeners(server: object) -> int:
    ((_, count),) = server.pubsub_numsub("frames")  # type: ignore[attr-defined]
    return int(count)


def test_it_follows_the_address_to_another_server(pair: RedisPair, heard: list[bytes]) -> None:
    """The old one may be cut off from the new one, and then never tells what happens there."""
    pair.relay.lead_to(pair.second_url)
    pair.second.set("frames:last", "kept")
    eventually(lambda: listeners(pair.second), 60, "the subscription at the other server")
    pair.second.publish("frames", "two")
    eventually(lambda: heard[-1] == b"two", 60, "the frame of the other server")
    assert b"kept" in heard, "what was sent in between is not missed"
    assert listeners(pair.first) == 0


def test_a_connection_that_says_nothing_any_more_is_left(pair: RedisPair, heard: list[bytes]) -> None:
    pair.relay.go_deaf()
    pair.first.publish("frames", "lost")
    pair.first.set("frames:last", "kept")
    eventually(lambda: heard[-1] == b"kept", 60, "the state, on another connection")


def test_it_stays_where_it_is_while_the_address_leads_there(pair: RedisPair, heard: list[bytes]) -> None:
    connections = pair.relay.connections
    eventually(lambda: pair.relay.connections > connections + 1, 60, "looks")
    pair.first.publish("frames", "two")
    eventually(lambda: heard[-1] == b"two", 60, "the next frame")
    assert listeners(pair.first) == 1
