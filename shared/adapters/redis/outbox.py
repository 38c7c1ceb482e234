"""The outbox: a stream of accepted updates the broker has not confirmed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import redis

from shared.adapters.redis.connection import SharingRedis, translated
from shared.adapters.redis.keys import Keys
from shared.domain.score import ScoreAccepted
from shared.logs import get_logger

BEGINNING = "0-0"
CLOCK_STEP_MS = 1000
RELAY_CLAIMED_SECONDS = 5
_log = get_logger(__name__)


class RedisOutbox:
    """The port Outbox."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def pending(self, older_than_seconds: float, limit: int) -> list[tuple[str, ScoreAccepted]]:
        """By Redis's own clock, which also made the ids; those from its future were made before it was set back."""
        if older_than_seconds <= 0:
            return self._read("-", "+", limit)
        seconds, microseconds = self._redis.time()
        now = seconds * 1000 + microseconds // 1000
        waiting = self._read("-", str(int(now - older_than_seconds * 1000)), limit)
        return waiting or self._read(str(now + CLOCK_STEP_MS), "+", limit)

    def _read(self, oldest: str, newest: str, limit: int) -> list[tuple[str, ScoreAccepted]]:
        entries: list[tuple[str, ScoreAccepted]] = []
        for entry_id, fields in self._redis.xrange(self._keys.outbox, oldest, newest, limit):
            try:
                entries.append((entry_id.decode(), _event(fields)))
            except (KeyError, ValueError, OverflowError):
                self._set_aside(entry_id, fields)
        return entries

    def _set_aside(self, entry_id: bytes, fields: dict[bytes, bytes]) -> None:
        """What the script never wrote is kept for somebody to look at, and does not stand in the others' way."""
        _log.error(
            "an entry of the outbox cannot be read",
            extra={"outbox_id": entry_id.decode(), "kept_in": self._keys.outbox_malformed},
        )
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xadd(self._keys.outbox_malformed, fields)
            pipeline.xdel(self._keys.outbox, entry_id)
            pipeline.execute()

    @translated()
    def settle(self, outbox_ids: Sequence[str]) -> None:
        """XDEL."""
        if outbox_ids:
            self._redis.xdel(self._keys.outbox, *outbox_ids)

    @translated()
    def begin_settling(self, outbox_ids: Sequence[str]) -> Callable[[], object]:
        """Where the connection allows it Redis has the XDEL at once, and whoever calls what this gives back waits for it."""
        if isinstance(self._redis, SharingRedis):
            return translated()(self._redis.begin("XDEL", self._keys.outbox, *outbox_ids))
        return partial(self.settle, outbox_ids)

    @translated()
    def claim_relay(self) -> bool:
        """SET NX with a short TTL."""
        return bool(self._redis.set(self._keys.relay_claimed, "1", nx=True, ex=RELAY_CLAIMED_SECONDS))

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
