"""What the scripts that accept updates and entries have in common: their questions, their refusals, what is kept of a result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic, sleep
from typing import Any

import redis

from shared.accounts.session import Missing
from shared.boards.action_tickets import LIFETIME_SECONDS
from shared.boards.entry import AcceptedEntry, ScoreEntry
from shared.boards.score import AcceptedUpdate, ScoreUpdate
from shared.core.errors import (
    IdempotencyKeyReused,
    InvalidActionTicket,
    InvalidApiKey,
    InvalidServerKey,
    LeaderboardRebuilding,
    NoOpenSeason,
    NotAPlayer,
    NotItsBoard,
    NotItsScope,
    RateLimited,
    RateWindowLost,
    RedisUnavailable,
    ScoreboardError,
    ScoreOutOfBounds,
    SessionEnded,
    TicketAlreadyUsed,
    UnknownPlayer,
)
from shared.core.forks import process_name
from shared.core.invocation import note
from shared.core.rate_window import RateWindow
from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.replicas import Replicas

RESULT_SECONDS = 24 * 3600
# A ticket is dated by one clock and spent by another, which may step back or follow another one after a failover.
SPENT_MARGIN_MS = 10_000
SPENT_BEFORE_MS = 2 * LIFETIME_SECONDS * 1000
WRITTEN_SECONDS, WRITTEN_LOOK_SECONDS = 3.0, 0.02  # Redis waits up to 2 s for a disk that is busy
Now = Callable[[], datetime]
Done = tuple[ScoreUpdate | ScoreEntry, AcceptedUpdate | AcceptedEntry]
_QUESTIONS = {
    b"epoch": Missing.EPOCH,
    b"sessions": Missing.SESSIONS,
    b"profile": Missing.PROFILE,
    b"absent": Missing.MEMBER,
    b"history": Missing.HISTORY,
    b"server_key": Missing.SERVER_KEY,
}
_LIMITS = {b"limited": RateLimited, b"lost": RateWindowLost}
_REFUSALS: dict[bytes, type[ScoreboardError]] = {
    b"ended": SessionEnded,
    b"role": NotAPlayer,
    b"unknown": UnknownPlayer,
    b"api_key": InvalidApiKey,
    b"reused": IdempotencyKeyReused,
    b"spent": TicketAlreadyUsed,
    b"expired": InvalidActionTicket,
    b"bounds": ScoreOutOfBounds,
    b"key": InvalidServerKey,
    b"scope": NotItsBoard,
    b"may": NotItsScope,
    b"closed": NoOpenSeason,
    b"rebuilding": LeaderboardRebuilding,
}


class Acceptances:
    """Answers of such scripts, and whether what they accepted is kept; `now` replaces Redis's own clock."""

    def __init__(
        self,
        client: redis.Redis,
        keys: BoardKeys,
        shard: ShardKeys,
        window_seconds: int,
        now: Now | None,
        replicas: Replicas | None,
    ) -> None:
        self._redis: Any = client
        self._replicas = replicas
        self._keys, self._shard = keys, shard
        self._window_seconds = window_seconds
        self._now = now

    @translated()
    def ensure_kept(self, done: Sequence[Done]) -> None:
        """Return when what nobody but Redis is known to have outlives Redis's process; raises RedisUnavailable.

        Once the append-only file has everything: Redis answers before it knows that on a slow or full disk.

        The file first, then what was accepted: it may be another Redis by then.
        """
        if done and not (self._is_written() and self._has_all(done)):
            raise RedisUnavailable

    @translated()
    def ensure_replicated(self, done: Sequence[Done]) -> None:
        """Return when as many replicas as must have all of these, so that a failover to one of them loses nothing; raises
        RedisUnavailable.

        The replicas first, then what was accepted, as above.
        """
        if self._replicas is None or not done:
            return
        if not (self._replicas.have_all() and self._has_all(done)):
            note(replicated=False)
            raise RedisUnavailable

    def _is_written(self) -> bool:
        gives_up_at, goal = monotonic() + WRITTEN_SECONDS, math.inf
        while True:
            state: Mapping[str, Any] = self._redis.info("persistence")
            if not state.get("aof_enabled"):
                return True
            if state["aof_last_write_status"] != "ok":
                return False
            size, waiting = state["aof_current_size"], state["aof_buffer_length"]
            if not waiting or size >= goal:
                return True
            if monotonic() > gives_up_at:
                return False
            goal = min(goal, size + waiting)
            sleep(WRITTEN_LOOK_SECONDS)

    def _has_all(self, done: Sequence[Done]) -> bool:
        """What was numbered in one epoch is here together, or not at all."""
        once = {
            accepted.request_id if accepted.replayed or accepted.number is None else accepted.number.epoch: (update, accepted)
            for update, accepted in done
        }
        return all(self._has(*each) for each in once.values())

    def _has(self, update: ScoreUpdate | ScoreEntry, accepted: AcceptedUpdate | AcceptedEntry) -> bool:
        if accepted.replayed or accepted.number is None:
            return bool(self._redis.exists(self._shard.user(update.user_id).result(update.key_id)))
        epoch, is_open = self._redis.hmget(self._keys.numbers, "epoch", "open")
        return bool(is_open) and int(epoch) == accepted.number.epoch

    def _circumstances(self, command: ScoreUpdate | ScoreEntry, *, not_in_ledger: bool) -> tuple[str | int, ...]:
        """From where, when and by whom it is asked for: arguments that both scripts take in this order."""
        return (
            command.source_ip,
            command.api_key_hash or "",
            "" if self._now is None else self._milliseconds(),
            "1" if not_in_ledger else "",
            "" if command.ticket_expires_at is None else milliseconds(command.ticket_expires_at),
            command.session_id,
            command.key_id,
            process_name(),
        )

    def _missing(self, outcome: bytes, answer: Sequence[Any], limit: int) -> Missing:
        """What the script asked for; raises what it refused."""
        if outcome in _QUESTIONS:
            return _QUESTIONS[outcome]
        if outcome in _LIMITS:
            window = self._window(limit, 0, int(answer[0]))
            raise _LIMITS[outcome](retry_after_seconds=window.reset_seconds, headers=window.headers())
        raise _REFUSALS[outcome]

    def _window(self, limit: int, remaining: int, reset_ms: int) -> RateWindow:
        return RateWindow(limit, self._window_seconds, remaining, max(reset_ms, 0) / 1000)

    def _milliseconds(self) -> int:
        if self._now is not None:
            return milliseconds(self._now())
        seconds, microseconds = self._redis.time()
        return int(seconds * 1000 + microseconds // 1000)


def milliseconds(at: datetime) -> int:
    """Since 1970."""
    return round(at.timestamp() * 1000)
