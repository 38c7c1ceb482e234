"""The queues of updates: their names, their arguments, and which of them an update takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

HISTORY = "score_history_queue"
MAX_HISTORY_QUEUES = 4
# One for each attempt: within a queue all wait equally long, so that nobody waits for the one in front.
RETRIES = ("score_history_queue.retry", "score_history_queue.retry.2", "score_history_queue.retry.3")
DEAD_LETTERS = "score_history_queue.dlq"
UPDATED = "score_updated_queue"
REBUILD = "leaderboard_rebuild_queue"
MAX_WAITING_BROADCASTS = 10_000
# A batch that returns because PostgreSQL is away, and a dead letter that was looked at, count against nobody. From RabbitMQ 4 on
# a quorum queue drops what returned 20 times unless it is told otherwise; -1 for "never" is understood by no older one.
WITHOUT_LIMIT = {"x-delivery-limit": 1_000_000_000}
QUEUES: dict[str, dict[str, Any]] = {
    HISTORY: WITHOUT_LIMIT,
    # What waits here returns by itself when its time is over, and is not lost on the way.
    **{
        name: {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": HISTORY,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        for name in RETRIES
    },
    DEAD_LETTERS: WITHOUT_LIMIT,
    # Only says that something changed: of very many the newest are enough.
    UPDATED: {"x-max-length": MAX_WAITING_BROADCASTS, "x-overflow": "drop-head"},
    # Wakes a function up: one message is as good as many.
    REBUILD: {"x-max-length": 1, "x-overflow": "drop-head"},
}


def history_queues(count: int) -> tuple[str, ...]:
    """Their names: the specification's, then `score_history_queue.2` and so on."""
    return (HISTORY, *(f"{HISTORY}.{number}" for number in range(2, count + 1)))


def queue_of(user_id: str, queues: Sequence[str]) -> str:
    """All updates of a player take one way, so that they arrive in their order; the same in every process and version."""
    return queues[crc32(user_id.encode()) % len(queues)]
