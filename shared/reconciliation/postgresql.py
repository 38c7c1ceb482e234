"""What the board should say, and the runs that held it against the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from shared.core.errors import PostgresUnavailable, ReconciliationRunning
from shared.core.logs import get_logger
from shared.ledger.events import Number
from shared.reconciliation.model import Discrepancy, EpochSpan, PastRun, ReconciliationRun
from shared.stores.leases import LeaseTaken, PostgresLeases, is_held
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement

PAGE = 5000
MAX_ID_LENGTH = 36
ANSWER_SECONDS = 120.0
MAX_DETAILS = 1000
SHOWN_DETAILS = 100
LEASE = "reconciliation"
_log = get_logger(__name__)


class PostgresReconciliations:
    """The port Reconciliations."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @contextmanager
    def alone(self) -> Iterator[int]:
        """By a lease, whose fencing number is the run's: a run whose process died keeps others away for half a minute."""
        try:
            with PostgresLeases(self._pool).held(LEASE) as fencing:
                yield fencing
        except LeaseTaken:
            raise ReconciliationRunning(retry_after_seconds=10) from None

    def begin(self) -> EpochSpan:
        """A transaction that took its epoch before may commit after we read: so each epoch is looked at by two runs."""
        with self._pool.connection() as session:
            [[opened]] = session.run("SELECT nextval('reconciliation_epoch')")
            [[last]] = session.run("SELECT coalesce(max(epoch), 1) FROM reconciliation_runs WHERE NOT dry_run")
        return EpochSpan(int(opened), int(last) - 1)

    def changed(self, since: int) -> Iterator[list[str]]:
        """A total that changes while we read moves to the newest epoch, which comes last: no player is missed."""
        epoch, after = since, ""
        while True:
            [[user_ids, last_epoch, last]] = self._run("changed_players_page", epoch=epoch, after=after, page=PAGE)
            if user_ids is None:
                return
            yield user_ids
            epoch, after = last_epoch, last

    def users_after(self, user_id: str, limit: int) -> list[str]:
        """By the primary key."""
        user_ids: list[str] | None = self._run("users_page", after=user_id, page=limit)[0][0]
        return user_ids or []

    def points_at(self, user_ids: Sequence[str], number: Number) -> dict[str, int]:
        """One JSON object, which is many times cheaper to read than its members as rows.

        Names that no account could have (someone wrote them into Redis) are not asked for.
        """
        possible = json.dumps(_possible(user_ids))
        points: dict[str, int] | None = self._run("points_at", user_ids=possible, epoch=number.epoch, sequence=number.sequence)[
            0
        ][0]
        return points or {}

    def unknown(self, user_ids: Sequence[str]) -> list[str]:
        """One look for each into the index of users."""
        possible = _possible(user_ids)
        unknown: list[str] = self._run("find_unknown_players", user_ids=json.dumps(possible))[0][0] or []
        return unknown + sorted(set(user_ids).difference(possible)) if len(possible) < len(user_ids) else unknown

    def points_after(self, user_id: str, limit: int) -> tuple[dict[str, int], str]:
        """From the index of users; admins among them count for the limit."""
        [[points, last, users]] = self._run("board_totals_page", after=user_id, page=limit)
        return points or {}, last if users == limit else ""

    def missing(self, user_ids: Sequence[str]) -> dict[str, int]:
        """From the audit log, by player."""
        return _numbers(self._run("find_missing_updates", user_ids=list(user_ids)))

    def restore(self, user_ids: Sequence[str], run_number: int) -> dict[str, int]:
        """In one statement, so that total and history agree; a statement for each player when that one is refused."""
        try:
            return _numbers(self._run_fenced("restore_missing_updates", run_number, user_ids=list(user_ids)))
        except StatementRejected as error:
            if not error.blames_the_row:
                raise PostgresUnavailable from error
            if len(user_ids) > 1:
                return {player: points for one in user_ids for player, points in self.restore([one], run_number).items()}
            _log.error("the ledger refuses updates that it had before", extra={"user_id": user_ids[0], "reason": str(error)})
            return {}

    def audit_repairs(self, discrepancies: Sequence[Discrepancy], run_number: int) -> None:
        """One statement for all."""
        self._run_fenced(
            "audit_repairs",
            run_number,
            user_ids=[entry.user_id for entry in discrepancies],
            details=[json.dumps(_as_json(entry)) for entry in discrepancies],
        )

    def save(self, run: ReconciliationRun) -> int:
        """With the first MAX_DETAILS of what was found; every repair has its audit row."""
        with self._pool.connection() as session:
            rows = session.run(
                "INSERT INTO reconciliation_runs (epoch, started_at, dry_run, whole_board, checked, discrepancies, detail)"
                " VALUES (:epoch, CAST(:started_at AS timestamptz), :dry_run, :whole_board, :checked, :discrepancies,"
                " CAST(:detail AS jsonb)) RETURNING id",
                epoch=run.epoch,
                started_at=run.started_at.isoformat(),
                dry_run=run.dry_run,
                whole_board=run.whole_board,
                checked=run.checked,
                discrepancies=len(run.discrepancies),
                detail=json.dumps([{"userId": entry.user_id, **_as_json(entry)} for entry in run.discrepancies[:MAX_DETAILS]]),
            )
        return int(rows[0][0])

    def newest(self, limit: int, before_id: int | None) -> list[PastRun]:
        """By the primary key, each with its first SHOWN_DETAILS."""
        rows = self._run("reconciliation_runs_page", before_id=before_id, limit=limit, details=SHOWN_DETAILS)
        return [PastRun(*row) for row in rows]

    def _run_fenced(self, name: str, run_number: int, **parameters: Any) -> list[list[Any]]:
        """In a transaction while which the lease cannot be taken over."""
        with self._pool.transaction("repair", ANSWER_SECONDS) as session:
            if not is_held(session, LEASE, run_number):
                raise ReconciliationRunning(retry_after_seconds=10)
            return session.run(statement(name), **parameters)

    def _run(self, name: str, **parameters: Any) -> list[list[Any]]:
        with self._pool.connection(ANSWER_SECONDS) as session:
            return session.run(statement(name), **parameters)


def _possible(user_ids: Sequence[str]) -> list[str]:
    return [user_id for user_id in user_ids if len(user_id) <= MAX_ID_LENGTH and user_id.isprintable()]


def _numbers(rows: Sequence[Sequence[Any]]) -> dict[str, int]:
    return {row[0]: int(row[1]) for row in rows}


def _as_json(entry: Discrepancy) -> dict[str, Any]:
    return {
        "ledgerTotal": entry.ledger_total,
        "boardBefore": entry.board_score,
        "boardAfter": entry.board_score,
        "missingPoints": entry.missing_points,
        "difference": entry.difference,
    }
