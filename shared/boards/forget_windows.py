"""Forget what is kept of updates that are past: none of it has a TTL in Redis, or it might vanish too early."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.boards.redis import RateWindows
    from shared.ledger.postgresql import Ledger


BATCH = 1000
MAX_BATCHES = 2000


def forget_windows(windows: RateWindows, ledger: Ledger) -> dict[str, int]:
    """Returns of how many players windows and spent tickets were dropped, and how many idempotency keys; safe to run side by
    side.
    """
    return {"forgotten": _all(windows.forget), "results": _all(windows.forget_results), "keys": _all(ledger.forget_keys)}


def _all(forget: Callable[[int], int]) -> int:
    forgotten = 0
    for _ in range(MAX_BATCHES):
        batch = forget(BATCH)
        forgotten += batch
        if batch < BATCH:
            break
    return forgotten
