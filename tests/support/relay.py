"""A way to a server that can be cut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Relay:
    """A way to a server, by its URL, that can be cut."""

    def __init__(self, server_url: str) -> None:
        self._server = urlsplit(server_url)
        self._open = True
        self._answers_to_lose = 0
        self._websockets_refused_with = 0
        self._deaf: frozenset[socket.socket] = frozenset()
        self._sockets: list[socket.socket] = []
        self.connections = 0  # so many were let through
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = server_url.replace(f"{self._server.hostname}:{self._server.port}", f"127.0.0.1:{port}")
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        self._open = False
        self.hang_up()

    def hang_up(self) -> None:
        """End every connection; whoever comes back is let through."""
        for one in tuple(self._sockets):  # not on those who come back meanwhile
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def lose(self, answers: int) -> None:
        """Of the next answers, let none arrive: their connections end when the server has sent them."""
        self._answers_to_lose = answers

    def refuse_websockets(self, status: int) -> None:
        """Answer handshakes with this status, as a proxy may that lets requests through; 0 lets them through again."""
        self._websockets_refused_with = status

    def go_deaf(self) -> None:
        """Let nothing more through on the connections there are, which nobody is told; new ones are let through."""
        self._deaf = frozenset(self._sockets)

    def lead_to(self, server_url: str) -> None:
        """From now on new connections go to another server; those there are stay where they are."""
        self._server = urlsplit(server_url)

    def mend(self) -> None:
        """Let new connections through."""
        self._open = True

    def close(self) -> None:
        """End everything."""
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for one in (self._listener, *self._sockets):
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self._open:
                    client.close()
                    continue
                server = socket.create_connection((self._server.hostname, self._server.port))
                self._sockets += [client, server]
                self.connections += 1
                for one, other in ((client, server), (server, client)):
                    self._threads.append(threading.Thread(target=self._copy, args=(one, other, one is server)))
                    self._threads[-1].start()

    def _copy(self, one: socket.socket, other: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if one in self._deaf:
                    continue
                if self._websockets_refused_with and not is_answer and b"upgrade: websocket" in data.lower():
                    one.sendall(f"HTTP/1.1 {self._websockets_refused_with} Refused\r\nContent-Length: 0\r\n\r\n".encode())
                    break
                if is_answer and self._answers_to_lose:
                    self._answers_to_lose -= 1
                    break
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)
