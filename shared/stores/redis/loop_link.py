"""The connection that all share, on the loop of a host that has one: written once a turn for all, read when it is ready."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

import hiredis
import redis
from redis.connection import DefaultParser

from shared.core.loop import Loop, Waiter
from shared.core.peer_watch import PeerWatch
from shared.stores.redis.line import READ_BYTES, translated_error

LOOK_SECONDS = 0.25


class _Call:
    """A command on its way, and who waits for its answer."""

    __slots__ = ("answer", "is_answered", "waiter")

    def __init__(self) -> None:
        self.answer: Any = None
        self.is_answered = False
        self.waiter: Waiter | None = None


class LoopLink:
    """A Link for the one thread of a loop. While it is asked something Redis may be silent for the connection's time-out."""

    def __init__(self, connection: Any, loop: Loop) -> None:
        self._connection = connection
        # redis-py has made it (address, log-in); what is sent and parsed goes past it, and its socket never blocks.
        self._socket = connection._sock  # noqa: SLF001
        self._descriptor: int = self._socket.fileno()
        self._loop = loop
        self._answer_seconds: float = connection.socket_timeout
        self._reader = hiredis.Reader(replyError=DefaultParser.parse_error)
        self._peer = PeerWatch(self._socket)
        self._commands: list[bytes] = []
        self._asked: deque[_Call] = deque()
        self._is_writing = self._is_retired = False
        self._heard_at = 0.0
        self._error: redis.ConnectionError | redis.TimeoutError | None = None
        self._endings = (loop.watch(self._descriptor, self._read), loop.every(LOOK_SECONDS, self._look_at_the_time))

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
            sent = os.write(self._descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.end(translated_error(error))
            return
        if sent < len(data):  # as much as the system takes at once is on its way
            self._commands.insert(0, data[sent:])
            self._loop.later(self._write)
            return
        self._is_writing = False

    def _read(self) -> None:
        try:
            received = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.end(translated_error(error))
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
