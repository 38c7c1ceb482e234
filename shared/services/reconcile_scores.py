"""Hold the ledger against the leaderboard without disturbing anybody, and repair the leaderboard by differences."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.reconciliation import Discrepancy, discrepancies
from shared.errors import LedgerBehind
from shared.logs import get_logger
from shared.ports import Clock, EventPublisher, Leaderboard, Ledger, Outbox
from shared.services.relay_outbox import relay_outbox

CATCH_UP_SECONDS = 60.0
POLL_SECONDS = 0.1
MAX_DETAILS = 100
MAX_LOOKS = 20
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a run needs; `catch_up_seconds` bounds how long it waits for the ledger."""

    leaderboard: Leaderboard
    ledger: Ledger
    outbox: Outbox
    publisher: EventPublisher
    clock: Clock
    catch_up_seconds: float = CATCH_UP_SECONDS


def reconcile_scores(stores: Reconciliation, *, dry_run: bool) -> dict[str, Any]:
    """Compare intervals, look again at what seems wrong, repair unless `dry_run`; raises LedgerBehind.

    The board is read, everything accepted until then reaches the ledger, the ledger is read, the board is read again: a total
    between the two readings is in order. Each repair adds the difference, which is right whatever is in flight.
    """
    started_at = stores.clock.now()
    if not stores.leaderboard.is_whole():
        return rebuild_leaderboard(stores)
    checked, suspects = _compare(stores)
    found, restless = _look_closely(suspects, stores)
    if not dry_run:
        for entry in found:
            _repair(entry, stores)
    run_id = stores.ledger.save_reconciliation(checked, found, dry_run=dry_run, started_at=started_at)
    summary = {
        "runId": run_id,
        "dryRun": dry_run,
        "checked": checked,
        "found": len(found),
        "leftForTheNextRun": len(restless),
        "repaired": 0 if dry_run else len(found),
        "rebuilt": False,
    }
    _log.info("reconciled", extra=summary)
    return {**summary, "discrepancies": [_as_json(entry) for entry in found[:MAX_DETAILS]]}


def rebuild_leaderboard(stores: Reconciliation) -> dict[str, Any]:
    """Fill a board that is not whole, once the ledger has everything that was accepted; a whole one is left alone."""
    if stores.leaderboard.is_whole():
        return {"rebuilt": False, "players": 0, "discrepancies": []}
    _catch_up(stores)
    players = stores.leaderboard.rebuild(stores.ledger.all_totals())
    _log.warning("leaderboard rebuilt from the ledger", extra={"players": players})
    return {"rebuilt": True, "players": players, "discrepancies": []}


def _compare(stores: Reconciliation) -> tuple[int, list[str]]:
    """How many players were compared, and who seems to be out of order."""
    before = stores.leaderboard.all_scores()
    _catch_up(stores)
    ledger = {entry.user_id: entry.total for entry in stores.ledger.all_totals()}
    after = stores.leaderboard.all_scores()
    return len(before.keys() | ledger.keys()), [entry.user_id for entry in discrepancies(before, ledger, after)]


def _look_closely(suspects: Sequence[str], stores: Reconciliation) -> tuple[list[Discrepancy], set[str]]:
    """The exact discrepancies of those whose score stood still while the ledger caught up, and who never did."""
    found: list[Discrepancy] = []
    restless = set(suspects)
    for _ in range(MAX_LOOKS):
        if not restless:
            break
        user_ids = sorted(restless)
        before = stores.leaderboard.scores(user_ids)
        _catch_up(stores)
        ledger = stores.ledger.totals(user_ids)
        after = stores.leaderboard.scores(user_ids)
        still = [user_id for user_id in user_ids if before.get(user_id) == after.get(user_id)]
        restless.difference_update(still)
        for user_id in still:
            entry = Discrepancy(user_id, ledger.get(user_id, 0), before.get(user_id), after.get(user_id))
            if entry.difference or entry.board_before is None:
                found.append(entry)
        if restless:
            stores.clock.sleep(POLL_SECONDS)
    return sorted(found, key=lambda entry: entry.user_id), restless


def _catch_up(stores: Reconciliation) -> None:
    """Wait until everything accepted by now is in the ledger: out of the outbox, and through the queue behind a marker."""
    deadline = stores.clock.now().timestamp() + stores.catch_up_seconds
    newest = stores.outbox.newest_id()
    while stores.outbox.waiting_up_to(newest):
        relay_outbox(stores.outbox, stores.publisher)
        _wait(stores.clock, deadline)
    marker_id = str(uuid.uuid4())
    stores.publisher.publish_marker(marker_id)
    while not stores.ledger.passed_marker(marker_id):
        _wait(stores.clock, deadline)


def _wait(clock: Clock, deadline: float) -> None:
    if clock.now().timestamp() > deadline:
        raise LedgerBehind
    clock.sleep(POLL_SECONDS)


def _repair(entry: Discrepancy, stores: Reconciliation) -> None:
    score = stores.leaderboard.adjust(entry.user_id, entry.difference)
    detail = {"difference": entry.difference, "ledgerTotal": entry.ledger_total, "newScore": score}
    stores.ledger.audit("score_repaired", actor="reconcile_scores", user_id=entry.user_id, detail=detail)


def _as_json(entry: Discrepancy) -> dict[str, Any]:
    return {
        "userId": entry.user_id,
        "ledgerTotal": entry.ledger_total,
        "boardBefore": entry.board_before,
        "boardAfter": entry.board_after,
        "difference": entry.difference,
    }
