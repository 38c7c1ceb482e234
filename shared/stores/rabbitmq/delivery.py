"""Messages on their way to the broker, and those who wait for them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import monotonic

from shared.core import metrics
from shared.core.loop import Loop, LoopEvent


class Delivery:
    """One message in frames; `outbox_id` is its entry of the outbox, `keep` outlives a lost connection."""

    __slots__ = ("frames", "group", "is_confirmed", "keep", "message_id", "outbox_id", "queue")

    def __init__(
        self, queue: str, frames: bytes, message_id: str | None, *, outbox_id: str | None = None, keep: bool = False
    ) -> None:
        self.queue = queue
        self.frames = frames
        self.message_id = message_id
        self.outbox_id = outbox_id
        self.keep = keep
        self.is_confirmed = False
        self.group: Group | None = None

    @property
    def is_late(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.group is None or self.group.is_given_up


class Group:
    """All whose messages are written together: they are woken together, for one after another would cost as much again."""

    __slots__ = ("_woken", "due", "is_given_up", "left", "messages", "since")

    def __init__(self, loop: Loop | None) -> None:
        self.left = self.messages = 0
        self.due = self.since = 0.0
        self.is_given_up = False
        self._woken = threading.Event() if loop is None else LoopEvent(loop)

    def one_ended(self) -> None:
        """Another message was confirmed or refused; with the last one everybody is woken."""
        self.left -= 1
        if self.left == 0:
            self._woken.set()
            metrics.publish_confirm_seconds.observe(monotonic() - self.since, self.messages)

    def wake(self) -> None:
        """Nobody need wait any longer."""
        self.is_given_up = True
        self._woken.set()

    def wait(self, deliveries: Sequence[Delivery], seconds: float | None) -> bool:
        """Whether these messages were confirmed when the group was woken, or after `seconds`."""
        self._woken.wait(seconds)
        if len(deliveries) == 1:
            return deliveries[0].is_confirmed
        return all(delivery.is_confirmed for delivery in deliveries)
