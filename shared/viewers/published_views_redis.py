"""Views for a gateway that holds the sockets itself: one publish reaches all who watch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import redis

from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.connection import translated
from shared.viewers.view import View
from shared.viewers.views_redis import BoardViews

if TYPE_CHECKING:
    from shared.viewers.read_views import BoardFrames, MadeViews
    from shared.viewers.views_redis import MakeViews

# The gateway notes again and again what is watched; and what it missed of that it finds kept for longer.
KEPT_SECONDS = 120


class PublishedViews(BoardViews):
    """Each view is a channel beside the gateway's own; a frame of each is kept for a gateway that is just not listening.

    They are published by `publish`, the command.
    """

    def __init__(self, client: redis.Redis, keys: BoardKeys, shard: ShardKeys, channel: str, publish: str = "PUBLISH") -> None:
        super().__init__(client, keys, shard, f"{channel}:watched", lambda board_id: f"{channel}:version:{board_id}")
        self._channel = channel
        self._command = publish

    def shown(self, view: View, frames: BoardFrames) -> int:
        """Each reading has a version of its own."""
        return frames.version

    def broadcast(self, boards: Mapping[str, Sequence[View]], make: MakeViews) -> bool:
        """Publish them once."""
        for board_id, views in boards.items():
            self._publish(make(board_id, views))
        return True

    def behind(self) -> list[str]:
        """The gateway asks for what it missed."""
        return []

    @translated()
    def _publish(self, made: MadeViews) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for view, error in made.ended.items():
                channel = self._channel_of(view)
                pipeline.zrem(self._watched, view.name)
                pipeline.delete(f"{channel}:last")
                pipeline.execute_command(self._command, channel, error)
            for view, frame in made.texts():
                channel = self._channel_of(view)
                pipeline.set(f"{channel}:last", frame, ex=KEPT_SECONDS)
                pipeline.execute_command(self._command, channel, frame)
            pipeline.execute()

    def _channel_of(self, view: View) -> str:
        return f"{self._channel}:{view.name}"
