"""Connections that are not welcome any more are closed, whichever worker holds them."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from local_runtime.gateway.websocket.connection import Connection
from local_runtime.gateway.websocket.dismissals import Dismissals
from tests.runtime.boards import Board
from tests.runtime.http_process import HttpProcess


def dismissal(label: str, at: float, code: int = 4401) -> bytes:
    return json.dumps({"label": label, "at": at, "code": code, "reason": "session ended"}).encode()


class Viewer(Connection):
    """A connection that only notes how it was closed."""

    def __init__(self, *, is_open: bool = True) -> None:
        self._is_open = is_open
        self.closed: list[tuple[int, str]] = []

    @property
    def is_open(self) -> bool:
        return self._is_open

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


@pytest.fixture
def dismissals() -> Dismissals:
    return Dismissals(lambda: 1000.0)


def test_who_has_the_label_and_came_before_is_closed(dismissals: Dismissals) -> None:
    earlier, later, other = Viewer(), Viewer(), Viewer()
    dismissals.join("1", 10.0, earlier, ("user", "session"))
    dismissals.join("2", 30.0, later, ("user", "session"))
    dismissals.join("3", 10.0, other, ("user", "another"))
    dismissals.publish(dismissal("session", 20.0))
    assert (earlier.closed, later.closed, other.closed) == ([(4401, "session ended")], [], [])
    dismissals.publish(dismissal("user", 40.0, 1008))
    assert later.closed == other.closed == [(1008, "session ended")]


def test_who_was_dismissed_during_the_handshake_does_not_stay(dismissals: Dismissals) -> None:
    dismissals.publish(dismissal("session", 990.0))
    during, after = Viewer(), Viewer()
    dismissals.join("1", 989.0, during, ("session",))
    dismissals.join("2", 991.0, after, ("session",))
    assert (during.closed, after.closed) == ([(4401, "session ended")], [])


def test_nothing_is_kept_of_those_who_left_nor_for_long_of_dismissals(dismissals: Dismissals) -> None:
    dismissals.join("1", 10.0, Viewer(), ("user", "session"))
    dismissals.leave("1")
    dismissals.leave("unknown")
    dismissals.publish(dismissal("old", 900.0))
    dismissals.publish(dismissal("new", 999.0))
    assert (dismissals._labels, dismissals._labelled, list(dismissals._recent)) == ({}, {}, ["new"])


def test_nothing_is_kept_of_those_who_left_before_they_were_noted(dismissals: Dismissals) -> None:
    dismissals.leave("1")
    dismissals.join("1", 10.0, Viewer(is_open=False), ("user", "session"))
    assert (dismissals._labels, dismissals._labelled) == ({}, {})


@pytest.mark.parametrize("text", [b"", b"nonsense", b"[]", b'{"label": 7}', b"\xff"])
def test_what_is_no_dismissal_is_ignored(dismissals: Dismissals, text: bytes) -> None:
    dismissals.publish(text)
    assert dismissals._recent == {}


# In the running process


def viewer(server: HttpProcess, labels: str) -> ClientConnection:
    made: ClientConnection = connect(f"{server.ws_url}?labels={labels}", proxy=None, open_timeout=60)
    return made


def receive_until_closed(viewer: ClientConnection) -> None:
    while True:
        viewer.recv(timeout=60)


def close_code(viewer: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        receive_until_closed(viewer)
    return closed.value.rcvd.code if closed.value.rcvd else None


def test_every_worker_closes_those_that_are_named_and_no_others(server: HttpProcess, board: Board) -> None:
    with ExitStack() as stack:
        named = [stack.enter_context(viewer(server, "user%20session")) for _ in range(6)]
        other = stack.enter_context(viewer(server, "user%20another"))
        board.redis.publish(f"{board.channel}:dismissals", dismissal("session", time.time() + 1))
        assert {close_code(one) for one in named} == {4401}
        board.publish(board.next_version())
        assert json.loads(other.recv(timeout=60))["version"] == 1


def test_a_dismissal_that_nobody_heard_is_made_up_for(server: HttpProcess, board: Board) -> None:
    with viewer(server, "session") as missed:
        board.redis.zadd(f"{board.channel}:dismissed", {dismissal("session", time.time() + 1): 0})
        for client in board.redis.client_list(_type="pubsub"):
            board.redis.client_kill_filter(_id=client["id"])
        assert close_code(missed) == 4401
    board.redis.delete(f"{board.channel}:dismissed")
