"""Bring back what the leaderboard lost with Redis: all of it, or the last writes of a Redis that died."""

from __future__ import annotations

from typing import Any

from shared.logs import get_logger
from shared.services.catch_up import catch_up
from shared.services.open_epoch import open_epoch
from shared.services.rebuild_leaderboard import rebuild_leaderboard
from shared.services.reconcile_scores import Reconciliation, ReconciliationOptions, reconcile_scores

_log = get_logger(__name__)


def heal_leaderboard(stores: Reconciliation) -> dict[str, Any]:
    """Rebuild a board that is not whole, and open an epoch where none is open. Compare the board with the ledger when another
    Redis serves it than the last time, and players who are suspected. Mostly there is nothing to do. Raises LedgerBehind: try
    again.

    A rebuilt board is compared with the ledger the next time, for what was still on its way.
    """
    if not stores.leaderboard.is_whole():
        return {**rebuild_leaderboard(stores.leaderboard, stores.reconciliations, stores.pipeline), "reconciled": False}
    open_epoch(stores.leaderboard, stores.pipeline.ledger)
    server = stores.board_check.server()
    if not stores.board_check.is_known_server(server):
        catch_up(stores.pipeline)  # updates that this Redis never had may still be in the queues
        summary = reconcile_scores(stores, ReconciliationOptions(full=True))
        stores.board_check.know_server(server)
        _log.warning("the board of a new Redis was held against the ledger", extra={"repaired": summary["repaired"]})
        return {"rebuilt": False, "players": 0, "reconciled": True}
    if stores.board_check.suspects():
        reconcile_scores(stores, ReconciliationOptions())
        return {"rebuilt": False, "players": 0, "reconciled": True}
    return {"rebuilt": False, "players": 0, "reconciled": False}
