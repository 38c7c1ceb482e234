"""What is kept of players' latest updates: restored when Redis lost it, dropped when it is past."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis

from shared.boards.leaderboard import RESULT_SECONDS
from shared.boards.rate_window import Losses
from shared.boards.ticket import LIFETIME_SECONDS
from shared.ledger.events import Acceptance
from shared.stores.keys import Keys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script

AN_HOUR_MS = 3_600_000
# As long as a ticket that was spent at that moment could be sent again, by clocks that differ by as much as it lives.
KNOWN_MS = 2 * LIFETIME_SECONDS * 1000
CLOCKS_DIFFER = timedelta(seconds=60)


class RedisRateWindows:
    """The port RateWindows. `now` replaces Redis's own clock."""

    def __init__(
        self, client: redis.Redis, keys: Keys, *, rate_window_seconds: int, now: Callable[[], datetime] | None = None
    ) -> None:
        self._redis: Any = client
        self._keys = keys
        # Only a clock that was set back leaves an entry further ahead; it would lie there until the old time is reached again.
        self._window_ms = rate_window_seconds * 1000
        self._farthest_ms = rate_window_seconds * 1000 + AN_HOUR_MS
        self._now = now

    @property
    def reach(self) -> timedelta:
        """The longer of both, and how far clocks may differ: Redis dates updates and tickets."""
        return timedelta(milliseconds=max(self._window_ms, KNOWN_MS)) + CLOCKS_DIFFER

    @translated()
    def losses(self) -> Losses:
        """GET and HMGET."""
        mark = self._redis.get(self._keys.leaderboard_whole)
        restored, lost_until = self._redis.hmget(self._keys.leaderboard_numbers, "restored", "windows_lost_until")
        since = 0 if mark is None else int(mark)
        return Losses(since, since > 0 and restored != mark, lost_until is not None)

    @translated()
    def restore(self, accepted: Mapping[str, Sequence[Acceptance]]) -> None:
        """A script a player. Every request id may be that of a ticket."""
        for user_id, acceptances in accepted.items():
            newest = sorted(acceptances, reverse=True)
            keys = (self._keys.requests(user_id), self._keys.spent_tickets(user_id), self._keys.rate_windows)
            arguments = [value for each in newest for value in (each.at, each.request_id)]
            run_script(self._redis, "restore_window", keys, (user_id, self._window_ms, KNOWN_MS, *arguments))

    @translated()
    def windows_restored(self) -> None:
        """HDEL."""
        self._redis.hdel(self._keys.leaderboard_numbers, "windows_lost_until")

    @translated()
    def results_restored(self, losses: Losses) -> None:
        """HSET: it says nothing about what a later loss took."""
        self._redis.hset(self._keys.leaderboard_numbers, "restored", losses.results_since)

    @translated()
    def forget_results(self, limit: int) -> int:
        """A script over the oldest entries of the stream."""
        past = self._milliseconds() - RESULT_SECONDS * 1000
        entries = self._redis.xrange(self._keys.results, "-", str(past), limit)
        if not entries:
            return 0
        keys = [self._keys.result(fields[b"user_id"].decode(), fields[b"key_id"].decode()) for _, fields in entries]
        ids = [entry_id for entry_id, _ in entries]
        return int(run_script(self._redis, "forget_results", (self._keys.results, *keys), (past, *ids)))

    @translated()
    def forget(self, limit: int) -> int:
        """The script looks again: a player who came back keeps everything."""
        now, index = self._milliseconds(), self._keys.rate_windows
        farthest = now + self._farthest_ms
        if ahead := self._redis.zrangebyscore(index, f"({farthest}", "+inf", 0, limit):
            self._redis.zadd(index, dict.fromkeys(ahead, farthest), xx=True)
        user_ids = [user_id.decode() for user_id in self._redis.zrangebyscore(index, "-inf", now, 0, limit)]
        if not user_ids:
            return 0
        keys = [key for user_id in user_ids for key in (self._keys.requests(user_id), self._keys.spent_tickets(user_id))]
        return int(run_script(self._redis, "forget_windows", (index, *keys), (now, *user_ids)))

    def _milliseconds(self) -> int:
        if self._now is not None:
            return round(self._now().timestamp() * 1000)
        seconds, microseconds = self._redis.time()
        return int(seconds * 1000 + microseconds // 1000)
