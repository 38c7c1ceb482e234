"""Takes what lies in a queue with one consumer.

Never with `basic_get`: RabbitMQ may give back many messages taken in that way in another order after it has replayed its log, and
an acknowledgement then removes another message.
"""

from __future__ import annotations

from collections.abc import Iterator

import pika
from pika.adapters.blocking_connection import BlockingChannel

MAX_PREFETCH = 65_535  # the protocol's
PATIENCE_SECONDS = 2.0
Taken = tuple[int, pika.BasicProperties, bytes]


def count_messages(channel: BlockingChannel, queue: str) -> int:
    """Those that are ready; a queue that is not there is pika's ChannelClosedByBroker."""
    count: int = channel.queue_declare(queue, passive=True).method.message_count
    return count


def take_messages(channel: BlockingChannel, queue: str) -> Iterator[Taken]:
    """Delivery tag, properties and body of what is ready now, oldest first, at most MAX_PREFETCH messages.

    The broker takes back in their order those that are not acknowledged when the channel closes.
    """
    most = min(count_messages(channel, queue), MAX_PREFETCH)
    if not most:
        return
    channel.basic_qos(prefetch_count=most)
    for number, (method, properties, body) in enumerate(channel.consume(queue, inactivity_timeout=PATIENCE_SECONDS), 1):
        if method is None:
            return  # another consumer has the rest
        yield method.delivery_tag, properties, body
        if number == most:
            return
