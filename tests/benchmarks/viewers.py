"""Thousands of viewers: what a broadcast costs and when the last one has it, a crowd that comes back at once, updates on screens.

The peer of a broadcast is a bare loop that sends the same bytes to as many sockets and nothing else: what is beyond it is ours.
"""

from __future__ import annotations

import json
import random
import socket
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Self

from websockets.frames import Frame, Opcode

from tests.benchmarks.crowd import Crowd
from tests.benchmarks.figures import Figure, figure
from tests.benchmarks.load import cpu_seconds, drive
from tests.benchmarks.memory import resident_kb
from tests.benchmarks.updates import CONNECTIONS, crowd
from tests.support.api import Player
from tests.support.product import Product

VIEWERS, MANY_VIEWERS, VIEWERS_A_PROCESS = 5_000, 20_000, 7_000
BROADCASTS = 30
PAUSE_SECONDS = 0.25
LAST_LIMIT_SECONDS, CPU_LIMIT_SECONDS, MEMORY_LIMIT_KB = 0.040, 0.050, 25.0
SCREEN_LIMIT_SECONDS, SCREEN_P99_LIMIT_SECONDS = 0.100, 0.300
SCREEN_SECONDS = 15.0
BROADCAST_SECONDS = 0.1
UPDATES_A_SECOND = (500.0, 1_000.0, 2_000.0, 5_000.0)
CHANNEL = "leaderboard:frames"
_OPTIONS = {"RATE_LIMIT_REQUESTS": "1000000"}


def measure() -> list[Figure]:
    """On products of its own: one gateway process, then one for each of two workers."""
    figures: list[Figure] = []
    with Product(None, "--workers", "1", **_OPTIONS) as product:
        figures += _one_gateway(product)
        figures += _on_screen(product)
    with Product(None, "--workers", "2", **_OPTIONS) as product, ExitStack() as stack:
        crowds = _gather(stack, product, MANY_VIEWERS)
        last = [_broadcast(product, crowds)[0] for _ in range(BROADCASTS)]
        figures.append(figure(f"last of {MANY_VIEWERS} viewers, two workers", "s", last, "limit", 4 * LAST_LIMIT_SECONDS / 2))
    return figures


def _one_gateway(product: Product) -> list[Figure]:
    pid = product.pid("http")
    with ExitStack() as stack:
        before = resident_kb(pid)
        crowds = _gather(stack, product, VIEWERS)
        memory = (resident_kb(pid) - before) / VIEWERS
        bare = stack.enter_context(_BareServer(VIEWERS))
        ours, peers = [], []
        for _ in range(BROADCASTS):
            ours.append(_broadcast(product, crowds))
            peers.append(bare.broadcast(_text()))
        reopened = _reopen_under_updates(product, crowds)
    last = [seconds for seconds, _ in ours]
    cpu = [statistics.mean(spent for _, spent in ours)]  # of all: the kernel counts in hundredths of a second
    return [
        figure(f"last of {VIEWERS} viewers", "s", last, "limit", LAST_LIMIT_SECONDS),
        figure(f"last of {VIEWERS} viewers", "s", last, "bare loop", statistics.median(seconds for seconds, _ in peers)),
        figure(f"CPU of a broadcast to {VIEWERS}", "s", cpu, "limit", CPU_LIMIT_SECONDS),
        figure(f"CPU of a broadcast to {VIEWERS}", "s", cpu, "bare loop", statistics.mean(spent for _, spent in peers)),
        figure("memory a viewer", "KB", [memory], "limit", MEMORY_LIMIT_KB),
        *reopened,
    ]


def _gather(stack: ExitStack, product: Product, count: int) -> list[Crowd]:
    token = product.api.new_player().access_token
    processes = -(-count // VIEWERS_A_PROCESS)
    crowds = [stack.enter_context(Crowd(product.base_url, token, count // processes)) for _ in range(processes)]
    for gathered in crowds:
        opened = gathered.hear()
        assert opened["refused"] == 0, opened
    time.sleep(PAUSE_SECONDS)
    return crowds


def _broadcast(product: Product, crowds: Sequence[Crowd]) -> tuple[float, float]:
    """Seconds until the last viewer has a frame published now, and CPU seconds of the HTTP processes."""
    version, text = _text()
    before = cpu_seconds([product.pid("http")])
    for gathered in crowds:
        gathered.tell({"watch": [version], "seconds": 20})
    time.sleep(PAUSE_SECONDS)
    with product.redis() as client:
        published_at = time.monotonic()
        client.publish(CHANNEL, text)
    answers = [gathered.hear() for gathered in crowds]
    return max(answer["last"][version] for answer in answers) - published_at, cpu_seconds([product.pid("http")]) - before


def _reopen_under_updates(product: Product, crowds: Sequence[Crowd]) -> list[Figure]:
    """Everybody leaves and is back at once, while players go on scoring; what they are answered then."""
    requests = crowd(product)
    pid = product.pid("http")
    drive(product.base_url, requests, [pid], connections=CONNECTIONS, seconds=3.0, rate=200)  # who plays is known by now
    with ThreadPoolExecutor(1) as others:
        playing = others.submit(
            drive, product.base_url, requests, [pid], connections=CONNECTIONS, seconds=SCREEN_SECONDS, rate=200
        )
        time.sleep(1.0)
        for gathered in crowds:
            gathered.tell({"reopen": True})
        answers = [gathered.hear() for gathered in crowds]
        load = playing.result()
    assert all(answer["refused"] == 0 for answer in answers), answers
    assert set(load.statuses) == {200}, load.statuses
    rate = sum(answer["open"] for answer in answers) / max(answer["seconds"] for answer in answers)
    return [
        figure("viewers admitted a second, all at once", "1/s", [rate], "limit", 500.0),
        figure("update while they come back, p99", "s", [load.percentile(99)], "limit", SCREEN_P99_LIMIT_SECONDS),
    ]


def _on_screen(product: Product) -> list[Figure]:
    """From the request to the frame that shows it, at several loads of other players; the largest the machine carries is said."""
    requests = crowd(product)
    pid = product.pid("http")
    probe = product.api.new_player()
    for _ in range(100):
        probe.score(5)
    figures = []
    for rate in UPDATES_A_SECOND:
        with ThreadPoolExecutor(1) as others:
            playing = others.submit(
                drive, product.base_url, requests, [pid], connections=CONNECTIONS, seconds=SCREEN_SECONDS, rate=rate
            )
            seconds = _probe(probe, SCREEN_SECONDS - 3.0)
            reached = round(playing.result().per_second)
        name = f"update to screen at {rate:.0f} updates/s" + ("" if reached > 0.95 * rate else f" ({reached} reached)")
        p99 = sorted(seconds)[int(len(seconds) * 0.99)]
        figures.append(figure(name, "s", seconds, "limit", SCREEN_LIMIT_SECONDS))
        figures.append(figure(name + ", p99", "s", [p99], "limit", SCREEN_P99_LIMIT_SECONDS))
        if reached <= 0.95 * rate:
            break
    return figures


def _probe(probe: Player, seconds: float) -> list[float]:
    found = []
    time.sleep(1.0)
    ends_at = time.monotonic() + seconds
    with probe.watch() as viewer:
        while time.monotonic() < ends_at:
            # At any moment: who scores as soon as a frame has come always waits for all of the time until the next one.
            time.sleep(random.uniform(0, BROADCAST_SECONDS))  # noqa: S311
            began = time.perf_counter()
            score = probe.score(5).data["score"]
            while not any(
                line["userId"] == probe.user_id and line["score"] >= score for line in json.loads(viewer.recv(timeout=30))["data"]
            ):
                pass
            found.append(time.perf_counter() - began)
    return found


class _BareServer:
    """Answers handshakes, then sends to each socket in turn: the least that any server of this language does."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._sockets: list[socket.socket] = []
        self._crowd: Crowd

    def __enter__(self) -> Self:
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            port = listener.getsockname()[1]
            self._crowd = Crowd(f"http://127.0.0.1:{port}", "none", self._count).__enter__()
            while len(self._sockets) < self._count:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                received = b""
                while b"\r\n\r\n" not in received:
                    received += client.recv(4096)
                client.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
                self._sockets.append(client)
        self._crowd.hear()
        return self

    def __exit__(self, *error: Any) -> None:
        for client in self._sockets:
            client.close()
        self._crowd.__exit__(None, None, None)

    def broadcast(self, frame: tuple[str, str]) -> tuple[float, float]:
        """As `_broadcast`."""
        version, text = frame
        self._crowd.tell({"watch": [version], "seconds": 20})
        time.sleep(PAUSE_SECONDS)
        data = Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
        began, cpu = time.monotonic(), time.thread_time()
        for client in self._sockets:
            client.send(data)
        spent = time.thread_time() - cpu
        return self._crowd.hear()["last"][version] - began, spent


def _text() -> tuple[str, str]:
    """A version as a broadcast of now has it, and a frame of the usual size with it: ten lines, 1.1 KB."""
    version = time.time_ns() // 1_000_000
    board = [
        {"userId": f"0190a7e4-0000-8000-8000-{n:012}", "username": f"player-{n:06}", "rank": n + 1, "score": 100_000 - n}
        for n in range(10)
    ]
    frame = {"type": "leaderboard", "version": version, "data": board, "cache_time": "2026-01-01T12:00:00.000Z"}
    return str(version), json.dumps(frame, separators=(",", ":"))
