"""Views: what a connection subscribed to, from Redis channels of their own, each conflated, beside the broadcast."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.runtime.boards import Board, frame_text
from tests.runtime.http_process import HttpProcess
from tests.runtime.test_websocket_broadcast import DeafViewer
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def board(redis_url: str) -> Iterator[Board]:
    made = Board(redis_url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(board: Board) -> Iterator[HttpProcess]:
    with HttpProcess(board.environment) as process:
        eventually(lambda: board.listeners() == 1, 60, "the worker listens")
        yield process


@pytest.fixture
def view(board: Board, request: pytest.FixtureRequest) -> str:
    return f"view:{request.node.name}"


def viewer_of(server: HttpProcess, query: str = "?broadcast=no") -> ClientConnection:
    viewer: ClientConnection = connect(server.ws_url + query, proxy=None, open_timeout=60)
    return viewer


def subscription(view: str, key: str = "1", version: int = 1) -> str:
    headers = {"X-Reply": "yes", "X-Subscribe": f"{key} {view}"}
    return json.dumps({"answer": {"statusCode": 200, "headers": headers, "body": frame_text(version, f"answer {key}")}})


def end_of(key: str) -> str:
    headers = {"X-Reply": "yes", "X-Unsubscribe": key}
    return json.dumps({"answer": {"statusCode": 200, "headers": headers, "body": f'{{"ended":"{key}"}}'}})


def subscribe(viewer: ClientConnection, board: Board, view: str, key: str = "1", version: int = 1) -> None:
    """Until the worker listens."""
    viewer.send(subscription(view, key, version))
    assert json.loads(viewer.recv(timeout=60))["data"] == f"answer {key}"
    eventually(lambda: listeners(board, view) == 1, 60, "the worker listens to the view")


def listeners(board: Board, view: str) -> int:
    ((_, count),) = board.redis.pubsub_numsub(f"{board.channel}:{view}")
    return int(count)


def publish(board: Board, view: str, version: int, filling: str = "") -> None:
    text = frame_text(version, filling)
    board.redis.set(f"{board.channel}:{view}:last", text, ex=60)
    board.redis.publish(f"{board.channel}:{view}", text)


def received(viewer: ClientConnection, until_version: int) -> list[int]:
    versions: list[int] = []
    while not versions or versions[-1] < until_version:
        versions.append(json.loads(viewer.recv(timeout=60))["version"])
    return versions


def gauge(server: HttpProcess, name: str) -> float:
    lines = server.api.get("/metrics").body.decode().splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1])


def test_an_answer_comes_first_and_then_every_frame_that_is_newer(board: Board, server: HttpProcess, view: str) -> None:
    with viewer_of(server) as viewer, viewer_of(server) as other:
        subscribe(viewer, board, view, version=5)
        for version in (4, 5, 6):
            publish(board, view, version)
            time.sleep(0.12)  # each one alone in its interval
        assert received(viewer, 6) == [6]
        with pytest.raises(TimeoutError):
            other.recv(timeout=0.2)


def test_what_was_published_before_the_worker_listened_is_not_missed(board: Board, server: HttpProcess, view: str) -> None:
    publish(board, view, 7)
    with viewer_of(server) as viewer:
        subscribe(viewer, board, view, version=6)
        assert received(viewer, 7) == [7]
        with viewer_of(server) as second, viewer_of(server) as third:
            subscribe(second, board, view, version=6)
            assert received(second, 7) == [7], "what the worker had sent already"
            subscribe(third, board, view, version=8)
            publish(board, view, 9)
            assert received(third, 9) == [9], "nothing older than what it was answered"


def test_views_are_conflated_and_the_last_state_of_each_arrives(board: Board, server: HttpProcess, view: str) -> None:
    with viewer_of(server) as viewer:
        for key in "ab":
            subscribe(viewer, board, view + key, key)
        began, version = time.monotonic(), 1
        found: dict[str, list[int]] = {"a": [], "b": []}

        def take(seconds: float) -> None:
            frame = json.loads(viewer.recv(timeout=seconds))
            found[frame["data"]].append(frame["version"])

        while time.monotonic() - began < 1 or not all(3 < len(versions) < version / 3 for versions in found.values()):
            for _ in range(5):
                version += 1
                for key in "ab":
                    publish(board, view + key, version, key)
            for _ in "ab":
                with suppress(TimeoutError):
                    take(0)
            assert time.monotonic() - began < 60, f"{found} of {version} changes were sent"
        while any(versions[-1] < version for versions in found.values()):
            take(60)
        seconds = time.monotonic() - began
    for versions in found.values():
        assert versions == sorted(set(versions))
        assert len(versions) <= seconds * 10 + 2


def test_the_broadcast_goes_on_beside_views_and_only_to_those_who_may_hear_it(
    board: Board, server: HttpProcess, view: str
) -> None:
    with viewer_of(server, "") as hearer, viewer_of(server) as guest:
        board.publish(version := board.next_version())
        received(hearer, version)
        for viewer in (hearer, guest):
            subscribe(viewer, board, view)
        board.publish(version := board.next_version(), "broadcast")
        assert json.loads(hearer.recv(timeout=60))["data"] == "broadcast"
        publish(board, view, 2, "view")
        assert [json.loads(viewer.recv(timeout=60))["data"] for viewer in (hearer, guest)] == ["view", "view"]
    with viewer_of(server) as guest, pytest.raises(TimeoutError):
        guest.recv(timeout=0.2)


def test_a_slow_reader_loses_only_states_in_between(board: Board, server: HttpProcess, view: str) -> None:
    deaf = DeafViewer(server, query="?broadcast=no")
    with deaf.sock, viewer_of(server) as viewer:
        for key in "ab":
            deaf.send(subscription(view + key, key))
            subscribe(viewer, board, view + key, key)
        filling = "x" * 20_000
        for version in range(2, 32):
            for key in "ab":
                publish(board, view + key, version, key + filling)
            received(viewer, version)
        found: dict[str, list[int]] = {"a": [], "b": []}
        while any(not versions or versions[-1] < 31 for versions in found.values()):
            message = deaf.message()
            if not message["data"].startswith("answer"):
                found[message["data"][0]].append(message["version"])
    for versions in found.values():
        assert versions == sorted(set(versions))
        assert len(versions) < 25


def test_who_unsubscribes_or_leaves_is_sent_nothing_and_leaves_nothing_behind(
    board: Board, server: HttpProcess, view: str
) -> None:
    with viewer_of(server) as viewer:
        for key in "abc":
            subscribe(viewer, board, view + key.replace("c", "a"), key)
        viewer.send("plain")
        viewer.send(end_of("b"))
        assert json.loads(viewer.recv(timeout=60)) == {"ended": "b"}
        eventually(lambda: listeners(board, view + "b") == 0, 60, "nobody listens to b any more")
        viewer.send(end_of("a"))
        assert json.loads(viewer.recv(timeout=60)) == {"ended": "a"}
        publish(board, view + "b", 2, "b")
        publish(board, view + "a", 2, "a")
        assert json.loads(viewer.recv(timeout=60))["data"] == "a", "the view is still watched under another key"
        eventually(lambda: gauge(server, "scoreboard_websocket_views") == 1, 60, "one view")
        keys = [event["requestContext"]["authorizer"] for event in server.events("MESSAGE") if event["body"] == "plain"]
        assert keys[-1] == {"principalId": "", "subscriptions": "a b c"}
    eventually(lambda: listeners(board, view + "a") == 0, 60, "nobody listens to a any more")
    eventually(lambda: gauge(server, "scoreboard_websocket_views") == 0, 60, "no view")


def test_another_view_under_the_same_key_takes_its_place(board: Board, server: HttpProcess, view: str) -> None:
    with viewer_of(server) as viewer:
        subscribe(viewer, board, view + "a")
        subscribe(viewer, board, view + "b")
        eventually(lambda: listeners(board, view + "a") == 0, 60, "nobody listens to a any more")
        publish(board, view + "b", 2, "b")
        assert json.loads(viewer.recv(timeout=60))["data"] == "b"


def test_the_end_of_a_view_is_told_once_and_ends_it(board: Board, server: HttpProcess, view: str) -> None:
    error = '{"type":"error","code":"unknown_board"}'
    with viewer_of(server) as viewer:
        for key in "ab":
            subscribe(viewer, board, view, key)
        board.redis.publish(f"{board.channel}:{view}", error)
        assert viewer.recv(timeout=60) == error
        eventually(lambda: listeners(board, view) == 0, 60, "nobody listens any more")
        with pytest.raises(TimeoutError):
            viewer.recv(timeout=0.2)


def test_a_connection_that_ends_while_it_is_answered_leaves_nothing_behind(board: Board, server: HttpProcess, view: str) -> None:
    with ExitStack() as stack:
        for number in range(20):
            viewer = stack.enter_context(viewer_of(server))
            viewer.send(subscription(f"{view}{number}"))
            viewer.socket.close()
    eventually(lambda: gauge(server, "scoreboard_websocket_views") == 0, 60, "no view")


def test_it_is_noted_what_is_watched_and_what_was_not_is_asked_for_again(board: Board, view: str) -> None:
    watched = f"{board.channel}:watched"

    def is_noted() -> bool:
        until: Any = board.redis.zscore(watched, view)
        return until is not None and until / 1000 > time.time() + 30

    def asked(process: HttpProcess) -> int:
        return [event["body"] for event in process.events("MESSAGE")].count(subscription(view))

    def lose_the_connection() -> None:
        for client in board.redis.client_list():
            if int(client["sub"]):
                board.redis.client_kill_filter(_id=client["id"])

    with HttpProcess(board.environment) as server, viewer_of(server) as viewer:
        board.redis.zadd(watched, {view: (time.time() + 60) * 1000})  # as the function does
        subscribe(viewer, board, view)
        board.redis.set(f"{board.channel}:{view}:last", frame_text(2), ex=60)
        lose_the_connection()
        assert received(viewer, 2) == [2], "what was kept"
        eventually(is_noted, 60, "it is noted")
        assert asked(server) == 1
        board.redis.zrem(watched, view)
        lose_the_connection()
        eventually(lambda: asked(server) == 2, 60, "it is asked for again")
        assert json.loads(viewer.recv(timeout=60))["data"] == "answer 1"
        eventually(is_noted, 60, "it is noted")
