"""How soon the kernel gives up a connection whose other end no longer acknowledges anything: within 10 s."""

from __future__ import annotations

import socket

# Seconds, but for the last one, which is in milliseconds and bounds data that was sent; not every system has all of them.
_WANTED = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 8000}
KEEPALIVE = {name: value for name, value in _WANTED.items() if hasattr(socket, name)}
SOCKET_OPTIONS = {getattr(socket, name): value for name, value in KEEPALIVE.items()}
