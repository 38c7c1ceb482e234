"""How far the audit log is complete: ids are given before transactions commit, so a higher one may be seen before a lower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.core.clock import Clock

if TYPE_CHECKING:
    from shared.audit.postgresql import AuditSeals


LOOK_SECONDS = 0.05
ENDING_SECONDS = 5.0


def settled_horizon(seals: AuditSeals, clock: Clock, patience_seconds: float, *, ends_lasting: bool = False) -> int | None:
    """An id up to which no row will be added any more; None when who was writing has not ended after `patience_seconds`.

    That are the ids given away by a moment at which we also noted who was writing, once all of those have ended. With
    `ends_lasting` those of our own role that have not by then are ended, so that none of them can hold this up for good.
    """
    horizon = seals.horizon()
    writers = _left(horizon.writers, seals, clock, patience_seconds)
    if writers and ends_lasting:
        seals.end(writers)
        writers = _left(writers, seals, clock, ENDING_SECONDS)
    return None if writers else horizon.last_id


def _left(writers: frozenset[str], seals: AuditSeals, clock: Clock, patience_seconds: float) -> frozenset[str]:
    """Who has not ended in that time."""
    gives_up_at = clock.monotonic() + patience_seconds
    while writers := seals.still_writing(writers) if writers else writers:
        if clock.monotonic() >= gives_up_at:
            break
        clock.sleep(LOOK_SECONDS)
    return writers
