"""Frames are what pika makes of the same message."""

from __future__ import annotations

import pytest
from pika import BasicProperties, frame, spec
from pika.exceptions import AMQPError

from shared.stores.rabbitmq.frames import CHANNEL, Confirm, heard, published


@pytest.mark.parametrize("message_id", ["0b0f2b52-9b7e-4f6f-8d1c-0d8f6f4a2a11", "", None])
@pytest.mark.parametrize("body", [b"{}", b"", b"x" * 60_000])
@pytest.mark.parametrize("headers", [None, {"traceparent": "00-1-2-01"}, {"traceparent": "p", "tracestate": "a=b" * 100}])
def test_a_published_message_is_what_pika_would_send(body: bytes, message_id: str | None, headers: dict[str, str] | None) -> None:
    properties = BasicProperties(
        content_type="application/json",
        delivery_mode=2,
        message_id=message_id,
        timestamp=1_795_000_000,
        type="score.accepted",
        headers=headers,
    )
    method = spec.Basic.Publish(exchange="", routing_key="score_history_queue", mandatory=True)
    expected = b"".join(
        piece.marshal()
        for piece in (
            frame.Method(CHANNEL, method),
            frame.Header(CHANNEL, len(body), properties),
            *([frame.Body(CHANNEL, body)] if body else []),
        )
    )
    made = published(
        "score_history_queue", body, message_id=message_id, timestamp=1_795_000_000, type_="score.accepted", headers=headers
    )
    assert made == expected


def acks(*confirms: Confirm) -> bytes:
    kinds = {True: spec.Basic.Ack, False: spec.Basic.Nack}
    return b"".join(frame.Method(CHANNEL, kinds[one.is_ack](one.tag, one.multiple)).marshal() for one in confirms)


@pytest.mark.parametrize("size", [1, 7, 20, 21, 22, 10_000])
def test_confirms_are_heard_in_whatever_pieces_they_come(size: int) -> None:
    sent = [
        Confirm(1, multiple=False, is_ack=True),
        Confirm(2**40, multiple=True, is_ack=True),
        Confirm(7, multiple=False, is_ack=False),
        Confirm(8, multiple=True, is_ack=False),
        Confirm(9, multiple=False, is_ack=True),
    ]
    data, found, rest = acks(*sent), [], b""
    for place in range(0, len(data), size):
        new, rest = heard(rest + data[place : place + size])
        found += new
    assert (found, rest) == (sent, b"")


def test_what_is_no_confirm_is_heard_as_pika_reads_it() -> None:
    blocked = frame.Method(0, spec.Connection.Blocked("low on memory")).marshal()
    first, beat, said, last = heard(
        acks(Confirm(1, False, True)) + frame.Heartbeat().marshal() + blocked + acks(Confirm(2, True, True))
    )[0]
    assert (first, last) == (Confirm(1, False, True), Confirm(2, True, True))
    assert isinstance(beat, frame.Heartbeat)
    assert said.method.reason == "low on memory"


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(AMQPError):
        heard(b"\x01\x00\x01\x00\x00\x00\x01xx")
