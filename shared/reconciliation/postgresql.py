"""What the board should say, and the runs that held it against the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from shared.core.errors import PostgresUnavailable, ReconciliationRunning
from shared.core.logs import get_logger
from shared.ledger.events import Number
from shared.reconciliation.model import EpochSpan, Finding, PastRun, ReconciliationRun, is_possible, readable
from shared.stores.leases import Leases, LeaseTaken, is_held
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement

PAGE = 5000
ANSWER_SECONDS = 120.0
MAX_DETAILS = 1000
SHOWN_DETAILS = 100
LEASE = "reconciliation"
_log = get_logger(__name__)


class Reconciliations:
    """What the board should say, as the ledger knows it, and the runs that held one against the other (PostgreSQL).

    A player's points here are what was accepted: recorded, or noted as waiting (refused for its own sake, not lost).
    """

    def __init__(self, pool: Pool, increments: range) -> None:
        """`increments`: by how much an update may change a score."""
        self._pool = pool
        self._increments = [str(increment) for increment in increments]

    @contextmanager
    def alone(self) -> Iterator[int]:
        """One run at a time, or two would repair the same difference twice; raises ReconciliationRunning.

        Gives the number of the run: what a run writes is refused when a later one has begun, for it may have been held up so long
        that its turn was over.

        By a lease, whose fencing number is the run's: a run whose process died keeps others away for half a minute.
        """
        try:
            with Leases(self._pool).held(LEASE) as fencing:
                yield fencing
        except LeaseTaken:
            raise ReconciliationRunning(retry_after_seconds=10) from None

    def begin(self) -> EpochSpan:
        """Open a new epoch; answer it, and the one from which on totals changed since the last run that repaired.

        A transaction that took its epoch before may commit after we read: so each epoch is looked at by two runs.
        """
        with self._pool.connection() as session:
            [[opened]] = session.run("SELECT nextval('reconciliation_epoch')")
            [[last]] = session.run("SELECT coalesce(max(epoch), 1) FROM reconciliation_runs WHERE NOT dry_run")
        return EpochSpan(int(opened), int(last) - 1)

    def changed(self, since: int) -> Iterator[list[str]]:
        """Players whose total changed in the epoch `since` or later, in pages.

        A total that changes while we read moves to the newest epoch, which comes last: no player is missed.
        """
        epoch, after = since, ""
        while True:
            [[user_ids, last_epoch, last]] = self._run("changed_players_page", epoch=epoch, after=after, page=PAGE)
            if user_ids is None:
                return
            yield user_ids
            epoch, after = last_epoch, last

    def users_after(self, user_id: str, limit: int) -> list[str]:
        """At most `limit` user ids above this one, in their order."""
        user_ids: list[str] | None = self._run("users_page", after=user_id, page=limit)[0][0]
        return user_ids or []

    def points_at(self, user_ids: Sequence[str], number: Number) -> dict[str, int]:
        """Points of those of the users who belong on the board, as accepted up to this number.

        One JSON object, which is many times cheaper to read than its members as rows.

        Names that no account could have (someone wrote them into Redis) are not asked for.
        """
        possible = json.dumps(_possible(user_ids))
        points: dict[str, int] | None = self._run("points_at", user_ids=possible, epoch=number.epoch, sequence=number.sequence)[
            0
        ][0]
        return points or {}

    def unknown(self, user_ids: Sequence[str]) -> list[str]:
        """Those who do not belong on the board."""
        possible = _possible(user_ids)
        unknown: list[str] = self._run("find_unknown_players", user_ids=json.dumps(possible))[0][0] or []
        return unknown + sorted(set(user_ids).difference(possible)) if len(possible) < len(user_ids) else unknown

    def points_after(self, user_id: str, limit: int) -> tuple[dict[str, int], str]:
        """At most `limit` players with ids above `user_id`, in their order, and where the next page begins: "" after the last.

        From the index of users; admins among them count for the limit.
        """
        [[points, last, users]] = self._run("board_totals_page", after=user_id, page=limit)
        return points or {}, last if users == limit else ""

    def missing(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Points that the audit log says were recorded and that the ledger has no more."""
        return _numbers(self._run("find_missing_updates", user_ids=list(user_ids), increments=self._increments))

    def restore(self, user_ids: Sequence[str], run_number: int) -> dict[str, int]:
        """Give the ledger those updates back; answer the points, without those of players whose updates it refuses now.

        Raises ReconciliationRunning when another run has begun.

        In one statement, so that total and history agree; a statement for each player when that one is refused.
        """
        try:
            return _numbers(
                self._run_fenced("restore_missing_updates", run_number, user_ids=list(user_ids), increments=self._increments)
            )
        except StatementRejected as error:
            if not error.blames_the_row:
                raise PostgresUnavailable from error
            if len(user_ids) > 1:
                return {player: points for one in user_ids for player, points in self.restore([one], run_number).items()}
            _log.error("the ledger refuses updates that it had before", extra={"user_id": user_ids[0], "reason": str(error)})
            return {}

    def audit_repairs(self, discrepancies: Sequence[Finding], run_number: int) -> None:
        """One audit row for each repair, without an id where the name on the board is none. Raises ReconciliationRunning when
        another run has begun.
        """
        self._run_fenced(
            "audit_repairs",
            run_number,
            user_ids=[entry.user_id if is_possible(entry.user_id) else None for entry in discrepancies],
            details=[json.dumps(_as_json(entry)) for entry in discrepancies],
        )

    def save(self, run: ReconciliationRun) -> int:
        """Write one row of reconciliation_runs; answer its id.

        With the first MAX_DETAILS of what was found; every repair has its audit row.
        """
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
                detail=json.dumps(
                    [{"userId": readable(entry.user_id), **_as_json(entry)} for entry in run.discrepancies[:MAX_DETAILS]]
                ),
            )
        return int(rows[0][0])

    def newest(self, limit: int, before_id: int | None) -> list[PastRun]:
        """Runs with ids below `before_id`, newest first.

        By the primary key, each with its first SHOWN_DETAILS.
        """
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
    return [user_id for user_id in user_ids if is_possible(user_id)]


def _numbers(rows: Sequence[Sequence[Any]]) -> dict[str, int]:
    return {row[0]: int(row[1]) for row in rows}


def _as_json(entry: Finding) -> dict[str, Any]:
    return {**entry.as_json(), **({} if is_possible(entry.user_id) else {"name": readable(entry.user_id)})}
