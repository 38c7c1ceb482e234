"""Frames at most ten times a second however many ask for one, and the last state always."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import redis

from shared.boards.ranking import Standing
from shared.core.clock import utc_text
from shared.stores.keys import Keys
from shared.stores.redis.scripts import run_script
from shared.viewers.frame import Frame, board_json, frame_of

INTERVAL_SECONDS = 0.1
# With what stands around the board a frame is less than 32 KB: one WebSocket frame of API Gateway.
MAX_BOARD_BYTES = 31 * 1024
MAX_TRIES = 20

ReadBoard = Callable[[], tuple[Sequence[Standing], datetime]]
Milliseconds = Callable[[], int | str]


def server_time() -> str:
    """Has scripts go by Redis' own clock, which all machines share."""
    return ""


class Frames:
    """The newest frame of the board, kept in Redis. A board that did not change makes no new version.

    A tick is the right to read the board and make a frame of it; there is at most one in each interval. Who wants a frame
    either gets the next tick, or one that began after they asked was somebody else's: its frame shows what they want shown.
    `now` gives milliseconds for a simulation.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        *,
        now: Milliseconds = server_time,
        sleep: Callable[[float], None] = time.sleep,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._redis: Any = client
        self._keys = keys
        self._now = now
        self._sleep = sleep
        self._interval_ms = round(interval_seconds * 1000)

    def read_after_now(self, read_board: ReadBoard) -> Frame:
        """The newest frame once it is of a board that was read after this call began; waits for its tick."""
        asked: int | str = ""
        while True:
            verdict, number, asked = self._tick(asked)
            if verdict == b"yours":
                return self._make(number, read_board)
            if verdict == b"shown":
                return self.newest()
            self._sleep(number / 1000)

    def refresh(self, read_board: ReadBoard) -> None:
        """Make a frame if it is time for one."""
        verdict, number, _ = self._tick("")
        if verdict == b"yours":
            self._make(number, read_board)

    def newest(self) -> Frame:
        """The frame that is kept."""
        version, data, cache_time = self._redis.hmget(self._keys.frame, "version", "data", "cache_time")
        return frame_of(int(version or 0), (data or b"[]").decode(), (cache_time or b"").decode())

    def is_sent(self, frame: Frame) -> bool:
        """Whether this version went out where one request reaches everybody."""
        return int(self._redis.hget(self._keys.frame, "sent") or 0) >= frame.version

    def sent(self, frame: Frame) -> None:
        """It went out."""
        self._redis.hset(self._keys.frame, "sent", frame.version)

    def _tick(self, asked: int | str) -> tuple[bytes, int, int]:
        verdict, number, since = run_script(
            self._redis, "tick_frame", (self._keys.frame,), (self._now(), self._interval_ms, asked)
        )
        return verdict, int(number), int(since)

    def _make(self, tick: int, read_board: ReadBoard) -> Frame:
        for _ in range(MAX_TRIES):
            ticket = int(self._redis.get(self._keys.leaderboard_version) or 0)
            board, as_of = read_board()
            data, cache_time = board_json(board, MAX_BOARD_BYTES), utc_text(as_of)
            keys = (self._keys.frame, self._keys.leaderboard_version)
            version = int(run_script(self._redis, "put_frame", keys, (self._now(), tick, ticket, data, cache_time)))
            if version:
                return frame_of(version, data, cache_time)
        return self.newest()  # overtaken each time: newer boards than ours are there
