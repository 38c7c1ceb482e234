"""Ports behind which Redis stands, and the viewers whom it knows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared import ports
from shared.wiring.parts import Parts

if TYPE_CHECKING:
    import redis

    from shared.adapters.redis.keys import Keys


class RedisParts(Parts):
    """One client for all."""

    @cached_property
    def _redis(self) -> redis.Redis:
        from shared.adapters.redis.connection import connect
        from shared.adapters.redis.scripts import greeting

        settings = self.settings
        greet = greeting(self._keys, self._ask_for_rebuild)
        return connect(settings.redis_url, ca_file=settings.redis_ca_file, loop=self._loop, greet=greet)

    def _ask_for_rebuild(self) -> None:
        """Have the board compared or rebuilt, by what can send messages; it must not wait for Redis."""

    @cached_property
    def _keys(self) -> Keys:
        from shared.adapters.redis.keys import Keys

        return Keys(self.settings.key_prefix)

    @cached_property
    def board_mark(self) -> ports.BoardMark:
        from shared.adapters.redis.installation import RedisMark

        return RedisMark(self._redis, self._keys)

    @cached_property
    def leaderboard(self) -> ports.Leaderboard:
        from shared.adapters.redis.leaderboard import RedisLeaderboard

        return RedisLeaderboard(
            self._redis,
            self._keys,
            rate_limit_requests=self.settings.rate_limit_requests,
            rate_window_seconds=self.settings.rate_window_seconds,
        )

    @cached_property
    def rate_windows(self) -> ports.RateWindows:
        from shared.adapters.redis.rate_windows import RedisRateWindows

        return RedisRateWindows(self._redis, self._keys, rate_window_seconds=self.settings.rate_window_seconds)

    @cached_property
    def board_check(self) -> ports.BoardCheck:
        from shared.adapters.redis.board_check import RedisBoardCheck

        return RedisBoardCheck(self._redis, self._keys)

    @cached_property
    def board_gauge(self) -> ports.BoardGauge:
        from shared.adapters.redis.gauge import RedisBoardGauge

        return RedisBoardGauge(self._redis, self._keys)

    @cached_property
    def queue_watch(self) -> ports.QueueWatch:
        from shared.adapters.redis.queue_watch import RedisQueueWatch

        return RedisQueueWatch(self._redis, self._keys)

    @cached_property
    def board_cache(self) -> ports.BoardCache:
        from shared.adapters.redis.board_cache import RedisBoardCache

        return RedisBoardCache(self._redis, self._keys)

    @cached_property
    def outbox(self) -> ports.Outbox:
        from shared.adapters.redis.outbox import RedisOutbox

        return RedisOutbox(self._redis, self._keys)

    @cached_property
    def profiles(self) -> ports.Profiles:
        from shared.adapters.redis.profiles import RedisProfiles

        return RedisProfiles(self._redis, self._keys)

    @cached_property
    def access(self) -> ports.Access:
        from shared.adapters.redis.access import RedisAccess

        return RedisAccess(self._redis, self._keys)

    @cached_property
    def ws_tickets(self) -> ports.WsTickets:
        from shared.adapters.redis.ws_tickets import RedisWsTickets

        return RedisWsTickets(self._redis, self._keys)

    @cached_property
    def refusals(self) -> ports.Refusals:
        from shared.adapters.redis.refusals import RedisRefusals

        return RedisRefusals(self._redis, self._keys)

    @cached_property
    def seal_anchor(self) -> ports.SealAnchor:
        from shared.adapters.redis.audit_anchor import RedisSealAnchor

        return RedisSealAnchor(self._redis, self._keys)

    @cached_property
    def viewers(self) -> ports.Viewers:
        if self.settings.broadcast_channel:
            from shared.adapters.redis.viewers import RedisViewers

            return RedisViewers(self._redis, self._keys, self.settings.broadcast_channel)
        settings = self.settings
        if settings.appsync_events_url:
            from shared.adapters.appsync import AppSyncViewers, EventsApi
            from shared.adapters.redis.frames import Frames

            api = EventsApi(settings.appsync_events_url, settings.appsync_events_channel, settings.appsync_events_api_key)
            return AppSyncViewers(Frames(self._redis, self._keys), api)
        from shared.adapters.api_gateway.viewers import api_gateway_viewers

        return api_gateway_viewers(
            self._redis, self._keys, settings.websocket_management_url, settings.viewer_requests_per_second
        )
