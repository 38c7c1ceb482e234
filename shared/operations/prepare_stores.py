"""Make PostgreSQL, RabbitMQ and Redis ready to serve, however often and by however many it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from shared.boards.open_epoch import open_epoch
from shared.boards.settle_places import settle_board_places, settle_hidden, settle_places
from shared.core.errors import RedisUnavailable
from shared.core.logs import get_logger
from shared.operations.claim_stores import Ownership, claim_stores, refuse_strangers
from shared.reconciliation.rebuild_leaderboard import pages
from shared.reconciliation.reconcile_scores import Reconciliation
from shared.reconciliation.restore_windows import restore_windows

if TYPE_CHECKING:
    from shared.boards.fill_boards import BoardStores
    from shared.ledger.topology_rabbitmq import Topology
    from shared.stores.postgresql.migrations import Migrations


_log = get_logger(__name__)


def prepare_stores(
    own: Ownership,
    join: Callable[[], None],
    migrations: Migrations,
    topology: Topology,
    stores: Reconciliation,
    further: Sequence[Reconciliation] = (),
) -> dict[str, Any]:
    """Schema, queues, and a board that is filled from the ledger if Redis came up empty; nobody is shown who is to be hidden;
    returns what was done. Of the `further` shards those that are away, or not whole, are seen to by rebuild_leaderboard.

    Raises ForeignStores before anything is written where the stores are another installation's, and what `join` raises, before
    any queue is touched, where this instance does not go with those that are there.
    """
    refuse_strangers(own)
    applied = migrations.apply()
    installation_id = claim_stores(own)
    join()
    queues = topology.declare()
    players = 0
    ledger, leaderboard = stores.pipeline.ledger, stores.leaderboard
    if not leaderboard.is_whole() and not topology.backlog():
        restore_windows(stores.windows, ledger, stores.pipeline.clock)
        players = leaderboard.rebuild(pages(stores.reconciliations), stores.boards.hidden.pages_of_main())
        stores.windows.windows_restored()
    if leaderboard.is_whole():
        open_epoch(leaderboard, ledger)
        hidden = stores.boards.hidden
        for user_ids in chain(hidden.pages_of_main(), stores.board_check.hidden()):
            settle_places(user_ids, leaderboard, hidden)
        _settle_boards(stores.boards)
    for shard in further:
        try:
            _open_shard(shard)
        except RedisUnavailable:
            _log.warning("a shard does not answer: its boards are away", extra={"shard": shard.shard})
    # With updates still on their way to the ledger it would come out too low: then rebuild_leaderboard fills it behind them.
    summary = {"installation": installation_id, "migrations": applied, "queues": queues, "players": players}
    _log.info("stores are ready", extra=summary)
    return summary


def _settle_boards(boards: BoardStores) -> None:
    for user_ids in boards.hidden.pages():
        settle_board_places(user_ids, boards)
    settle_hidden(boards)


def _open_shard(shard: Reconciliation) -> None:
    """A new one takes boards at once; where there are boards already, entries of theirs may be on their way to the ledger."""
    if not shard.leaderboard.is_whole() and not shard.boards.boards.list():
        shard.leaderboard.open()
    if shard.leaderboard.is_whole():
        open_epoch(shard.leaderboard, shard.pipeline.ledger)
        _settle_boards(shard.boards)
