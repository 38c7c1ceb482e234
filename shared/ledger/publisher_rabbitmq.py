"""Confirmed publishing: one connection a process, shared by all who publish."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from shared.core import metrics
from shared.core.errors import RabbitUnavailable
from shared.core.forks import in_every_child
from shared.core.invocation import outgoing
from shared.core.loop import Loop
from shared.core.tls_versions import AMQP_TLS_MINIMUM, TlsVersion
from shared.core.tracing import span
from shared.ledger.dead_letter import WholeLetter
from shared.ledger.events import ScoreAccepted, ScoresRecorded
from shared.ledger.messages import ACCEPTED, MARKER, RECORDED, EventCodec
from shared.ledger.queues import HISTORY, REBUILD, UPDATED, history_queues, queue_of
from shared.stores.rabbitmq.delivery import Delivery
from shared.stores.rabbitmq.frames import published
from shared.stores.rabbitmq.publishing_thread import WAIT_SECONDS, OnConfirmed, PublisherHooks, PublishingThread

REBUILD_WANTED = "leaderboard.rebuild-wanted"
MAX_WAITING = 10_000
_PUBLISH_UPDATE, _PUBLISH_CHANGE = f"publish {HISTORY}", f"publish {UPDATED}"
_RABBITMQ = {"messaging.system": "rabbitmq"}


class RabbitPublisher:
    """The port EventPublisher.

    Those who publish at the same time share round trips: what they hand over together is written together, and one confirm
    (`multiple`) may release them all. See PublisherHooks for what is called beside it.
    """

    def __init__(
        self,
        amqp_url: str,
        *,
        ca_file: str,
        codec: EventCodec,
        on_confirmed: OnConfirmed,
        on_unroutable: Callable[[], object] = lambda: None,
        on_back: Callable[[], object] = lambda: None,
        queues: int = 1,
        wait_seconds: float = WAIT_SECONDS,
        loop: Loop | None = None,
        tls_minimum: TlsVersion = AMQP_TLS_MINIMUM,
    ) -> None:
        self._amqp_url = amqp_url
        self._ca_file = ca_file
        self._tls_minimum = tls_minimum
        self._codec = codec
        self._hooks = PublisherHooks(on_confirmed, on_unroutable, on_back)
        self._queues = history_queues(queues)
        self._wait_seconds = wait_seconds
        self._loop = loop
        self._lock = threading.Lock()
        self._thread: PublishingThread | None = None
        in_every_child(self._forget)

    def publish_accepted(self, events: Sequence[ScoreAccepted], *, keep: bool = True) -> None:
        """Publish and wait until confirmed; raises RabbitUnavailable.

        With `keep` they also stay here and go out as soon as the broker is back, long before a relay finds them.
        """
        with span(_PUBLISH_UPDATE, "producer", _RABBITMQ):
            headers = outgoing()
            self._publish(
                [
                    _delivery(
                        queue_of(event.user_id, self._queues),
                        self._codec.update(event),
                        ACCEPTED,
                        int(event.accepted_at.timestamp()),
                        event.request_id,
                        outbox_id=event.outbox_entry or None,
                        keep=keep,
                        headers=headers,
                    )
                    for event in events
                ]
            )

    def publish_again(self, letters: Sequence[tuple[WholeLetter, bytes]], *, redriven: bool) -> None:
        """Through the first queue, whichever they came through. A redriven one is not tried again by itself."""
        now = datetime.now(UTC)
        self._publish(
            [
                _delivery(
                    HISTORY,
                    body,
                    ACCEPTED,
                    int(now.timestamp()),
                    whole.letter.request_id or whole.letter.digest,
                    headers={
                        **whole.headers,
                        "x-attempts": whole.letter.attempts,
                        **({"x-redriven-at": now.isoformat()} if redriven else {}),
                    },
                )
                for whole, body in letters
            ]
        )

    def publish_recorded(self, event: ScoresRecorded) -> None:
        """Tell the broadcast; while the broker takes nothing one such message is kept, so that viewers see the last change."""
        thread = self._running_thread()
        if not thread.usable and thread.keeps(UPDATED):
            raise RabbitUnavailable
        with span(_PUBLISH_CHANGE, "producer", _RABBITMQ):
            body = self._codec.recorded(event)
            self._publish([_delivery(UPDATED, body, RECORDED, int(time.time()), keep=True, headers=outgoing())])

    def publish_rebuild(self) -> None:
        """An empty object: it says nothing but that somebody should look."""
        self._publish([_delivery(REBUILD, b"{}", REBUILD_WANTED, int(time.time()))])

    def publish_marker(self, marker_id: str) -> list[str]:
        """Send a marker behind everything published before, one through each queue of updates; answer their ids."""
        markers = {f"{marker_id}.{number}": queue for number, queue in enumerate(self._queues, 1)}
        now = int(time.time())
        self._publish([_delivery(queue, self._codec.marker(each), MARKER, now, each) for each, queue in markers.items()])
        return list(markers)

    def close(self) -> None:
        """End the connection and its thread."""
        with self._lock:
            if self._thread is not None:
                self._thread.stop()
            self._thread = None

    def _publish(self, deliveries: list[Delivery]) -> None:
        if deliveries and not self._is_published(deliveries):
            metrics.publish_failures.inc(len(deliveries))
            raise RabbitUnavailable

    def _is_published(self, deliveries: list[Delivery]) -> bool:
        thread = self._running_thread()
        if thread.waiting + len(deliveries) > MAX_WAITING:
            return False
        if not thread.usable:
            thread.keep([delivery for delivery in deliveries if delivery.keep])
            return False
        return thread.publish(deliveries)

    def _forget(self) -> None:
        """In a forked child: the thread and its connection are its parent's, and whoever held the lock is not here."""
        self._lock = threading.Lock()
        self._thread = None

    def _running_thread(self) -> PublishingThread:
        thread = self._thread
        if thread is None:
            with self._lock:
                thread = self._thread
                if thread is None:
                    thread = self._thread = PublishingThread(
                        self._amqp_url, self._ca_file, self._hooks, self._wait_seconds, self._loop, self._tls_minimum
                    )
        return thread


def _delivery(
    queue: str,
    body: bytes,
    type_: str,
    timestamp: int,
    message_id: str | None = None,
    *,
    outbox_id: str | None = None,
    keep: bool = False,
    headers: Mapping[str, str | int] | None = None,
) -> Delivery:
    frames = published(queue, body, message_id=message_id, timestamp=timestamp, type_=type_, headers=headers)
    return Delivery(queue, frames, message_id, outbox_id=outbox_id, keep=keep)
