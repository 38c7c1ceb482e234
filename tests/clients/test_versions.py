"""Whatever order boards and disconnects come in, versions only rise on the screen, and the newest one that came is shown."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from scoreboard_client import AsyncScoreboard, LiveBoard, ScoreboardError
from scoreboard_client.transports import Connection, ThreadTransport
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from tests.clients.driven import HERE, NODE, only_rises

BOARDS = st.integers(0, 20).map(lambda version: {"type": "leaderboard", "version": version, "data": [], "cache_time": ""})
JUNK = st.sampled_from(
    ["", "{}", "[1]", '{"type": "other"}', '{"type": "leaderboard"}', '{"type": "leaderboard", "version": "9"}']
)
MESSAGES = st.one_of(BOARDS.map(json.dumps), JUNK)
CODES = st.sampled_from([1001, 1006, 1008, 4401])
CONNECTIONS = st.lists(st.tuples(st.lists(MESSAGES, max_size=6), CODES), max_size=6)


class ScriptedConnection:
    """A connection on which these messages come, and then its end."""

    def __init__(self, messages: list[str], code: int) -> None:
        self._messages = deque(messages)
        self._code = code

    async def recv(self, timeout: float) -> str:
        if self._messages:
            return self._messages.popleft()
        raise ConnectionClosedError(Close(self._code, ""), None)

    async def send(self, text: str) -> None: ...

    async def close(self) -> None: ...


class ScriptedScoreboard(AsyncScoreboard):
    """Gives out connections by script, and then stops whoever watches."""

    def __init__(self, script: list[tuple[list[str], int]], stop: threading.Event) -> None:
        super().__init__("http://scores.test", rng=lambda: 0.0, transport=ThreadTransport)
        self._script = deque(script)
        self._over = stop

    async def websocket(self, alive_seconds: float, view: dict[str, Any] | None = None) -> tuple[Connection, float, float]:
        if not self._script:
            self._over.set()
            raise ScoreboardError(0, "no_websocket")
        return ScriptedConnection(*self._script.popleft()), 240.0, 600.0


@settings(max_examples=200, deadline=None)
@given(CONNECTIONS)
def test_versions_only_rise_in_python(script: list[tuple[list[str], int]]) -> None:
    stop = threading.Event()
    shown = [board["version"] for board in LiveBoard(ScriptedScoreboard(script, stop).watch(stop=stop))]
    assert only_rises(shown)
    arrived: list[Any] = [json.loads(text) for messages, _ in script for text in messages if '"data"' in text]
    assert max(shown, default=-1) == max((board["version"] for board in arrived), default=-1)


def test_versions_only_rise_in_javascript() -> None:
    played = subprocess.run(
        [NODE, str(HERE / "versions.mjs"), "300", "7"], capture_output=True, text=True, timeout=100, check=True
    )
    assert json.loads(played.stdout) == {"played": 300, "failures": []}, played.stderr
