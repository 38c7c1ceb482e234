"""The thread behind the publisher: pika's event loop, what waits to be written, what waits to be confirmed."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pika
from pika.adapters.select_connection import IOLoop, SelectConnection

from shared.adapters.rabbitmq.connection import connection_parameters
from shared.adapters.rabbitmq.frames import published
from shared.errors import ConfigurationError, ScoreboardError
from shared.logs import get_logger

FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.1, 1.0
OVERDUE_SECONDS = 2.0
_log = get_logger(__name__)


class Delivery(msgspec.Struct, frozen=True):
    """One message on its way to a queue; `outbox_id` is settled when it is confirmed, `keep` outlives a lost connection."""

    queue: str
    body: bytes
    type: str
    message_id: str | None
    timestamp: int
    outbox_id: str | None = None
    keep: bool = False


class Group:
    """Messages handed over together: `wait` is True when all of them were confirmed."""

    __slots__ = ("_done", "_left", "failed")

    def __init__(self, size: int) -> None:
        self._left = size
        self.failed = False
        self._done = threading.Event()

    def one_ended(self, *, confirmed: bool) -> None:
        """Another one was confirmed or refused."""
        self._left -= 1
        self.failed = self.failed or not confirmed
        if self._left == 0 or self.failed:
            self._done.set()

    def wait(self, seconds: float) -> bool:
        """Whether all were confirmed within `seconds`."""
        return self._done.wait(seconds) and not self.failed


class PublishingThread:
    """Connects at once and again whenever the connection ends; runs until `stop`."""

    def __init__(self, amqp_url: str, ca_file: str, on_confirmed: Callable[[Sequence[str]], None]) -> None:
        self._parameters = connection_parameters(amqp_url, ca_file)
        self._on_confirmed = on_confirmed
        self._incoming: deque[tuple[Delivery, Group]] = deque()
        self._unconfirmed: dict[int, tuple[Delivery, Group]] = {}
        self._confirmed: list[tuple[Delivery, Group]] = []
        self._returned: set[str | None] = set()
        self._connection: SelectConnection | None = None
        self._channel: Any = None
        self._wake_scheduled = False
        self._lock = threading.Lock()
        self._next_tag = 1
        self._failures = 0
        self._blocked = False
        self._overdue_until = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    @property
    def usable(self) -> bool:
        """False while the broker is known to be away or to take nothing: nobody needs to wait for that."""
        return not self._blocked and self._failures == 0 and time.monotonic() >= self._overdue_until

    @property
    def waiting(self) -> int:
        """Messages not confirmed yet."""
        return len(self._incoming) + len(self._unconfirmed)

    def keeps(self, queue: str) -> bool:
        """Whether a message for this queue waits to be written."""
        return any(delivery.queue == queue for delivery, _ in tuple(self._incoming))

    def submit(self, deliveries: Sequence[Delivery]) -> Group:
        """Hand messages over, from any thread."""
        group = Group(len(deliveries))
        self._incoming.extend((delivery, group) for delivery in deliveries)
        self._wake()
        return group

    def overdue(self) -> None:
        """A confirm did not come in time: let the next ones not wait for a while."""
        self._overdue_until = time.monotonic() + OVERDUE_SECONDS

    def stop(self) -> None:
        """Close the connection and end the thread."""
        self._stopping.set()
        with self._lock:
            if self._connection is not None:
                self._connection.ioloop.add_callback_threadsafe(self._close)
        self._thread.join(OVERDUE_SECONDS)

    # In the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._serve_connection()
            except ConfigurationError:
                raise
            except Exception as error:
                self._lost(error)
            if not self._stopping.is_set():
                self._stopping.wait(min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(self._failures, 6)))

    def _serve_connection(self) -> None:
        """Until the connection ends; the loop's own sockets are ours to close."""
        loop = IOLoop()
        try:
            self._connection = SelectConnection(
                self._parameters,
                on_open_callback=self._on_open,
                on_open_error_callback=self._on_open_error,
                on_close_callback=self._on_closed,
                custom_ioloop=loop,
            )
            loop.start()
        finally:
            with self._lock:
                self._connection = None
                loop.close()

    def _on_open(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Any) -> None:
        channel.confirm_delivery(self._on_confirm, callback=self._on_confirming)
        channel.add_on_return_callback(self._on_return)
        channel.add_on_close_callback(self._on_channel_closed)
        self._pending_channel = channel

    def _on_confirming(self, _frame: object) -> None:
        if self._failures:
            _log.warning("the broker is back")
        self._channel, self._failures, self._next_tag, self._blocked, self._overdue_until = (
            self._pending_channel,
            0,
            1,
            False,
            0.0,
        )
        self._write()

    def _on_channel_closed(self, _channel: object, _reason: Exception) -> None:
        self._channel = None
        self._close()

    def _on_open_error(self, _connection: object, error: Exception | str) -> None:
        self._lost(error)
        self._stop_loop()

    def _on_closed(self, _connection: object, reason: Exception) -> None:
        self._lost(reason)
        self._stop_loop()

    def _on_blocked(self, _connection: object, _frame: object) -> None:
        _log.warning("the broker takes nothing (resource alarm); updates wait in the outbox")
        self._blocked = True

    def _on_unblocked(self, _connection: object, _frame: object) -> None:
        self._blocked = False

    def _lost(self, reason: object) -> None:
        """Whoever waits is told; what was not confirmed is in the outbox, and what is to be kept goes out once more."""
        self._channel = None
        if self._confirmed:
            self._settle()
        with self._lock:
            self._wake_scheduled = False  # the loop that would have written is gone
        if not self._failures and not self._stopping.is_set():
            _log.warning("the broker is away; updates wait in the outbox", extra={"reason": repr(reason)})
        self._failures += 1
        ended = [*self._unconfirmed.values(), *self._incoming]
        self._unconfirmed.clear()
        self._incoming.clear()
        self._incoming.extend(entry for entry in ended if entry[0].keep)
        for _, group in ended:
            group.one_ended(confirmed=False)

    def _stop_loop(self) -> None:
        if self._connection is not None:
            self._connection.ioloop.stop()

    def _close(self) -> None:
        """Also a connection that is only being made; `_on_closed` or `_on_open_error` then stops the loop."""
        connection = self._connection
        if connection is not None and not connection.is_closing and not connection.is_closed:
            connection.close()

    def _wake(self) -> None:
        """Ask the loop to write, once for all who come before it does."""
        with self._lock:
            if self._wake_scheduled or self._connection is None or self._channel is None:
                return
            self._wake_scheduled = True
            self._connection.ioloop.add_callback_threadsafe(self._write)

    def _write(self) -> None:
        with self._lock:
            self._wake_scheduled = False
        channel = self._channel
        if channel is None or not channel.is_open or self._connection is None:
            return
        frames: list[bytes] = []
        while self._incoming:
            delivery, group = self._incoming.popleft()
            self._unconfirmed[self._next_tag] = (delivery, group)
            self._next_tag += 1
            frames.append(
                published(
                    channel.channel_number,
                    delivery.queue,
                    delivery.body,
                    message_id=delivery.message_id,
                    timestamp=delivery.timestamp,
                    type_=delivery.type,
                )
            )
        if frames:
            self._connection._output_marshaled_frames((b"".join(frames),))  # noqa: SLF001 - see frames.py

    def _on_return(self, _channel: object, _method: object, properties: pika.BasicProperties, _body: bytes) -> None:
        """The queue is not there: the confirm that follows is no confirm."""
        _log.error("a message could not be routed: are the queues declared (prepare_stores)?")
        self._returned.add(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        tags = [method.delivery_tag]
        if method.multiple:
            tags = [tag for tag in self._unconfirmed if tag <= method.delivery_tag]
        ended = [self._unconfirmed.pop(tag) for tag in tags if tag in self._unconfirmed]
        if isinstance(method, pika.spec.Basic.Nack):
            for _, group in ended:
                group.one_ended(confirmed=False)
            return
        if not self._confirmed and self._connection is not None:
            # Settled after this turn of the loop, together with the confirms that arrived in it.
            self._connection.ioloop.add_callback(self._settle)
        self._confirmed.extend(ended)

    def _settle(self) -> None:
        confirmed, self._confirmed = self._confirmed, []
        returned, self._returned = self._returned, set()
        lost = {id(group) for delivery, group in confirmed if delivery.message_id is not None and delivery.message_id in returned}
        outbox_ids = [
            delivery.outbox_id
            for delivery, _ in confirmed
            if delivery.outbox_id is not None and delivery.message_id not in returned
        ]
        try:
            if outbox_ids:
                self._on_confirmed(outbox_ids)
        except ScoreboardError as error:
            # They will be published once more by the relay, and the ledger ignores what it has.
            _log.warning("confirmed events stay in the outbox", extra={"code": error.code})
        for _, group in confirmed:
            group.one_ended(confirmed=id(group) not in lost)
