"""What goes out on one WebSocket: written straight to the socket, and kept only where the socket does not take it at once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from gevent import get_hub

from local_runtime.gateway.websocket.channel import SAME_AGAIN, Channel

_WRITE = 2


class Outbox:
    """Keeps, in this order: the rest of the frame begun, frames of this peer's own, and of each broadcast only the newest frame.

    A frame once begun is finished before the next begins. `on_sent` is told of the size of each broadcast frame begun,
    `on_failure` that the peer is gone; both are called in the event loop and must not wait.
    """

    __slots__ = (
        "_channel",
        "_half_close",
        "_on_failure",
        "_on_sent",
        "_queue",
        "_rest",
        "_slots",
        "_writer",
        "blocked_since",
        "queued_bytes",
    )

    def __init__(self, channel: Channel, on_sent: Callable[[int], None], on_failure: Callable[[], None]) -> None:
        self._channel = channel
        self._on_sent = on_sent
        self._on_failure = on_failure
        self._rest: memoryview | None = None
        self._queue: deque[bytes] | None = None
        self._slots: dict[str, bytes] | None = None
        self._writer: Any = None
        self._half_close = False
        self.queued_bytes = 0
        self.blocked_since: float | None = None

    def offer(self, frame: bytes, slot: str = "") -> int:
        """Send a broadcast frame now, or the newest one of this slot as soon as the socket takes it.

        Answers how many frames were dropped: 1 when an older one was still waiting.
        """
        if self.blocked_since is not None:
            return int(self._wait(frame, slot))
        try:
            sent = self._channel.send(frame)
        except OSError:
            self._on_failure()
            return 0
        if sent == len(frame):
            self._on_sent(sent)
        else:
            self._keep(memoryview(frame), sent, frame, slot)
            self._await_writable()
        return 0

    def forget(self, slot: str) -> None:
        """The frame that waits in a slot is not wanted any more."""
        if self._slots is not None:
            self._slots.pop(slot, None)

    def send(self, data: bytes) -> None:
        """Send a frame of this peer's own, after those sent before."""
        if self.blocked_since is not None:
            if self._queue is None:
                self._queue = deque()
            self._queue.append(data)
            self.queued_bytes += len(data)
            return
        try:
            sent = self._channel.send(data)
        except OSError:
            self._on_failure()
            return
        if sent != len(data):
            self._keep(memoryview(data), sent)
            self._await_writable()

    def drop_broadcast(self) -> None:
        """Forget the broadcast frames that wait: nothing may follow a close frame."""
        self._slots = None

    def half_close(self) -> None:
        """Tell the peer that nothing more follows, once everything has gone out."""
        self._half_close = True
        self._shut_down_when_drained()

    def close(self) -> None:
        """Forget everything."""
        if self._writer is not None:
            self._writer.stop()
            self._writer.close()
            self._writer = None
        self._rest = self._slots = self._queue = None

    def _wait(self, frame: bytes, slot: str) -> bool:
        """Whether an older one had to give way."""
        if self._slots is None:
            self._slots = {}
        gives_way = slot in self._slots
        self._slots[slot] = frame
        return gives_way

    def _keep(self, data: memoryview, sent: int, frame: bytes | None = None, slot: str = "") -> None:
        """Remember what was not taken: an untouched broadcast frame may still give way to a newer one."""
        self._rest = None
        if sent > 0:
            self._rest = data[sent:]
        elif sent == SAME_AGAIN or frame is None:
            self._rest = data
        else:
            self._wait(frame, slot)
            return
        if frame is not None:
            self._on_sent(len(frame))

    def _await_writable(self) -> None:
        self.blocked_since = time.monotonic()
        if self._writer is None:
            self._writer = get_hub().loop.io(self._channel.fileno(), _WRITE)
        self._writer.start(self._on_writable)

    def _on_writable(self) -> None:
        try:
            while self._writer is not None and self._flush_one():
                pass
        except OSError:
            self._on_failure()

    def _flush_one(self) -> bool:
        """Offer what is first in line to the socket; answers whether it took all of it and more may follow."""
        frame, slot = None, ""
        if self._rest is not None:
            data = self._rest
        elif self._queue:
            data = memoryview(self._queue.popleft())
            self.queued_bytes -= len(data)
        elif self._slots:
            slot = next(iter(self._slots))
            frame = self._slots.pop(slot)
            data = memoryview(frame)
        else:
            self._drained()
            return False
        sent = self._channel.send(data)
        if sent > 0:
            self.blocked_since = time.monotonic()
        if sent != len(data):
            self._keep(data, sent, frame, slot)
            return False
        self._rest = None
        if frame is not None:
            self._on_sent(sent)
        return True

    def _drained(self) -> None:
        self.blocked_since = None
        self._writer.stop()
        self._shut_down_when_drained()

    def _shut_down_when_drained(self) -> None:
        if self._half_close and self.blocked_since is None:
            self._half_close = False
            self._channel.shutdown()
