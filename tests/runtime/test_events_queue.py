"""RabbitMQ deliveries become the event that Lambda's Amazon MQ mapping makes."""

from __future__ import annotations

import base64
import json
from typing import Any

import pika
from pika import data as pika_data

from local_runtime.hosting.events.queue import QueueDelivery, queue_event
from local_runtime.hosting.events.sample import sample_payload

SAMPLE = sample_payload("mq_rabbitmq")


def delivery_of(message: dict[str, Any], tag: int) -> QueueDelivery:
    """The delivery that should have given this message of the sample."""
    sample = message["basicProperties"]
    headers = {
        name: bytes(value["bytes"]).decode() if isinstance(value, dict) else value for name, value in sample["headers"].items()
    }
    properties = pika.BasicProperties(
        content_type=sample["contentType"],
        headers=headers,
        delivery_mode=sample["deliveryMode"],
        message_id=sample["messageId"],
        timestamp=1795435200,
        type=sample["type"],
        app_id=sample["appId"],
    )
    return QueueDelivery(tag, message["redelivered"], properties, base64.b64decode(message["data"]))


def test_deliveries_become_exactly_the_sample_event() -> None:
    messages = SAMPLE["rmqMessagesByQueue"]["scores::/"]
    deliveries = [delivery_of(message, tag) for tag, message in enumerate(messages, 1)]
    event = queue_event(SAMPLE["eventSourceArn"], "scores", "/", deliveries)
    for message, expected in zip(event["rmqMessagesByQueue"]["scores::/"], messages, strict=True):
        # The sample's bodySize was counted before its data was shortened.
        expected["basicProperties"]["bodySize"] = len(base64.b64decode(expected["data"]))
        assert message == expected
    assert {name: event[name] for name in ("eventSource", "eventSourceArn")} == {
        name: SAMPLE[name] for name in ("eventSource", "eventSourceArn")
    }


def test_headers_of_every_kind_survive_as_json() -> None:
    headers = {"text": "ä", "count": pika_data.long(3), "flag": True, "none": None, "table": {"x": "y"}, "list": [1, "z"]}
    properties = pika.BasicProperties(headers=headers)
    event = queue_event("arn", "q", "/", [QueueDelivery(1, False, properties, b"")])
    sent = json.loads(json.dumps(event))["rmqMessagesByQueue"]["q::/"][0]["basicProperties"]["headers"]
    assert sent == {
        "text": {"bytes": list("ä".encode())},
        "count": 3,
        "flag": True,
        "none": None,
        "table": {"x": {"bytes": [121]}},
        "list": [1, {"bytes": [122]}],
    }
    assert type(event["rmqMessagesByQueue"]["q::/"][0]["basicProperties"]["headers"]["count"]) is int


def test_a_timestamp_that_is_none_does_no_harm() -> None:
    for timestamp in (1795435200000, 2**64 - 1):
        event = queue_event("arn", "q", "/", [QueueDelivery(1, False, pika.BasicProperties(timestamp=timestamp), b"")])
        assert event["rmqMessagesByQueue"]["q::/"][0]["basicProperties"]["timestamp"] is None


def test_the_size_of_a_message_is_never_taken_for_less_than_it_is() -> None:
    text = "x" * 255
    everything = pika.BasicProperties(
        text,
        text,
        {"name": "value" * 100, "list": [1, {"a": "b"}]},
        2,
        9,
        text,
        text,
        text,
        text,
        1795435200,
        text,
        text,
        text,
        text,
    )
    for properties in (pika.BasicProperties(), everything):
        for body in (b"", b"1", b"12", b"x" * 100_000):
            delivery = QueueDelivery(1, False, properties, body)
            one, two = (len(json.dumps(queue_event("", "", "", [delivery] * n), separators=(",", ":"))) for n in (1, 2))
            assert two - one <= delivery.payload_bytes <= two - one + 200
