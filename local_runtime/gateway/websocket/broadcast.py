"""The conflated broadcast: of everything published only the newest frame, at most ten times a second, encoded once."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import gevent
from gevent.event import Event
from websockets.frames import Frame, Opcode

from local_runtime import metrics
from shared.core.metrics import broadcast_lag_seconds

logger = logging.getLogger(__name__)

_VERSION = re.compile(rb'\{"type":"leaderboard","version":(\d{1,19}),')
_lag_seconds = broadcast_lag_seconds.of()
_SLICE = 100  # a millisecond; an update waits for several turns of the loop, and so for as many slices


@dataclass(frozen=True, slots=True)
class Encoded:
    """A frame as it goes on every wire; `version` is None when the text has none."""

    data: bytes
    version: int | None


def encode(text: bytes) -> Encoded:
    """Make the WebSocket frame of a published text."""
    return Encoded(Frame(Opcode.TEXT, text).serialize(mask=False), version_of(text))


def version_of(text: bytes) -> int | None:
    """The version that a published text says it has."""
    match = _VERSION.match(text)
    return int(match[1]) if match else None


class Viewer(Protocol):
    """Takes frames."""

    def offer(self, frame: bytes) -> int:
        """Send an encoded frame, or drop it for a newer one; answers how many were dropped."""
        ...


class Broadcast:
    """Gives the newest frame to all viewers: the first at once, then at each interval, the last one always.

    Who they are is asked with each frame, when `version` is already that frame's.
    """

    def __init__(self, viewers: Callable[[], Iterable[Viewer]], interval_seconds: float = 0.1) -> None:
        self._viewers = viewers
        self._interval_seconds = interval_seconds
        self._arrived = Event()
        self._newest_text: bytes | None = None
        self._newest_version: int | None = None
        self._current: Encoded | None = None
        self._oldest_accepted_at: float | None = None
        self.last_sent_at = 0.0

    def publish(self, text: bytes) -> None:
        """Take a published text; one that is not newer than what we have is ignored."""
        metrics.frames_received.inc()
        version = version_of(text)
        if text == self._newest_text or _is_older(version, self._newest_version):
            return
        self._newest_text = text
        self._newest_version = version if version is not None else self._newest_version
        self._arrived.set()

    def accepted(self, milliseconds: bytes) -> None:
        """The frame that comes next is the first to tell of an update accepted then."""
        try:
            accepted_at = int(milliseconds) / 1000
        except ValueError:
            return
        self._oldest_accepted_at = min(accepted_at, self._oldest_accepted_at or accepted_at)

    def snapshot(self) -> bytes | None:
        """The newest frame sent so far, for a viewer that has just come."""
        return self._current.data if self._current is not None else None

    @property
    def version(self) -> int:
        """Of the newest frame sent so far; 0 without one."""
        return (self._current.version or 0) if self._current is not None else 0

    def run(self) -> None:
        """Send for ever; a greenlet of its own."""
        while True:
            self._arrived.wait()
            self._arrived.clear()
            started = time.monotonic()
            try:
                self._send_newest()
            except Exception:
                logger.exception("broadcast failed")
            gevent.sleep(max(0.0, self._interval_seconds - (time.monotonic() - started)))

    def _send_newest(self) -> None:
        if self._newest_text is None:
            return
        self._current = frame = encode(self._newest_text)
        self.last_sent_at = started = time.monotonic()
        dropped, (accepted_at, self._oldest_accepted_at) = 0, (self._oldest_accepted_at, None)
        viewers = list(self._viewers())
        for start in range(0, len(viewers), _SLICE):
            if start:
                gevent.sleep(0)  # requests and pings have their turn between the slices
            for viewer in viewers[start : start + _SLICE]:
                dropped += viewer.offer(frame.data)
        metrics.broadcasts.inc()
        metrics.frame_bytes.of().set(len(frame.data))
        metrics.broadcast_seconds.observe(time.monotonic() - started)
        if accepted_at is not None:
            _lag_seconds.observe(max(0.0, time.time() - accepted_at))
        if dropped:
            metrics.frames_dropped.inc(dropped)


def _is_older(version: int | None, than: int | None) -> bool:
    return version is not None and than is not None and version <= than
