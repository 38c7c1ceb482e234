"""The composition root: what functions need, made at the first use and kept for the next calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from collections.abc import Container as Words
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from shared.accounts.check_access import check_access
from shared.accounts.player import Caller
from shared.accounts.verified_tokens import VerifiedTokens
from shared.container.shard import FurtherShard, Shard
from shared.core.background import Background
from shared.core.clock import Clock, SystemClock
from shared.core.config import Settings
from shared.core.invocation import await_before_answer, current, note
from shared.core.logs import configure_logs, get_logger
from shared.core.loop import Loop, find_loop
from shared.core.metrics.export import export_metrics
from shared.core.redis_shards import FIRST, ShardPlace
from shared.core.secret_keys import KeyPrint, key_prints
from shared.core.tls import what_travels_unprotected
from shared.core.tracing import Tracer, use_tracer
from shared.ledger.ports import QueueGauge
from shared.stores.aws.secrets_manager import with_secret
from shared.stores.everywhere import everywhere
from shared.stores.postgresql.last_answer import LastAnswer
from shared.viewers.ports import Viewers

if TYPE_CHECKING:
    from shared.accounts.argon2 import PasswordHasher
    from shared.accounts.postgresql import AccountChanges, RefreshTokens, Sessions, Users
    from shared.accounts.redis import LimitsSince, LoginThrottle, RequestLimits
    from shared.accounts.server_keys_postgresql import ServerKeys
    from shared.accounts.tokens import AccessTokens
    from shared.audit.hmac_seals import SealSigner
    from shared.audit.postgresql import AuditLog, AuditSeals
    from shared.audit.redis import Refusals, SealAnchor
    from shared.audit.seal_audit import AuditChain
    from shared.boards.board import Board
    from shared.boards.board_shards import BoardShards
    from shared.boards.fill_boards import BoardStores
    from shared.boards.hidden_postgresql import HiddenPlayers
    from shared.boards.hmac_tickets import TicketSigner
    from shared.boards.moderation_postgresql import Moderations
    from shared.boards.read_board import PreparedBoards
    from shared.boards.redis import BoardCache
    from shared.core.instance import Instance
    from shared.ledger.archive_postgresql import HistoryArchive
    from shared.ledger.dead_letters_rabbitmq import DeadLetterQueue
    from shared.ledger.letter_stores import LetterStores
    from shared.ledger.letters_postgresql import DeadLetters
    from shared.ledger.messages import EventCodec
    from shared.ledger.publisher_rabbitmq import RabbitPublisher
    from shared.ledger.topology_rabbitmq import Topology
    from shared.operations.archive_postgresql import ArchiveParts
    from shared.operations.check_health import Readiness
    from shared.operations.claim_stores import Ownership
    from shared.operations.postgresql import Installations, LedgerGauge
    from shared.operations.rabbitmq import BrokerMark
    from shared.operations.redis import QueueWatch
    from shared.reconciliation.moderation_postgresql import ModeratedScores
    from shared.reconciliation.postgresql import Reconciliations
    from shared.reconciliation.standings_postgresql import SeasonBooks
    from shared.stores.kept_answers import KeptAnswers
    from shared.stores.leases import Leases
    from shared.stores.postgresql.migrations import Migrations
    from shared.stores.postgresql.pool import Pool
    from shared.stores.sealing import Sealer
    from shared.viewers.connections_redis import Connections
    from shared.viewers.management_api import ManagementApi
    from shared.viewers.posted_replies import PostedReplies
    from shared.viewers.subscriptions_redis import Subscriptions
    from shared.viewers.tickets_redis import WsTickets
    from shared.viewers.views_redis import BoardViews


# When the broker is back, what its own process did not publish within this time was left behind.
RELAY_OLDER_THAN_SECONDS = 2.0
# Made with this module, which a host imports before it forks workers, for only then they share them.
VERIFIED_TOKENS = VerifiedTokens()
DATABASE_ANSWERED = LastAnswer()


class Container(Shard):
    """Everything a handler may need. Clients are imported and connected only when something asks them for the first time.

    Of Redis it has the first shard, in which `main` is and all that is not a board's; `shards` are that one and the others.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(self, ShardPlace(FIRST, settings.redis_url, settings.key_prefix))
        self.settings = settings
        self.clock: Clock = SystemClock()

    def close(self) -> None:
        """End the connections of the clients that were made."""
        made = vars(self)
        for shard in made.get("further_shards", ()):
            shard.close()
        for name in (
            "readiness",
            "_asking",
            "_telling",
            "_healing",
            "viewers",
            "_management_api",
            "publisher",
            "_redis",
            "_pool",
            "_owners_pool",
        ):
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

    def is_anything_public(self) -> bool:
        """Whether there is something to watch without an account: `main`, or another board where boards are live."""
        return self.settings.public_leaderboard or (self.board_views is not None and self.boards.has_public())

    @cached_property
    def _loop(self) -> Loop | None:
        """The host's, for requests that are served at the same time."""
        return find_loop(self.settings.loop_hook)

    # Keys and hashes: no store is asked for any of these.

    @cached_property
    def sealer(self) -> Sealer:
        from shared.stores.sealing import Sealer

        return Sealer.from_setting(self.settings.payload_keys)

    def sealer_under(self, secret: str) -> Sealer:
        """For what only the client with this secret is to get again."""
        from shared.stores.sealing import Sealer

        return Sealer.under(self.settings.payload_keys, secret)

    @cached_property
    def ticket_signer(self) -> TicketSigner:
        from shared.boards.hmac_tickets import TicketSigner

        return TicketSigner.from_setting(self.settings.payload_keys)

    @cached_property
    def seal_signer(self) -> SealSigner:
        from shared.audit.hmac_seals import SealSigner

        return SealSigner.from_setting(self.settings.payload_keys)

    @cached_property
    def key_prints(self) -> list[KeyPrint]:
        """All keys in their order; the first of a purpose seals or signs."""
        return key_prints(self.settings.payload_keys, self.settings.jwt_signing_key)

    @cached_property
    def access_tokens(self) -> AccessTokens:
        from shared.accounts.tokens import AccessTokens

        return AccessTokens(
            self.settings.jwt_signing_key,
            outside_issuer=self.settings.jwt_issuer,
            outside_audience=self.settings.jwt_audience,
            outside_jwks_url=self.settings.jwt_jwks_url,
            outside_user_id_claim=self.settings.jwt_user_id_claim,
            verified=VERIFIED_TOKENS,
        )

    @cached_property
    def password_hasher(self) -> PasswordHasher:
        from shared.accounts.argon2 import PasswordHasher
        from shared.core.loop import find_offload

        return PasswordHasher(find_offload(self.settings.offload_hook))

    @property
    def common_passwords(self) -> Words[str]:
        """What nobody may choose."""
        from shared.accounts.password import common_passwords

        return common_passwords()

    # Redis: one client for each shard.

    @cached_property
    def further_shards(self) -> Sequence[FurtherShard]:
        """Those beside the first one, as REDIS_SHARDS names them."""
        return [FurtherShard(self, place.of(self.settings.redis_url)) for place in self.settings.redis_shards]

    @cached_property
    def shards(self) -> BoardShards[Container | FurtherShard]:
        """All of them, and which of them a board is in."""
        from shared.boards.board_shards import BoardShards

        return BoardShards([self, *self.further_shards], self.boards)

    @property
    def everywhere(self) -> Sequence[Container | FurtherShard]:
        """All of them, for what must be known in each."""
        return self.shards.all

    def in_each_shard(self, do: Callable[[Container | FurtherShard], object]) -> None:
        """Do it in all of them: one that is away keeps it from no other, and is told in the end."""
        everywhere(self.everywhere, do)

    @property
    def every_board_stores(self) -> Sequence[BoardStores]:
        """Of each shard."""
        return [shard.board_stores for shard in self.everywhere]

    def catch_up_everywhere(self) -> None:
        """Wait until the ledger has everything that was accepted by now in any shard; raises LedgerBehind."""
        from shared.ledger.catch_up import catch_up

        self.in_each_shard(lambda shard: catch_up(shard.pipeline))

    @cached_property
    def board(self) -> Board:
        """The one there is."""
        from shared.boards.board import MAIN

        return MAIN

    @cached_property
    def queue_watch(self) -> QueueWatch:
        from shared.operations.redis import QueueWatch

        return QueueWatch(self._redis, self._shard)

    @cached_property
    def board_cache(self) -> BoardCache:
        from shared.boards.redis import BoardCache

        return BoardCache(self._redis, self._board_keys)

    @cached_property
    def ws_tickets(self) -> WsTickets:
        from shared.viewers.tickets_redis import WsTickets

        return WsTickets(self._redis, self._shard)

    @cached_property
    def refusals(self) -> Refusals:
        from shared.audit.redis import Refusals

        return Refusals(self._redis, self._shard)

    @cached_property
    def seal_anchor(self) -> SealAnchor:
        from shared.audit.redis import SealAnchor

        return SealAnchor(self._redis, self._shard)

    @cached_property
    def viewers(self) -> Viewers:
        if self.settings.broadcast_channel:
            from shared.viewers.gateway_redis import RedisViewers

            return RedisViewers(self._redis, self._board_keys, self.settings.broadcast_channel, self._publish)
        settings = self.settings
        if settings.appsync_events_url:
            from shared.viewers.appsync import AppSyncViewers, EventsApi
            from shared.viewers.frames_redis import Frames

            api = EventsApi(settings.appsync_events_url, settings.appsync_events_channel, settings.appsync_events_api_key)
            return AppSyncViewers(Frames(self._redis, self._board_keys, self._shard), api)
        from shared.viewers.api_gateway import ApiGatewayViewers
        from shared.viewers.frames_redis import Frames

        frames = Frames(self._redis, self._board_keys, self._shard)
        return ApiGatewayViewers(frames, self._connections, self._subscriptions, self._management_api)

    @cached_property
    def _publish(self) -> str:
        """The command by which gateways that listen on a channel are told."""
        from shared.core.redis_url import RedisUrl

        return RedisUrl.parse(self.settings.redis_url, key=self.settings.key_prefix).publish

    @cached_property
    def board_views(self) -> BoardViews | None:
        """None where viewers connect to AppSync."""
        settings = self.settings
        if settings.broadcast_channel:
            from shared.viewers.published_views_redis import PublishedViews

            return PublishedViews(self._redis, self._board_keys, self._shard, settings.broadcast_channel, self._publish)
        if settings.appsync_events_url:
            return None
        from shared.viewers.frames_redis import Ticks
        from shared.viewers.posted_views_redis import PostedViews

        return PostedViews(
            self._redis,
            self._board_keys,
            self._shard,
            self._connections,
            self._subscriptions,
            self._management_api,
            Ticks(self._redis),
        )

    @property
    def reply_gateway(self) -> PostedReplies | None:
        """None where what holds the sockets sends replies itself, or nobody connects to what does not."""
        if self.settings.broadcast_channel or self.settings.appsync_events_url:
            return None
        from shared.ledger.ask_for_broadcast import ask_for_broadcast
        from shared.viewers.posted_replies import PostedReplies

        def ask(boards: list[str]) -> None:
            ask_for_broadcast(self.publisher, self.clock, boards)

        return PostedReplies(self._connections, self._subscriptions, self._management_api, ask)

    @cached_property
    def _connections(self) -> Connections:
        from shared.viewers.connections_redis import Connections, Quota
        from shared.viewers.posts import CHUNK

        requests_per_second = self.settings.viewer_requests_per_second
        quota = Quota(requests_per_second, burst=max(requests_per_second // 5, CHUNK))
        return Connections(self._redis, self._shard, quota)

    @cached_property
    def _subscriptions(self) -> Subscriptions:
        from shared.viewers.subscriptions_redis import Subscriptions

        return Subscriptions(self._redis, self._shard)

    @cached_property
    def _management_api(self) -> ManagementApi:
        from shared.viewers.management_api import ManagementApi

        return ManagementApi(self.settings.websocket_management_url)

    # PostgreSQL: one pool for all; another one, of the tables' owner, for the migrations.

    @cached_property
    def _pool(self) -> Pool:
        from shared.stores.postgresql.pool import Pool

        return Pool(self.settings.database_url, ca_file=self.settings.database_ca_file, answered=DATABASE_ANSWERED)

    @cached_property
    def _owners_pool(self) -> Pool:
        from shared.stores.postgresql.pool import Pool

        url, ca_file = self.settings.migrations_database_url, self.settings.database_ca_file
        return Pool(url, size=1, ca_file=ca_file, name="MIGRATIONS_DATABASE_URL")

    @cached_property
    def users(self) -> Users:
        from shared.accounts.postgresql import Users

        return Users(self._pool)

    @cached_property
    def account_changes(self) -> AccountChanges:
        from shared.accounts.postgresql import AccountChanges

        return AccountChanges(self._pool)

    @cached_property
    def server_keys(self) -> ServerKeys:
        from shared.accounts.server_keys_postgresql import ServerKeys

        return ServerKeys(self._pool)

    @cached_property
    def refresh_tokens(self) -> RefreshTokens:
        from shared.accounts.postgresql import RefreshTokens

        return RefreshTokens(self._pool)

    @cached_property
    def sessions(self) -> Sessions:
        from shared.accounts.postgresql import Sessions

        return Sessions(self._pool)

    @cached_property
    def kept_answers(self) -> KeptAnswers:
        from shared.stores.kept_answers import KeptAnswers

        return KeptAnswers(self._pool)

    @cached_property
    def hidden_players(self) -> HiddenPlayers:
        from shared.boards.hidden_postgresql import HiddenPlayers

        return HiddenPlayers(self._pool)

    @cached_property
    def moderations(self) -> Moderations:
        from shared.boards.moderation_postgresql import Moderations

        return Moderations(self._pool)

    @property
    def main_board(self) -> dict[str, Any]:
        """As the API shows it."""
        from shared.boards.read_boards import described_main

        settings = self.settings
        per_minute = settings.rate_limit_requests * 60 // settings.rate_window_seconds
        return described_main(is_public=settings.public_leaderboard, updates_per_minute=per_minute)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        from shared.ledger.letters_postgresql import DeadLetters

        return DeadLetters(self._pool)

    @cached_property
    def reconciliations(self) -> Reconciliations:
        from shared.reconciliation.postgresql import Reconciliations

        return Reconciliations(self._pool, self.board.increments)

    @cached_property
    def season_books(self) -> SeasonBooks:
        from shared.reconciliation.standings_postgresql import SeasonBooks

        return SeasonBooks(self._pool)

    @cached_property
    def moderated_scores(self) -> ModeratedScores:
        from shared.reconciliation.moderation_postgresql import ModeratedScores

        return ModeratedScores(self._pool)

    @cached_property
    def ledger_gauge(self) -> LedgerGauge:
        from shared.operations.postgresql import LedgerGauge

        return LedgerGauge(self._pool)

    @cached_property
    def installations(self) -> Installations:
        from shared.operations.postgresql import Installations

        return Installations(self._owners_pool if self.settings.migrations_database_url else self._pool)

    @cached_property
    def audit_chain(self) -> AuditChain:
        from shared.audit.archive_postgresql import AuditArchive
        from shared.audit.seal_audit import AuditChain

        return AuditChain(self.audit_seals, self.seal_signer, self.seal_anchor, self.clock, AuditArchive(self._pool))

    @cached_property
    def history_archive(self) -> HistoryArchive:
        from shared.ledger.archive_postgresql import HistoryArchive

        return HistoryArchive(self._pool)

    @cached_property
    def archive_parts(self) -> ArchiveParts:
        from shared.operations.archive_postgresql import ArchiveParts

        return ArchiveParts(self._pool, self._owners_pool if self.settings.migrations_database_url else self._pool)

    @cached_property
    def leases(self) -> Leases:
        from shared.stores.leases import Leases

        return Leases(self._pool)

    @cached_property
    def instance(self) -> Instance:
        """Who this is among the instances on the same stores."""
        from shared.core.instance import Instance
        from shared.ledger.messages import VERSION
        from shared.stores.postgresql.migrations import newest_schema

        names = ("history_queues", "key_prefix", "rate_limit_requests", "rate_window_seconds")
        values = {name.upper(): getattr(self.settings, name) for name in names}
        values["REDIS_SHARDS"] = " ".join(place.name for place in self.settings.redis_shards)
        return Instance(self.settings.instance_id, self.settings.former_instance_id, values, newest_schema(), VERSION)

    @cached_property
    def migrations(self) -> Migrations:
        from shared.core.database_url import DatabaseUrl
        from shared.stores.postgresql.migrations import Migrations

        own = (self.settings.instance_id, self.settings.former_instance_id)
        if not self.settings.migrations_database_url:
            return Migrations(self._pool, own=own)
        functions_role = DatabaseUrl.parse_each(self.settings.database_url)[0].user
        return Migrations(self._owners_pool, functions_role=functions_role, own=own)

    @cached_property
    def audit_log(self) -> AuditLog:
        from shared.audit.postgresql import AuditLog

        return AuditLog(self._pool)

    @cached_property
    def audit_seals(self) -> AuditSeals:
        from shared.audit.postgresql import AuditSeals

        return AuditSeals(self._pool)

    # RabbitMQ: one publishing connection; topology and dead letters open one of their own for as long as they need it.

    @cached_property
    def publisher(self) -> RabbitPublisher:
        from shared.ledger.publisher_rabbitmq import RabbitPublisher

        return RabbitPublisher(
            self.settings.amqp_url,
            ca_file=self.settings.amqp_ca_file,
            tls_minimum=self.settings.amqp_tls_minimum,
            codec=self.event_codec,
            on_confirmed=self._note_published,
            on_unroutable=self._heal_topology,
            on_back=self._relay,
            queues=self.settings.history_queues,
            loop=self._loop,
        )

    @cached_property
    def _changed_boards(self) -> set[str]:
        return set()

    @cached_property
    def _telling(self) -> Background:
        return Background("telling who watches boards", self._tell_changed)

    def _note_changed(self, board_id: str) -> None:
        self._changed_boards.add(board_id)
        self._telling.start()
        if not self.settings.broadcast_channel:  # Lambda freezes what goes on behind the answer
            await_before_answer(self._telling.close)

    def _tell_changed(self) -> None:
        from shared.ledger.ask_for_broadcast import ask_for_broadcast

        changed = self._changed_boards.copy()
        self._changed_boards.difference_update(changed)
        if changed:
            ask_for_broadcast(self.publisher, self.clock, sorted(changed))

    def _note_published(self, outbox_ids: Sequence[str]) -> None:
        """Not the outbox's own method: a function that publishes nothing from there needs no Redis.

        Behind the id of an entry in the outbox of a further shard stands its name.
        """
        own = outbox_ids
        if self.further_shards:
            own = [outbox_id for outbox_id in outbox_ids if " " not in outbox_id]
            newest = {name: outbox_id for outbox_id, _, name in (each.partition(" ") for each in outbox_ids) if name}
            for shard in self.further_shards:
                if shard.name in newest:
                    shard.note_published(newest[shard.name])
        if own:
            self.outbox.published(own)

    @cached_property
    def _healing(self) -> Background:
        return Background("declaring missing queues", self._heal_topology)

    def _heal_topology(self) -> None:
        from shared.ledger.heal_topology import heal_topology

        heal_topology(self.topology, [shard.outbox for shard in self.everywhere], self.publisher)

    def _relay(self) -> None:
        """Of all processes that find the broker back, one does it."""
        from shared.ledger.relay_outbox import relay_outbox

        def relay(shard: Container | FurtherShard) -> None:
            if shard.outbox.claim_relay("left"):
                most = self.settings.outbox_max_entries
                relay_outbox(shard.pipeline, self.queue_gauge, most, RELAY_OLDER_THAN_SECONDS)

        self.in_each_shard(relay)

    @cached_property
    def broker_mark(self) -> BrokerMark:
        from shared.operations.rabbitmq import BrokerMark

        settings = self.settings
        return BrokerMark(settings.amqp_url, ca_file=settings.amqp_ca_file, tls_minimum=settings.amqp_tls_minimum)

    @cached_property
    def topology(self) -> Topology:
        from shared.ledger.topology_rabbitmq import Topology

        return Topology(
            self.settings.amqp_url,
            ca_file=self.settings.amqp_ca_file,
            tls_minimum=self.settings.amqp_tls_minimum,
            retry_delays=self.settings.retry_delays_seconds,
            queues=self.settings.history_queues,
        )

    @cached_property
    def queue_gauge(self) -> QueueGauge:
        from shared.operations.rabbitmq import RabbitQueueGauge

        return RabbitQueueGauge(
            self.settings.amqp_url,
            ca_file=self.settings.amqp_ca_file,
            tls_minimum=self.settings.amqp_tls_minimum,
            queues=self.settings.history_queues,
        )

    @cached_property
    def dead_letter_queue(self) -> DeadLetterQueue:
        from shared.ledger.dead_letters_rabbitmq import DeadLetterQueue

        settings = self.settings
        return DeadLetterQueue(settings.amqp_url, ca_file=settings.amqp_ca_file, tls_minimum=settings.amqp_tls_minimum)

    @cached_property
    def event_codec(self) -> EventCodec:
        from shared.ledger.messages import EventCodec

        return EventCodec(self.sealer, self.board.increments)

    # What several stores stand behind.

    @cached_property
    def _limits_since(self) -> LimitsSince:
        from shared.accounts.redis import LimitsSince

        def registrations() -> int | None:
            return self.users.registered_of_late(self.settings.registrations_per_hour)

        return LimitsSince(self._redis, self._shard, registrations)

    @cached_property
    def login_throttle(self) -> LoginThrottle:
        from shared.accounts.redis import LoginThrottle

        return LoginThrottle(self._redis, self._shard, self._limits_since)

    @cached_property
    def request_limits(self) -> RequestLimits:
        from shared.accounts.redis import RequestLimits
        from shared.accounts.request_limit import request_limits

        limits = request_limits(
            network_registrations=self.settings.network_registrations_per_hour,
            registrations=self.settings.registrations_per_hour,
            updates=self.settings.rate_limit_requests,
            update_window_seconds=self.settings.rate_window_seconds,
        )
        return RequestLimits(self._limits_since, self._shard, limits)

    @cached_property
    def prepared_boards(self) -> PreparedBoards:
        from shared.boards.read_board import PreparedBoards

        return PreparedBoards(self.board, self.leaderboard, self.board_cache, self, self.names, self.clock)

    @property
    def ownership(self) -> Ownership:
        from shared.operations.claim_stores import Ownership

        return Ownership(
            self.installations,
            self.board_mark,
            self.broker_mark,
            self.seal_signer,
            self.seal_anchor,
            self.key_prints,
            further=[shard.board_mark for shard in self.further_shards],
        )

    @property
    def letters(self) -> LetterStores:
        from shared.ledger.letter_stores import LetterStores

        return LetterStores(
            self.dead_letters, self.dead_letter_queue, self.publisher, self.event_codec, self.ledger, self.topology, self.clock
        )

    @cached_property
    def readiness(self) -> Readiness:
        from shared.operations.check_health import Probes, Readiness
        from shared.operations.postgresql import PostgresProbe
        from shared.operations.rabbitmq import RabbitProbe
        from shared.operations.readiness import ACCEPT, RECORD

        settings = self.settings
        broker = RabbitProbe(
            settings.amqp_url,
            ca_file=settings.amqp_ca_file,
            tls_minimum=settings.amqp_tls_minimum,
            queues=settings.history_queues,
            on_missing=self._healing.start,
        )
        database = PostgresProbe(self._pool)
        roles = self.settings.instance_role
        needed = ACCEPT if not roles or "http" in roles.split(",") else RECORD
        further = {shard.name: shard.redis_probe for shard in self.further_shards}
        probes = Probes(self.redis_probe, broker, database, broker.close, further)
        return Readiness(probes, lambda: self.key_prints, self.clock, DATABASE_ANSWERED.seconds_ago, needed)


AnyShard = Container | FurtherShard


@cache
def container() -> Container:
    """The container of this process, made at the first call from the environment (and the secret it names)."""
    settings = Settings.from_environment(with_secret(os.environ))
    configure_logs(settings.log_level)
    export_metrics(settings.metrics_namespace)
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
    for place in settings.redis_shards:
        if place.url and (warning := what_travels_unprotected(f"the shard {place.name} in REDIS_SHARDS", place.url)):
            get_logger(__name__).warning(warning)
