"""What has arrived and was not handed over yet, and when it makes a batch."""

from __future__ import annotations

from collections import deque

from local_runtime.hosting.events.queue import QueueDelivery
from local_runtime.hosting.invoker import MAX_PAYLOAD_BYTES

_EVENT_BYTES = 4096  # what surrounds the messages: source, queue, virtual host


class BatchBuffer:
    """A batch is due when it is full, when its window has passed or when its payload is as large as an event may be.

    One that is not full also waits until `pace_seconds` have passed since the one before it was taken: what comes seldom is
    handed over at once, what comes all the time is not handed over piece by piece, when each costs a transaction.
    """

    def __init__(
        self, batch_size: int, window_seconds: float, *, pace_seconds: float = 0.0, max_bytes: int = MAX_PAYLOAD_BYTES
    ) -> None:
        self._batch_size = batch_size
        self._window_seconds = window_seconds
        self._max_bytes = max_bytes - _EVENT_BYTES
        self._deliveries: deque[QueueDelivery] = deque()
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._pace_seconds = pace_seconds
        self._first_at = self._not_before = 0.0

    def __len__(self) -> int:
        return len(self._deliveries)

    def add(self, delivery: QueueDelivery, now: float) -> None:
        """Another message arrived."""
        if not self._deliveries:
            self._first_at = now
        size = delivery.payload_bytes
        self._deliveries.append(delivery)
        self._sizes.append(size)
        self._bytes += size

    def wait_seconds(self, now: float) -> float | None:
        """How long until the next batch is due; 0 when it is, None when there is nothing."""
        if not self._deliveries:
            return None
        if len(self._deliveries) >= self._batch_size or self._bytes >= self._max_bytes:
            return 0.0
        return max(0.0, self._first_at + self._window_seconds - now, self._not_before - now)

    def pace_left(self, now: float) -> float:
        """Seconds until the pace allows the next batch that is not full."""
        return self._not_before - now

    def take(self, now: float) -> list[QueueDelivery]:
        """Remove a batch, in order; a message that is too large for an event goes alone."""
        count = size = 0
        for added in self._sizes:
            if count == self._batch_size or (count and size + added > self._max_bytes):
                break
            count += 1
            size += added
        for _ in range(count):
            self._sizes.popleft()
        self._bytes -= size
        self._first_at, self._not_before = now, now + self._pace_seconds
        return [self._deliveries.popleft() for _ in range(count)]
