"""Bring back what the leaderboard lost with Redis: all of it, or the last writes of a Redis that died."""

from __future__ import annotations

from typing import Any

from shared.logs import get_logger
from shared.services.rebuild_leaderboard import rebuild_leaderboard
from shared.services.reconcile_scores import Reconciliation, reconcile_scores

_log = get_logger(__name__)


def heal_leaderboard(stores: Reconciliation) -> dict[str, Any]:
    """A board that is not whole is rebuilt; one that Redis brought along from another life is held against the ledger, and so
    are players whom somebody suspects. Mostly there is nothing to do. Raises LedgerBehind: try again.

    A rebuilt board is held against the ledger the next time, for what was still under way.
    """
    if not stores.leaderboard.is_whole():
        return {**rebuild_leaderboard(stores.leaderboard, stores.reconciliations, stores.pipeline), "reconciled": False}
    server = stores.board_check.server()
    if not stores.board_check.is_known_server(server):
        summary = reconcile_scores(stores, dry_run=False, full=True)
        stores.board_check.know_server(server)
        _log.warning("the board of a new Redis was held against the ledger", extra={"repaired": summary["repaired"]})
        return {"rebuilt": False, "players": 0, "reconciled": True}
    if stores.board_check.suspects():
        reconcile_scores(stores, dry_run=False)
        return {"rebuilt": False, "players": 0, "reconciled": True}
    return {"rebuilt": False, "players": 0, "reconciled": False}
