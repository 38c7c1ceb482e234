"""Views for those whose sockets API Gateway holds: posted to each who watches, as `main` is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import redis

from shared.core.clock import utc_text
from shared.stores.keys import BoardKeys, ShardKeys
from shared.stores.redis.connection import translated
from shared.stores.redis.scripts import run_script
from shared.viewers.connections_redis import LONGEST_MS, Connections
from shared.viewers.frames_redis import MAX_BOARD_BYTES, Ticks
from shared.viewers.management_api import ManagementApi
from shared.viewers.posts import Posts
from shared.viewers.rings import Chunk, Outcome, Ring, ring_of_view
from shared.viewers.subscriptions_redis import Subscriptions
from shared.viewers.view import View
from shared.viewers.views_redis import BoardViews

if TYPE_CHECKING:
    from shared.viewers.read_views import BoardFrames, MadeViews
    from shared.viewers.views_redis import MakeViews

# Behind a broadcast of `main` in the same function, whose time-out must leave room for both.
BROADCAST_SECONDS = 15.0
PUT_AT_ONCE = 20
# A view, the version of its reading or "" for one newer than all, and what it shows.
_Content = tuple[View, int | str, str]


class PostedViews(BoardViews):
    """The watchers of each view are a ring of connections; a view that did not change makes no new version."""

    max_bytes = MAX_BOARD_BYTES

    def __init__(
        self,
        client: redis.Redis,
        keys: BoardKeys,
        shard: ShardKeys,
        connections: Connections,
        subscriptions: Subscriptions,
        gateway: ManagementApi,
        ticks: Ticks,
        *,
        seconds: float = BROADCAST_SECONDS,
    ) -> None:
        super().__init__(client, keys, shard, shard.watched_views, shard.views_version)
        self._connections = connections
        self._subscriptions = subscriptions
        self._posts = Posts(connections, gateway, self._settled)
        self._ticks = ticks
        self._seconds = seconds

    @translated()
    def shown(self, view: View, frames: BoardFrames) -> int:
        """The version that had the same rows first: what was read becomes the view's newest frame."""
        [version] = self._put(view.board_id, 0, utc_text(frames.as_of), [(view, frames.version, frames.content(view))])
        return version

    @translated()
    def broadcast(self, boards: Mapping[str, Sequence[View]], make: MakeViews) -> bool:
        """Post to everybody who has not got the newest frame of a view; an error is the last one, and ends the subscription."""
        until = time.monotonic() + self._seconds
        rings = {ring_of_view(self._shard, view.name): board_id for board_id, views in boards.items() for view in views}

        def keep(board_id: str, tick: int) -> None:
            self._keep(board_id, tick, make(board_id, boards[board_id]))

        def refresh(ring: Ring) -> None:
            self._ticks.if_due(self._shard.views_ticks(rings[ring]), partial(keep, rings[ring]))

        for board_id in boards:
            if time.monotonic() >= until:
                return False
            self._ticks.after_now(self._shard.views_ticks(board_id), partial(keep, board_id))
        return self._posts.serve(self._connections.peopled(list(rings)), 0, refresh, until)

    @translated()
    def behind(self) -> list[str]:
        """See BoardViews."""
        boards = {ring_of_view(self._shard, view.name): view.board_id for view in self.watched()}
        return sorted({boards[ring] for ring in self._connections.behind(list(boards))})

    def _keep(self, board_id: str, tick: int, made: MadeViews) -> None:
        frames = made.frames
        contents: list[_Content] = [(view, "", error) for view, error in made.ended.items()]
        if frames is not None:
            contents += [(view, frames.version, frames.content(view)) for view in made.views]
        self._put(board_id, tick, "" if frames is None else utc_text(frames.as_of), contents)

    def _put(self, board_id: str, tick: int, cache_time: str, contents: Sequence[_Content]) -> list[int]:
        """The version of each; 0 where a newer reading is there."""
        versions: list[int] = []
        for at in range(0, len(contents), PUT_AT_ONCE):
            some = contents[at : at + PUT_AT_ONCE]
            keys = [self._shard.view(view.name).frame for view, _, _ in some]
            given = [argument for _, version, content in some for argument in (version, content)]
            put = (tick, cache_time, LONGEST_MS, *given)
            versions += map(int, run_script(self._redis, "put_views", (self._shard.views_ticks(board_id), *keys), put))
        return versions

    def _settled(self, chunk: Chunk, outcome: Outcome) -> None:
        if outcome.gone:
            self._connections.forget(outcome.gone)
            self._subscriptions.forget(outcome.gone)
        if chunk.frame.is_last:
            for connection_id in outcome.served:
                self._subscriptions.leave(connection_id, chunk.place.ring.view)
