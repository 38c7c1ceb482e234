"""A client's plain socket without what gevent does at every call: a watch begun and ended, a try first, a timer that is none."""

from __future__ import annotations

from typing import Any

from gevent import getcurrent
from gevent.socket import socket

_READABLE = 1


class DirectSocket:
    """Receives and sends on a socket of gevent's, which stays what it is for whoever needs more of it; it has no time-out.

    It is watched until `release`: to begin and to end that for each request costs as much as the request's own system calls.
    """

    def __init__(self, client: socket) -> None:
        self._client = client
        self._plain = client._sock  # noqa: SLF001 - non-blocking, and what every call of gevent's ends in
        self._hub = client.hub
        self._watcher = client.hub.loop.io(client.fileno(), _READABLE)
        self._is_watched = False
        self._waiter: Any = None

    def recv(self, size: int) -> bytes:
        """As a socket's. Who was just answered has mostly not asked again yet: so wait first."""
        while True:
            self._wait()
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

    def release(self) -> None:
        """Before the socket is closed, or somebody else reads from it."""
        self._watcher.stop()
        self._watcher.close()

    def _wait(self) -> None:
        self._waiter = getcurrent()
        if not self._is_watched:
            self._is_watched = True
            self._watcher.start(self._readable)
        try:
            self._hub.switch()
        finally:
            self._waiter = None

    def _readable(self) -> None:
        """In the hub. Who sends more before they are answered is looked at again when they have been."""
        waiter = self._waiter
        if waiter is not None:
            waiter.switch()
        else:
            self._is_watched = False
            self._watcher.stop()


class GeventSocket:
    """The same of a socket that needs all of gevent's own, as TLS does."""

    def __init__(self, client: Any) -> None:
        self.recv, self.sendall = client.recv, client.sendall

    def release(self) -> None:
        """There is nothing to be released."""


def directly(client: Any) -> DirectSocket | GeventSocket:
    """What to serve a client by."""
    return DirectSocket(client) if type(client) is socket else GeventSocket(client)
