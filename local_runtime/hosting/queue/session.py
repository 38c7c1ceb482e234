"""One connection's life as a consumer: gathers batches, has them handled one at a time, settles them as Lambda does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection

from local_runtime.hosting.events.queue import QueueDelivery
from local_runtime.hosting.manifest import QueueBinding
from local_runtime.hosting.queue.buffer import BatchBuffer
from local_runtime.hosting.queue.worker import BatchWorker
from shared.core.backoff import Backoff

logger = logging.getLogger(__name__)

PREFETCHED_BATCHES = 2  # the next batch arrives while this one is handled
MAX_PREFETCH = 65535  # the protocol's
# Between batches that are not full. Each batch of updates makes a frame, so this is how often viewers are sent one. It is a bit
# longer than the gateway's own interval (`broadcast_seconds`, 0.1): a frame that comes late keeps no later one waiting there.
PACE_SECONDS = 0.11
LIGHT = 0.25  # of a full batch: while no more comes in a turn, it is read together
READING_SECONDS = 0.02  # what is left of a turn for that
SETUP_SECONDS = 15.0
CLOSE_SECONDS = 2.0
WATCH_SECONDS = 1.0
SILENCE_SECONDS = 7.0  # of a broker that sends heartbeats
LEASE_SECONDS = 0.5  # between looks whether the lease still holds
COUNT_SECONDS = 0.25  # between looks whether others still consume
# A broker counts a consumer whose machine is gone until heartbeats of 5 s are missed, up to 15 s after the end, then puts back
# what that one had; its lease has expired 6 s after the end at the earliest. One whose broker is gone, too, is counted for ever.
OTHERS_SECONDS = 10.0
Batch = list[QueueDelivery]


class ConsumerLost(Exception):
    """The broker is there but gives this consumer nothing any more."""


class LeaseLost(Exception):
    """Another instance may consume now, and this one no more."""


class Session:
    """Everything happens in the thread that calls `run`, but for `stop` and for the worker's function.

    When the function returns, the whole batch is acknowledged; when it raises, the whole batch goes back to the queue and the
    next one waits for the back-off. There is never more than one batch under way, not even when the connection is lost.

    A queue has one consumer, or messages of one player would be handled in another order than they came in. So a session waits
    until the broker counts no other consumer (what that one had not acknowledged is back in the queue then, in its place), and
    ends the connection at once when `may_consume` says no. A batch in hand goes on meanwhile and is not acknowledged: the next
    consumer gets it again, and in the same order.
    """

    def __init__(
        self,
        binding: QueueBinding,
        worker: BatchWorker[Batch],
        backoff: Backoff,
        on_consuming: Callable[[], None],
        may_consume: Callable[[], bool] = lambda: True,
    ) -> None:
        self._may_consume = may_consume
        self._others_until: float | None = None
        self._binding = binding
        self._worker = worker
        self._backoff = backoff
        self._on_consuming = on_consuming
        self._buffer = BatchBuffer(binding.batch_size, binding.batching_window_seconds, pace_seconds=PACE_SECONDS)
        self._ioloop = IOLoop()
        self._connection: Any = None
        self._channel: Any = None
        self._consumer_tag: str | None = None
        self._timer: Any = None
        self._due = False
        self._in_hand = False
        self._is_light = False
        self._resting = False
        self._stopping = False
        self._ended = False
        self._heard_bytes = 0
        self._heard_at = time.monotonic()
        self._reason: BaseException | None = None

    def run(self, parameters: pika.connection.Parameters) -> BaseException | None:
        """Consume until the connection ends and the batch in hand, too; answers why, None when `stop` was called."""
        self._connection = SelectConnection(
            parameters, self._on_open, self._on_connection_ended, self._on_connection_ended, custom_ioloop=self._ioloop
        )
        try:
            self._ioloop.call_later(SETUP_SECONDS, self._check_consuming)
            self._ioloop.call_later(WATCH_SECONDS, self._watch)
            self._ioloop.call_later(LEASE_SECONDS, self._check_lease)
            self._ioloop.start()
        except Exception as error:
            logger.exception("queue %s: the consumer failed", self._binding.queue)
            self._end(error)
            self._ioloop.start()
        finally:
            self._worker.wait_until_idle()
            self._ioloop.close()
        return self._reason

    def stop(self) -> None:
        """From any thread: take no more messages, settle the batch in hand, close."""
        self._ioloop.add_callback_threadsafe(self._on_stop)

    # The connection

    def _on_open(self, connection: SelectConnection) -> None:
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _channel, reason: self._end(reason))
        channel.add_on_cancel_callback(lambda _frame: self._end(ConsumerLost("the broker cancelled the consumer")))
        channel.basic_qos(prefetch_count=min(PREFETCHED_BATCHES * self._binding.batch_size, MAX_PREFETCH))
        self._count_consumers()

    def _count_consumers(self) -> None:
        if not self._ended and self._channel.is_open:
            self._channel.queue_declare(self._binding.queue, passive=True, callback=self._on_counted)

    def _on_counted(self, frame: Any) -> None:
        now = time.monotonic()
        if not frame.method.consumer_count or (self._others_until is not None and now > self._others_until):
            self._channel.basic_consume(self._binding.queue, self._on_message, callback=self._on_consume_ok)
            return
        if self._others_until is None:
            self._others_until = now + OTHERS_SECONDS
            logger.info("queue %s: waiting until another consumer has ended", self._binding.queue)
            self._on_consuming()
        self._ioloop.call_later(COUNT_SECONDS, self._count_consumers)

    def _check_lease(self) -> None:
        if not self._may_consume():
            self._end(LeaseLost())
        self._ioloop.call_later(LEASE_SECONDS, self._check_lease)

    def _on_consume_ok(self, frame: Any) -> None:
        self._consumer_tag = frame.method.consumer_tag
        logger.info("queue %s: consuming for %s", self._binding.queue, self._binding.function.name)
        self._on_consuming()

    def _check_consuming(self) -> None:
        if self._consumer_tag is None and self._others_until is None:
            self._end(ConsumerLost(f"the broker gave no consumer within {SETUP_SECONDS:g} s"))

    def _watch(self) -> None:
        """End a connection that has gone silent; pika's own check takes up to 20 s."""
        now, received = time.monotonic(), self._connection.bytes_received
        if received != self._heard_bytes or not self._connection.is_open or not self._connection.params.heartbeat:
            self._heard_bytes, self._heard_at = received, now
        if now - self._heard_at <= SILENCE_SECONDS:
            self._ioloop.call_later(WATCH_SECONDS, self._watch)
        elif not self._ended:
            self._ended = True
            self._reason = ConsumerLost(f"the broker has been silent for {SILENCE_SECONDS:g} s")
            self._cut()

    def _on_stop(self) -> None:
        self._stopping = True
        if not self._in_hand:
            self._end(None)
        elif self._channel.is_open:
            self._channel.basic_cancel(self._consumer_tag)

    def _end(self, reason: BaseException | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._reason = reason
        self._ioloop.call_later(CLOSE_SECONDS, self._cut)
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()

    def _cut(self) -> None:
        """End the connection without a goodbye, as pika does when heartbeats are missing."""
        if self._connection.is_closed:
            self._ioloop.stop()
        else:
            self._connection._terminate_stream(ConsumerLost("cut"))  # noqa: SLF001

    def _on_connection_ended(self, _connection: SelectConnection, reason: BaseException) -> None:
        if not self._ended:
            self._ended = True
            self._reason = None if self._stopping else reason
        self._ioloop.stop()

    # The batches

    def _on_message(self, _channel: Any, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self._buffer.add(QueueDelivery(method.delivery_tag, method.redelivered, properties, body), time.monotonic())
        if not (self._due or self._in_hand or self._resting):
            self._schedule()
        self._rest_until_most_has_come()

    def _rest_until_most_has_come(self) -> None:
        """Under a light load, for no batch is handed over before its turn, and being woken costs more than handling a message.

        Whatever else this thread has to do waits meanwhile, for PACE_SECONDS at most.
        """
        if self._is_light and not self._due:
            rest_seconds = self._buffer.pace_left(time.monotonic()) - READING_SECONDS
            if rest_seconds > 0:
                time.sleep(rest_seconds)

    def _schedule(self) -> None:
        """See to it that a batch is handed over when it is due: at the earliest when all that has arrived is read."""
        wait_seconds = self._buffer.wait_seconds(time.monotonic())
        if wait_seconds is None or (wait_seconds and self._timer is not None):
            return
        if self._timer is not None:
            self._ioloop.remove_timeout(self._timer)
        self._due = wait_seconds == 0
        self._timer = self._ioloop.call_later(wait_seconds, self._hand_over)

    def _hand_over(self) -> None:
        self._timer = None
        self._due = False
        if self._in_hand or self._stopping or self._ended:
            return
        if not self._may_consume():
            self._end(LeaseLost())
            return
        batch = self._buffer.take(time.monotonic())
        self._is_light = len(batch) <= LIGHT * self._binding.batch_size
        self._in_hand = True
        self._worker.submit(
            batch,
            lambda failure, seconds: self._ioloop.add_callback_threadsafe(partial(self._settle, batch, failure, seconds)),
        )

    def _settle(self, batch: Batch, failure: BaseException | None, seconds: float) -> None:
        self._in_hand = False
        self._log(batch, failure, seconds)
        if self._ended or not self._channel.is_open:
            return
        if failure is None:
            self._channel.basic_ack(batch[-1].delivery_tag, multiple=True)
            self._backoff.reset()
        else:
            self._channel.basic_nack(batch[-1].delivery_tag, multiple=True, requeue=True)
        if self._stopping:
            self._end(None)
        elif failure is None:
            self._schedule()
        else:
            self._resting = True
            self._ioloop.call_later(self._backoff.next_seconds(), self._rested)

    def _rested(self) -> None:
        self._resting = False
        self._schedule()

    def _log(self, batch: Batch, failure: BaseException | None, seconds: float) -> None:
        level = logging.DEBUG if failure is None else logging.WARNING
        if not logger.isEnabledFor(level):
            return
        redelivered = sum(delivery.redelivered for delivery in batch)
        outcome = "ok" if failure is None else f"returned to the queue, {type(failure).__name__}: {failure}"
        function, queue = self._binding.function.name, self._binding.queue
        line = "%s: %d messages of %s (%d redelivered) in %.1f ms: %s"
        logger.log(level, line, function, len(batch), queue, redelivered, seconds * 1000, outcome)
