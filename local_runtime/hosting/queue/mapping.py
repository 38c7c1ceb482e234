"""One event source mapping: hands a queue to its function, whatever becomes of the broker meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed, AMQPConnectorPhaseErrorBase
from pika.exceptions import ChannelClosedByBroker

from local_runtime.hosting.events.queue import queue_event
from local_runtime.hosting.manifest import QueueBinding
from local_runtime.hosting.queue.session import Batch, LeaseLost, Session
from local_runtime.hosting.queue.worker import BatchWorker
from shared.core.backoff import Backoff

logger = logging.getLogger(__name__)

BATCH_DELAY_SECONDS = (0.25, 10.0)
RECONNECT_DELAY_SECONDS = (0.25, 1.0)
STABLE_SECONDS = 10.0
STANDBY_SECONDS = 0.25
FAILURES = 5
NOT_FOUND = 404
_NO_SUCH = "no queue "


class EventSourceMapping:
    """Runs in a thread of its own from `run` until `stop`; a session for each connection, one worker for all of them."""

    def __init__(
        self,
        binding: QueueBinding,
        invoke: Callable[[dict[str, Any]], object],
        brokers: Callable[[], Sequence[pika.connection.Parameters]],
        on_consuming: Callable[[], None] = lambda: None,
        on_missing: Callable[[], None] = lambda: None,
        may_consume: Callable[[], bool] = lambda: True,
        on_failing: Callable[[], None] = lambda: None,
    ) -> None:
        """Each connection is made to the next of the `brokers`.

        `on_missing` is called when there is no such queue, and should have it declared; `on_failing` whenever FAILURES more
        batches in a row have failed.
        """
        self._on_failing = on_failing
        self._failures = 0
        self._may_consume = may_consume
        self._binding = binding
        self._invoke = invoke
        self._brokers = brokers
        self._connections = 0
        self._on_consuming = on_consuming
        self._on_missing = on_missing
        self._source_arn = f"arn:aws:mq:local:000000000000:broker:scoreboard:{binding.queue}"
        self._worker: BatchWorker[Batch] = BatchWorker(f"{binding.queue}-batch", self._handle)
        self._backoff = Backoff(*BATCH_DELAY_SECONDS)
        self._stopping = threading.Event()
        self._session: Session | None = None
        self._told = ""

    def run(self) -> None:
        """Consume; when the broker or the queue is away, try again for as long as it takes.

        While `may_consume` says no another instance consumes, and this one stands by.
        """
        delay = Backoff(*RECONNECT_DELAY_SECONDS)
        while not self._stopping.is_set():
            if not self._may_consume():
                self._on_consuming()
                self._stopping.wait(STANDBY_SECONDS)
                continue
            began = time.monotonic()
            reason = self._consume()
            if self._stopping.is_set() or reason is None:
                return
            if isinstance(reason, LeaseLost):
                continue
            self._tell(_explain(reason))
            if _is_missing(reason):
                self._on_missing()
            if time.monotonic() - began > STABLE_SECONDS:
                delay.reset()
            self._stopping.wait(delay.next_seconds())

    def stop(self) -> None:
        """From any thread: settle the batch in hand and let `run` return."""
        self._stopping.set()
        session = self._session
        if session is not None:
            session.stop()

    def _consume(self) -> BaseException | None:
        try:
            brokers = self._brokers()
        except OSError as error:
            return error
        broker = brokers[self._connections % len(brokers)]
        self._connections += 1
        self._session = Session(self._binding, self._worker, self._backoff, self._consuming, self._may_consume)
        if self._stopping.is_set():
            self._session.stop()
        return self._session.run(broker)

    def _consuming(self) -> None:
        self._told = ""
        self._on_consuming()

    def _tell(self, reason: str) -> None:
        """One line for every change of state, not for every try."""
        if reason != self._told:
            logger.warning("queue %s: %s; trying again until it is back", self._binding.queue, reason)
        self._told = reason

    def _handle(self, batch: Batch) -> None:
        try:
            self._invoke(queue_event(self._source_arn, self._binding.queue, self._binding.virtual_host, batch))
        except BaseException:
            self._failures += 1
            if self._failures % FAILURES == 0:
                self._on_failing()
            raise
        self._failures = 0


def _is_missing(error: BaseException) -> bool:
    """Whether there is no such queue, and not only its node is down."""
    return isinstance(error, ChannelClosedByBroker) and error.reply_code == NOT_FOUND and _NO_SUCH in error.reply_text


def _explain(error: BaseException) -> str:
    """Pika wraps what happened, sometimes more than once."""
    while True:
        if isinstance(error, AMQPConnectionWorkflowFailed):
            error = error.exceptions[-1]
        elif isinstance(error, AMQPConnectorPhaseErrorBase):
            error = error.exception
        elif error.args and isinstance(error.args[0], BaseException):
            error = error.args[0]
        else:
            break
    if isinstance(error, ChannelClosedByBroker):
        return str(error.reply_text)
    return f"{type(error).__name__} {error}".strip()
