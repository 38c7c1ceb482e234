"""RabbitMQ messages to the `aws:rmq` event of Lambda's Amazon MQ mapping."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

_texts = attrgetter(
    "content_type",
    "content_encoding",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
)
_ENVELOPE_BYTES = 340  # names, nulls and numbers of a message in JSON


class QueueDelivery(NamedTuple):
    """A message as the broker delivered it; `properties` has pika's attribute names."""

    delivery_tag: int
    redelivered: bool
    properties: Any
    body: bytes

    @property
    def payload_bytes(self) -> int:
        """How much of Lambda's 6 MB it takes at the most, unless its short strings are full of control characters."""
        properties = self.properties
        size = _ENVELOPE_BYTES + (len(self.body) + 2) // 3 * 4
        for text in _texts(properties):
            if text:
                size += len(text)
        return size + (len(msgspec.json.encode(_headers(properties.headers))) if properties.headers else 0)


def queue_event(source_arn: str, queue: str, virtual_host: str, deliveries: Sequence[QueueDelivery]) -> dict[str, Any]:
    """The event of one batch."""
    return {
        "eventSource": "aws:rmq",
        "eventSourceArn": source_arn,
        "rmqMessagesByQueue": {f"{queue}::{virtual_host}": [_message(delivery) for delivery in deliveries]},
    }


def _message(delivery: QueueDelivery) -> dict[str, Any]:
    _, redelivered, properties, body = delivery
    return {
        "basicProperties": {
            "contentType": properties.content_type,
            "contentEncoding": properties.content_encoding,
            "headers": _headers(properties.headers) if properties.headers else {},
            "deliveryMode": properties.delivery_mode,
            "priority": properties.priority,
            "correlationId": properties.correlation_id,
            "replyTo": properties.reply_to,
            "expiration": properties.expiration,
            "messageId": properties.message_id,
            "timestamp": None if properties.timestamp is None else _instant(properties.timestamp),
            "type": properties.type,
            "userId": properties.user_id,
            "appId": properties.app_id,
            "clusterId": properties.cluster_id,
            "bodySize": len(body),
        },
        "redelivered": redelivered,
        "data": base64.b64encode(body).decode("ascii"),
    }


def _headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _header(value) for name, value in headers.items()}


def _header(value: Any) -> Any:
    """Long strings become `{"bytes": [...]}`, the rest what JSON has for it."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes | bytearray):
        return {"bytes": list(value)}
    if isinstance(value, Mapping):
        return {str(name): _header(item) for name, item in value.items()}
    if isinstance(value, datetime):
        return _instant(int(value.replace(tzinfo=UTC).timestamp()))
    if isinstance(value, Iterable):
        return [_header(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)  # pika has an integer type of its own, which no encoder knows
    return value if value is None or isinstance(value, bool | float) else str(value)


@lru_cache(maxsize=1024)
def _instant(seconds: int) -> str | None:
    """As Java's medium date format writes it: `Nov 23, 2026, 12:00:00 PM`; None for what is no instant before the year 10000."""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None  # else one publisher's milliseconds would return its batch for ever
    return f"{at:%b} {at.day}, {at.year}, {at.hour % 12 or 12}:{at:%M:%S %p}"
