"""RabbitMQ messages to the `aws:rmq` event of Lambda's Amazon MQ mapping."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_TABLE_BYTES = 64  # what a message's envelope adds to an event at the least


@dataclass(frozen=True, slots=True)
class QueueDelivery:
    """A message as the broker delivered it; `properties` has pika's attribute names."""

    delivery_tag: int
    redelivered: bool
    properties: Any
    body: bytes

    @property
    def payload_bytes(self) -> int:
        """About how much of Lambda's 6 MB it takes: base64 makes four bytes of three."""
        return len(self.body) * 4 // 3 + _TABLE_BYTES


def queue_event(source_arn: str, queue: str, virtual_host: str, deliveries: Sequence[QueueDelivery]) -> dict[str, Any]:
    """The event of one batch."""
    return {
        "eventSource": "aws:rmq",
        "eventSourceArn": source_arn,
        "rmqMessagesByQueue": {f"{queue}::{virtual_host}": [_message(delivery) for delivery in deliveries]},
    }


def _message(delivery: QueueDelivery) -> dict[str, Any]:
    properties = delivery.properties
    headers = properties.headers
    return {
        "basicProperties": {
            "contentType": properties.content_type,
            "contentEncoding": properties.content_encoding,
            "headers": {name: _header(value) for name, value in headers.items()} if headers else {},
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
            "bodySize": len(delivery.body),
        },
        "redelivered": delivery.redelivered,
        "data": base64.b64encode(delivery.body).decode("ascii"),
    }


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


def _instant(seconds: int) -> str:
    """As Java's medium date format writes it: `Nov 23, 2026, 12:00:00 PM`."""
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%b} {at.day}, {at.year}, {at.hour % 12 or 12}:{at:%M:%S %p}"
