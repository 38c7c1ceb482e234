"""The queues of updates: how many there are, and which of them carries a player's."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

HISTORY = "score_history_queue"
MAX_HISTORY_QUEUES = 4


def history_queues(count: int) -> tuple[str, ...]:
    """Their names: the specification's, then `score_history_queue.2` and so on."""
    return (HISTORY, *(f"{HISTORY}.{number}" for number in range(2, count + 1)))


def queue_of(user_id: str, queues: Sequence[str]) -> str:
    """All updates of a player take one way, so that they arrive in their order; the same in every process and version."""
    return queues[crc32(user_id.encode()) % len(queues)]
