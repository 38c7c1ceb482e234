"""One connection for all who ask at the same time, on the loop of a host that has one.

A pool lends each caller a connection, and pays with every command for the lending, for a write and for a read. Here the commands
of all who run in one turn of the loop are written together, and the answers are read in order when they are there.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import hiredis
import redis
from redis.connection import DefaultParser

from shared.core.forks import in_every_child
from shared.core.loop import Loop, Waiter
from shared.core.peer_watch import PeerWatch
from shared.stores.redis.failover import Failover

READ_BYTES = 65536
LOOK_SECONDS = 0.25
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
Connect = Callable[[], Any]  # a redis.Connection that is not connected yet


class SharedLine:
    """A connection made by `connect`, and again when it was lost or led to the wrong server.

    A command whose answer was lost is never sent again.
    """

    def __init__(self, connect: Connect, failover: Failover, loop: Loop) -> None:
        self._connect = connect
        self._loop = loop
        self._failover = failover
        failover.add(self._replace)
        self._opening = threading.Lock()
        self._link: Link | None = None
        in_every_child(self._forget)

    def call(self, words: tuple[Any, ...]) -> Any:
        """Send a command and answer what Redis answered; its errors are raised as redis-py's, a lost connection, too."""
        link = self._usable()
        return self._finish(link, link.begin(hiredis.pack_command(words)))

    def call_together(self, commands: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Send commands in one write; the answers, or in their places the errors."""
        link = self._usable()
        calls = [link.begin(hiredis.pack_command(words)) for words in commands]
        return [self._outcome(link, call) for call in calls]

    def _outcome(self, link: Link, call: Any) -> Any:
        try:
            return self._finish(link, call)
        except redis.RedisError as error:
            return error

    def close(self) -> None:
        """End the connection; a later call makes another."""
        with self._opening:
            if self._link is not None:
                self._link.end(redis.ConnectionError("closed"))
                self._link = None

    def _finish(self, link: Link, call: Any) -> Any:
        try:
            return link.finish(call)
        except redis.RedisError as error:
            self._failover.notice(error)
            raise

    def _replace(self) -> None:
        """The next command opens another connection."""
        if not self._opening.acquire(blocking=False):
            return  # one is being opened, and it may be its opening that met the wrong server
        try:
            link, self._link = self._link, None
        finally:
            self._opening.release()
        if link is not None:
            link.retire()

    def _forget(self) -> None:
        """In a forked child: the connection is its parent's, and whoever held the lock is not here."""
        self._opening = threading.Lock()
        self._link = None

    def _usable(self) -> Link:
        link = self._link
        return self._opened() if link is None or not link.is_usable() else link

    def _opened(self) -> Link:
        with self._opening:
            link = self._link
            if link is None or not link.is_usable():
                if link is not None:
                    link.end(redis.ConnectionError("the connection was lost"))
                self._link = None
                connection = self._connect()
                connection.connect()
                link = self._link = Link(connection, self._loop)
        return link


class _Call:
    """A command on its way, and who waits for its answer."""

    __slots__ = ("answer", "is_answered", "waiter")

    def __init__(self) -> None:
        self.answer: Any = None
        self.is_answered = False
        self.waiter: Waiter | None = None


class Link:
    """A connection as long as it lasts. While it is asked something Redis may be silent for the connection's time-out."""

    def __init__(self, connection: Any, loop: Loop) -> None:
        self._connection = connection
        # redis-py has made it (address, TLS, log-in); what is sent and parsed goes past it, and its socket never blocks.
        made = connection._sock  # noqa: SLF001
        descriptor: int = made.fileno()
        tls = getattr(made, "_sslobj", None)
        self._take = partial(os.read, descriptor, READ_BYTES) if tls is None else partial(tls.read, READ_BYTES)
        self._put = partial(os.write, descriptor) if tls is None else tls.write
        # What TLS has decrypted already makes no descriptor readable.
        self._decrypted: Callable[[], int] = int if tls is None else tls.pending
        self._loop = loop
        self._answer_seconds: float = connection.socket_timeout
        self._reader = hiredis.Reader(replyError=DefaultParser.parse_error)
        self._peer = PeerWatch(made)
        self._commands: list[bytes] = []
        self._asked: deque[_Call] = deque()
        self._is_writing = self._is_retired = False
        self._heard_at = 0.0
        self._error: redis.ConnectionError | redis.TimeoutError | None = None
        self._endings = (loop.watch(descriptor, self._read), loop.every(LOOK_SECONDS, self._look_at_the_time))

    def is_usable(self) -> bool:
        """False once it was lost, and when Redis hung up while nobody asked."""
        if self._error is not None:
            return False
        return bool(self._asked) or not self._peer.has_hung_up()

    def begin(self, command: bytes) -> _Call:
        """Have it sent with those of all who run before the loop waits again."""
        call = _Call()
        if not self._asked:
            self._heard_at = time.monotonic()
        self._asked.append(call)
        self._commands.append(command)
        if not self._is_writing:
            self._is_writing = True
            self._loop.soon(self._write)
        return call

    def finish(self, call: _Call) -> Any:
        """The answer; raises Redis's error, and redis.ConnectionError or TimeoutError when there is no answer."""
        if not call.is_answered:
            loop = self._loop
            call.waiter = loop.current()
            try:
                while not call.is_answered:
                    loop.pause()
            finally:
                call.waiter = None
        if isinstance(call.answer, Exception):
            raise call.answer
        return call.answer

    def end(self, error: redis.ConnectionError | redis.TimeoutError) -> None:
        """Close it; whoever waits is given the error."""
        if self._error is not None:
            return
        self._error = error
        for ending in self._endings:
            ending()
        asked, self._asked = self._asked, deque()
        self._commands.clear()
        self._connection.disconnect()
        for call in asked:
            call.answer, call.is_answered = type(error)(*error.args), True
        self._loop.soon(self._resume, asked)

    def retire(self) -> None:
        """Close it when all that was asked is answered; nothing more is asked."""
        self._is_retired = True
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self._is_retired and not self._asked:
            self.end(redis.ConnectionError("the connection led to the wrong server"))

    # In the loop

    def _write(self) -> None:
        commands, self._commands = self._commands, []
        if not commands:
            self._is_writing = False
            return
        data = b"".join(commands)
        try:
            sent = self._put(data)
        except NOT_NOW:
            sent = 0
        except OSError as error:
            self.end(_translated(error))
            return
        if sent < len(data):  # as much as the system takes at once is on its way
            self._commands.insert(0, data[sent:])
            self._loop.later(self._write)
            return
        self._is_writing = False

    def _read(self) -> None:
        self._read_some()
        while self._error is None and self._decrypted():
            self._read_some()

    def _read_some(self) -> None:
        try:
            received = self._take()
        except NOT_NOW:
            return
        except OSError as error:
            self.end(_translated(error))
            return
        if not received:
            self.end(redis.ConnectionError("Redis closed the connection"))
            return
        answered, asked, reader = [], self._asked, self._reader
        try:
            reader.feed(received)
            while (answer := reader.gets()) is not False:
                call = asked.popleft()
                call.answer, call.is_answered = answer, True
                answered.append(call)
        except hiredis.ProtocolError as error:
            self.end(redis.ConnectionError(str(error)))
        self._heard_at = time.monotonic()
        self._end_if_idle()
        self._resume(answered)

    def _resume(self, calls: Iterable[_Call]) -> None:
        """Whoever was thrown at meanwhile waits no longer."""
        for call in calls:
            if call.waiter is not None:
                self._loop.resume(call.waiter)

    def _look_at_the_time(self) -> None:
        if self._asked and time.monotonic() - self._heard_at > self._answer_seconds:
            self.end(redis.TimeoutError("Redis did not answer in time"))


def _translated(error: OSError) -> redis.ConnectionError | redis.TimeoutError:
    """As redis-py says it."""
    if isinstance(error, TimeoutError):
        return redis.TimeoutError("Redis did not answer in time")
    return redis.ConnectionError(str(error) or type(error).__name__)
