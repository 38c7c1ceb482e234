"""A client's plain socket without what gevent's does at every call: a try before each wait, and a timer that is none."""

from __future__ import annotations

from typing import Any

from gevent.socket import socket


class DirectSocket:
    """Receives and sends on a socket of gevent's, which stays what it is for whoever needs more of it; it has no time-out."""

    def __init__(self, client: socket) -> None:
        self._client = client
        self._plain = client._sock  # noqa: SLF001 - non-blocking, and what every call of gevent's ends in
        self._wait = client.hub.wait

    def recv(self, size: int) -> bytes:
        """As a socket's. Who was just answered has mostly not asked again yet: so wait first."""
        while True:
            self._wait(self._client._read_event)  # noqa: SLF001
            try:
                received: bytes = self._plain.recv(size)
            except BlockingIOError:
                continue
            return received

    def sendall(self, data: bytes) -> None:
        """As a socket's."""
        try:
            sent = self._plain.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._client.sendall(memoryview(data)[sent:])


def directly(client: Any) -> Any:
    """The socket to serve a client by: TLS needs all of gevent's own."""
    return DirectSocket(client) if type(client) is socket else client
