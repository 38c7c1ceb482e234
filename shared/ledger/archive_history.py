"""Move updates that are older than HISTORY_MONTHS out of `score_history`, into the months beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.core.clock import Clock
from shared.core.logs import get_logger

if TYPE_CHECKING:
    from shared.ledger.archive_postgresql import HistoryArchive

ROWS_AT_ONCE = 2000
MAX_SECONDS = 140.0  # half of what a run may take: the audit log has the other
_log = get_logger(__name__)


def archive_history(months: int, archive: HistoryArchive, clock: Clock) -> int:
    """Move what is older than so many whole months; answer how many updates. What time does not suffice for is the next run's.

    A transaction for every few, and as long a pause behind each: updates that are recorded meanwhile do not notice.
    """
    ends_at, moved = clock.monotonic() + MAX_SECONDS, 0
    while (began := clock.monotonic()) < ends_at and (rows := archive.move(months, ROWS_AT_ONCE)):
        moved += rows
        clock.sleep(clock.monotonic() - began)
    if moved:
        _log.info("old updates were moved out of score_history", extra={"updates": moved})
    return moved
