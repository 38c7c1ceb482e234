"""Load over plain sockets, cheap enough not to be what is measured: one process, one thread, keep-alive connections."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local_runtime.instance.supervisor.tree import descendants
from tests.support.product import ROOT


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: answers by status, seconds, latencies in seconds (sorted), the longest time without any answer (seconds),
    CPU seconds of the processes measured.
    """

    statuses: dict[int, int]
    seconds: float
    latencies: list[float]
    longest_pause: float
    cpu_seconds: float

    @property
    def count(self) -> int:
        """Answers in all."""
        return sum(self.statuses.values())

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.count / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Answers a CPU second of the processes measured."""
        return self.count / self.cpu_seconds

    def percentile(self, percent: float) -> float:
        """Seconds."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))]


def drive(
    base_url: str, requests: Sequence[bytes], pids: Sequence[int], *, connections: int = 64, seconds: float = 3.0, rate: float = 0
) -> Load:
    """Send the requests, one after another on each connection, for so long; `rate` a second in all, or as fast as it goes.

    The latency at a given rate counts from the moment a request was due.
    """
    parts = urlsplit(base_url)
    order = {
        "host": parts.hostname,
        "port": parts.port,
        "requests": [request.decode("latin-1") for request in requests],
        "connections": connections,
        "seconds": seconds,
        "rate": rate,
    }
    before = cpu_seconds(pids)
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    statuses = {int(status): count for status, count in found["statuses"].items()}
    latencies = sorted(found["latencies"])
    return Load(statuses, found["seconds"], latencies, found["longest_pause"], cpu_seconds(pids) - before)


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of these processes and all below them."""
    return sum(map(own_cpu_seconds, set(pids).union(*(descendants(parent) for parent in pids))))


def own_cpu_seconds(pid: int) -> float:
    """User and system time of one process, 0 when it has ended."""
    with suppress(FileNotFoundError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


class _Connection:
    """One request at a time."""

    def __init__(self, address: tuple[str, int], first: int) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.turn = first
        self.due = 0.0
        self.received = b""

    def whole_answer(self) -> int | None:
        """Its status, when all of it is here."""
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 : lower.find(b"\r\n", at) if b"\r\n" in lower[at:] else None]) if at >= 0 else 0
        if len(body) < length:
            return None
        self.received = b""
        return int(head[9:12])


def _run(order: dict[str, Any]) -> dict[str, Any]:
    requests = [text.encode() for text in order["requests"]]
    count, rate = order["connections"], order["rate"]
    selector = selectors.DefaultSelector()
    connections = [_Connection((order["host"], order["port"]), number) for number in range(count)]
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    began = time.monotonic()
    ends_at = began + order["seconds"]
    idle = []
    for number, connection in enumerate(connections):
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.due = began + (number / rate if rate else 0)
        idle.append(connection)
    interval = count / rate if rate else 0.0
    busy, answered_at, longest_pause = 0, began, 0.0
    while True:
        now = time.monotonic()
        if now < ends_at:
            later = []
            for connection in idle:
                if connection.due > now:
                    later.append(connection)
                    continue
                if not rate:
                    connection.due = now
                connection.socket.sendall(requests[connection.turn % len(requests)])
                connection.turn += count
                busy += 1
            idle = later
        elif not busy:
            break
        wait = max(0.0, min((connection.due for connection in idle), default=now + 0.5) - now) if now < ends_at else 0.5
        for key, _ in selector.select(wait):
            connection = key.data
            received = connection.socket.recv(65536)
            if not received:
                raise SystemExit("the server closed a connection")
            connection.received += received
            status = connection.whole_answer()
            if status is not None:
                now = time.monotonic()
                statuses[status] += 1
                latencies.append(now - connection.due)
                answered_at, longest_pause = now, max(longest_pause, now - answered_at)
                connection.due += interval
                idle.append(connection)
                busy -= 1
    seconds = time.monotonic() - began
    return {"statuses": dict(statuses), "seconds": seconds, "latencies": latencies, "longest_pause": longest_pause}


if __name__ == "__main__":
    json.dump(_run(json.load(sys.stdin)), sys.stdout)
