"""Frames at most ten times a second however many ask for one, and the last state always."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import redis

from shared.boards.ranking import Standing
from shared.core.clock import utc_text
from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.scripts import run_script
from shared.viewers.frame import Frame, board_json, frame_of

INTERVAL_SECONDS = 0.1
_INTERVAL_MS = round(INTERVAL_SECONDS * 1000)
# With what stands around the board a frame is less than 32 KB: one WebSocket frame of API Gateway.
MAX_BOARD_BYTES = 31 * 1024
MAX_TRIES = 20

ReadBoard = Callable[[], tuple[Sequence[Standing], datetime]]
Milliseconds = Callable[[], int | str]
Made = TypeVar("Made")


def server_time() -> str:
    """Has scripts go by Redis' own clock, which all machines share."""
    return ""


class Ticks:
    """The right to read a board and make frames of it, at most once in an interval. `now` gives milliseconds for a simulation."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        now: Milliseconds = server_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._redis = client
        self._now = now
        self._sleep = sleep

    def after_now(self, key: str, make: Callable[[int], Made]) -> Made | None:
        """What `make` makes in the next tick of a key; None when one that began after this call is another's, and shown."""
        asked: int | str = ""
        while True:
            verdict, number, asked = self._tick(key, asked)
            if verdict == b"yours":
                return make(number)
            if verdict == b"shown":
                return None
            self._sleep(number / 1000)

    def if_due(self, key: str, make: Callable[[int], object]) -> None:
        """Make something if it is time for a tick."""
        verdict, number, _ = self._tick(key, "")
        if verdict == b"yours":
            make(number)

    def _tick(self, key: str, asked: int | str) -> tuple[bytes, int, int]:
        verdict, number, since = run_script(self._redis, "tick_frame", (key,), (self._now(), _INTERVAL_MS, asked))
        return verdict, int(number), int(since)


class Frames:
    """The newest frame of the board, kept in Redis. A board that did not change makes no new version.

    Who wants a frame either gets the next tick, or one that began after they asked was somebody else's: its frame shows what
    they want shown.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: BoardKeys,
        shard: ShardKeys,
        *,
        now: Milliseconds = server_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._redis: Any = client
        self._frame, self._version = shard.viewers.frame, keys.version
        self._now = now
        self._ticks = Ticks(client, now=now, sleep=sleep)

    def read_after_now(self, read_board: ReadBoard) -> Frame:
        """The newest frame once it is of a board that was read after this call began; waits for its tick."""
        return self._ticks.after_now(self._frame, lambda tick: self._make(tick, read_board)) or self.newest()

    def refresh(self, read_board: ReadBoard) -> None:
        """Make a frame if it is time for one."""
        self._ticks.if_due(self._frame, lambda tick: self._make(tick, read_board))

    def newest(self) -> Frame:
        """The frame that is kept."""
        version, data, cache_time = self._redis.hmget(self._frame, "version", "data", "cache_time")
        return frame_of(int(version or 0), (data or b"[]").decode(), (cache_time or b"").decode())

    def is_sent(self, frame: Frame) -> bool:
        """Whether this version went out where one request reaches everybody."""
        return int(self._redis.hget(self._frame, "sent") or 0) >= frame.version

    def sent(self, frame: Frame) -> None:
        """It went out."""
        self._redis.hset(self._frame, "sent", frame.version)

    def _make(self, tick: int, read_board: ReadBoard) -> Frame:
        for _ in range(MAX_TRIES):
            ticket = int(self._redis.get(self._version) or 0)
            board, as_of = read_board()
            data, cache_time = board_json(board, MAX_BOARD_BYTES), utc_text(as_of)
            keys = (self._frame, self._version)
            version = int(run_script(self._redis, "put_frame", keys, (self._now(), tick, ticket, data, cache_time)))
            if version:
                return frame_of(version, data, cache_time)
        return self.newest()  # overtaken each time: newer boards than ours are there
