"""The live board in Redis: a sorted set that one script changes, and what belongs to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from shared.accounts.session import Missing, Question
from shared.boards.acceptance_redis import (
    RESULT_SECONDS,
    SPENT_BEFORE_MS,
    SPENT_MARGIN_MS,
    Acceptances,
    Now,
    milliseconds,
)
from shared.boards.action_tickets import LIFETIME_SECONDS
from shared.boards.board import Board
from shared.boards.ranking import Places, Position
from shared.boards.rate_window import Losses
from shared.boards.score import AcceptedUpdate, NewestEpoch, ScoreUpdate
from shared.core.errors import (
    LeaderboardRebuilding,
)
from shared.ledger.events import Acceptance, FirstResult, Number
from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.connection import server_of, translated
from shared.stores.redis.replicas import Replicas
from shared.stores.redis.scripts import run_script, run_scripts, script_command

REBUILD_ASKED_SECONDS = 5
REBUILD_SECONDS = 600
PLACED_AT_ONCE = 1000
DOCUMENT_MS = 5000
AN_HOUR_MS = 3_600_000
WINDOWS_AT_ONCE = 500
# As long as a ticket that was spent at that moment could be sent again, by clocks that differ by as much as it lives.
KNOWN_MS = 2 * LIFETIME_SECONDS * 1000
CLOCKS_DIFFER = timedelta(seconds=60)


class Leaderboard(Acceptances):
    """The live board (Redis).

    `now` replaces Redis's own clock in the rate window. `replicas` must have what is accepted, None where none must.
    """

    def __init__(
        self,
        client: redis.Redis,
        board: Board,
        keys: BoardKeys,
        shard: ShardKeys,
        *,
        rate_limit_requests: int,
        rate_window_seconds: int,
        now: Now | None = None,
        replicas: Replicas | None = None,
    ) -> None:
        super().__init__(client, keys, shard, rate_window_seconds, now, replicas)
        self._board = board
        self._leaderboard, self._whole, self._numbers = keys.leaderboard, keys.whole, keys.numbers
        self._results, self._hidden = shard.results, keys.hidden
        # What every update is accompanied by, made once.
        self._shared_keys = (
            keys.leaderboard,
            keys.whole,
            keys.numbers,
            shard.outbox,
            shard.rate_windows,
            shard.ended_sessions,
            shard.results,
        )
        spans = (rate_window_seconds * 1000, RESULT_SECONDS * 1000, SPENT_MARGIN_MS, SPENT_BEFORE_MS)
        self._rules = (board.operator, board.order.rank, *map(str, (board.max_score, rate_limit_requests, *spans)))
        self._limit = rate_limit_requests

    @translated()
    def apply(self, update: ScoreUpdate, *, not_in_ledger: bool = False) -> AcceptedUpdate | Missing:
        """Do the whole update in one atomic script: session, role, API key, rate window, replay, increment, number, outbox.

        What is missing must be given (open an epoch, restore the ended sessions, put the profile, enter the player, remember
        what the ledger has of the request id, or say that it is `not_in_ledger`), then it is tried again. Raises SessionEnded,
        NotAPlayer, UnknownPlayer, InvalidApiKey, RateLimited (with rate headers), IdempotencyKeyReused, TicketAlreadyUsed,
        InvalidActionTicket, LeaderboardRebuilding.
        """
        user_id = update.user_id
        keys = self._shard.user(user_id)
        outcome, *answer = run_script(
            self._redis,
            "update_score",
            (
                *self._shared_keys,
                keys.profile,
                keys.requests,
                keys.result(update.key_id),
                keys.spent_tickets,
                self._hidden,
            ),
            (
                *self._rules,
                self._board.member(user_id),
                user_id,
                update.request_id,
                update.increment,
                *self._circumstances(update, not_in_ledger=not_in_ledger),
                self._board.board_id,
            ),
        )
        if outcome == b"ok":
            return self._accepted(update, answer)
        return self._missing(outcome, answer, self._limit)

    def _accepted(self, update: ScoreUpdate, answer: Sequence[Any]) -> AcceptedUpdate:
        score, rank, accepted_at, remaining, reset, replayed, request_id, *new = answer
        return AcceptedUpdate(
            request_id.decode(),
            update.user_id,
            update.increment,
            int(float(score)),
            int(rank) + 1,
            datetime.fromtimestamp(int(accepted_at) / 1000, UTC),
            self._window(self._limit, int(remaining), int(reset)),
            new[0].decode() if new else None,
            Number(new[1], new[2]) if new else None,
            bool(replayed),
        )

    @translated()
    def remember(self, results: Sequence[FirstResult]) -> None:
        """Keep first results of idempotency keys for retries; those that are kept stay as they are."""
        if not results:
            return
        keys = [self._results, *(self._shard.user(result.user_id).result(result.key_id) for result in results)]
        arguments = [value for result in results for value in _values(result)]
        run_script(self._redis, "restore_results", keys, arguments)

    @translated()
    def enter(self, user_id: str) -> None:
        """Put a new player on the board with its first score; a player who is there, or hidden, keeps theirs."""
        self._place("enter", [user_id])

    @translated()
    def leave(self, user_id: str) -> None:
        """Take somebody off the board who has no more than its first score, hidden or not."""
        self._place("leave", [user_id])

    @translated()
    def show(self, user_ids: Iterable[str]) -> int:
        """Put those of the players who are hidden back on the board, with their scores; returns how many."""
        return self._place("show", user_ids, enters=False)

    @translated()
    def hide(self, user_ids: Iterable[str], *, enters: bool = True) -> int:
        """Take players off everything that is read of the board, keeping their scores; returns how many were on it.

        A player who is nowhere `enters` among the hidden.
        """
        return self._place("hide", user_ids, enters=enters)

    @translated()
    def top(self, limit: int, since: str = "") -> Places:
        """The first `limit` places, best first, and whose profile was changed since; raises LeaderboardRebuilding."""
        answer = run_script(self._redis, "read_places", *self._reading("", limit, since))
        return self._read(answer, since)

    def places(self, user_id: str, neighbours: int, since: str = "", *, is_own: bool = False) -> Question[Places | None]:
        """For a player's place and so many on each side of it, best first, and whose profile was changed since.

        None for who is not on the board; a hidden player who asks for their own place stands where they would.

        Reading the answer raises LeaderboardRebuilding.
        """
        command = script_command("read_places", *self._reading(self._board.member(user_id), neighbours, since, is_own=is_own))
        return Question(command, lambda answer: self._read(answer, since) if answer != [] else None)

    @translated()
    def scores(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Scores of those of the players who are on the board, read at one instant."""
        if not user_ids:
            return {}
        scores = self._redis.zmscore(self._leaderboard, [self._board.member(user_id) for user_id in user_ids])
        return {user_id: int(score) for user_id, score in zip(user_ids, scores, strict=True) if score is not None}

    @translated()
    def suspect(self, user_ids: Iterable[str]) -> None:
        """Have the next reconciliation look at these players."""
        if found := list(user_ids):
            self._redis.sadd(self._keys.suspects, *found)

    @translated()
    def is_whole(self) -> bool:
        """False when Redis came up empty and the board has not been rebuilt since."""
        return bool(self._redis.exists(self._whole))

    @translated()
    def newest_epoch(self) -> NewestEpoch:
        """How far updates have been numbered."""
        epoch, sequence, is_open = self._redis.hmget(self._numbers, "epoch", "sequence", "open")
        newest = None if epoch is None else Number(int(epoch), int(sequence))
        return NewestEpoch(newest, bool(is_open), server_of(self._redis))

    @translated()
    def open_epoch(self, epoch: int, before: NewestEpoch) -> bool:
        """Have updates numbered in a new epoch; False when another one was opened since `before` was read.

        A script: of several at the same time one opens the epoch.
        """
        keys = (self._numbers, self._whole)
        earlier = "" if before.newest is None else before.newest.epoch
        arguments = (earlier, epoch, before.server, self._window_seconds * 1000)
        return bool(run_script(self._redis, "open_epoch", keys, arguments))

    @translated()
    def close_epoch(self) -> None:
        """Have the next update numbered in a new epoch."""
        run_script(self._redis, "close_epoch", (self._numbers,), ())

    @translated()
    def ask_for_rebuild(self) -> bool:
        """Whether the caller is the one, of many who find the board empty at the same time, to ask for its rebuild."""
        return bool(run_script(self._redis, "claim", (self._keys.rebuild_asked,), (REBUILD_ASKED_SECONDS * 1000,)))

    @translated()
    def open(self) -> None:
        """Have an empty Redis be one of boards beside `main`, whose first results are to be restored."""
        self._open(uuid.uuid4().hex, self._milliseconds(), 0)

    @translated()
    def rebuild(self, pages: Iterable[Mapping[str, int]], hidden: Iterable[Sequence[str]] = ()) -> int:
        """Fill an incomplete board with points by player and open it for updates; answer the number of players, those in pages
        of `hidden` among them, who are kept beside it.

        Of several rebuilds at the same time the first one counts: the board of a later one never replaces an open one.

        Beside the board, under a key of its own; a script then puts it in its place, unless another rebuild was faster.
        """
        token = uuid.uuid4().hex
        building, building_hidden = self._keys.rebuild(token), self._keys.rebuild_hidden(token)
        players = points = 0
        for page in pages:
            with self._redis.pipeline(transaction=False) as pipeline:
                if page:
                    pipeline.zadd(building, {self._board.member(user_id): score for user_id, score in page.items()})
                pipeline.expire(building, REBUILD_SECONDS)
                pipeline.execute()
            players += len(page)
            points += sum(page.values())
        for user_ids in hidden:
            self._place("hide", user_ids, (building, building_hidden), enters=False)
            self._redis.expire(building_hidden, REBUILD_SECONDS)
        self._open(token, self._milliseconds() if points else 0, players)
        return players

    def _open(self, token: str, since: int, players: int) -> None:
        building, building_hidden = self._keys.rebuild(token), self._keys.rebuild_hidden(token)
        run_script(
            self._redis,
            "open_leaderboard",
            (building, self._leaderboard, self._whole, self._numbers, building_hidden, self._keys.hidden),
            (since, players, self._board.first_score),
        )

    def _place(self, verb: str, user_ids: Iterable[str], where: tuple[str, str] | None = None, *, enters: bool = True) -> int:
        """In steps, each of them atomic; `where` is another board, and the hidden players beside it."""
        members = [self._board.member(user_id) for user_id in user_ids]
        prepared = map(self._keys.cached_top, (self._board.top, self._board.max_top))
        keys = (*(where or (self._leaderboard, self._keys.hidden)), *prepared)
        arguments = (verb, self._board.operator, self._board.first_score if enters else "")
        moved = 0
        for first in range(0, len(members), PLACED_AT_ONCE):
            step = members[first : first + PLACED_AT_ONCE]
            moved += int(run_script(self._redis, "place_players", keys, (*arguments, *step)))
        return moved

    def _reading(
        self, member: str, places: int, since: str, *, is_own: bool = False
    ) -> tuple[tuple[str, ...], tuple[str | int, ...]]:
        """Keys and arguments of the script that reads places."""
        keys = (self._leaderboard, self._whole, self._shard.changed_profiles, self._hidden)
        return keys, (member, places, *self._board.order, since or "-", "1" if is_own else "")

    def _read(self, answer: list[Any] | None, since: str) -> Places:
        if answer is None:
            raise LeaderboardRebuilding
        entries, first, *rows = answer
        changes = [(entries[at].decode(), entries[at + 1].decode()) for at in range(0, len(entries), 2)]
        positions = self._positions(zip(rows[::2], map(float, rows[1::2]), strict=True), first + 1)
        return Places(positions, since, changes)

    def _positions(self, rows: Iterable[tuple[bytes, float]], first_rank: int) -> list[Position]:
        """Members and points that follow one another on the board, from this rank (1-based) on."""
        user_id_of = self._board.user_id_of
        return [Position(user_id_of(member.decode()), first_rank + n, int(score)) for n, (member, score) in enumerate(rows)]


def _values(result: FirstResult) -> tuple[str | int, ...]:
    return (
        result.user_id,
        result.key_id,
        result.asked or result.increment,
        result.places or result.score,
        max(result.rank - 1, 0),
        milliseconds(result.accepted_at),
        result.request_id,
    )


class BoardCache:
    """The prepared board of GET /api/scores: at most 5 s old."""

    def __init__(self, client: redis.Redis, keys: BoardKeys) -> None:
        self._redis: Any = client
        self._keys = keys

    @translated()
    def get(self, limit: int) -> bytes | None:
        """The cached JSON document that holds at least `limit` places, or None."""
        document: bytes | None = run_script(self._redis, "read_prepared", (self._keys.cached_top(limit),), (DOCUMENT_MS,))
        return document

    def cached(self, limit: int) -> Question[bytes | None]:
        """For the same, with the check of a caller's access."""
        return Question(script_command("read_prepared", (self._keys.cached_top(limit),), (DOCUMENT_MS,)), _as_it_is)

    @translated()
    def put(self, limit: int, document: bytes) -> None:
        """Keep a document for 5 s."""
        self._redis.set(self._keys.cached_top(limit), document, px=DOCUMENT_MS)


def _as_it_is(document: bytes | None) -> bytes | None:
    return document


class RateWindows:
    """What is kept of players' latest updates: their instants, the tickets spent on them, and first results of idempotency
    keys.

    `now` replaces Redis's own clock.
    """

    def __init__(
        self,
        client: redis.Redis,
        keys: BoardKeys,
        shard: ShardKeys,
        *,
        rate_window_seconds: int,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._redis: Any = client
        self._whole, self._numbers = keys.whole, keys.numbers
        self._shard = shard
        # Only a clock that was set back leaves an entry further ahead; it would lie there until the old time is reached again.
        self._window_ms = rate_window_seconds * 1000
        self._farthest_ms = rate_window_seconds * 1000 + AN_HOUR_MS
        self._now = now

    @property
    def reach(self) -> timedelta:
        """Updates that were accepted longer ago are neither in a window nor spent a ticket that could be sent again.

        The longer of both, and how far clocks may differ: Redis dates updates and tickets.
        """
        return timedelta(milliseconds=max(self._window_ms, KNOWN_MS)) + CLOCKS_DIFFER

    @translated()
    def losses(self) -> Losses:
        """What Redis may have lost."""
        mark = self._redis.get(self._whole)
        restored, lost_until = self._redis.hmget(self._numbers, "restored", "windows_lost_until")
        since = 0 if mark is None else int(mark)
        return Losses(since, since > 0 and restored != mark, lost_until is not None)

    @translated()
    def restore(self, accepted: Mapping[str, Sequence[Acceptance]]) -> None:
        """Add the instants and spent tickets of these updates, by player, where they are missing; of entries by `<user id>
        <board id>`.

        A script for each, many in one round trip. Every request id may be that of a ticket.
        """
        calls = [self._restoring(name, acceptances) for name, acceptances in accepted.items()]
        # The first one by itself: a Redis that does not know the script is sent it once.
        rest = calls[1:]
        for batch in (calls[:1], *(rest[at : at + WINDOWS_AT_ONCE] for at in range(0, len(rest), WINDOWS_AT_ONCE))):
            if batch:
                run_scripts(self._redis, "restore_window", batch)

    def _restoring(self, name: str, acceptances: Sequence[Acceptance]) -> tuple[Sequence[str], Sequence[str | int]]:
        newest = sorted(acceptances, reverse=True)
        user_id, _, board_id = name.partition(" ")
        own = self._shard.user(user_id)
        keys = (own.requests_of(board_id) if board_id else own.requests, own.spent_tickets, self._shard.rate_windows)
        return keys, (name, self._window_ms, KNOWN_MS, *(value for each in newest for value in (each.at, each.request_id)))

    @translated()
    def windows_restored(self) -> None:
        """No instant is missing any more."""
        self._redis.hdel(self._numbers, "windows_lost_until")

    @translated()
    def results_restored(self, losses: Losses) -> None:
        """No first result or spent ticket of `losses` is missing any more.

        HSET: it says nothing about what a later loss took.
        """
        self._redis.hset(self._numbers, "restored", losses.results_since)

    @translated()
    def forget_results(self, limit: int) -> int:
        """Drop up to `limit` first results whose day is over; returns how many.

        A script over the oldest entries of the stream.
        """
        past = self._milliseconds() - RESULT_SECONDS * 1000
        entries = self._redis.xrange(self._shard.results, "-", str(past), limit)
        if not entries:
            return 0
        keys = [self._shard.user(fields[b"user_id"].decode()).result(fields[b"key_id"].decode()) for _, fields in entries]
        ids = [entry_id for entry_id, _ in entries]
        return int(run_script(self._redis, "forget_results", (self._shard.results, *keys), (past, *ids)))

    @translated()
    def forget(self, limit: int) -> int:
        """Drop what is past of up to `limit` players and windows of boards; returns of how many.

        The script looks again: a player who came back keeps everything.
        """
        now, index = self._milliseconds(), self._shard.rate_windows
        farthest = now + self._farthest_ms
        if ahead := self._redis.zrangebyscore(index, f"({farthest}", "+inf", 0, limit):
            self._redis.zadd(index, dict.fromkeys(ahead, farthest), xx=True)
        names = [name.decode() for name in self._redis.zrangebyscore(index, "-inf", now, 0, limit)]
        if not names:
            return 0
        keys: list[str] = []
        for user_id, _, board_id in (name.partition(" ") for name in names):
            own = self._shard.user(user_id)
            keys += [own.requests_of(board_id)] * 2 if board_id else [own.requests, own.spent_tickets]
        return int(run_script(self._redis, "forget_windows", (index, *keys), (now, *names)))

    def _milliseconds(self) -> int:
        if self._now is not None:
            return round(self._now().timestamp() * 1000)
        seconds, microseconds = self._redis.time()
        return int(seconds * 1000 + microseconds // 1000)
