"""What really comes over the WebSocket and lies in the queues is what asyncapi.json says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jsonschema
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from infra.documents.asyncapi import DOCUMENT
from shared.ledger.queues import MAX_HISTORY_QUEUES, history_queues
from shared.stores.rabbitmq.connection import open_channel
from tests.support.api import Api
from tests.support.product import Product
from tests.support.waiting import eventually

ASYNCAPI: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))


def resolve(reference: str) -> Any:
    found: Any = ASYNCAPI
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def fits(schema: dict[str, Any], instance: object) -> bool:
    """Whether it is as a schema of the document says, references included, and formats."""
    whole = {**schema, "components": ASYNCAPI["components"]}
    checker = jsonschema.FormatChecker()
    return bool(jsonschema.Draft202012Validator(whole, format_checker=checker).is_valid(instance))


def message_of(channel: str, name: str) -> dict[str, Any]:
    """A message that the document says travels in a channel."""
    message: dict[str, Any] = resolve(ASYNCAPI["channels"][channel]["messages"][name]["$ref"])
    return message


def named(channel: str, type_: str) -> dict[str, Any]:
    """The message of a channel that has this AMQP type."""
    messages = [message_of(channel, name) for name in ASYNCAPI["channels"][channel]["messages"]]
    (found,) = [one for one in messages if one["bindings"]["amqp"]["messageType"] == type_]
    return found


@contextmanager
def broker(product: Product) -> Iterator[BlockingChannel]:
    with open_channel(product.runtime["amqp_url"], product.runtime["ca_file"]) as channel:
        yield channel


def test_the_board_is_as_described(api: Api) -> None:
    player = api.new_player()
    board = message_of("live", "Board")
    with player.watch() as viewer:
        frames = [json.loads(viewer.recv(timeout=60))]
        player.score(5)
        frames.append(json.loads(viewer.recv(timeout=60)))
    for frame in frames:
        assert fits(board["payload"], frame), frame
        assert set(frame) == set(board["payload"]["properties"])
    assert not fits(board["payload"], {**frames[0], "version": "7"})
    assert all(fits(board["payload"], example["payload"]) for example in board["examples"])


@pytest.mark.parametrize("queue", ["score_history_queue", "score_updated_queue"])
def test_messages_are_as_described(product: Product, queue: str) -> None:
    """A second consumer beside the product's gets every other message, and gives it back."""
    player = product.api.new_player()
    seen: list[tuple[Any, bytes]] = []

    def note(channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        seen.append((properties, body))
        channel.basic_nack(method.delivery_tag)

    with broker(product) as channel:
        channel.basic_qos(prefetch_count=1)
        tag = channel.basic_consume(queue, note)

        def has_come() -> bool:
            player.score(1)
            channel.connection.process_data_events(0.1)
            return bool(seen)

        eventually(has_come, 60, f"a message of {queue} came by")
        channel.basic_cancel(tag)
    for properties, body in seen:
        assert fits(named(queue, properties.type)["payload"], json.loads(body)), body
        assert properties.content_type == ASYNCAPI["defaultContentType"]
        assert properties.delivery_mode == 2
        assert properties.timestamp


def test_a_dead_letter_says_why_as_described(product: Product) -> None:
    headers = ASYNCAPI["components"]["messageTraits"]["refused"]["headers"]
    with broker(product) as channel:
        channel.basic_publish("", "score_history_queue", b"no message at all")

        def parked() -> Any:
            return next((found for found in channel.consume("score_history_queue.dlq", inactivity_timeout=0.2) if found[1]), None)

        method, properties, body = eventually(parked, 60, "it is parked")
        channel.basic_ack(method.delivery_tag)
        channel.cancel()
    assert body == b"no message at all"
    assert fits(headers, properties.headers), properties.headers
    assert set(properties.headers) <= set(headers["properties"])
    assert not fits(headers, {})


def test_every_queue_is_declared_as_described(product: Product) -> None:
    further = history_queues(MAX_HISTORY_QUEUES)[1:]  # are there where HISTORY_QUEUES wants them
    with broker(product) as channel:
        for name, described in ASYNCAPI["channels"].items():
            if "amqp" in described["bindings"] and name not in further:
                channel.queue_declare(described["address"], durable=True, arguments=described["x-arguments"])
