"""The dead letters of score_history_queue: looked at where they lie, and moved back without losing one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pika
from pika.adapters.blocking_connection import BlockingChannel

from shared.adapters.rabbitmq.connection import open_channel
from shared.adapters.rabbitmq.history_queues import HISTORY
from shared.adapters.rabbitmq.topology import DEAD_LETTERS
from shared.domain.dead_letter import DeadLetter, Redriven
from shared.trace_context import TRACEPARENT, TRACESTATE

_TEXT_LIMIT = 200


class _Plain(msgspec.Struct):
    request_id: str | None = None
    user_id: str | None = None
    increment: int | None = None


_decode = msgspec.json.Decoder(_Plain).decode


class RabbitDeadLetters:
    """The port DeadLetters."""

    def __init__(self, amqp_url: str, *, ca_file: str) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file

    def peek(self, limit: int) -> tuple[list[DeadLetter], int]:
        """Taken and never acknowledged: when the channel closes they all return, to the head of the queue and in their order."""
        with open_channel(self._amqp_url, self._ca_file) as channel:
            total = _count(channel)
            found = [_dead_letter(properties, body) for _, properties, body in _take(channel, min(limit, total))]
        return found, total

    def redrive(self, limit: int, request_ids: Collection[str] | None = None) -> Redriven:
        """Published and confirmed before it is acknowledged: a crash in between makes a second copy, which counts once.

        Only what lay there at the beginning is looked at, so that one that is parked again at once is not moved for ever. Those
        that are not wanted stay unacknowledged and return in their order.
        """
        moved = 0
        with open_channel(self._amqp_url, self._ca_file) as channel:
            channel.confirm_delivery()
            total = _count(channel)
            for tag, properties, body in _take(channel, total if request_ids is not None else min(limit, total)):
                if request_ids is not None and _plain(body).request_id not in request_ids:
                    continue
                channel.basic_publish("", HISTORY, body, _redriven(properties), mandatory=True)
                channel.basic_ack(tag)
                moved += 1
                if moved == limit:
                    break
        with open_channel(self._amqp_url, self._ca_file) as channel:
            return Redriven(moved, _count(channel))


def _count(channel: BlockingChannel) -> int:
    count: int = channel.queue_declare(DEAD_LETTERS, passive=True).method.message_count
    return count


def _take(channel: BlockingChannel, most: int) -> Iterator[tuple[int, pika.BasicProperties, bytes]]:
    for _ in range(most):
        method, properties, body = channel.basic_get(DEAD_LETTERS)
        if method is None or properties is None or body is None:
            return
        yield method.delivery_tag, properties, body


def _redriven(properties: pika.BasicProperties) -> pika.BasicProperties:
    """As new, but for the sign that the ledger may have noted it as waiting."""
    return pika.BasicProperties(
        content_type=properties.content_type,
        delivery_mode=2,
        headers={**_trace(properties), "x-redriven-at": datetime.now(UTC).isoformat()},
        message_id=properties.message_id,
        timestamp=properties.timestamp,
        type=properties.type,
    )


def _trace(properties: pika.BasicProperties) -> dict[str, Any]:
    headers = properties.headers or {}
    return {name: headers[name] for name in (TRACEPARENT, TRACESTATE) if name in headers}


def _dead_letter(properties: pika.BasicProperties, body: bytes) -> DeadLetter:
    headers: dict[str, Any] = properties.headers or {}
    plain, attempts = _plain(body), headers.get("x-attempts")
    return DeadLetter(
        plain.request_id,
        plain.user_id,
        plain.increment,
        str(headers.get("x-reason", "")),
        str(headers.get("x-parked-at", "")),
        attempts if isinstance(attempts, int) else 0,
        str(headers.get("x-origin", "")),
        len(body),
    )


def _plain(body: bytes) -> _Plain:
    """What does not even have the shape of a message has no fields; none of them is proved by anything here."""
    try:
        plain = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Plain()
    return _Plain(_short(plain.request_id), _short(plain.user_id), plain.increment)


def _short(text: str | None) -> str | None:
    return None if text is None else text[:_TEXT_LIMIT]
