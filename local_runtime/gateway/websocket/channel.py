"""A connected socket that never blocks, plain or TLS, behind one small interface."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any, Protocol

WOULD_BLOCK = 0
SAME_AGAIN = -1
SEND_BUFFER_BYTES = 16384


class Channel(Protocol):
    """Bytes in and out without waiting; OSError when the peer is gone."""

    def fileno(self) -> int:
        """The descriptor to watch."""
        ...

    def receive(self, size: int) -> bytes | None:
        """What there is, `b""` at the end, None when there is nothing yet."""
        ...

    def send(self, data: bytes | memoryview) -> int:
        """How much was taken; WOULD_BLOCK for nothing, SAME_AGAIN for nothing and the next call must offer the same data."""
        ...

    def pending(self) -> bool:
        """Whether received bytes wait where the descriptor does not show them."""
        ...

    def shutdown(self) -> None:
        """Tell the peer that nothing more follows."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""
        ...


class PlainChannel:
    """A TCP (or local) socket; takes the descriptor over, `sock` is no longer usable."""

    __slots__ = ("_sock",)

    def __init__(self, sock: Any) -> None:
        self._sock = _plain_socket(sock.detach())
        self._sock.setblocking(False)

    def fileno(self) -> int:
        """See Channel."""
        return self._sock.fileno()

    def receive(self, size: int) -> bytes | None:
        """See Channel."""
        try:
            return self._sock.recv(size)
        except (BlockingIOError, InterruptedError):
            return None

    def send(self, data: bytes | memoryview) -> int:
        """See Channel."""
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return WOULD_BLOCK

    def pending(self) -> bool:
        """See Channel."""
        return False

    def shutdown(self) -> None:
        """See Channel."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """See Channel."""
        self._sock.close()


class TlsChannel:
    """A TLS socket. OpenSSL wants a refused write repeated with the very same data, for it may have been encrypted already."""

    __slots__ = ("_file", "_sock")

    def __init__(self, sock: Any) -> None:
        sock.settimeout(0.0)
        self._sock = sock
        # An open file keeps the descriptor through the close() of the server that accepted it.
        self._file = sock.makefile("rb", buffering=0)

    def fileno(self) -> int:
        """See Channel."""
        return int(self._sock.fileno())

    def receive(self, size: int) -> bytes | None:
        """See Channel."""
        try:
            return bytes(self._sock.read(size))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError, ValueError):  # ValueError: we have said goodbye already
            return b""

    def send(self, data: bytes | memoryview) -> int:
        """See Channel."""
        try:
            return int(self._sock.write(data))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return SAME_AGAIN

    def pending(self) -> bool:
        """See Channel."""
        return bool(self._sock.pending())

    def shutdown(self) -> None:
        """See Channel."""
        with contextlib.suppress(OSError, ValueError):
            self._sock.unwrap()

    def close(self) -> None:
        """See Channel."""
        with contextlib.suppress(OSError, ValueError):
            self._sock.close()
            self._file.close()


def open_channel(sock: Any) -> Channel:
    """Take a connected gevent socket over, with small kernel buffers: what waits there is old by the time it is read."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return TlsChannel(sock) if isinstance(sock, ssl.SSLSocket) else PlainChannel(sock)


def _plain_socket(descriptor: int) -> socket.socket:
    """A socket of the standard library, also where gevent has replaced the class."""
    from gevent.monkey import get_original

    return get_original("socket", "socket")(fileno=descriptor)  # type: ignore[no-any-return]
