"""The outbox: a stream of accepted updates the broker has not confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import redis

from shared.adapters.redis.connection import translated
from shared.adapters.redis.keys import Keys
from shared.domain.score import ScoreAccepted

BEGINNING = "0-0"


class RedisOutbox:
    """The port Outbox."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def pending(self, older_than_seconds: float, limit: int) -> list[tuple[str, ScoreAccepted]]:
        """By Redis's own clock, which also made the ids."""
        newest = "+"
        if older_than_seconds > 0:
            seconds, microseconds = self._redis.time()
            newest = str(int(seconds * 1000 + microseconds / 1000 - older_than_seconds * 1000))
        return [
            (entry_id.decode(), _event(fields)) for entry_id, fields in self._redis.xrange(self._keys.outbox, "-", newest, limit)
        ]

    @translated()
    def settle(self, outbox_ids: Sequence[str]) -> None:
        """XDEL."""
        if outbox_ids:
            self._redis.xdel(self._keys.outbox, *outbox_ids)

    @translated()
    def newest_id(self) -> str:
        """The last id the stream gave, whether or not the entry is still there."""
        if not self._redis.exists(self._keys.outbox):
            return BEGINNING
        last: bytes = self._redis.xinfo_stream(self._keys.outbox)["last-generated-id"]
        return last.decode()

    @translated()
    def waiting_up_to(self, outbox_id: str) -> int:
        """At most 1 is counted: what matters is whether there is any."""
        return len(self._redis.xrange(self._keys.outbox, "-", outbox_id, 1))


def _event(fields: dict[bytes, bytes]) -> ScoreAccepted:
    value: dict[str, Any] = {name.decode(): text.decode() for name, text in fields.items()}
    return ScoreAccepted(
        request_id=value["request_id"],
        user_id=value["user_id"],
        increment=int(value["increment"]),
        new_score=int(float(value["new_score"])),
        accepted_at=datetime.fromtimestamp(int(value["accepted_at"]) / 1000, UTC),
        source_ip=value["source_ip"],
    )
