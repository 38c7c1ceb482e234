"""Messages and confirms as AMQP 0-9-1 frames; the rest of the protocol is pika's.

pika makes five objects a message and three pieces of it, each of which would become a TLS record, and as much of a confirm.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from pika import frame, spec

CHANNEL = 1  # the only one of a publishing connection
_FRAME = Struct(">BHI")
_HEADER = Struct(">BHIHHQH")
_TIMESTAMP = Struct(">Q")
_FRAME_END = b"\xce"
_FRAME_HEADER, _FRAME_BODY = 2, 3
_HEADER_BYTES = 14  # class, weight, size of the body, flags
_BASIC = 60
_CONTENT_TYPE, _HEADERS, _DELIVERY_MODE, _MESSAGE_ID, _TIMESTAMP_FLAG, _TYPE = 1 << 15, 1 << 13, 1 << 12, 1 << 7, 1 << 6, 1 << 5
_JSON, _PERSISTENT = b"\x10application/json", b"\x02"
_ACK = Struct(">BHIHH").pack(1, CHANNEL, 13, _BASIC, 80)
_TAG = Struct(">QB")
_LENGTH = Struct(">I")
_WHOLE = Struct(">q")
_ACK_BYTES = len(_ACK) + _TAG.size + len(_FRAME_END)
_MULTIPLE = 1


class Confirm(NamedTuple):
    """The broker has (or refuses) the message with this tag, or with `multiple` all up to it."""

    tag: int
    multiple: bool
    is_ack: bool


def published(
    queue: str, body: bytes, *, message_id: str | None, timestamp: int, type_: str, headers: Mapping[str, str | int] | None = None
) -> bytes:
    """The frames that publish a persistent JSON message to a queue, mandatory; the body fits one frame (128 KB)."""
    flags = _CONTENT_TYPE | _DELIVERY_MODE | _TIMESTAMP_FLAG | _TYPE
    named = table = b""
    if message_id is not None:
        flags |= _MESSAGE_ID
        named = _short(message_id)
    if headers:
        flags |= _HEADERS
        table = _table(headers)
    kind = _short(type_)
    length = _HEADER_BYTES + len(_JSON) + len(table) + len(_PERSISTENT) + len(named) + _TIMESTAMP.size + len(kind)
    return b"".join(
        (
            _method(queue),
            _HEADER.pack(_FRAME_HEADER, CHANNEL, length, _BASIC, 0, len(body), flags),
            _JSON,
            table,
            _PERSISTENT,
            named,
            _TIMESTAMP.pack(timestamp),
            kind,
            _FRAME_END,
            *((_FRAME.pack(_FRAME_BODY, CHANNEL, len(body)), body, _FRAME_END) if body else ()),  # an empty body has no frame
        )
    )


def heard(data: bytes) -> tuple[list[Any], bytes]:
    """What the broker said, confirms and pika's frames in their order, and the beginning of what is not whole yet.

    Raises pika's InvalidFrameError.
    """
    found: list[Any] = []
    place = 0
    while True:
        if data.startswith(_ACK, place) and place + _ACK_BYTES <= len(data):
            tag, bits = _TAG.unpack_from(data, place + len(_ACK))
            found.append(Confirm(tag, bool(bits & _MULTIPLE), is_ack=True))
            place += _ACK_BYTES
            continue
        rest = data[place:]
        size, decoded = frame.decode_frame(rest) if rest else (0, None)
        if decoded is None:
            return found, rest
        method = getattr(decoded, "method", None)
        if isinstance(method, spec.Basic.Ack | spec.Basic.Nack):
            found.append(Confirm(method.delivery_tag, method.multiple, isinstance(method, spec.Basic.Ack)))
        else:
            found.append(decoded)
        place += size


def method(channel: int, content: Any) -> bytes:
    """A method of pika's as a frame."""
    marshaled: bytes = frame.Method(channel, content).marshal()
    return marshaled


@lru_cache(64)
def _method(queue: str) -> bytes:
    return method(CHANNEL, spec.Basic.Publish(exchange="", routing_key=queue, mandatory=True))


def _table(headers: Mapping[str, str | int]) -> bytes:
    """Texts and whole numbers by name, as a field table of long strings and 64-bit integers."""
    content = b"".join([_short(name) + _field(value) for name, value in headers.items()])
    return _LENGTH.pack(len(content)) + content


def _field(value: str | int) -> bytes:
    if isinstance(value, int):
        return b"l" + _WHOLE.pack(value)
    text = value.encode()
    return b"".join((b"S", _LENGTH.pack(len(text)), text))


def _short(text: str) -> bytes:
    encoded = text.encode()
    return bytes((len(encoded),)) + encoded
