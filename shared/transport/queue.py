"""Amazon MQ for RabbitMQ: the messages of a batch, in order."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """One message: the queue it came from, its body, its headers (text ones decoded), whether it was delivered before."""

    queue: str
    body: bytes
    headers: Mapping[str, Any]
    redelivered: bool

    def whole_number(self, header: str) -> int:
        """A header that counts; 0 when it is not there or is no such number."""
        value = self.headers.get(header)
        return value if type(value) is int and value > 0 else 0


def messages(event: Mapping[str, Any]) -> list[QueueMessage]:
    """All messages of an `aws:rmq` event, in the order of the batch."""
    return [
        QueueMessage(
            queue=source.partition("::")[0],
            body=base64.b64decode(message["data"]),
            headers={name: _plain(value) for name, value in (message["basicProperties"].get("headers") or {}).items()},
            redelivered=bool(message["redelivered"]),
        )
        for source, batch in event["rmqMessagesByQueue"].items()
        for message in batch
    ]


def queue_handler(function: Callable[[Sequence[QueueMessage]], None]) -> Callable[[Any, Any], None]:
    """Make a Lambda handler: returning settles the whole batch, so only errors of the infrastructure may escape `function`."""

    def lambda_handler(event: dict[str, Any], context: Any) -> None:
        function(messages(event))

    return lambda_handler


def _plain(value: Any) -> Any:
    """Lambda gives text headers as `{"bytes": [...]}`."""
    if isinstance(value, Mapping) and set(value) == {"bytes"}:
        return bytes(value["bytes"]).decode(errors="replace")
    return value
