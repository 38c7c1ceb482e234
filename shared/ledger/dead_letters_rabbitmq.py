"""The broker's copies of dead letters: looked at where they lie, and taken away when they are settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pika

from shared.core.tls_versions import AMQP_TLS_MINIMUM, TlsVersion
from shared.core.tracing import TRACEPARENT, TRACESTATE
from shared.ledger.events import RefusedMessage
from shared.ledger.queues import DEAD_LETTERS
from shared.stores.rabbitmq.connection import open_channel
from shared.stores.rabbitmq.consuming import count_messages, take_messages

CHUNK = 200


class DeadLetterQueue:
    """The broker's copies of parked messages (RabbitMQ)."""

    def __init__(self, amqp_url: str, *, ca_file: str, tls_minimum: TlsVersion = AMQP_TLS_MINIMUM) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file
        self._tls_minimum = tls_minimum

    def count(self) -> int:
        """How many there are."""
        with open_channel(self._amqp_url, self._ca_file, self._tls_minimum) as channel:
            return count_messages(channel, DEAD_LETTERS)

    def sift(self, settle: Callable[[Sequence[RefusedMessage]], Sequence[str | None]]) -> None:
        """Show them all to `settle`, some at a time, oldest first, as their headers describe them.

        It returns a key for each one that stays, None for each that goes; of several with the same key the newest stays. One
        that goes is removed after `settle` has returned.

        With one consumer that holds what stays until the end: then the broker takes it back, in its order.
        """
        newest: dict[str, int] = {}
        with open_channel(self._amqp_url, self._ca_file, self._tls_minimum) as channel:
            taken = take_messages(channel, DEAD_LETTERS)
            while chunk := list(islice(taken, CHUNK)):
                keys = settle([_copy(properties, body) for _, properties, body in chunk])
                for (tag, _, _), key in zip(chunk, keys, strict=True):
                    superseded = tag if key is None else newest.get(key)
                    if key is not None:
                        newest[key] = tag
                    if superseded is not None:
                        channel.basic_ack(superseded)


def _copy(properties: pika.BasicProperties, body: bytes) -> RefusedMessage:
    """As its headers describe it; what they do not say, or say wrongly, is as of a message that was tried once, now."""
    headers: dict[str, Any] = properties.headers or {}
    attempts, reason = headers.get("x-attempts"), headers.get("x-reason")
    return RefusedMessage(
        body,
        reason if isinstance(reason, str) else "",
        attempts if type(attempts) is int and 0 < attempts < 1_000_000 else 1,
        _trace(headers),
        may_retry=False,
        refused_at=_instant(headers.get("x-parked-at")),
    )


def _trace(headers: Mapping[str, Any]) -> dict[str, str]:
    return {name: headers[name] for name in (TRACEPARENT, TRACESTATE) if isinstance(headers.get(name), str)}


def _instant(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        return None if at is None or at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
