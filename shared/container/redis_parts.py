"""Ports behind which Redis stands, and the viewers whom it knows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared.accounts.ports import Access, Profiles, WsTickets
from shared.audit.ports import Refusals, SealAnchor
from shared.boards.ports import BoardCache, Leaderboard, RateWindows
from shared.container.parts import Parts
from shared.ledger.ports import Outbox
from shared.operations.ports import BoardGauge, BoardMark, QueueWatch
from shared.reconciliation.ports import BoardCheck
from shared.viewers.ports import Viewers

if TYPE_CHECKING:
    import redis

    from shared.stores.keys import Keys


class RedisParts(Parts):
    """One client for all."""

    @cached_property
    def _redis(self) -> redis.Redis:
        from shared.stores.redis.connection import connect
        from shared.stores.redis.scripts import greeting

        settings = self.settings
        greet = greeting(self._keys, self._ask_for_rebuild)
        return connect(settings.redis_url, ca_file=settings.redis_ca_file, loop=self._loop, greet=greet)

    def _ask_for_rebuild(self) -> None:
        """Have the board compared or rebuilt, by what can send messages; it must not wait for Redis."""

    @cached_property
    def _keys(self) -> Keys:
        from shared.stores.keys import Keys

        return Keys(self.settings.key_prefix)

    @cached_property
    def board_mark(self) -> BoardMark:
        from shared.operations.redis import RedisMark

        return RedisMark(self._redis, self._keys)

    @cached_property
    def leaderboard(self) -> Leaderboard:
        from shared.boards.redis import RedisLeaderboard

        return RedisLeaderboard(
            self._redis,
            self._keys,
            rate_limit_requests=self.settings.rate_limit_requests,
            rate_window_seconds=self.settings.rate_window_seconds,
        )

    @cached_property
    def rate_windows(self) -> RateWindows:
        from shared.boards.redis import RedisRateWindows

        return RedisRateWindows(self._redis, self._keys, rate_window_seconds=self.settings.rate_window_seconds)

    @cached_property
    def board_check(self) -> BoardCheck:
        from shared.reconciliation.redis import RedisBoardCheck

        return RedisBoardCheck(self._redis, self._keys)

    @cached_property
    def board_gauge(self) -> BoardGauge:
        from shared.operations.redis import RedisBoardGauge

        return RedisBoardGauge(self._redis, self._keys)

    @cached_property
    def queue_watch(self) -> QueueWatch:
        from shared.operations.redis import RedisQueueWatch

        return RedisQueueWatch(self._redis, self._keys)

    @cached_property
    def board_cache(self) -> BoardCache:
        from shared.boards.redis import RedisBoardCache

        return RedisBoardCache(self._redis, self._keys)

    @cached_property
    def outbox(self) -> Outbox:
        from shared.ledger.redis import RedisOutbox

        return RedisOutbox(self._redis, self._keys)

    @cached_property
    def profiles(self) -> Profiles:
        from shared.accounts.redis import RedisProfiles

        return RedisProfiles(self._redis, self._keys)

    @cached_property
    def access(self) -> Access:
        from shared.accounts.redis import RedisAccess

        return RedisAccess(self._redis, self._keys)

    @cached_property
    def ws_tickets(self) -> WsTickets:
        from shared.viewers.tickets_redis import RedisWsTickets

        return RedisWsTickets(self._redis, self._keys)

    @cached_property
    def refusals(self) -> Refusals:
        from shared.audit.redis import RedisRefusals

        return RedisRefusals(self._redis, self._keys)

    @cached_property
    def seal_anchor(self) -> SealAnchor:
        from shared.audit.redis import RedisSealAnchor

        return RedisSealAnchor(self._redis, self._keys)

    @cached_property
    def viewers(self) -> Viewers:
        if self.settings.broadcast_channel:
            from shared.viewers.gateway_redis import RedisViewers

            return RedisViewers(self._redis, self._keys, self.settings.broadcast_channel)
        settings = self.settings
        if settings.appsync_events_url:
            from shared.viewers.appsync import AppSyncViewers, EventsApi
            from shared.viewers.frames_redis import Frames

            api = EventsApi(settings.appsync_events_url, settings.appsync_events_channel, settings.appsync_events_api_key)
            return AppSyncViewers(Frames(self._redis, self._keys), api)
        from shared.viewers.api_gateway import api_gateway_viewers

        return api_gateway_viewers(
            self._redis, self._keys, settings.websocket_management_url, settings.viewer_requests_per_second
        )
