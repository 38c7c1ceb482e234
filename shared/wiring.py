"""The composition root: which adapter stands behind which port, made at the first use and kept for the next calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from collections.abc import Container as Words
from functools import cache, cached_property
from typing import TYPE_CHECKING

from shared import ports
from shared.adapters.clock import SystemClock
from shared.adapters.secrets_manager import with_secret
from shared.adapters.tls import what_travels_unprotected
from shared.config import Settings
from shared.domain.player import Caller
from shared.logs import configure_logs, get_logger
from shared.services.check_access import check_access

if TYPE_CHECKING:
    import redis

    from shared.adapters.postgresql.pool import Pool
    from shared.adapters.rabbitmq.publisher import RabbitPublisher
    from shared.adapters.redis.keys import Keys
    from shared.services.prepared_boards import PreparedBoards


class Container:
    """Everything a handler may need; a client is imported and connected only when a handler asks for it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock: ports.Clock = SystemClock()

    def close(self) -> None:
        """End the connections of the clients that were made."""
        made = vars(self)
        for name in ("viewers", "_publisher", "_redis", "_pool", "_owners_pool"):
            if name in made:
                made[name].close()

    def identify(self, bearer_token: str) -> Caller:
        """Whose access token this is, with nobody asked whether they may still come in; raises InvalidToken or TokenExpired."""
        return self.access_tokens.verify(bearer_token)

    def authenticate(self, bearer_token: str) -> Caller:
        """Who sends this access token, in the role they have now; raises what identify and check_access raise."""
        return check_access(self.identify(bearer_token), self)

    @cached_property
    def _redis(self) -> redis.Redis:
        from shared.adapters.redis.connection import connect

        return connect(self.settings.redis_url, ca_file=self.settings.redis_ca_file)

    @cached_property
    def _keys(self) -> Keys:
        from shared.adapters.redis.keys import Keys

        return Keys(self.settings.key_prefix)

    @cached_property
    def _pool(self) -> Pool:
        from shared.adapters.postgresql.pool import Pool

        return Pool(self.settings.database_url, ca_file=self.settings.database_ca_file)

    @cached_property
    def _owners_pool(self) -> Pool:
        from shared.adapters.postgresql.pool import Pool

        url, ca_file = self.settings.migrations_database_url, self.settings.database_ca_file
        return Pool(url, size=1, ca_file=ca_file, name="MIGRATIONS_DATABASE_URL")

    @cached_property
    def _publisher(self) -> RabbitPublisher:
        from shared.adapters.rabbitmq.publisher import RabbitPublisher

        return RabbitPublisher(
            self.settings.amqp_url,
            ca_file=self.settings.amqp_ca_file,
            sealer=self.sealer,
            on_confirmed=self._begin_settling,
            queues=self.settings.history_queues,
        )

    def _begin_settling(self, outbox_ids: Sequence[str]) -> Callable[[], object]:
        """Not the outbox's own method: who publishes nothing from there needs no Redis."""
        return self.outbox.begin_settling(outbox_ids)

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
    def prepared_boards(self) -> PreparedBoards:
        from shared.services.prepared_boards import PreparedBoards

        return PreparedBoards(self.leaderboard, self.board_cache, self, self.clock)

    @cached_property
    def board_check(self) -> ports.BoardCheck:
        from shared.adapters.redis.board_check import RedisBoardCheck

        return RedisBoardCheck(self._redis, self._keys)

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
    def login_throttle(self) -> ports.LoginThrottle:
        from shared.adapters.redis.login_throttle import RedisLoginThrottle

        return RedisLoginThrottle(self._redis, self._keys)

    @cached_property
    def request_limits(self) -> ports.RequestLimits:
        from shared.adapters.redis.request_limits import RedisRequestLimits
        from shared.domain.request_limit import request_limits

        limits = request_limits(
            network_registrations=self.settings.network_registrations_per_hour,
            registrations=self.settings.registrations_per_hour,
            updates=self.settings.rate_limit_requests,
            update_window_seconds=self.settings.rate_window_seconds,
        )
        return RedisRequestLimits(self._redis, self._keys, limits)

    @cached_property
    def refusals(self) -> ports.Refusals:
        from shared.adapters.redis.refusals import RedisRefusals

        return RedisRefusals(self._redis, self._keys)

    @cached_property
    def audit_log(self) -> ports.AuditLog:
        from shared.adapters.postgresql.audit_log import PostgresAuditLog

        return PostgresAuditLog(self._pool)

    @cached_property
    def audit_seals(self) -> ports.AuditSeals:
        from shared.adapters.postgresql.audit_seals import PostgresAuditSeals

        return PostgresAuditSeals(self._pool)

    @cached_property
    def seal_signer(self) -> ports.SealSigner:
        from shared.adapters.crypto.hmac_seals import HmacSealSigner

        return HmacSealSigner.from_setting(self.settings.payload_keys)

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

    @cached_property
    def users(self) -> ports.Users:
        from shared.adapters.postgresql.users import PostgresUsers

        return PostgresUsers(self._pool)

    @cached_property
    def account_changes(self) -> ports.AccountChanges:
        from shared.adapters.postgresql.account_changes import PostgresAccountChanges

        return PostgresAccountChanges(self._pool)

    @cached_property
    def refresh_tokens(self) -> ports.RefreshTokens:
        from shared.adapters.postgresql.refresh_tokens import PostgresRefreshTokens

        return PostgresRefreshTokens(self._pool)

    @cached_property
    def sessions(self) -> ports.Sessions:
        from shared.adapters.postgresql.sessions import PostgresSessions

        return PostgresSessions(self._pool)

    @cached_property
    def ledger(self) -> ports.Ledger:
        from shared.adapters.postgresql.ledger import PostgresLedger

        return PostgresLedger(self._pool)

    @cached_property
    def reconciliations(self) -> ports.Reconciliations:
        from shared.adapters.postgresql.reconciliations import PostgresReconciliations

        return PostgresReconciliations(self._pool)

    @cached_property
    def migrations(self) -> ports.Migrations:
        from shared.adapters.postgresql.migrations import PostgresMigrations
        from shared.adapters.postgresql.url import DatabaseUrl

        if not self.settings.migrations_database_url:
            return PostgresMigrations(self._pool)
        return PostgresMigrations(self._owners_pool, functions_role=DatabaseUrl.parse(self.settings.database_url).user)

    @cached_property
    def topology(self) -> ports.Topology:
        from shared.adapters.rabbitmq.topology import RabbitTopology

        return RabbitTopology(
            self.settings.amqp_url,
            ca_file=self.settings.amqp_ca_file,
            retry_delays=self.settings.retry_delays_seconds,
            queues=self.settings.history_queues,
        )

    @cached_property
    def dead_letters(self) -> ports.DeadLetters:
        from shared.adapters.rabbitmq.dead_letters import RabbitDeadLetters

        return RabbitDeadLetters(self.settings.amqp_url, ca_file=self.settings.amqp_ca_file)

    @cached_property
    def publisher(self) -> ports.EventPublisher:
        return self._publisher

    @cached_property
    def sealer(self) -> ports.Sealer:
        from shared.adapters.crypto.aes_gcm import AesGcmSealer

        return AesGcmSealer.from_setting(self.settings.payload_keys)

    @cached_property
    def ticket_signer(self) -> ports.TicketSigner:
        from shared.adapters.crypto.hmac_tickets import HmacTicketSigner

        return HmacTicketSigner.from_setting(self.settings.payload_keys)

    @cached_property
    def event_codec(self) -> ports.EventCodec:
        from shared.adapters.rabbitmq.codec import RabbitEventCodec

        return RabbitEventCodec(self.sealer)

    @cached_property
    def password_hasher(self) -> ports.PasswordHasher:
        from shared.adapters.crypto.argon2 import Argon2PasswordHasher
        from shared.adapters.offload import find_offload

        return Argon2PasswordHasher(find_offload(self.settings.offload_hook))

    @property
    def common_passwords(self) -> Words[str]:
        """What nobody may choose."""
        from shared.adapters.common_passwords import common_passwords

        return common_passwords()

    @cached_property
    def access_tokens(self) -> ports.AccessTokens:
        from shared.adapters.crypto.jwt import JwtAccessTokens

        return JwtAccessTokens(
            self.settings.jwt_signing_key,
            outside_issuer=self.settings.jwt_issuer,
            outside_audience=self.settings.jwt_audience,
            outside_jwks_url=self.settings.jwt_jwks_url,
        )

    @cached_property
    def dependencies(self) -> tuple[ports.Dependency, ...]:
        """Everything /readyz asks."""
        from shared.adapters.health import postgresql_dependency, rabbitmq_dependency, redis_dependency

        return (
            redis_dependency(self._redis),
            rabbitmq_dependency(self.settings.amqp_url, self.settings.amqp_ca_file),
            postgresql_dependency(self._pool),
        )


@cache
def container() -> Container:
    """The container of this process, made at the first call from the environment (and the secret it names)."""
    settings = Settings.from_environment(with_secret(os.environ))
    configure_logs(settings.log_level)
    _warn_of_lines_without_protection(settings)
    return Container(settings)


def _warn_of_lines_without_protection(settings: Settings) -> None:
    for name in ("redis_url", "amqp_url", "database_url", "migrations_database_url"):
        warning = what_travels_unprotected(name.upper(), getattr(settings, name))
        if warning:
            get_logger(__name__).warning(warning)
