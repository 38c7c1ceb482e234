"""A free port, remembered, so that a server keeps its address over restarts while nobody else takes it."""

from __future__ import annotations

import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"


def remembered_port(file: Path) -> int:
    """The port noted in `file` if it is still free, else a new free one, noted there."""
    try:
        port = int(file.read_text())
    except (OSError, ValueError):
        port = 0
    if not port or not _is_free(port):
        port = free_port()
    file.write_text(f"{port}\n")
    return port


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
