"""Frames are what pika makes of the same message."""

from __future__ import annotations

import pytest
from pika import BasicProperties, frame, spec

from shared.adapters.rabbitmq.frames import published


@pytest.mark.parametrize("message_id", ["0b0f2b52-9b7e-4f6f-8d1c-0d8f6f4a2a11", "", None])
@pytest.mark.parametrize("body", [b"{}", b"x" * 60_000])
@pytest.mark.parametrize("channel", [1, 7])
def test_a_published_message_is_what_pika_would_send(channel: int, body: bytes, message_id: str | None) -> None:
    properties = BasicProperties(
        content_type="application/json", delivery_mode=2, message_id=message_id, timestamp=1_795_000_000, type="score.accepted"
    )
    method = spec.Basic.Publish(exchange="", routing_key="score_history_queue", mandatory=True)
    expected = b"".join(
        piece.marshal()
        for piece in (frame.Method(channel, method), frame.Header(channel, len(body), properties), frame.Body(channel, body))
    )
    made = published(channel, "score_history_queue", body, message_id=message_id, timestamp=1_795_000_000, type_="score.accepted")
    assert made == expected
