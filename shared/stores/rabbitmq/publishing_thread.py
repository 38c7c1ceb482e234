"""The thread behind the publisher: makes the connection and makes it again, hears confirms, and has patience for everybody.

Messages are written by those who publish: whoever comes first writes for all who come meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import cycle

import pika
from pika import frame, spec

from shared.core import metrics
from shared.core.background import Background
from shared.core.backoff import doubled
from shared.core.errors import ScoreboardError
from shared.core.logs import get_logger
from shared.core.loop import Loop
from shared.core.tls_versions import AMQP_TLS_MINIMUM, TlsVersion
from shared.stores.rabbitmq.connection import connection_parameters
from shared.stores.rabbitmq.delivery import Delivery, Group
from shared.stores.rabbitmq.frames import Confirm
from shared.stores.rabbitmq.link import Link, LinkClosed
from shared.stores.rabbitmq.publishing_session import PublishingSession
from shared.stores.rabbitmq.unroutable import Unroutable

FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.1, 1.0
WAIT_SECONDS = OVERDUE_SECONDS = 2.0
STOP_SECONDS = 2.0
TOGETHER_SECONDS = 0.002
ANSWER_SECONDS = 15.0  # of a broker that lives, until a channel with messages on their way is given up
SETTLE_SECONDS = 1.0  # a channel that refuses messages has this long to say what becomes of the others
BACK_SECONDS = 1.0  # a connection that lasts this long after an outage is the end of it
OnConfirmed = Callable[[Sequence[str]], None]
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PublisherHooks:
    """What is called beside publishing.

    `on_confirmed` is given the outbox ids of a whole group when its publishers have gone on. `on_unroutable` declares the
    queues that are missing, `on_back` publishes what others left in the outbox while the broker was away; each runs in a thread
    of its own and may raise a ScoreboardError.
    """

    on_confirmed: OnConfirmed
    on_unroutable: Callable[[], object]
    on_back: Callable[[], object]


class _Refused(Exception):
    """The broker said no to messages (nack), and may do so for ever on the same channel."""


class _Unanswered(Exception):
    """The broker lives and says neither yes nor no: the queue's leader may be elsewhere by now."""


class PublishingThread:
    """Connects at once and again whenever the connection ends; runs until `stop`."""

    def __init__(
        self,
        amqp_url: str,
        ca_file: str,
        hooks: PublisherHooks,
        wait_seconds: float = WAIT_SECONDS,
        loop: Loop | None = None,
        tls_minimum: TlsVersion = AMQP_TLS_MINIMUM,
    ) -> None:
        self._brokers: Iterator[pika.ConnectionParameters] = cycle(connection_parameters(amqp_url, ca_file, tls_minimum))
        self._hooks = hooks
        self._relaying = Background("relaying the outbox", hooks.on_back)
        self._wait_seconds = wait_seconds
        self._loop = loop
        # Of the three that follow; on a loop nobody comes in between.
        self._lock: AbstractContextManager[object] = threading.Lock() if loop is None else nullcontext()
        self._session: PublishingSession | None = None
        self._incoming: list[Delivery] = []
        self._group = Group(self._loop)
        self._failures = 0
        self._idle_ends = 0  # how many connections ended since the last confirm
        self._refusals = 0  # how many of them in a row because messages to `_refused_queue` were refused
        self._refused_queue = ""
        self._is_blocked = self._is_refused = self._is_coming_back = False
        self._overdue_until = 0.0
        self._stopping = threading.Event()
        self._unroutable = Unroutable(hooks.on_unroutable, self._send_first, self._stopping)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    @property
    def usable(self) -> bool:
        """False while the broker is known to be away or to take nothing: nobody needs to wait for that."""
        if self._is_blocked or self._failures or self._is_refused:
            return False
        return not self._overdue_until or time.monotonic() >= self._overdue_until

    @property
    def waiting(self) -> int:
        """Messages not confirmed yet."""
        session = self._session
        return len(self._incoming) + len(self._unroutable) + (len(session.unconfirmed) if session is not None else 0)

    def keeps(self, queue: str) -> bool:
        """Whether a message for this queue waits to be written."""
        return any(delivery.queue == queue for delivery in tuple(self._incoming))

    def keep(self, deliveries: Sequence[Delivery]) -> None:
        """Have them written as soon as the broker takes something again; nobody waits for them."""
        with self._lock:
            self._incoming.extend(deliveries)

    def publish(self, deliveries: Sequence[Delivery]) -> bool:
        """Write them, with those of others, and wait: whether they were confirmed in time."""
        with self._lock:
            group, session = self._group, self._session
            if not group.left:
                group.since = time.monotonic()
                group.due = group.since + self._wait_seconds
            group.left += len(deliveries)
            group.messages += len(deliveries)
            for delivery in deliveries:
                delivery.group = group
            is_asked = bool(self._incoming) or (session is not None and bool(session.unconfirmed))
            self._incoming.extend(deliveries)
            is_standing = session is not None and (is_asked or not session.link.has_hung_up())
            writes = session is not None and is_standing and not session.is_writing
            if writes and session is not None:
                session.is_writing = True
        if session is not None and not is_standing:
            session.link.abort()  # the thread makes another
        if writes and session is not None:
            self._wait_for_others(session)
            self._write(session)
        # With a connection the thread sees to it that nobody waits too long: a timer for each would cost more than all of this.
        return group.wait(deliveries, None if is_standing else self._wait_seconds)

    def stop(self) -> None:
        """Close the connection and end the thread."""
        self._stopping.set()
        session = self._session
        if session is not None:
            session.link.say_goodbye()
        self._thread.join(STOP_SECONDS)

    def _wait_for_others(self, session: PublishingSession) -> None:
        """While something is on its way, whoever comes within a moment shares the next write, and the confirm of it."""
        try:
            time.sleep(TOGETHER_SECONDS if session.unconfirmed else 0)
        except BaseException:
            with self._lock:
                session.is_writing = False  # the thread writes what has come
            raise

    def _write(self, session: PublishingSession) -> None:
        """For everybody who has come by now; whoever calls it has taken `is_writing`."""
        try:
            while deliveries := self._taken(session):
                session.link.send(b"".join([delivery.frames for delivery in deliveries]))
        except OSError:
            session.link.abort()  # the thread notices, and tells those who wait
        except BaseException:
            # Stopped in the middle: nobody knows how much of it was sent.
            session.link.abort()
            raise

    def _taken(self, session: PublishingSession) -> list[Delivery]:
        """What waits to be written, counted as the broker will count it."""
        with self._lock:
            deliveries = self._incoming
            if not deliveries or session is not self._session or self._is_blocked or self._is_refused:
                session.is_writing = False
                return []
            self._incoming = []
            session.add(deliveries, self._group)
            self._group = Group(self._loop)
        return deliveries

    # In the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                link = Link(next(self._brokers))
            except Exception as error:  # whatever it is, the next attempt may succeed
                self._failed(error)
            else:
                self._serve(PublishingSession(link))
                link.close()
            if self._failures and not self._stopping.is_set():
                tries = min(6, max(self._failures, self._refusals))
                self._stopping.wait(doubled(FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS, tries))
        with self._lock:
            session, self._session = self._session, None
        self._failed(LinkClosed("closed"), tuple(session.unconfirmed.values()) if session is not None else ())

    def _serve(self, session: PublishingSession) -> None:
        """Until the connection ends. One that ended while nothing was in flight is made again at once, and those who came
        meanwhile wait for it.
        """
        if self._failures:
            self._is_coming_back = True
            if not self._refusals:
                _log.warning("the broker is back")
        self._failures, self._is_blocked, self._is_refused, self._overdue_until = 0, False, False, 0.0
        with self._lock:
            self._session = session
        try:
            while not self._stopping.is_set() or session.unconfirmed:
                self._write_what_waits(session)
                self._hear(session)
                self._look_at_the_time(session)
                self._look_at_answers(session)
                if self._is_coming_back and not self._is_refused and time.monotonic() - session.opened_at > BACK_SECONDS:
                    self._is_coming_back = False
                    self._relaying.start()
        except Exception as error:
            with self._lock:
                self._session = None
            self._idle_ends += 1
            is_idle = not session.unconfirmed and self._idle_ends == 1
            if not is_idle or not isinstance(error, OSError | LinkClosed):
                self._failed(error, tuple(session.unconfirmed.values()))

    def _write_what_waits(self, session: PublishingSession) -> None:
        """What was kept while the broker took nothing."""
        with self._lock:
            if not self._incoming or session.is_writing or not self.usable:
                return
            session.is_writing = True
        self._write(session)

    def _hear(self, session: PublishingSession) -> None:
        confirmed: list[Delivery] = []
        refused: list[Delivery] = []
        for said in session.link.receive():
            if isinstance(said, Confirm):
                with self._lock:
                    ended = session.ended(said)
                (confirmed if said.is_ack else refused).extend(ended)
            elif isinstance(said, frame.Header):
                session.is_returned(said.properties.message_id)
            elif isinstance(said, frame.Method):
                self._heed(session, said.method)
        if refused:
            self._refuse(session, refused)
        if confirmed:
            self._overdue_until = 0.0
            self._idle_ends = 0
            self._settle(session, confirmed)

    def _heed(self, session: PublishingSession, said: object) -> None:
        if isinstance(said, spec.Basic.Return):
            session.return_begins(said.routing_key)
        elif isinstance(said, spec.Connection.Blocked):
            _log.warning("the broker takes nothing (resource alarm); updates wait in the outbox")
            self._is_blocked = True
        elif isinstance(said, spec.Connection.Unblocked):
            self._is_blocked = False
            session.answered_at = time.monotonic()

    def _settle(self, session: PublishingSession, confirmed: list[Delivery]) -> None:
        arrived, unroutable = session.parted(confirmed)
        for delivery in arrived:
            delivery.is_confirmed = True
        if late := [delivery.message_id for delivery in arrived if delivery.outbox_id is not None and delivery.is_late]:
            _log.info("updates published late", extra={"updates": late})
        _release(confirmed)
        if self._refusals and any(delivery.queue == self._refused_queue for delivery in arrived):
            _log.warning("the broker takes messages again", extra={"queue": self._refused_queue})
            self._refusals = 0
        if unroutable:
            metrics.publish_refusals.of("unroutable").inc(len(unroutable))
            self._unroutable.hold(unroutable[0].queue, _kept(unroutable))
        outbox_ids = [delivery.outbox_id for delivery in arrived if delivery.outbox_id is not None]
        if outbox_ids:
            try:
                self._hooks.on_confirmed(outbox_ids)
            except ScoreboardError as error:
                # The relay will publish them once more, and the ledger ignores what it has.
                _log.warning("not noted as published", extra={"code": error.code})

    def _refuse(self, session: PublishingSession, refused: list[Delivery]) -> None:
        """Those who wait are told, and what is to be kept goes out on another channel."""
        metrics.publish_refusals.of("nacked").inc(len(refused))
        if session.refused_at is None:
            session.refused_at = time.monotonic()
            if not self._refusals:
                queue = self._refused_queue = refused[0].queue
                _log.error(
                    "the broker refuses messages (nack); trying on other channels until one confirms", extra={"queue": queue}
                )
        _release(refused)
        with self._lock:
            self._is_refused = True
        self._send_first(_kept(refused))

    def _look_at_answers(self, session: PublishingSession) -> None:
        """Replace a channel that refuses, when all that is on its way was answered or has had its time; and a silent one."""
        now, refused_at = time.monotonic(), session.refused_at
        if refused_at is not None and (not session.unconfirmed or now - refused_at > SETTLE_SECONDS):
            self._refusals += 1
            raise _Refused
        if session.unconfirmed and not self._is_blocked and now - session.answered_at > ANSWER_SECONDS:
            raise _Unanswered

    def _send_first(self, deliveries: list[Delivery]) -> None:
        """Once more, before whatever came meanwhile."""
        with self._lock:
            self._incoming[:0] = deliveries

    def _look_at_the_time(self, session: PublishingSession) -> None:
        """Those whose confirms do not come are sent on, and for a while nobody waits."""
        now = time.monotonic()
        late: list[Group] = []
        groups = session.groups
        with self._lock:
            while groups and (groups[0].left <= 0 or groups[0].due <= now):
                group = groups.popleft()
                if group.left > 0:
                    late.append(group)
            is_late = self._group.left > 0 and self._group.due <= now
            if late or is_late:
                self._overdue_until = now + OVERDUE_SECONDS
            if self._group.left and not self.usable:
                late.append(self._group)
                self._let_go(self._incoming)
        for group in late:
            group.wake()

    def _let_go(self, deliveries: Sequence[Delivery]) -> None:
        """Nobody waits for these any more."""
        for delivery in deliveries:
            delivery.group = None
        self._group = Group(self._loop)

    def _failed(self, error: Exception, unconfirmed: Sequence[Delivery] = ()) -> None:
        """Whoever waits is told; what was not confirmed is in the outbox, and what is to be kept goes out once more."""
        if not self._failures and not self._refusals and not self._stopping.is_set():
            _log.warning("the broker is away; updates wait in the outbox", extra={"reason": repr(error)})
        with self._lock:
            self._failures += 1
            ended = [*unconfirmed, *self._incoming]
            groups = {delivery.group for delivery in ended if delivery.group is not None}
            self._incoming = [delivery for delivery in ended if delivery.keep]
            self._let_go(ended)
        for group in groups:
            group.wake()


def _release(ended: Sequence[Delivery]) -> None:
    for delivery in ended:
        if delivery.group is not None:
            delivery.group.one_ended()


def _kept(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Those that go out once more; nobody waits for them."""
    kept = [delivery for delivery in deliveries if delivery.keep]
    for delivery in kept:
        delivery.group = None
    return kept
