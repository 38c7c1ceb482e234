"""Messages whose queue is missing wait here while it is declared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from shared.core.background import Background
from shared.core.logs import get_logger
from shared.stores.rabbitmq.delivery import Delivery

PAUSE_SECONDS = 1.0  # between two attempts
_log = get_logger(__name__)


class Unroutable:
    """`declare` is called in a thread of its own; whatever comes of it, `give_back` then gets what waits here."""

    def __init__(
        self, declare: Callable[[], object], give_back: Callable[[list[Delivery]], None], stopping: threading.Event
    ) -> None:
        self._declare = declare
        self._give_back = give_back
        self._stopping = stopping
        self._lock = threading.Lock()
        self._waiting: list[Delivery] = []
        self._declaring = Background("declaring missing queues", self._run)

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, queue: str, deliveries: Sequence[Delivery]) -> None:
        """Have the queue declared; of messages without an id one for each queue is as good as many."""
        if not self._declaring.is_running:
            _log.error("a queue is missing; declaring what is not there", extra={"queue": queue})
        with self._lock:
            for delivery in deliveries:
                if delivery.message_id is not None or all(delivery.queue != other.queue for other in self._waiting):
                    self._waiting.append(delivery)
        self._declaring.start()

    def _run(self) -> None:
        try:
            self._declare()
        finally:
            with self._lock:
                waiting, self._waiting = self._waiting, []
            self._give_back(waiting)
            self._stopping.wait(PAUSE_SECONDS)
