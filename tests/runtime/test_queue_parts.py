"""What makes a batch, and how long to wait after a failure: no broker needed."""

from __future__ import annotations

import random
from typing import Any

import pika

from local_runtime.gateway.websocket.limits import Limits
from local_runtime.hosting.events.queue import QueueDelivery
from local_runtime.hosting.queue.buffer import BatchBuffer
from local_runtime.hosting.queue.session import PACE_SECONDS
from shared.core.backoff import Backoff

PROPERTIES = pika.BasicProperties()


def delivery(tag: int, size: int = 10) -> QueueDelivery:
    return QueueDelivery(tag, False, PROPERTIES, b"x" * size)


def buffer_of(count: int, at: float = 0.0, size: int = 10, **options: Any) -> BatchBuffer:
    buffer = BatchBuffer(**{"batch_size": 10, "window_seconds": 5.0, **options})
    for tag in range(1, count + 1):
        buffer.add(delivery(tag, size), at)
    return buffer


def test_an_empty_buffer_is_never_due() -> None:
    assert buffer_of(0).wait_seconds(100.0) is None


def test_the_window_begins_with_the_first_message() -> None:
    buffer = buffer_of(2, at=100.0)
    buffer.add(delivery(3), 104.0)
    assert buffer.wait_seconds(104.0) == 1.0
    assert buffer.wait_seconds(106.0) == 0.0


def test_a_full_batch_is_due_at_once() -> None:
    assert buffer_of(9).wait_seconds(0.0) == 5.0
    assert buffer_of(10).wait_seconds(0.0) == 0.0


def test_without_a_window_whatever_is_there_is_due() -> None:
    assert buffer_of(1, window_seconds=0.0).wait_seconds(0.0) == 0.0


def test_what_comes_seldom_is_handed_over_at_once_and_what_comes_all_the_time_in_turns() -> None:
    buffer = buffer_of(1, at=100.0, window_seconds=0.0, pace_seconds=0.5)
    assert buffer.wait_seconds(100.0) == 0.0
    buffer.take(100.0)
    buffer.add(delivery(2), 100.25)
    assert buffer.wait_seconds(100.25) == 0.25
    for tag in range(3, 12):
        buffer.add(delivery(tag), 100.25)
    assert buffer.wait_seconds(100.25) == 0.0, "a full batch waits for nothing"
    buffer.take(100.25)
    buffer.add(delivery(12), 101.0)
    assert buffer.wait_seconds(101.0) == 0.0


def test_a_window_is_no_pace() -> None:
    buffer = buffer_of(1, at=100.0, window_seconds=30.0, pace_seconds=0.5)
    assert buffer.pace_left(100.0) <= 0
    buffer.take(100.0)
    buffer.add(delivery(2), 100.25)
    assert (buffer.pace_left(100.25), buffer.wait_seconds(100.25)) == (0.25, 30.0)


def test_batches_make_no_more_frames_than_the_gateway_sends() -> None:
    assert Limits().broadcast_seconds < PACE_SECONDS


def test_a_batch_is_the_oldest_messages_in_order() -> None:
    buffer = buffer_of(13)
    assert [taken.delivery_tag for taken in buffer.take(7.0)] == list(range(1, 11))
    assert len(buffer) == 3
    assert buffer.wait_seconds(7.0) == 5.0, "the rest has a window of its own"
    assert [taken.delivery_tag for taken in buffer.take(8.0)] == [11, 12, 13]
    assert buffer.take(9.0) == []


def test_a_payload_that_is_large_enough_is_due_before_its_batch_is_full() -> None:
    buffer = buffer_of(3, size=30_000, max_bytes=100_000)
    assert buffer.wait_seconds(0.0) == 0.0
    assert len(buffer.take(0.0)) == 2
    assert buffer.wait_seconds(0.0) == 5.0


def test_a_message_too_large_for_an_event_goes_alone() -> None:
    buffer = buffer_of(2, size=200_000, max_bytes=100_000)
    assert [taken.delivery_tag for taken in buffer.take(0.0)] == [1]
    assert [taken.delivery_tag for taken in buffer.take(0.0)] == [2]


def test_a_backoff_grows_to_its_longest_and_begins_anew_after_a_reset() -> None:
    backoff = Backoff(0.25, 10.0, random.Random(1))  # noqa: S311 - jitter
    delays = [backoff.next_seconds() for _ in range(40)]
    for failures, delay in enumerate(delays):
        longest = min(10.0, 0.25 * 2**failures)
        assert longest / 2 <= delay <= longest
    backoff.reset()
    assert backoff.next_seconds() <= 0.25
