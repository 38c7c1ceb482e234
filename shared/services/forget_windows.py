"""Forget the rate windows and spent tickets of players who stopped playing: neither has a TTL, so somebody must."""

from __future__ import annotations

from shared.ports import RateWindows

BATCH = 1000
MAX_BATCHES = 2000


def forget_windows(windows: RateWindows) -> int:
    """Answer of how many players; safe to run twice and side by side."""
    forgotten = 0
    for _ in range(MAX_BATCHES):
        batch = windows.forget(BATCH)
        forgotten += batch
        if batch < BATCH:
            break
    return forgotten
