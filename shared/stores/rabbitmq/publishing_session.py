"""A publishing connection as long as it lasts: what was written to it, and what the broker said of that."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence

from shared.stores.rabbitmq.delivery import Delivery, Group
from shared.stores.rabbitmq.frames import Confirm
from shared.stores.rabbitmq.link import Link


class PublishingSession:
    """`refused_at` is when the broker first said no to a message (monotonic seconds); None while it did not."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.opened_at = time.monotonic()
        self.refused_at: float | None = None
        self.answered_at = self.opened_at  # or since when something has been on its way
        self.unconfirmed: dict[int, Delivery] = {}
        self.groups: deque[Group] = deque()
        self.is_writing = False
        self._next_tag = 1
        self._returning_from = ""
        self._returned: Counter[tuple[str, str | None]] = Counter()

    def add(self, deliveries: Sequence[Delivery], group: Group) -> None:
        """They are written next; counted as the broker will count them."""
        if not self.unconfirmed:
            self.answered_at = time.monotonic()
        self.groups.append(group)
        self.unconfirmed.update(enumerate(deliveries, self._next_tag))
        self._next_tag += len(deliveries)

    def ended(self, confirm: Confirm) -> list[Delivery]:
        """The messages a confirm is about."""
        self.answered_at = time.monotonic()
        if not confirm.multiple:
            delivery = self.unconfirmed.pop(confirm.tag, None)
            return [] if delivery is None else [delivery]
        found = []
        for tag in self.unconfirmed:
            if tag > confirm.tag:
                break
            found.append(tag)
        return [self.unconfirmed.pop(tag) for tag in found]

    def return_begins(self, queue: str) -> None:
        """The broker gives back a message, for this queue does not exist; its properties follow, and a confirm that is none."""
        self._returning_from = queue

    def is_returned(self, message_id: str | None) -> None:
        """The properties of the message that is given back."""
        self._returned[self._returning_from, message_id] += 1

    def parted(self, confirmed: list[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
        """Of the confirmed messages those that arrived and those that were given back.

        Nobody can tell messages without ids apart: while one of a queue's was given back, all that are confirmed with it count
        as given back. Another may have been given back whose confirm is still to come, so that they are counted.
        """
        if not self._returned:
            return confirmed, []
        arrived: list[Delivery] = []
        unroutable: list[Delivery] = []
        for delivery in confirmed:
            (unroutable if (delivery.queue, delivery.message_id) in self._returned else arrived).append(delivery)
        self._returned -= Counter((delivery.queue, delivery.message_id) for delivery in unroutable)
        return arrived, unroutable
