"""Bytes to and from the broker, in the open or over TLS, for one thread that reads while others write."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Protocol

READ_BYTES = 65536


class Stream(Protocol):
    """Of the threads that write one must come after the other. What it is made of are two sockets of one connection, so that
    reading and writing have a timeout each.
    """

    def sendall(self, data: bytes) -> None:
        """As a socket's."""
        ...

    def recv(self) -> bytes:
        """What has come; nothing at the end."""
        ...


class PlainStream:
    """In the open."""

    def __init__(self, reading: socket.socket, writing: socket.socket) -> None:
        self._reading = reading
        self.sendall = writing.sendall

    def recv(self) -> bytes:
        """See Stream."""
        return self._reading.recv(READ_BYTES)


class SecureStream:
    """Over TLS. The standard library's TLS sockets do not bear a thread that reads beside one that writes: here everything is
    encrypted in memory, under a lock, and the sockets are waited for outside of it.
    """

    def __init__(self, reading: socket.socket, writing: socket.socket, context: ssl.SSLContext, server_name: str) -> None:
        self._reading = reading
        self._writing = writing
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send, server_hostname=server_name)
        self._lock = threading.Lock()

    def shake_hands(self) -> None:
        """Before anything else; raises OSError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._take(self._reading.recv(READ_BYTES))
            else:
                self._flush()
                return

    def sendall(self, data: bytes) -> None:
        """See Stream."""
        with self._lock:
            self._tls.write(data)
            sealed = self._to_send.read()
        self._writing.sendall(sealed)

    def recv(self) -> bytes:
        """See Stream."""
        while True:
            received = self._reading.recv(READ_BYTES)
            with self._lock:
                self._take(received)
                opened, has_ended = self._open()
            if opened or has_ended:
                return opened

    def _flush(self) -> None:
        sealed = self._to_send.read()
        if sealed:
            self._writing.sendall(sealed)

    def _take(self, received: bytes) -> None:
        if received:
            self._received.write(received)
        else:
            self._received.write_eof()

    def _open(self) -> tuple[bytes, bool]:
        """All that can be decrypted by now, and whether it was the last."""
        parts = []
        try:
            while part := self._tls.read(READ_BYTES):
                parts.append(part)
        except ssl.SSLWantReadError:
            return b"".join(parts), False
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        return b"".join(parts), True
