"""Hold the ledger against the leaderboard without disturbing anybody, and repair the leaderboard by differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared import metrics
from shared.domain.reconciliation import Discrepancy, ReconciliationRun, Sweep, differing
from shared.errors import InvalidParameter
from shared.logs import get_logger
from shared.ports import BoardCheck, Leaderboard, Reconciliations
from shared.services.catch_up import Pipeline, catch_up
from shared.services.rebuild_leaderboard import PAGE, rebuild_leaderboard, show_viewers

SWEPT = 1000
MAX_DETAILS = 100
MAX_LOOKS = 20
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a run needs: the board, the ledger, and the way between them."""

    leaderboard: Leaderboard
    board_check: BoardCheck
    reconciliations: Reconciliations
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class ReconciliationOptions:
    """What an admin may choose."""

    dry_run: bool
    full: bool

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> ReconciliationOptions:
        """Read `{"dryRun"?: bool, "full"?: bool}`, false if absent; raises InvalidParameter."""
        values = {name: body.get(name, False) for name in ("dryRun", "full")}
        wrong = [f"`{name}`" for name, value in values.items() if type(value) is not bool]
        if wrong:
            raise InvalidParameter(f"{' and '.join(wrong)} must be true or false.")
        return cls(values["dryRun"], values["full"])

    def as_json(self) -> dict[str, Any]:
        """As it was read."""
        return {"dryRun": self.dry_run, "full": self.full}


def reconcile_scores(stores: Reconciliation, *, dry_run: bool, full: bool = False) -> dict[str, Any]:
    """Find who is out of order, repair them unless `dry_run`, answer a summary; raises LedgerBehind or ReconciliationRunning.

    Looked at are all players whose total changed since the last run, those somebody suspects, and a part of all others: the run
    after goes on where this one stopped, so that a board of up to 1,000 players is compared whole each time and a larger one
    in as many runs as it has thousands. `full` compares everybody now.
    """
    if not stores.leaderboard.is_whole():
        rebuilt = rebuild_leaderboard(stores.leaderboard, stores.reconciliations, stores.pipeline)
        return {**_summary(0, 0, dry_run), **rebuilt, "discrepancies": []}
    with stores.reconciliations.alone():
        return _reconcile(stores, dry_run=dry_run, full=full)


def _reconcile(stores: Reconciliation, *, dry_run: bool, full: bool) -> dict[str, Any]:
    started_at, mark = stores.pipeline.clock.now(), stores.board_check.mark()
    span = stores.reconciliations.begin()
    start = Sweep() if full else stores.board_check.sweep()
    comparison = _Comparison(stores)
    following = comparison.everybody() if full else comparison.sweep(start)
    if start != Sweep() or following != Sweep():
        comparison.changed(span.since)
    exact, restless = _look_closely(sorted(comparison.suspects), stores)
    if not dry_run:
        _repair(exact, mark, stores)
        show_viewers(stores.pipeline, len(exact))
        stores.board_check.clear(comparison.suspects)
        stores.leaderboard.suspect(restless)
        stores.board_check.save_sweep(following)
    run = ReconciliationRun(span.opened, started_at, dry_run, full, comparison.checked, exact)
    summary = _summary(comparison.checked, len(exact), dry_run)
    summary |= {"runId": stores.reconciliations.save(run), "leftForTheNextRun": len(restless)}
    metrics.reconciliation_runs.of(_text(dry_run)).inc()
    metrics.discrepancies.of(_text(not dry_run)).inc(len(exact))
    _log.info("reconciled", extra=summary)
    return {**summary, "discrepancies": [_as_json(entry) for entry in exact[:MAX_DETAILS]]}


class _Comparison:
    """Reads both sides a step at a time and keeps only the names of those who differ, in flight or out of order."""

    def __init__(self, stores: Reconciliation) -> None:
        self._stores = stores
        self.suspects = stores.board_check.suspects()
        self.checked = 0

    def changed(self, since: int) -> None:
        """Those whose total changed in the epoch `since` or later."""
        for points in self._stores.reconciliations.changed(since):
            self._hold(self._stores.board_check.scores(list(points)), points)
            self.checked += len(points)

    def sweep(self, start: Sweep) -> Sweep:
        """A part of everybody: through the ledger, and through the board for whom the ledger does not know."""
        return Sweep(self._ledger_step(start.ledger_after, SWEPT), self._board_step(start.board_cursor, SWEPT))

    def everybody(self) -> Sweep:
        """The same from the beginning to the end."""
        after = self._ledger_step("", PAGE)
        while after:
            after = self._ledger_step(after, PAGE)
        cursor = self._board_step(0, PAGE)
        while cursor:
            cursor = self._board_step(cursor, PAGE)
        return Sweep()

    def _ledger_step(self, after: str, limit: int) -> str:
        points, following = self._stores.reconciliations.points_after(after, limit)
        self._hold(self._stores.board_check.scores(list(points)), points)
        self.checked += len(points)
        return following

    def _board_step(self, cursor: int, count: int) -> int:
        following, names = self._stores.board_check.scan(cursor, count)
        self.suspects.update(self._stores.reconciliations.unknown(names))
        return following

    def _hold(self, board: dict[str, int], ledger: dict[str, int]) -> None:
        self.suspects.update(differing(board, ledger))


def _look_closely(suspects: Sequence[str], stores: Reconciliation) -> tuple[list[Discrepancy], set[str]]:
    """The exact discrepancies, and those of whom nothing exact could be said.

    The board is read, everything accepted until then reaches the ledger, the ledger is read, the board is read again. Of one
    whose score stood still the ledger must say the same; of one who went on scoring, it must without what came after the first
    reading.
    That depends on the board's clock, so a discrepancy found in this way must be found twice.
    """
    found: dict[str, Discrepancy] = {}
    claims: dict[str, int] = {}
    open_ones = set(suspects)
    for _ in range(MAX_LOOKS):
        if not open_ones:
            break
        user_ids = sorted(open_ones)
        before, instant = stores.board_check.snapshot(user_ids)
        catch_up(stores.pipeline)
        ledger = stores.reconciliations.points(user_ids)
        after = stores.board_check.scores(user_ids)
        still = [user_id for user_id in user_ids if before.get(user_id) == after.get(user_id)]
        entries = [Discrepancy(user_id, ledger.get(user_id), before.get(user_id), after.get(user_id)) for user_id in still]
        for entry in _as_of(instant, before, sorted(open_ones.difference(still)), stores):
            if entry.is_in_order or claims.get(entry.user_id) == entry.difference:
                entries.append(entry)
            claims[entry.user_id] = entry.difference
        open_ones.difference_update(entry.user_id for entry in entries)
        found |= {entry.user_id: entry for entry in _with_missing_points(entries, stores) if not entry.is_in_order}
    return [found[user_id] for user_id in sorted(found)], open_ones


def _as_of(instant: datetime, before: Mapping[str, int], moving: Sequence[str], stores: Reconciliation) -> list[Discrepancy]:
    """Those whose score moved meanwhile, without what came after the first reading.

    Not one with an update in the very millisecond of the reading, nor where more came later than the board moved by: then a
    clock was set back, and "later" means nothing.
    """
    if not moving:
        return []
    ledger = stores.reconciliations.points_as_of(moving, instant)
    now = stores.board_check.scores(moving)
    return [
        Discrepancy(user_id, then.points - then.later, before[user_id], before[user_id])
        for user_id, then in ledger.items()
        if user_id in before and not then.unclear and 0 <= then.later <= now.get(user_id, 0) - before[user_id]
    ]


def _with_missing_points(entries: Sequence[Discrepancy], stores: Reconciliation) -> list[Discrepancy]:
    """Where the board says more than the ledger, the audit log may know what the ledger lost."""
    poorer = [entry.user_id for entry in entries if entry.difference < 0 and not entry.is_invented]
    missing = stores.reconciliations.missing(poorer) if poorer else {}
    return [replace(entry, missing_points=missing.get(entry.user_id, 0)) for entry in entries]


def _repair(found: Sequence[Discrepancy], mark: str, stores: Reconciliation) -> None:
    """Audited before it is done. Adding the difference is right whatever is in flight; setting a value would swallow that."""
    if not found:
        return
    stores.reconciliations.audit_repairs(found)
    incomplete = [entry.user_id for entry in found if entry.missing_points]
    if incomplete:
        stores.reconciliations.restore(incomplete)
    changes = {entry.user_id: None if entry.is_invented else entry.difference for entry in found}
    stores.board_check.repair(changes, mark)


def _summary(checked: int, found: int, dry_run: bool) -> dict[str, Any]:
    return {"dryRun": dry_run, "checked": checked, "found": found, "repaired": 0 if dry_run else found, "rebuilt": False}


def _as_json(entry: Discrepancy) -> dict[str, Any]:
    return {
        "userId": entry.user_id,
        "ledgerTotal": entry.ledger_total,
        "boardBefore": entry.board_before,
        "boardAfter": entry.board_after,
        "missingPoints": entry.missing_points,
        "difference": entry.difference,
    }


def _text(flag: bool) -> str:
    return "true" if flag else "false"
