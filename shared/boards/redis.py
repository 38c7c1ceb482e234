"""The live board in Redis: a sorted set that one script changes, and what belongs to it."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any

import redis

from shared.accounts.session import Missing, Question
from shared.boards.action_tickets import LIFETIME_SECONDS
from shared.boards.ranking import Position
from shared.boards.rate_window import Losses, RateWindow
from shared.boards.score import AcceptedUpdate, NewestEpoch, ScoreUpdate
from shared.core.errors import (
    IdempotencyKeyReused,
    InvalidActionTicket,
    InvalidApiKey,
    LeaderboardRebuilding,
    NotAPlayer,
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
from shared.ledger.events import Acceptance, FirstResult, Number
from shared.stores.keys import Keys, user_id_of
from shared.stores.redis.connection import server_of, translated
from shared.stores.redis.scripts import run_script, script_command

RESULT_SECONDS = 24 * 3600
# A ticket is dated by one clock and spent by another, which may step back or follow another one after a failover.
SPENT_MARGIN_MS = 10_000
SPENT_BEFORE_MS = 2 * LIFETIME_SECONDS * 1000
REBUILD_ASKED_SECONDS = 5
WRITTEN_SECONDS, WRITTEN_LOOK_SECONDS = 3.0, 0.02  # Redis waits up to 2 s for a disk that is busy
REBUILD_SECONDS = 600
Now = Callable[[], datetime]
_QUESTIONS = {
    b"epoch": Missing.EPOCH,
    b"sessions": Missing.SESSIONS,
    b"profile": Missing.PROFILE,
    b"absent": Missing.MEMBER,
    b"history": Missing.HISTORY,
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
    b"rebuilding": LeaderboardRebuilding,
}
DOCUMENT_MS = 5000
AN_HOUR_MS = 3_600_000
# As long as a ticket that was spent at that moment could be sent again, by clocks that differ by as much as it lives.
KNOWN_MS = 2 * LIFETIME_SECONDS * 1000
CLOCKS_DIFFER = timedelta(seconds=60)


class RedisLeaderboard:
    """The port Leaderboard. `now` replaces Redis's own clock in the rate window."""

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        *,
        rate_limit_requests: int,
        rate_window_seconds: int,
        now: Now | None = None,
    ) -> None:
        self._redis: Any = client
        self._keys = keys
        # Those that are everybody's, made once.
        self._leaderboard, self._whole, self._outbox = keys.leaderboard, keys.leaderboard_whole, keys.outbox
        self._rate_windows, self._ended_sessions = keys.rate_windows, keys.ended_sessions
        self._numbers, self._results = keys.leaderboard_numbers, keys.results
        self._limit = rate_limit_requests
        self._window_seconds = rate_window_seconds
        self._now = now

    @translated()
    def apply(self, update: ScoreUpdate, *, not_in_ledger: bool = False) -> AcceptedUpdate | Missing:
        """Run the script."""
        keys, user_id = self._keys, update.user_id
        outcome, *answer = run_script(
            self._redis,
            "update_score",
            (
                self._leaderboard,
                self._whole,
                keys.profile(user_id),
                keys.requests(user_id),
                keys.result(user_id, update.key_id),
                self._outbox,
                keys.spent_tickets(user_id),
                self._rate_windows,
                self._ended_sessions,
                self._numbers,
                self._results,
            ),
            (
                keys.member(user_id),
                user_id,
                update.request_id,
                update.increment,
                update.source_ip,
                self._limit,
                self._window_seconds * 1000,
                update.api_key_hash or "",
                RESULT_SECONDS * 1000,
                "" if self._now is None else self._milliseconds(),
                "1" if not_in_ledger else "",
                "" if update.ticket_expires_at is None else _milliseconds(update.ticket_expires_at),
                SPENT_MARGIN_MS,
                SPENT_BEFORE_MS,
                update.session_id,
                update.key_id,
                process_name(),
            ),
        )
        if outcome == b"ok":
            return self._accepted(update, answer)
        if outcome in _QUESTIONS:
            return _QUESTIONS[outcome]
        raise self._refusal(outcome, answer)

    @translated()
    def ensure_kept(self, update: ScoreUpdate, accepted: AcceptedUpdate) -> None:
        """Once the append-only file has everything: Redis answers before it knows that on a slow or full disk.

        The file first, then the update: it may be another Redis by then.
        """
        if not self._is_written() or not self._has(update, accepted):
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

    def _has(self, update: ScoreUpdate, accepted: AcceptedUpdate) -> bool:
        if accepted.replayed or accepted.number is None:
            return bool(self._redis.exists(self._keys.result(update.user_id, update.key_id)))
        epoch, is_open = self._redis.hmget(self._numbers, "epoch", "open")
        return bool(is_open) and int(epoch) == accepted.number.epoch

    def _accepted(self, update: ScoreUpdate, answer: Sequence[Any]) -> AcceptedUpdate:
        score, rank, accepted_at, remaining, reset, replayed, request_id, *new = answer
        return AcceptedUpdate(
            request_id.decode(),
            update.user_id,
            update.increment,
            int(float(score)),
            int(rank) + 1,
            datetime.fromtimestamp(int(accepted_at) / 1000, UTC),
            self._window(int(remaining), int(reset)),
            new[0].decode() if new else None,
            Number(new[1], new[2]) if new else None,
            bool(replayed),
        )

    def _milliseconds(self) -> int:
        if self._now is not None:
            return _milliseconds(self._now())
        seconds, microseconds = self._redis.time()
        return int(seconds * 1000 + microseconds // 1000)

    def _window(self, remaining: int, reset_ms: int) -> RateWindow:
        return RateWindow(self._limit, self._window_seconds, remaining, max(reset_ms, 0) / 1000)

    def _refusal(self, outcome: bytes, answer: Sequence[Any]) -> ScoreboardError:
        if outcome in _LIMITS:
            window = self._window(0, int(answer[0]))
            return _LIMITS[outcome](retry_after_seconds=window.reset_seconds, headers=window.headers())
        return _REFUSALS[outcome]()

    @translated()
    def remember(self, results: Sequence[FirstResult]) -> None:
        """A script for all of them."""
        keys = [self._results, *(self._keys.result(result.user_id, result.key_id) for result in results)]
        arguments = [value for result in results for value in _values(result)]
        run_script(self._redis, "restore_results", keys, arguments)

    @translated()
    def enter(self, user_id: str) -> None:
        """ZADD NX: a player who is there keeps their score."""
        self._redis.zadd(self._keys.leaderboard, {self._keys.member(user_id): 0}, nx=True)

    @translated()
    def top(self, limit: int) -> list[Position]:
        """The first places, read together with the mark."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.exists(self._keys.leaderboard_whole)
            pipeline.zrevrange(self._keys.leaderboard, 0, limit - 1, withscores=True)
            whole, rows = pipeline.execute()
        if not whole:
            raise LeaderboardRebuilding
        return positions(rows, 1)

    def places(self, user_id: str, neighbours: int) -> Question[list[Position]]:
        """Asked by a script."""
        keys, arguments = (self._leaderboard, self._whole), (self._keys.member(user_id), neighbours)
        return Question(script_command("read_places", keys, arguments), _places)

    @translated()
    def scores(self, user_ids: Sequence[str]) -> dict[str, int]:
        """ZMSCORE."""
        if not user_ids:
            return {}
        scores = self._redis.zmscore(self._keys.leaderboard, [self._keys.member(user_id) for user_id in user_ids])
        return {user_id: int(score) for user_id, score in zip(user_ids, scores, strict=True) if score is not None}

    @translated()
    def suspect(self, user_ids: Iterable[str]) -> None:
        """SADD."""
        if found := list(user_ids):
            self._redis.sadd(self._keys.leaderboard_suspects, *found)

    @translated()
    def is_whole(self) -> bool:
        """Whether the mark is there."""
        return bool(self._redis.exists(self._keys.leaderboard_whole))

    @translated()
    def newest_epoch(self) -> NewestEpoch:
        """HMGET, and INFO for the server."""
        epoch, sequence, is_open = self._redis.hmget(self._numbers, "epoch", "sequence", "open")
        newest = None if epoch is None else Number(int(epoch), int(sequence))
        return NewestEpoch(newest, bool(is_open), server_of(self._redis))

    @translated()
    def open_epoch(self, epoch: int, before: NewestEpoch) -> bool:
        """A script: of several at the same time one opens the epoch."""
        keys = (self._numbers, self._whole)
        earlier = "" if before.newest is None else before.newest.epoch
        arguments = (earlier, epoch, before.server, self._window_seconds * 1000)
        return bool(run_script(self._redis, "open_epoch", keys, arguments))

    @translated()
    def ask_for_rebuild(self) -> bool:
        """A script, with a short TTL."""
        return bool(run_script(self._redis, "claim", (self._keys.rebuild_asked,), (REBUILD_ASKED_SECONDS * 1000,)))

    @translated()
    def rebuild(self, pages: Iterable[Mapping[str, int]]) -> int:
        """Beside the board, under a key of its own; a script then puts it in its place, unless another rebuild was faster."""
        building = self._keys.leaderboard_rebuild(uuid.uuid4().hex)
        players = points = 0
        for page in pages:
            with self._redis.pipeline(transaction=False) as pipeline:
                if page:
                    pipeline.zadd(building, {self._keys.member(user_id): score for user_id, score in page.items()})
                pipeline.expire(building, REBUILD_SECONDS)
                pipeline.execute()
            players += len(page)
            points += sum(page.values())
        run_script(
            self._redis,
            "open_leaderboard",
            (building, self._keys.leaderboard, self._whole, self._numbers),
            (self._milliseconds() if points else 0, players),
        )
        return players


def _values(result: FirstResult) -> tuple[str | int, ...]:
    return (
        result.user_id,
        result.key_id,
        result.increment,
        result.score,
        max(result.rank - 1, 0),
        _milliseconds(result.accepted_at),
        result.request_id,
    )


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def positions(rows: Iterable[tuple[bytes, float]], first_rank: int) -> list[Position]:
    """Members and points that follow one another on the board, from this rank (1-based) on."""
    return [Position(user_id_of(member.decode()), first_rank + n, int(score)) for n, (member, score) in enumerate(rows)]


def _places(answer: list[Any] | None) -> list[Position]:
    if answer is None:
        raise LeaderboardRebuilding
    if not answer:
        return []
    first, *rows = answer
    return positions(zip(rows[::2], map(float, rows[1::2]), strict=True), first + 1)


class RedisBoardCache:
    """The port BoardCache."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def get(self, limit: int) -> bytes | None:
        """By a script."""
        document: bytes | None = run_script(self._redis, "read_prepared", (self._keys.cached_top(limit),), (DOCUMENT_MS,))
        return document

    def cached(self, limit: int) -> Question[bytes | None]:
        """By the same script."""
        return Question(script_command("read_prepared", (self._keys.cached_top(limit),), (DOCUMENT_MS,)), _as_it_is)

    @translated()
    def put(self, limit: int, document: bytes) -> None:
        """Keep it for 5 s."""
        self._redis.set(self._keys.cached_top(limit), document, px=DOCUMENT_MS)


def _as_it_is(document: bytes | None) -> bytes | None:
    return document


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
