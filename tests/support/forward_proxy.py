"""A forward proxy, as HTTP_PROXY names one; it leads every name to one server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class ForwardProxy:
    """Passes on requests in absolute form and, unless it is told not to, CONNECT tunnels."""

    def __init__(self, server_url: str, *, lets_connect: bool = True) -> None:
        server = urlsplit(server_url)
        self._server = (server.hostname or "", server.port or 80)
        self._lets_connect = lets_connect
        self.asked: list[str] = []  # the first line of each request
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """End everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for one in tuple(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for one in (self._listener, *self._sockets):
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            head = client.recv(65536)
            first = head.partition(b"\r\n")[0].decode()
            self.asked.append(first)
            if first.startswith("CONNECT ") and not self._lets_connect:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                client.shutdown(socket.SHUT_RDWR)
                return
            server = socket.create_connection(self._server)
            self._sockets.append(server)
            self._threads.append(threading.Thread(target=_copy, args=(server, client)))
            self._threads[-1].start()
            if first.startswith("CONNECT "):
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:  # RFC 9112, 3.2.2: a server takes the absolute form, too
                server.sendall(head)
            _copy(client, server)


def _copy(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_RDWR)
