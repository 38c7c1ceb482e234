"""One connection for all who ask at the same time: their commands are written together, the answers are read in order.

A client that lends each caller a connection of its own pays with every command for the lending, for a write and for a read. Here
whoever comes first writes for those who come meanwhile, and reads for them, too. Threads and greenlets alike, for only the
standard library's locks and sockets are used.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import hiredis
import redis
from redis.connection import DefaultParser

from shared.core.forks import in_every_child
from shared.core.peer_watch import PeerWatch
from shared.stores.redis.failover import Failover

READ_BYTES = 65536
Connect = Callable[[], Any]  # a redis.Connection that is not connected yet


class Link(Protocol):
    """A connection as long as it lasts."""

    def is_usable(self) -> bool:
        """False once it was lost, and when Redis hung up while nobody asked."""
        ...

    def begin(self, command: bytes) -> Any:
        """Send a command; what this gives back is for `finish`."""
        ...

    def finish(self, call: Any) -> Any:
        """The answer; raises Redis's error, and redis.ConnectionError or TimeoutError when there is no answer."""
        ...

    def end(self, error: redis.ConnectionError | redis.TimeoutError) -> None:
        """Close it; whoever waits is given the error."""
        ...

    def retire(self) -> None:
        """Close it when all that was asked is answered; nothing more is asked."""
        ...


class SharedLine:
    """A connection made by `connect`, and again when it was lost or led to the wrong server.

    A command whose answer was lost is never sent again.
    """

    def __init__(self, connect: Connect, failover: Failover, make_link: Callable[[Any], Link] | None = None) -> None:
        """`make_link` makes something else of a connection than what threads share."""
        self._connect = connect
        self._make_link = make_link or _Link
        self.is_one_threads = make_link is not None
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
        """Send commands in one write; the answers, or in their places the errors. Only where one thread has the line."""
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
                link = self._link = self._make_link(connection)
        return link


class _Call:
    """A command on its way. `turn` is released when its answer is there, or when its caller is the one to read for all."""

    __slots__ = ("answer", "is_abandoned", "is_answered", "turn")

    def __init__(self, turn: threading.Lock) -> None:
        self.answer: Any = None
        self.is_answered = self.is_abandoned = False
        self.turn = turn


class _Link:
    """A connection as long as it lasts."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        # redis-py has made it (address, TLS, log-in); its own way to send and to parse is what costs.
        self._socket = connection._sock  # noqa: SLF001
        self._reader = hiredis.Reader(replyError=DefaultParser.parse_error)
        self._lock = threading.Lock()
        self._commands: list[bytes] = []
        self._asked: deque[_Call] = deque()
        self._turns: list[threading.Lock] = []  # taken ones, for another call: to make one costs as much as all else of it
        self._is_writing = self._is_retired = False
        self._leader: _Call | None = None  # the one who reads
        self._error: redis.ConnectionError | redis.TimeoutError | None = None
        self._peer = PeerWatch(self._socket)

    def is_usable(self) -> bool:
        """False once it was lost, and when Redis hung up while nobody asked."""
        if self._error is not None:
            return False
        return bool(self._asked) or not self._peer.has_hung_up()

    def begin(self, command: bytes) -> _Call:
        """Send it; raises redis.ConnectionError or TimeoutError when the connection is lost already."""
        turns = self._turns
        call = _Call(turns.pop() if turns else _taken_lock())
        with self._lock:
            if self._error is not None:
                raise type(self._error)(*self._error.args)
            self._commands.append(command)
            self._asked.append(call)
            writes, self._is_writing = not self._is_writing, True
        if writes:
            self._write()
        return call

    def finish(self, call: _Call) -> Any:
        """The answer; raises Redis's error, and redis.ConnectionError or TimeoutError when there is no answer."""
        self._await(call)
        call.turn.acquire(blocking=False)  # it was not waited for where the reading was handed over before that
        self._turns.append(call.turn)
        if isinstance(call.answer, Exception):
            raise call.answer
        return call.answer

    def end(self, error: redis.ConnectionError | redis.TimeoutError) -> None:
        """Close it; whoever waits is given the error."""
        with self._lock:
            if self._error is not None:
                return
            self._error = error
            asked, self._asked = self._asked, deque()
            self._commands.clear()
        self._connection.disconnect()
        for call in asked:
            self._answer(call, type(error)(*error.args))

    def retire(self) -> None:
        """Close it when all that was asked is answered; nothing more is asked."""
        with self._lock:
            self._is_retired = True
            is_idle = self._leader is None and not self._asked
        if is_idle:
            self.end(_replaced())

    def _write(self) -> None:
        """For everybody who has come by now."""
        try:
            time.sleep(0)
            while True:
                with self._lock:
                    commands, self._commands = self._commands, []
                    if not commands:
                        self._is_writing = False
                        return
                self._socket.sendall(b"".join(commands))
        except OSError as error:
            self.end(translated_error(error))
        except BaseException:
            # Stopped in the middle: nobody knows how much of it was sent.
            self.end(redis.ConnectionError("a command was cut off"))
            raise

    def _await(self, call: _Call) -> None:
        if self._leader is None:  # a leader hands over to whoever has asked by then
            with self._lock:
                if self._leader is None and not call.is_answered:
                    self._leader = call
        try:
            if self._leader is not call:
                call.turn.acquire()
            if not call.is_answered:
                self._read_until(call)
        except BaseException:
            with self._lock:
                call.is_abandoned = True  # its answer is read past
            raise
        finally:
            if self._leader is call:
                self._hand_over()

    def _read_until(self, call: _Call) -> None:
        try:
            while not call.is_answered:
                received = self._socket.recv(READ_BYTES)
                if not received:
                    raise ConnectionResetError("Redis closed the connection")
                self._reader.feed(received)
                while (answer := self._reader.gets()) is not False:
                    self._answer(self._asked.popleft(), answer)
        except OSError as error:
            self.end(translated_error(error))
        except hiredis.ProtocolError as error:
            self.end(redis.ConnectionError(str(error)))

    def _hand_over(self) -> None:
        """Whoever asked next reads on; a retired connection with nobody left is closed."""
        with self._lock:
            self._leader = next((call for call in self._asked if not call.is_abandoned), None)
            heir = self._leader
        if heir is not None:
            heir.turn.release()
        elif self._is_retired:
            self.end(_replaced())

    def _answer(self, call: _Call, answer: Any) -> None:
        call.answer = answer
        call.is_answered = True
        if call is not self._leader and not call.is_abandoned:
            call.turn.release()


def _taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _replaced() -> redis.ConnectionError:
    return redis.ConnectionError("the connection led to the wrong server")


def translated_error(error: OSError) -> redis.ConnectionError | redis.TimeoutError:
    """As redis-py says it."""
    if isinstance(error, TimeoutError):
        return redis.TimeoutError("Redis did not answer in time")
    return redis.ConnectionError(str(error) or type(error).__name__)
