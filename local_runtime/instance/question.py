"""Asks a server whether it answers without ever waiting for it."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable

ANSWER_SECONDS = 5.0
_WAITING = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Question:
    """One connection, carried a step further by every call, until the first bytes of an answer; then, or too late, a new one.

    A listening socket is open before anybody accepts, so a question that waited could wait for a process's whole start.
    """

    def __init__(
        self, host: str, port: int, request: bytes, *, tls: bool = False, is_good: Callable[[bytes], bool] = bool
    ) -> None:
        self._address = (host, port)
        self._request = request
        self._tls = tls
        self._is_good = is_good
        self._connection: socket.socket | None = None
        self._sent = False
        self._asked_at = 0.0

    def __call__(self) -> bool:
        """Whether an answer has come that `is_good`; False also means not yet."""
        try:
            answer = self._advance()
        except _WAITING:
            if time.monotonic() - self._asked_at > ANSWER_SECONDS:
                self._reset()
            return False
        except OSError:
            self._reset()
            return False
        self._reset()
        return self._is_good(answer)

    def _advance(self) -> bytes:
        if self._connection is None:
            self._asked_at = time.monotonic()
            self._connection = self._connect()
        if isinstance(self._connection, ssl.SSLSocket) and not self._sent:
            self._connection.do_handshake()
        if not self._sent:
            self._connection.sendall(self._request)
            self._sent = True
        return self._connection.recv(64)

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address, 0.2)
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
