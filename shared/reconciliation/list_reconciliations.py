"""The runs that held the ledger against the leaderboard, and what they found, newest first, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.accounts.find_users import name_users
from shared.core.clock import utc_text
from shared.core.cursor import make_cursor, read_cursor
from shared.reconciliation.model import PastRun

if TYPE_CHECKING:
    from shared.accounts.postgresql import Users
    from shared.reconciliation.postgresql import Reconciliations


DEFAULT_LIMIT, MAX_LIMIT = 20, 100


def list_reconciliations(limit: int, cursor: str, reconciliations: Reconciliations, users: Users) -> dict[str, Any]:
    """`{"data": [...], "nextCursor": ..., "usernames": {...}}`; raises InvalidParameter."""
    runs = reconciliations.newest(limit + 1, read_cursor(cursor))
    page = runs[:limit]
    return {
        "data": [_as_json(run) for run in page],
        "nextCursor": make_cursor(page[-1].run_id) if len(runs) > limit else None,
        "usernames": name_users((entry["userId"] for run in page for entry in run.discrepancies), users),
    }


def _as_json(run: PastRun) -> dict[str, Any]:
    return {
        "runId": run.run_id,
        "startedAt": utc_text(run.started_at),
        "finishedAt": utc_text(run.finished_at),
        "dryRun": run.dry_run,
        "full": run.whole_board,
        "checked": run.checked,
        "found": run.found,
        "discrepancies": list(run.discrepancies),
    }
