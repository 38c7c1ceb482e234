"""Amazon MQ for RabbitMQ: the messages of a batch, in order."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.core.errors import MalformedRequest
from shared.core.invocation import Invocation
from shared.core.tracing import read_trace

_HIGHEST_COUNT = 1_000_000


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """One message: the queue it came from, its body, its headers (text ones decoded), whether it was delivered before."""

    queue: str
    body: bytes
    headers: Mapping[str, Any]
    redelivered: bool

    @property
    def trace_headers(self) -> Mapping[str, str]:
        """Of which trace it is a part, to be sent on and kept; empty where what was sent is not well-formed."""
        trace = read_trace(self.headers)
        return {} if trace is None else trace.headers()

    def whole_number(self, header: str) -> int:
        """A header that counts; 0 when it is not there or is no such number: anybody may have put anything there."""
        value = self.headers.get(header)
        return value if type(value) is int and 0 < value <= _HIGHEST_COUNT else 0


def messages(event: Mapping[str, Any]) -> list[QueueMessage]:
    """All messages of an `aws:rmq` event, in the order of the batch; raises MalformedRequest when it is none."""
    try:
        return _read(event)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise MalformedRequest("This is no event of the RabbitMQ mapping.") from None


def _read(event: Mapping[str, Any]) -> list[QueueMessage]:
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
        with Invocation("queue", context) as invocation:
            batch = messages(event)
            invocation.fields.update(
                queue=", ".join(sorted({message.queue for message in batch})),
                messages=len(batch),
                redelivered=sum(message.redelivered for message in batch),
            )
            invocation.links = [trace for message in batch if (trace := read_trace(message.headers)) is not None]
            invocation.begin_span()
            function(batch)

    return lambda_handler


def _plain(value: Any) -> Any:
    """Lambda gives text headers as `{"bytes": [...]}`; a table that only looks like one stays what it is."""
    if not isinstance(value, Mapping) or set(value) != {"bytes"} or not isinstance(value["bytes"], list):
        return value
    try:
        return bytes(value["bytes"]).decode(errors="replace")
    except (TypeError, ValueError):
        return value
