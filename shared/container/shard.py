"""What is made of one Redis: the boards in it, its outbox, and what is known of accounts there."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared.core.background import Background
from shared.core.clock import Clock
from shared.core.redis_shards import ShardPlace

if TYPE_CHECKING:
    import redis

    from shared.accounts.postgresql import Sessions, Users
    from shared.accounts.redis import Access, Profiles
    from shared.accounts.server_keys_postgresql import ServerKeys
    from shared.accounts.server_keys_redis import KnownServerKeys
    from shared.boards.entries_redis import Entries
    from shared.boards.fill_boards import BoardStores
    from shared.boards.hidden_postgresql import HiddenPlayers
    from shared.boards.known_boards import KnownBoards
    from shared.boards.postgresql import Boards
    from shared.boards.read_board import Names
    from shared.boards.read_rows import BoardReading
    from shared.boards.redis import Leaderboard, RateWindows
    from shared.boards.seasons_postgresql import BoardSeasons
    from shared.boards.states_redis import BoardStates
    from shared.container import Container
    from shared.ledger.catch_up import Pipeline
    from shared.ledger.postgresql import Ledger
    from shared.ledger.publisher_rabbitmq import RabbitPublisher
    from shared.ledger.redis import Outbox
    from shared.operations.redis import BoardGauge, BoardMark, RedisProbe
    from shared.reconciliation.moderate_scores import ScoreModeration
    from shared.reconciliation.reconcile_scores import Reconciliation
    from shared.reconciliation.redis import BoardCheck
    from shared.reconciliation.standings_redis import SeasonCheck
    from shared.stores.keys import BoardKeys, ShardKeys
    from shared.stores.redis.replicas import Replicas


class Shard:
    """The first one is the container itself, which is the root of all: it makes what there is once, whatever the shards."""

    def __init__(self, root: Container, place: ShardPlace) -> None:
        self._root = root
        self.place = place

    @property
    def name(self) -> str:
        """What it is called in REDIS_SHARDS; `main` is the first one."""
        return self.place.name

    @cached_property
    def _redis(self) -> redis.Redis:
        from shared.stores.redis.connection import connect
        from shared.stores.redis.scripts import greeting

        greet = greeting(self._board_keys, self._shard, self._ask_for_rebuild)
        return connect(
            self.place.url,
            ca_file=self._root.settings.redis_ca_file,
            key_prefix=self.place.key_prefix,
            loop=self._root._loop,  # noqa: SLF001
            greet=greet,
        )

    @cached_property
    def _shard(self) -> ShardKeys:
        from shared.stores.keys import ShardKeys

        return ShardKeys(self.place.key_prefix)

    @cached_property
    def _board_keys(self) -> BoardKeys:
        return self._root.board.keys(self._shard)

    @cached_property
    def board_mark(self) -> BoardMark:
        from shared.operations.redis import BoardMark

        return BoardMark(self._redis, self._shard, self.name)

    @cached_property
    def leaderboard(self) -> Leaderboard:
        from shared.boards.redis import Leaderboard

        return Leaderboard(
            self._redis,
            self._root.board,
            self._board_keys,
            self._shard,
            rate_limit_requests=self._root.settings.rate_limit_requests,
            rate_window_seconds=self._root.settings.rate_window_seconds,
            replicas=self._replicas,
        )

    @cached_property
    def _replicas(self) -> Replicas | None:
        from shared.stores.redis.replicas import Replicas

        required = self._root.settings.redis_replicas
        return Replicas(self._redis, self._shard.replicated, required) if required else None

    @cached_property
    def entries(self) -> Entries:
        from shared.boards.entries_redis import Entries

        return Entries(self._redis, self._board_keys, self._shard, replicas=self._replicas)

    @cached_property
    def rate_windows(self) -> RateWindows:
        from shared.boards.redis import RateWindows

        return RateWindows(
            self._redis, self._board_keys, self._shard, rate_window_seconds=self._root.settings.rate_window_seconds
        )

    @cached_property
    def board_states(self) -> BoardStates:
        from shared.boards.states_redis import BoardStates

        return BoardStates(self._redis, self._board_keys, self._shard, self._root._note_changed)  # noqa: SLF001

    @cached_property
    def board_check(self) -> BoardCheck:
        from shared.reconciliation.redis import BoardCheck

        return BoardCheck(self._redis, self._root.board, self._board_keys)

    @cached_property
    def season_check(self) -> SeasonCheck:
        from shared.reconciliation.standings_redis import SeasonCheck

        return SeasonCheck(self._redis, self._board_keys, self._shard)

    @cached_property
    def board_gauge(self) -> BoardGauge:
        from shared.operations.redis import BoardGauge

        return BoardGauge(self._redis, self._board_keys, self._shard)

    @cached_property
    def outbox(self) -> Outbox:
        from shared.ledger.redis import Outbox

        return Outbox(self._redis, self._shard, self.name)

    @cached_property
    def profiles(self) -> Profiles:
        from shared.accounts.redis import Profiles

        return Profiles(self._redis, self._shard)

    @cached_property
    def access(self) -> Access:
        from shared.accounts.redis import Access

        return Access(self._redis, self._shard)

    @cached_property
    def known_server_keys(self) -> KnownServerKeys:
        from shared.accounts.server_keys_redis import KnownServerKeys

        return KnownServerKeys(self._redis, self._shard)

    @cached_property
    def ledger(self) -> Ledger:
        from shared.ledger.postgresql import Ledger

        return Ledger(self._root._pool, self.name)  # noqa: SLF001

    @cached_property
    def boards(self) -> Boards:
        from shared.boards.postgresql import Boards

        return Boards(self._root._pool, self.name)  # noqa: SLF001

    @cached_property
    def board_seasons(self) -> BoardSeasons:
        from shared.boards.seasons_postgresql import BoardSeasons

        return BoardSeasons(self._root._pool, self.name)  # noqa: SLF001

    @cached_property
    def _asking(self) -> Background:
        from shared.boards.open_epoch import ask_for_rebuild

        return Background("asking for the rebuild", lambda: ask_for_rebuild(self.leaderboard, self._root.publisher))

    @cached_property
    def pipeline(self) -> Pipeline:
        from shared.ledger.catch_up import Pipeline

        return Pipeline(self.ledger, self.outbox, self._root.publisher, self._root.clock)

    @cached_property
    def known_boards(self) -> KnownBoards:
        from shared.boards.known_boards import KnownBoards

        return KnownBoards(self.board_states, self.boards, self.board_seasons, self._ask_for_rebuild)

    @property
    def board_stores(self) -> BoardStores:
        from shared.boards.fill_boards import BoardStores

        return BoardStores(self.board_states, self.boards, self.board_seasons, self._root.hidden_players)

    @cached_property
    def board_reading(self) -> BoardReading:
        from shared.boards.final_ranks_postgresql import FinalRanks
        from shared.boards.read_rows import BoardReading
        from shared.boards.scores_redis import BoardScores

        scores, final_ranks = BoardScores(self._redis, self._shard), FinalRanks(self._root._pool)  # noqa: SLF001
        return BoardReading(
            self.known_boards,
            scores,
            final_ranks,
            self,
            self.names,
            self.boards.metadata_of,
            self._root.settings.public_leaderboard,
        )

    @cached_property
    def reconciliation(self) -> Reconciliation:
        from shared.reconciliation.reconcile_scores import Reconciliation

        return Reconciliation(
            self.leaderboard,
            self.board_check,
            self._root.reconciliations,
            self.rate_windows,
            self.pipeline,
            self._root.users,
            self.board_stores,
            self.season_check,
            self._root.season_books,
            self._root.moderated_scores,
            self._root.settings.reconciliation_max_players,
            self._root.settings.reconciliation_max_points,
            self.name,
        )

    @cached_property
    def score_moderation(self) -> ScoreModeration:
        from shared.reconciliation.moderate_scores import ScoreModeration

        return ScoreModeration(self.known_boards, self.reconciliation)

    @cached_property
    def names(self) -> Names:
        from shared.boards.read_board import Names

        return Names(self.profiles, self._root.users, self._root.clock)

    @cached_property
    def redis_probe(self) -> RedisProbe:
        from shared.operations.redis import RedisProbe

        return RedisProbe(
            self._redis, self._board_keys, self._shard, self._ask_for_rebuild, self._root.settings.redis_replicas, self.name
        )

    def _ask_for_rebuild(self) -> None:
        self._asking.start()

    # What is the same in all shards, as use cases ask for it.

    @property
    def users(self) -> Users:
        return self._root.users

    @property
    def sessions(self) -> Sessions:
        return self._root.sessions

    @property
    def server_keys(self) -> ServerKeys:
        return self._root.server_keys

    @property
    def hidden_players(self) -> HiddenPlayers:
        return self._root.hidden_players

    @property
    def publisher(self) -> RabbitPublisher:
        return self._root.publisher


class FurtherShard(Shard):
    """One beside the first."""

    def __init__(self, root: Container, place: ShardPlace) -> None:
        super().__init__(root, place)
        self._newest_published = ""

    def note_published(self, outbox_id: str) -> None:
        """Have the outbox know what the broker has confirmed. Nobody who publishes waits for a Redis that is away."""
        self._newest_published = outbox_id
        if self.outbox.is_note_due():
            self._noting.start()

    def close(self) -> None:
        """End the connections that were made."""
        made = vars(self)
        for name in ("_asking", "_noting", "_redis"):
            if name in made:
                made[name].close()

    @cached_property
    def _noting(self) -> Background:
        return Background("noting what was published", lambda: self.outbox.published([self._newest_published]))

    @property
    def clock(self) -> Clock:
        return self._root.clock
