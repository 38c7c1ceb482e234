"""Forget what is kept of updates that are past: none of it has a TTL in Redis, or it might vanish too early."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shared.stores.everywhere import everywhere

if TYPE_CHECKING:
    from shared.boards.redis import RateWindows
    from shared.ledger.postgresql import Ledger


BATCH = 1000
MAX_BATCHES = 2000


def forget_windows(windows: Sequence[RateWindows], ledger: Ledger) -> dict[str, int]:
    """Returns of how many players windows and spent tickets were dropped, and how many idempotency keys; safe to run side by
    side. `windows` are those of each shard.
    """
    done = Counter(forgotten=0, results=0, keys=_all(ledger.forget_keys))

    def forget(shard: RateWindows) -> None:
        done.update(forgotten=_all(shard.forget), results=_all(shard.forget_results))

    everywhere(windows, forget)
    return dict(done)


def _all(forget: Callable[[int], int]) -> int:
    forgotten = 0
    for _ in range(MAX_BATCHES):
        batch = forget(BATCH)
        forgotten += batch
        if batch < BATCH:
            break
    return forgotten
