"""How the board and the outbox stand."""

from __future__ import annotations

from typing import Any

import redis

from shared.operations.overview import BoardState
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script


class RedisBoardGauge:
    """The port BoardGauge."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def read(self) -> BoardState:
        """One script, so that all is of one instant."""
        keys = (self._keys.leaderboard, self._keys.leaderboard_whole, self._keys.outbox)
        players, is_whole, accepted, outbox, oldest_ms = map(int, run_script(self._redis, "read_gauge", keys, ()))
        return BoardState(players, bool(is_whole), None if accepted < 0 else accepted, outbox, oldest_ms / 1000)
