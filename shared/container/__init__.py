"""The composition root: which adapter stands behind which port, made at the first use and kept for the next calls."""

from __future__ import annotations

import os
from functools import cache, cached_property
from typing import TYPE_CHECKING

from shared.accounts.check_access import check_access
from shared.accounts.player import Caller
from shared.accounts.ports import LoginThrottle, RequestLimits
from shared.container.rabbitmq_parts import RabbitParts
from shared.core.config import Settings
from shared.core.invocation import current, note
from shared.core.logs import configure_logs, get_logger
from shared.core.loop import find_hook
from shared.core.metrics.export import export_metrics
from shared.core.tls import what_travels_unprotected
from shared.core.tracing import Tracer, use_tracer
from shared.stores.aws.secrets_manager import with_secret

if TYPE_CHECKING:
    from shared.accounts.redis import LimitsSince
    from shared.boards.read_board import Names, PreparedBoards
    from shared.ledger.letter_stores import LetterStores
    from shared.operations.check_health import Readiness
    from shared.operations.claim_stores import Ownership
    from shared.reconciliation.reconcile_scores import Reconciliation


class Container(RabbitParts):
    """Everything a handler may need."""

    def close(self) -> None:
        """End the connections of the clients that were made."""
        made = vars(self)
        for name in ("readiness", "_asking", "_healing", "viewers", "_publisher", "_redis", "_pool", "_owners_pool"):
            if name in made:
                made[name].close()

    def identify(self, bearer_token: str) -> Caller:
        """Whose access token this is, with nobody asked whether they may still come in; raises InvalidToken or TokenExpired."""
        caller = self.access_tokens.verify(bearer_token)
        note(user_id=caller.user_id)
        return caller

    def authenticate(self, bearer_token: str) -> Caller:
        """Who sends this access token, in the role they have now; raises what identify and check_access raise."""
        return check_access(self.identify(bearer_token), self)

    @cached_property
    def _limits_since(self) -> LimitsSince:
        from shared.accounts.redis import LimitsSince

        def registrations() -> int | None:
            return self.users.registered_of_late(self.settings.registrations_per_hour)

        return LimitsSince(self._redis, self._keys, registrations)

    @cached_property
    def login_throttle(self) -> LoginThrottle:
        from shared.accounts.redis import RedisLoginThrottle

        return RedisLoginThrottle(self._redis, self._keys, self._limits_since)

    @cached_property
    def request_limits(self) -> RequestLimits:
        from shared.accounts.redis import RedisRequestLimits
        from shared.accounts.request_limit import request_limits

        limits = request_limits(
            network_registrations=self.settings.network_registrations_per_hour,
            registrations=self.settings.registrations_per_hour,
            updates=self.settings.rate_limit_requests,
            update_window_seconds=self.settings.rate_window_seconds,
        )
        return RedisRequestLimits(self._limits_since, self._keys, limits)

    @cached_property
    def prepared_boards(self) -> PreparedBoards:
        from shared.boards.read_board import PreparedBoards

        return PreparedBoards(self.leaderboard, self.board_cache, self, self.names, self.clock)

    @property
    def ownership(self) -> Ownership:
        from shared.operations.claim_stores import Ownership

        return Ownership(
            self.installations, self.board_mark, self.broker_mark, self.seal_signer, self.seal_anchor, self.key_prints
        )

    @cached_property
    def reconciliation(self) -> Reconciliation:
        from shared.reconciliation.reconcile_scores import Reconciliation

        return Reconciliation(
            self.leaderboard,
            self.board_check,
            self.reconciliations,
            self.rate_windows,
            self.pipeline,
            self.settings.reconciliation_max_players,
            self.settings.reconciliation_max_points,
        )

    @property
    def letters(self) -> LetterStores:
        from shared.ledger.letter_stores import LetterStores

        return LetterStores(
            self.dead_letters, self.dead_letter_queue, self.publisher, self.event_codec, self.ledger, self.topology, self.clock
        )

    @cached_property
    def names(self) -> Names:
        from shared.boards.read_board import Names

        return Names(self.profiles, self.users)

    @cached_property
    def readiness(self) -> Readiness:
        from shared.operations.check_health import Probes, Readiness
        from shared.operations.postgresql import PostgresProbe
        from shared.operations.rabbitmq import RabbitProbe
        from shared.operations.redis import RedisProbe

        settings = self.settings
        broker = RabbitProbe(
            settings.amqp_url,
            ca_file=settings.amqp_ca_file,
            queues=settings.history_queues,
            on_missing=self._healing.start,
        )
        board, database = RedisProbe(self._redis, self._keys, self._ask_for_rebuild), PostgresProbe(self._pool)
        return Readiness(Probes(board, broker, database, broker.close), lambda: self.key_prints, self.clock)


@cache
def container() -> Container:
    """The container of this process, made at the first call from the environment (and the secret it names)."""
    settings = Settings.from_environment(with_secret(os.environ))
    configure_logs(settings.log_level)
    hook = settings.metrics_hook
    export_metrics(find_hook("METRICS_HOOK", hook) if hook else None, settings.metrics_namespace)
    _warn_of_lines_without_protection(settings)
    use_tracer(_made_tracer(settings))
    if (invocation := current()) is not None:
        invocation.begin_span()  # the first one has been under way for a while
    return Container(settings)


def _made_tracer(settings: Settings) -> Tracer | None:
    if not settings.otel_exporter_otlp_endpoint:
        return None
    try:
        from shared.core.opentelemetry import OpenTelemetryTracer
    except ImportError as error:
        get_logger(__name__).warning("no spans are made: install the extra `otel`", extra={"reason": str(error)})
        return None
    return OpenTelemetryTracer(settings.otel_service_name)


def _warn_of_lines_without_protection(settings: Settings) -> None:
    for name in ("redis_url", "amqp_url", "database_url", "migrations_database_url"):
        warning = what_travels_unprotected(name.upper(), getattr(settings, name))
        if warning:
            get_logger(__name__).warning(warning)
