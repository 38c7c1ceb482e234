"""Bring back what the leaderboard lost with Redis: all of it, or the last writes of a Redis that died."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.boards.open_epoch import open_epoch
from shared.boards.settle_places import settle_board_places, settle_places
from shared.boards.went_back import drop_what_went_back
from shared.core.logs import get_logger
from shared.ledger.catch_up import catch_up
from shared.ledger.events import EVERY_BOARD
from shared.reconciliation.rebuild_leaderboard import rebuild_leaderboard, rebuild_shard, show_viewers, windows_of
from shared.reconciliation.reconcile_boards import has_lost_members
from shared.reconciliation.reconcile_scores import Reconciliation, ReconciliationOptions, reconcile_scores
from shared.reconciliation.restore_windows import restore_results, restore_windows
from shared.reconciliation.settle_moderation import settle_moderation

if TYPE_CHECKING:
    from shared.ledger.postgresql import Ledger


Reconcile = Callable[[ReconciliationOptions], Mapping[str, Any]]
_log = get_logger(__name__)


def heal_leaderboard(stores: Reconciliation, reconcile: Reconcile | None = None) -> dict[str, Any]:
    """Rebuild a board that is not whole, and open an epoch where none is open. Where another Redis serves the board than the last
    time, restore what is kept of the latest updates and compare all boards with the ledger; compare players who are suspected,
    and seasons that have lost a key. Show or hide players whose accounts were changed, or about whom was decided, of late, and
    have Redis show what was decided about scores. Mostly there is nothing to do. Raises LedgerBehind: try again.

    A rebuilt board is compared with the ledger the next time, for what was still on its way.

    The same in a further shard, which has no `main`; `reconcile` compares the boards of all shards.
    """
    outcome = {"rebuilt": False, "players": 0, "reconciled": False}
    pipeline = stores.pipeline
    if stores.leaderboard.is_whole():
        open_epoch(stores.leaderboard, pipeline.ledger)
        outcome["reconciled"] = _reconcile(stores, reconcile or partial(reconcile_scores, stores))
    elif stores.has_main:
        outcome |= rebuild_leaderboard(stores.leaderboard, stores.reconciliations, stores.windows, pipeline, stores.boards.hidden)
    else:
        outcome["rebuilt"] = rebuild_shard(stores.leaderboard, stores.windows, pipeline, stores.boards)
    _settle_changed(stores)
    settle_moderation(stores)
    restore_results(stores.windows, stores.leaderboard, pipeline.ledger)
    return outcome


def _settle_changed(stores: Reconciliation) -> None:
    """Whoever changed an account, or hid a player, may have died before the player moved, or moved them on a board that a new one
    replaced.
    """
    changed = [profile.user_id for profile in stores.users.changed_of_late()]
    if stores.has_main:
        show_viewers(stores.pipeline, settle_places(changed, stores.leaderboard, stores.boards.hidden))
    show_viewers(stores.pipeline, settle_board_places(changed, stores.boards), [EVERY_BOARD])


def _reconcile(stores: Reconciliation, reconcile: Reconcile) -> bool:
    server = stores.board_check.server()
    is_known = stores.board_check.is_known_server(server)
    loses = stores.windows.losses().windows
    if loses or not is_known:
        newest = stores.leaderboard.newest_epoch().newest
        catch_up(stores.pipeline)  # updates that this Redis never had may still be in the queues
        if newest is not None:
            _give_up_lost(stores.pipeline.ledger, newest.epoch)
    if loses:
        drop_what_went_back(stores.boards)
        # Until their windows are known no update is accepted, and none is told a score that lacks what this Redis never had.
        kept = (lambda _: True) if stores.has_main else windows_of(stores.boards)
        stores.leaderboard.suspect(restore_windows(stores.windows, stores.pipeline.ledger, stores.pipeline.clock, kept))
        reconcile(ReconciliationOptions())
        stores.windows.windows_restored()
    if not is_known:
        summary = reconcile(ReconciliationOptions(full=True))
        stores.board_check.know_server(server)
        _log.warning("the board of a new Redis was compared with the ledger", extra={"repaired": summary["repaired"]})
        return True
    if stores.board_check.suspects() or has_lost_members(stores):
        reconcile(ReconciliationOptions())
        return True
    return False


def _give_up_lost(ledger: Ledger, epoch: int) -> None:
    lost = ledger.count_lost(epoch)
    if lost:
        told = {"updates": sum(lost.values()), "epochs": list(lost)}
        _log.error("Redis lost updates before anything else had them", extra=told)
