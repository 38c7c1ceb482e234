"""A message as AMQP 0-9-1 frames, written in one piece.

pika makes five objects a message and hands three pieces to the socket, each of which becomes a TLS record and a system call.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from pika import frame, spec

_METHOD_HEADER_BODY = Struct(">BHI")
_HEADER = Struct(">HHQH")
_TIMESTAMP = Struct(">Q")
_FRAME_END = b"\xce"
_FRAME_HEADER, _FRAME_BODY = 2, 3
_BASIC = 60
_CONTENT_TYPE, _DELIVERY_MODE, _MESSAGE_ID, _TIMESTAMP_FLAG, _TYPE = 1 << 15, 1 << 12, 1 << 7, 1 << 6, 1 << 5
_PERSISTENT_JSON = b"\x10application/json\x02"


def published(channel: int, queue: str, body: bytes, *, message_id: str | None, timestamp: int, type_: str) -> bytes:
    """The frames that publish a persistent JSON message to a queue, mandatory; the body fits one frame (128 KB)."""
    flags = _CONTENT_TYPE | _DELIVERY_MODE | _TIMESTAMP_FLAG | _TYPE
    named = b""
    if message_id is not None:
        flags |= _MESSAGE_ID
        text = message_id.encode()
        named = bytes((len(text),)) + text
    kind = type_.encode()
    header = b"".join(
        (
            _HEADER.pack(_BASIC, 0, len(body), flags),
            _PERSISTENT_JSON,
            named,
            _TIMESTAMP.pack(timestamp),
            bytes((len(kind),)),
            kind,
        )
    )
    return b"".join(
        (
            _method(channel, queue),
            _METHOD_HEADER_BODY.pack(_FRAME_HEADER, channel, len(header)),
            header,
            _FRAME_END,
            _METHOD_HEADER_BODY.pack(_FRAME_BODY, channel, len(body)),
            body,
            _FRAME_END,
        )
    )


@lru_cache(64)
def _method(channel: int, queue: str) -> bytes:
    marshaled: bytes = frame.Method(channel, spec.Basic.Publish(exchange="", routing_key=queue, mandatory=True)).marshal()
    return marshaled
