"""A free port, remembered, so that a server keeps its address over restarts while nobody else takes it."""

from __future__ import annotations

import secrets
import socket
import sys
from collections.abc import Collection
from pathlib import Path

LOOPBACK = "127.0.0.1"
LOWEST = 10_000
TRIES = 100
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_FROM = 32_768
_claimed: set[int] = set()


def remembered_port(file: Path, others: Collection[int] = ()) -> int:
    """The port noted in `file` if it is still free, else a new free one, noted there; never one of `others`.

    It stays claimed for as long as this process lives.
    """
    try:
        port = int(file.read_text())
    except (OSError, ValueError):
        port = 0
    while not port or port in others or not (_is_free(port) and _claim(port)):
        port = free_port()
    file.write_text(f"{port}\n")
    return port


def free_port() -> int:
    """A loopback port that nobody listens on, and that no other process has been given here for a server that is starting.

    Below those that the kernel gives to outgoing connections, if it can be: such a one may be in use just when its server
    starts again, and a client that tries to reach a server that is away can even be connected to itself.
    """
    highest = _ephemeral_from()
    for _ in range(TRIES if highest > LOWEST else 0):
        port = LOWEST + secrets.randbelow(highest - LOWEST)
        if _is_free(port) and _claim(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _ephemeral_from() -> int:
    try:
        return int(_EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _EPHEMERAL_FROM


def _claim(port: int) -> bool:
    """Whether no other process has it in mind: seconds lie between the choice of a port and the server that listens on it.

    A name in Linux's abstract namespace, which belongs to a network just as ports do, and goes when the process ends.
    """
    if sys.platform != "linux" or port in _claimed:
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0scoreboard-port-{port}")
    except OSError:
        claim.close()
        return False
    claim.detach()  # stays open until the process ends
    _claimed.add(port)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            return False
    return True
