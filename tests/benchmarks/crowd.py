"""A crowd of viewers in one process: plain sockets under one selector, cheap enough not to be what is measured."""

from __future__ import annotations

import base64
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from tests.support.product import ROOT

OPENING_AT_ONCE = 128
_RECEIVE_BYTES = 65536
_TEXT = 0x81


class Crowd:
    """`count` viewers of `ws://host:port/ws` as a child process; instants are monotonic seconds, the same in all processes."""

    def __init__(self, base_url: str, access_token: str, count: int) -> None:
        host, port = base_url.removeprefix("http://").split(":")
        self._order = {"host": host, "port": int(port), "token": access_token, "count": count}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.crowd"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def __enter__(self) -> Self:
        self.tell(self._order)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def tell(self, order: dict[str, Any]) -> None:
        """Give an order: see `_Viewers`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the crowd ended before it answered"
        answer: dict[str, Any] = json.loads(line)
        return answer


class _Viewer:
    """One socket: its handshake, then its frames; a frame that is not whole yet waits in `rest`."""

    __slots__ = ("is_open", "rest", "socket")

    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self.socket = socket.socket()
        self.socket.connect(address)
        self.socket.setblocking(False)
        self.socket.sendall(request)
        self.is_open = False
        self.rest = b""

    def frames(self, data: bytes) -> list[bytes]:
        """The payloads of all text frames that are whole now."""
        data = self.rest + data
        found = []
        while len(data) >= 2:
            length, head = data[1], 2
            if length == 126:
                length, head = int.from_bytes(data[2:4], "big"), 4
            if len(data) < head + length:
                break
            if data[0] == _TEXT:
                found.append(data[head : head + length])
            data = data[head + length :]
        self.rest = data
        return found


class _Viewers:
    """Opens all, says `{"open": n, "refused": n, "seconds": s}`, then obeys: `{"watch": [stamps], "seconds": s}` is answered by
    `{"first": {stamp: at}, "last": {stamp: at}, "seen": {stamp: viewers}}`, with `null` for the stamps by all that came in those
    seconds; `{"reopen": true}` closes and opens all again.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self._address = (order["host"], order["port"])
        self._count = order["count"]
        self._stamp = b'"version":'
        self._request = (
            f"GET /ws HTTP/1.1\r\nHost: {order['host']}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Authorization: Bearer {order['token']}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
        ).encode()
        self._selector = selectors.EpollSelector()
        self._viewers: list[_Viewer] = []

    def open(self) -> dict[str, Any]:
        """As many at once as a browser crowd behind a load balancer would be."""
        began = time.monotonic()
        waiting: set[_Viewer] = set()
        left, refused, slowest = self._count, 0, 0.0
        sent_at: dict[_Viewer, float] = {}
        while left or waiting:
            while left and len(waiting) < OPENING_AT_ONCE:
                viewer = _Viewer(self._address, self._request)
                sent_at[viewer] = time.monotonic()
                self._selector.register(viewer.socket, selectors.EVENT_READ, viewer)
                waiting.add(viewer)
                left -= 1
            for key, _ in self._selector.select(5.0):
                viewer = key.data
                data = self._receive(viewer)
                if viewer in waiting:
                    viewer.rest += data
                    head, separator, rest = viewer.rest.partition(b"\r\n\r\n")
                    if separator or not data:
                        waiting.discard(viewer)
                        slowest = max(slowest, time.monotonic() - sent_at[viewer])
                        if head.startswith(b"HTTP/1.1 101"):
                            viewer.is_open, viewer.rest = True, rest
                            self._viewers.append(viewer)
                        else:
                            refused += 1
                            self._drop(viewer)
                else:
                    viewer.frames(data)
        return {
            "open": len(self._viewers),
            "refused": refused,
            "seconds": time.monotonic() - began,
            "slowest": slowest,
        }

    def watch(self, stamps: Sequence[str] | None, seconds: float) -> dict[str, Any]:
        """Until every viewer has the last stamp, or so long."""
        wanted = None if stamps is None else frozenset(stamps)
        first: dict[str, float] = {}
        last: dict[str, float] = {}
        seen = Counter(dict.fromkeys(stamps or (), 0))
        ends_at = time.monotonic() + seconds
        while (stamps is None or seen[stamps[-1]] < len(self._viewers)) and time.monotonic() < ends_at:
            for key, _ in self._selector.select(0.5):
                viewer = key.data
                for frame in viewer.frames(self._receive(viewer)):
                    at = frame.find(self._stamp)
                    stamp = frame[at + len(self._stamp) : frame.find(b",", at)].decode() if at >= 0 else ""
                    if stamp and (wanted is None or stamp in wanted):
                        now = time.monotonic()
                        first.setdefault(stamp, now)
                        last[stamp] = now
                        seen[stamp] += 1
        return {"first": first, "last": last, "seen": seen}

    def reopen(self) -> dict[str, Any]:
        """Everybody leaves and is back at once."""
        for viewer in self._viewers:
            self._drop(viewer)
        self._viewers.clear()
        return self.open()

    def _receive(self, viewer: _Viewer) -> bytes:
        try:
            data = viewer.socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return b""
        except ConnectionError:
            data = b""
        if not data and viewer.is_open:
            raise SystemExit("the server closed a viewer")
        return data

    def _drop(self, viewer: _Viewer) -> None:
        self._selector.unregister(viewer.socket)
        viewer.socket.close()


def _obey() -> None:
    viewers = _Viewers(json.loads(sys.stdin.readline()))
    answer = viewers.open()
    while True:
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer
        line = sys.stdin.readline()
        if not line:
            return
        order = json.loads(line)
        answer = viewers.reopen() if "reopen" in order else viewers.watch(order["watch"], order["seconds"])


if __name__ == "__main__":
    _obey()
