"""Updates that have left `score_history` for the months beside it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session, text_array
from shared.stores.postgresql.statements import statement


class OldUpdates(NamedTuple):
    """What the archive knows: which of the request ids it has; and until when (UTC) what was recorded may be in files alone."""

    known: list[str]
    lost_sight_of_until: datetime | None


class HistoryArchive:
    """The months of `score_history_archive` (PostgreSQL)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def move(self, months: int, limit: int) -> int:
        """Move up to `limit` updates that are older than so many whole months, the oldest first; answer how many."""
        with self._pool.transaction("archive_history") as session:
            [[moved]] = session.run(
                "SELECT archive_history(CAST(:months AS int), CAST(:limit AS int))", months=months, limit=limit
            )
        return int(moved)


def find_old_updates(session: Session, request_ids: Collection[str]) -> OldUpdates:
    """Whether the archive has these, in the transaction in which they are to be recorded."""
    [[known, until]] = session.run(statement("find_old_updates"), request_ids=text_array(list(request_ids)))
    return OldUpdates(known, until)
