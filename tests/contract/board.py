"""A board of a test's own on this worker's Redis, and a clock to move."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import redis

from shared.accounts.player import Profile, Role
from shared.accounts.redis import Profiles
from shared.accounts.session import Missing
from shared.boards.action_tickets import ActionTicket
from shared.boards.board import MAIN
from shared.boards.redis import Leaderboard, RateWindows
from shared.boards.score import AcceptedUpdate, ScoreUpdate
from shared.ledger.events import Number
from shared.ledger.redis import Outbox
from shared.stores.keys import ShardKeys
from shared.stores.redis.replicas import Replicas

API_KEY, SOURCE_IP = "a" * 64, "198.51.100.7"
WINDOW_MS = 60_000


@dataclass
class Clock:
    """Stands until it is moved."""

    at: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 12, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.at

    def move(self, milliseconds: int) -> None:
        self.at += timedelta(milliseconds=milliseconds)


class Board:
    """A board of its own on the shared Redis, whole from the beginning."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        limit: int = 100,
        now: Callable[[], datetime] | None = None,
        prefix: str | None = None,
        replicas: Replicas | None = None,
    ) -> None:
        self.client = client
        self.shard = ShardKeys(prefix or f"{{{secrets.token_hex(6)}}}:")
        self.keys = MAIN.keys(self.shard)
        self.leaderboard = Leaderboard(
            client,
            MAIN,
            self.keys,
            self.shard,
            rate_limit_requests=limit,
            rate_window_seconds=60,
            now=now,
            replicas=replicas,
        )
        self.profiles = Profiles(client, self.shard)
        self.outbox = Outbox(client, self.shard)
        self.windows = RateWindows(client, self.keys, self.shard, rate_window_seconds=WINDOW_MS // 1000, now=now)
        self.rebuild([])

    def rebuild(self, points: Iterable[dict[str, int]]) -> int:
        """A whole board that takes updates."""
        players = self.leaderboard.rebuild(points)
        self.open_epoch()
        return players

    def open_epoch(self) -> Number:
        """Where none is open, as if the ledger had given it out; returns the number before its first."""
        before = self.leaderboard.newest_epoch()
        epoch = before.newest.epoch + 1 if before.newest else 1
        assert self.leaderboard.open_epoch(epoch, before)
        return Number(epoch, 0)

    def player(self, *, role: Role = "player", disabled: bool = False, score: int = 0) -> str:
        user_id = str(uuid4())
        self.profile(user_id, role=role, disabled=disabled)
        self.leaderboard.enter(user_id)
        self.set(user_id, score)
        return user_id

    def set(self, user_id: str, score: int) -> None:
        self.client.zadd(self.keys.leaderboard, {MAIN.member(user_id): score})

    def scores(self) -> dict[str, int]:
        """Everybody on the board."""
        rows = cast("list[tuple[bytes, float]]", self.client.zrange(self.keys.leaderboard, 0, -1, withscores=True))
        return {MAIN.user_id_of(member.decode()): int(score) for member, score in rows}

    def profile(self, user_id: str, *, role: Role = "player", disabled: bool = False) -> None:
        self.profiles.replace(Profile(user_id, "Ada", role, API_KEY, disabled))

    def try_update(
        self,
        user_id: str,
        increment: int = 1,
        *,
        api_key: str | None = None,
        key: str | None = None,
        ticket: ActionTicket | None = None,
        session_id: str = "",
    ) -> AcceptedUpdate | Missing:
        """`key` is the id of an idempotency key."""
        update = ScoreUpdate(str(uuid4()), user_id, increment, SOURCE_IP, api_key, key or "", session_id=session_id)
        if ticket is not None:
            update = update._replace(request_id=ticket.request_id, ticket_expires_at=ticket.expires_at)
        return self.leaderboard.apply(update)

    def update(self, user_id: str, increment: int = 1, **how: Any) -> AcceptedUpdate:
        """One that the script has no question about."""
        accepted = self.try_update(user_id, increment, **how)
        assert isinstance(accepted, AcceptedUpdate)
        return accepted

    def contents(self) -> dict[bytes, bytes]:
        """Every key of this board with its value."""
        return {key: self.client.dump(key) for key in sorted(self.client.scan_iter(f"{self.shard.prefix}*", 1000))}  # type: ignore[misc]
