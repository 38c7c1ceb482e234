"""How far the audit log is complete: ids are given before transactions commit, so a higher one may be seen before a lower."""

from __future__ import annotations

from shared.ports import AuditSeals, Clock

LOOK_SECONDS = 0.05


def settled_horizon(seals: AuditSeals, clock: Clock, patience_seconds: float) -> int | None:
    """An id up to which no row will be added any more; None when who was writing has not ended after `patience_seconds`.

    That are the ids given away by a moment at which we also noted who was writing, once all of those have ended.
    """
    horizon = seals.horizon()
    writers = horizon.writers
    gives_up_at = clock.monotonic() + patience_seconds
    while writers := seals.still_writing(writers) if writers else writers:
        if clock.monotonic() >= gives_up_at:
            return None
        clock.sleep(LOOK_SECONDS)
    return horizon.last_id
