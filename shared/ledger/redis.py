"""The outbox: a stream of accepted updates that the ledger does not have yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import redis

from shared.core.forks import process_name
from shared.core.logs import get_logger
from shared.core.redis_shards import FIRST
from shared.ledger.events import Number, ScoreAccepted, Unpublished
from shared.stores.keys import ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script

BEGINNING = "0-0"
CLOCK_STEP_MS = 1000
RELAY_CLAIMED_SECONDS = 2
NOTE_EVERY_SECONDS = 1.0
_log = get_logger(__name__)


class Outbox:
    """The stream in which an accepted update of a shard waits until the ledger has it. Entry ids rise."""

    def __init__(self, client: redis.Redis, keys: ShardKeys, shard: str = FIRST) -> None:
        self._redis: Any = client
        self._keys = keys
        self.shard = shard
        self._noted_at = -NOTE_EVERY_SECONDS

    @translated()
    def pending(self, older_than_seconds: float, limit: int) -> list[ScoreAccepted]:
        """Events, oldest first, that have waited longer than `older_than_seconds`.

        By Redis's own clock, which also made the ids.
        """
        return [event for event, _ in self._entries(BEGINNING, older_than_seconds, limit)]

    @translated()
    def unpublished(self, older_than_seconds: float, limit: int) -> Unpublished:
        """Those of the next `limit` such events that no process is known to have published.

        Entries behind outbox:relayed, without those that outbox:published names as confirmed.
        """
        relayed = self._redis.get(self._keys.outbox_relayed)
        entries = self._entries(BEGINNING if relayed is None else relayed.decode(), older_than_seconds, limit)
        if not entries:
            return Unpublished((), None)
        published: Mapping[bytes, bytes] = self._redis.hgetall(self._keys.outbox_published)
        newest = {process: _order(entry_id.decode()) for process, entry_id in published.items()}
        events = [event for event, process in entries if _order(event.outbox_id) > newest.get(process, (0, 0))]
        return Unpublished(events, entries[-1][0].outbox_id)

    def is_note_due(self) -> bool:
        """Whether `published` would write now."""
        return monotonic() - self._noted_at >= NOTE_EVERY_SECONDS

    @translated()
    def published(self, outbox_ids: Sequence[str]) -> None:
        """The broker has confirmed these entries of this process.

        HSET of the last one, once a second at most: what is not noted when this process dies is published once more.
        """
        if self.is_note_due():
            self._noted_at = monotonic()
            self._redis.hset(self._keys.outbox_published, process_name(), outbox_ids[-1])

    @translated()
    def relayed(self, outbox_id: str) -> None:
        """All entries up to this one have been published.

        SET; what processes noted about earlier entries says nothing more.
        """
        self._redis.set(self._keys.outbox_relayed, outbox_id)
        published: Mapping[bytes, bytes] = self._redis.hgetall(self._keys.outbox_published)
        past = [process for process, entry_id in published.items() if _order(entry_id.decode()) <= _order(outbox_id)]
        if past:
            self._redis.hdel(self._keys.outbox_published, *past)

    @translated()
    def claim_relay(self, what: str) -> bool:
        """Whether the caller is the one who relays this now; of those who ask within a few seconds it is the first."""
        return bool(run_script(self._redis, "claim", (self._keys.relay_claimed(what),), (RELAY_CLAIMED_SECONDS * 1000,)))

    @translated()
    def settle(self, outbox_ids: Sequence[str]) -> int:
        """Remove entries that the ledger has; returns how many there were."""
        return int(self._redis.xdel(self._keys.outbox, *outbox_ids)) if outbox_ids else 0

    @translated()
    def newest_id(self) -> str:
        """The id of the newest entry ever added, whether or not it is still there."""
        if not self._redis.exists(self._keys.outbox):
            return BEGINNING
        last: bytes = self._redis.xinfo_stream(self._keys.outbox)["last-generated-id"]
        return last.decode()

    @translated()
    def waiting(self, after: str, up_to: str, limit: int) -> list[ScoreAccepted]:
        """At most `limit` events with ids above `after` ("" for the beginning) and up to `up_to`, oldest first."""
        return [event for event, _ in self._read(f"({after}" if after else "-", up_to, limit)]

    @translated()
    def trim(self, entries: int) -> int:
        """Remove the oldest beyond so many `entries`; returns how many. Only what was published may be beyond them.

        XTRIM, of an outbox of which the relay has just seen the published part.
        """
        trimmed: int = self._redis.xtrim(self._keys.outbox, maxlen=entries, approximate=False)
        return trimmed

    def _entries(self, after: str, older_than_seconds: float, limit: int) -> list[tuple[ScoreAccepted, bytes]]:
        """Events with the process that is to publish each. Entries from the future were made before the clock was set back."""
        oldest = "-" if after == BEGINNING else f"({after}"
        if older_than_seconds <= 0:
            return self._read(oldest, "+", limit)
        seconds, microseconds = self._redis.time()
        now = seconds * 1000 + microseconds // 1000
        waiting = self._read(oldest, str(int(now - older_than_seconds * 1000)), limit)
        if waiting:
            return waiting
        ahead = (now + CLOCK_STEP_MS, 0)
        return self._read(oldest if _order(after) > ahead else f"{ahead[0]}-0", "+", limit)

    def _read(self, oldest: str, newest: str, limit: int) -> list[tuple[ScoreAccepted, bytes]]:
        entries: list[tuple[ScoreAccepted, bytes]] = []
        for entry_id, fields in self._redis.xrange(self._keys.outbox, oldest, newest, limit):
            try:
                entries.append((_event(entry_id, fields, self.shard), fields.get(b"process", b"")))
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


def _order(outbox_id: str) -> tuple[int, int]:
    milliseconds, _, counter = outbox_id.partition("-")
    return int(milliseconds), int(counter)


def _event(entry_id: bytes, fields: dict[bytes, bytes], shard: str) -> ScoreAccepted:
    value: dict[str, Any] = {name.decode(): text.decode() for name, text in fields.items()}
    return ScoreAccepted(
        request_id=value["request_id"],
        user_id=value["user_id"],
        increment=int(value["increment"]),
        new_score=int(float(value["new_score"])),
        accepted_at=datetime.fromtimestamp(int(value["accepted_at"]) / 1000, UTC),
        source_ip=value["source_ip"],
        number=Number(int(value["epoch"]), int(value["sequence"])) if "epoch" in value else None,
        outbox_id=entry_id.decode(),
        key_id=value.get("key_id", ""),
        rank=int(value.get("rank", 0)),
        board_id=value.get("board", "main"),
        second=int(value.get("second", 0)),
        metadata=value.get("metadata", ""),
        places=value.get("places", ""),
        writer=value.get("writer", ""),
        shard=shard,
    )
