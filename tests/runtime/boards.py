"""Who publishes to viewers in the tests of the HTTP process."""

from __future__ import annotations

import json
import secrets

import redis


class Board:
    """The publisher's side, as the broadcasting function does it."""

    def __init__(self, redis_url: str) -> None:
        self.redis_url = redis_url
        self.channel = f"test:{secrets.token_hex(6)}"
        self.redis = redis.Redis.from_url(redis_url)
        self._version = 0

    @property
    def environment(self) -> dict[str, str]:
        return {"REDIS_URL": self.redis_url, "BROADCAST_CHANNEL": self.channel}

    def next_version(self) -> int:
        """One more than the last one this answered."""
        self._version += 1
        return self._version

    def publish(self, version: int, filling: str = "") -> None:
        text = frame_text(version, filling)
        with self.redis.pipeline(transaction=True) as transaction:
            transaction.set(f"{self.channel}:last", text)
            transaction.publish(self.channel, text)
            transaction.execute()

    def listeners(self) -> int:
        ((_, count),) = self.redis.pubsub_numsub(self.channel)
        return int(count)

    def close(self) -> None:
        self.redis.delete(f"{self.channel}:last")
        self.redis.close()


def frame_text(version: int, filling: str = "") -> str:
    document = {"type": "leaderboard", "version": version, "data": filling, "cache_time": "2026-01-01T00:00:00Z"}
    return json.dumps(document, separators=(",", ":"))
