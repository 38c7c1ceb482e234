"""How soon the kernel gives up a connection whose other end no longer acknowledges anything: within 10 s."""

from __future__ import annotations

import socket

# Seconds, but for the last one, which is in milliseconds and bounds data that was sent; not every system has all of them.
_WANTED = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 8000}
OPTIONS = {name: value for name, value in _WANTED.items() if hasattr(socket, name)}
KEEPALIVE = {getattr(socket, name): value for name, value in OPTIONS.items()}


def keep_alive(connected: socket.socket) -> None:
    """Set the options on a TCP socket."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        connected.setsockopt(socket.IPPROTO_TCP, option, value)
