"""Viewers whose sockets a gateway holds that listens on a Redis channel: one publish reaches them all."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import redis

from shared.accounts.player import Caller
from shared.accounts.session import REMEMBERED
from shared.boards.ranking import Standing
from shared.stores.keys import BoardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script
from shared.viewers.frame import frame_behind_version
from shared.viewers.ports import Delivery, ViewerSweep

MAX_TRIES = 20
SESSION_ENDED, POLICY = 4401, 1008


class RedisViewers:
    """The port Viewers. The gateway knows who is connected; the newest frame is kept for newcomers.

    Frames go out by `publish`, the command. Dismissals are few, and go by PUBLISH to gateways of all versions.
    """

    def __init__(self, client: redis.Redis, keys: BoardKeys, channel: str, publish: str = "PUBLISH") -> None:
        self._redis: Any = client
        self._publish = publish
        self._version = keys.version
        self._channel = channel

    @translated()
    def welcome(self, connection_id: str, ends_at: datetime) -> bool:
        """Whether there is a frame that the gateway can give a newcomer."""
        return bool(self._redis.exists(self._last))

    def know(self, connection_id: str, caller: Caller, *, hears_broadcast: bool) -> None:
        """The gateway knows what the answer to the handshake says."""

    def dismiss(self, user_id: str, session_ids: Collection[str], at: datetime) -> None:
        """Tell the gateway."""
        self._dismiss(session_ids, at, SESSION_ENDED, "session ended")

    def dismiss_all(self, user_id: str, at: datetime) -> None:
        """Tell the gateway."""
        self._dismiss([user_id], at, POLICY, "account disabled")

    @translated()
    def _dismiss(self, labels: Collection[str], at: datetime, code: int, reason: str) -> None:
        """Those of late are kept for a gateway that is just not listening; their tokens end what is older."""
        channel, kept = f"{self._channel}:dismissals", f"{self._channel}:dismissed"
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zremrangebyscore(kept, "-inf", (at - REMEMBERED).timestamp())
            for label in labels:
                text = json.dumps({"label": label, "at": at.timestamp(), "code": code, "reason": reason})
                pipeline.zadd(kept, {text: at.timestamp()})
                pipeline.publish(channel, text)
            pipeline.execute()

    def farewell(self, connection_id: str) -> None:
        """Nothing to forget."""

    def sweep(self) -> ViewerSweep:
        """The gateway closes what has ended by itself."""
        return ViewerSweep()

    def close(self) -> None:
        """Nothing to end but what others share."""

    @translated()
    def broadcast(
        self, read_board: Callable[[], tuple[Sequence[Standing], datetime]], accepted_at: datetime | None = None
    ) -> Delivery:
        """Publish the board, read anew when another broadcast overtook it, so that a newer version never shows an older board."""
        for _ in range(MAX_TRIES):
            ticket = int(self._redis.get(self._version) or 0)
            board, as_of = read_board()
            version = run_script(
                self._redis,
                "broadcast",
                (self._version, self._last),
                (self._channel, frame_behind_version(board, as_of), ticket, _milliseconds(accepted_at), self._publish),
            )
            if int(version):
                return Delivery(int(version))
        return Delivery(ticket)  # overtaken each time: newer boards than ours went out

    @property
    def _last(self) -> str:
        return f"{self._channel}:last"


def _milliseconds(at: datetime | None) -> int | str:
    return "" if at is None else round(at.timestamp() * 1000)
