"""One event source mapping: consumes a queue and hands it to its function, batch by batch, acknowledging as Lambda does."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPError, ChannelClosedByBroker

from local_runtime.events.queue import QueueDelivery, queue_event
from local_runtime.manifest import QueueBinding

logger = logging.getLogger(__name__)

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
PREFETCHED_BATCHES = 2  # the next batch arrives while this one is handled
MAX_PREFETCH = 2000  # a quorum queue takes no more from one consumer
FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.25, 10.0
MAX_RECONNECT_SECONDS = 1.0
IDLE_SECONDS = 1.0
Invoke = Callable[[dict[str, Any]], Any]
Connect = Callable[[], BlockingConnection]


class QueuePoller:
    """Runs in a thread of its own until `stop` is set.

    When the function returns, the whole batch is acknowledged; when it raises, the whole batch goes back to the queue and the
    next one waits, a little longer each time. There is never more than one batch under way.
    """

    def __init__(
        self,
        binding: QueueBinding,
        invoke: Invoke,
        connect: Connect,
        stop: threading.Event,
        on_consuming: Callable[[], None] = lambda: None,
    ) -> None:
        self._binding = binding
        self._invoke = invoke
        self._connect = connect
        self._stop = stop
        self._on_consuming = on_consuming
        self._buffer: deque[QueueDelivery] = deque()
        self._cancelled = False
        self._failures = 0
        self._source_arn = f"arn:aws:mq:local:000000000000:broker:scoreboard:{binding.queue}"

    def run(self) -> None:
        """Consume; when the broker or the queue is away, try again for as long as it takes."""
        attempts = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._consume()
            except (AMQPError, OSError) as error:
                attempts = 0 if time.monotonic() - began > MAX_DELAY_SECONDS else attempts
                if attempts == 0:
                    logger.warning("queue %s: %s; trying again until it is back", self._binding.queue, _reason(error))
                self._stop.wait(min(_delay(attempts), MAX_RECONNECT_SECONDS))
                attempts += 1
            except Exception:
                logger.exception("queue %s: the consumer failed, starting it anew", self._binding.queue)
                self._stop.wait(MAX_RECONNECT_SECONDS)

    def _consume(self) -> None:
        self._buffer.clear()
        self._cancelled = False
        connection = self._connect()
        try:
            channel = connection.channel()
            channel.queue_declare(self._binding.queue, passive=True)
            channel.basic_qos(prefetch_count=min(PREFETCHED_BATCHES * self._binding.batch_size, MAX_PREFETCH))
            channel.add_on_cancel_callback(self._on_cancel)
            channel.basic_consume(self._binding.queue, self._on_message)
            logger.info("queue %s: consuming for %s", self._binding.queue, self._binding.function.name)
            self._on_consuming()
            while not self._stop.is_set():
                if self._cancelled:
                    raise AMQPError("the broker cancelled the consumer")
                batch = self._gather(connection)
                if batch:
                    self._handle(connection, channel, batch)
        finally:
            if connection.is_open:
                connection.close()

    def _on_message(self, _channel: BlockingChannel, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self._buffer.append(QueueDelivery(method.delivery_tag, bool(method.redelivered), properties, body))

    def _on_cancel(self, _frame: object) -> None:
        self._cancelled = True

    def _gather(self, connection: BlockingConnection) -> list[QueueDelivery]:
        """Wait for a first message, then until the batch is full, its window has passed or its payload is as large as may be."""
        if not self._buffer:
            connection.process_data_events(time_limit=IDLE_SECONDS)
        ends_at = time.monotonic() + self._binding.batching_window_seconds
        while self._buffer and not self._is_full() and not self._stop.is_set() and not self._cancelled:
            left = ends_at - time.monotonic()
            if left <= 0:
                break
            connection.process_data_events(time_limit=left)
        batch: list[QueueDelivery] = []
        size = 0
        while self._buffer and len(batch) < self._binding.batch_size:
            size += self._buffer[0].payload_bytes
            if batch and size > MAX_PAYLOAD_BYTES:
                break
            batch.append(self._buffer.popleft())
        return batch

    def _is_full(self) -> bool:
        return (
            len(self._buffer) >= min(self._binding.batch_size, MAX_PREFETCH)
            or sum(delivery.payload_bytes for delivery in self._buffer) >= MAX_PAYLOAD_BYTES
        )

    def _handle(self, connection: BlockingConnection, channel: BlockingChannel, batch: list[QueueDelivery]) -> None:
        began = time.monotonic()
        failure = self._call(connection, batch)
        last = batch[-1].delivery_tag
        line = "queue %s: %d messages (%d redelivered) in %.1f ms: %s"
        redelivered = sum(delivery.redelivered for delivery in batch)
        took_ms = (time.monotonic() - began) * 1000
        if failure is None:
            channel.basic_ack(last, multiple=True)
            self._failures = 0
            logger.debug(line, self._binding.queue, len(batch), redelivered, took_ms, "ok")
            return
        logger.warning(line, self._binding.queue, len(batch), redelivered, took_ms, f"returned, {failure}")
        channel.basic_nack(last, multiple=True, requeue=True)
        self._rest(connection, _delay(self._failures))
        self._failures += 1

    def _call(self, connection: BlockingConnection, batch: list[QueueDelivery]) -> BaseException | None:
        """Invoke in another thread, so that the connection's heartbeats go on meanwhile."""
        event = queue_event(self._source_arn, self._binding.queue, self._binding.virtual_host, batch)
        outcome: list[BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                self._invoke(event)
            except Exception as error:
                outcome.append(error)
            finally:
                done.set()

        threading.Thread(target=work, name=f"{self._binding.queue}-batch", daemon=True).start()
        while not done.wait(IDLE_SECONDS):
            connection.process_data_events(time_limit=0)
        return outcome[0] if outcome else None

    def _rest(self, connection: BlockingConnection, seconds: float) -> None:
        """Wait between failing batches without losing the connection."""
        ends_at = time.monotonic() + seconds
        while not self._stop.is_set() and (left := ends_at - time.monotonic()) > 0:
            connection.process_data_events(time_limit=min(left, IDLE_SECONDS))


def _delay(failures: int) -> float:
    longest: float = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(failures, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def _reason(error: BaseException) -> str:
    if isinstance(error, ChannelClosedByBroker):
        return f"{error.reply_text} (it is declared by prepare_stores)"
    return f"{type(error).__name__} {error}".strip()
