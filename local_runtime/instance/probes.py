"""Whether a process of the product serves; each probe answers at once."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Collection
from pathlib import Path

Probe = Callable[[], bool]
LONGEST_WAIT_SECONDS = 6.0
_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_WAITING = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class HttpProbe:
    """Asks /healthz without ever waiting: one connection, carried a step further by every call.

    The listening socket is open before anybody accepts, so a probe that waited would wait for the process's whole start.
    """

    def __init__(self, host: str, port: int, *, tls: bool) -> None:
        self._address = (host, port)
        self._tls = tls
        self._connection: socket.socket | None = None
        self._sent = False

    def __call__(self) -> bool:
        """Whether an answer has come that does not blame the server."""
        try:
            status = self._advance()
        except _WAITING:
            return False
        except OSError:
            self._reset()
            return False
        self._reset()
        return status.startswith(b"HTTP/1.") and status[9:10] in (b"2", b"3", b"4")

    def _advance(self) -> bytes:
        if self._connection is None:
            self._connection = self._connect()
        if isinstance(self._connection, ssl.SSLSocket) and not self._sent:
            self._connection.do_handshake()
        if not self._sent:
            self._connection.sendall(_REQUEST)
            self._sent = True
        return self._connection.recv(64)

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, 1.0)
        connection.setblocking(False)
        if not self._tls:
            return connection
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # it is asked whether it serves, not who it is
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(connection, do_handshake_on_connect=False)

    def _reset(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._sent = False


class ReadyFile:
    """A file in which a process has written its pid when it serves; one that names a dead process says nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> bool:
        """Whether the file names a living process."""
        try:
            pid = int(self._path.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return False
        return True


class QueuesOnDisk:
    """Whether the private broker would still know its queues if it died now.

    RabbitMQ confirms a declaration that it holds back from the disk for up to 3 s: killed meanwhile, it comes back with quorum
    queues that have no leader and take nothing. So nothing is served before. A later start finds all of it on disk at once.
    """

    def __init__(self, broker_directory: Path, queues: Collection[str]) -> None:
        self._directory = broker_directory
        self._queues = [queue.encode() for queue in queues]
        self._deadline: float | None = None

    def __call__(self) -> bool:
        """True also without a private broker, and after LONGEST_WAIT_SECONDS: another RabbitMQ may keep them elsewhere."""
        if self._deadline is None:
            self._deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        if not self._directory.exists() or time.monotonic() > self._deadline:
            return True
        known = b"".join(path.read_bytes() for path in self._directory.rglob("names.dets"))
        return all(queue in known for queue in self._queues)


class Both:
    """Two probes that must say yes."""

    def __init__(self, first: Probe, second: Probe) -> None:
        self._first = first
        self._second = second

    def __call__(self) -> bool:
        """The second one is asked only when the first has said yes."""
        return self._first() and self._second()
