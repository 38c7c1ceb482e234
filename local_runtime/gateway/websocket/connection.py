"""One WebSocket: parsed by `websockets`, driven by the event loop's watchers, so that an idle viewer costs no greenlet."""

from __future__ import annotations

import logging
import time
from typing import Any, Protocol

from gevent import get_hub
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import SERVER, State
from websockets.protocol import Protocol as WebSocketProtocol

from local_runtime.gateway.websocket.channel import Channel
from local_runtime.gateway.websocket.limits import MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, Limits
from local_runtime.gateway.websocket.outbox import Outbox
from local_runtime.hosting.events.websocket import NO_STATUS_REASON, Peer

logger = logging.getLogger(__name__)
protocol_logger = logging.getLogger("websockets.server")

TOKEN_EXPIRED = 4401
ABNORMAL = int(CloseCode.ABNORMAL_CLOSURE)
REASONS = {1000: "", 1001: "Going away", 1005: NO_STATUS_REASON, 1006: "Connection closed abnormally"}
_READ = 1
_READ_BYTES = 16384  # as many of the smallest frames as the event loop may be busy with at one go
_PING = Frame(Opcode.PING, b"").serialize(mask=False)


class QueueFull(Exception):
    """The peer reads too slowly for what is posted to it."""


class Owner(Protocol):
    """What a connection tells the gateway that holds it; called in the event loop, so it must not wait."""

    def on_messages(self, connection: Connection) -> None:
        """There is something in `inbox`; the connection reads no more until `resume`."""
        ...

    def on_closed(self, connection: Connection, code: int, reason: str) -> None:
        """The socket is gone."""
        ...

    def on_sent(self, size: int) -> None:
        """A broadcast frame went to the socket."""
        ...


class Connection:
    """Reads through `inbox`, writes through its outbox; `expires_at` is on the monotonic clock."""

    __slots__ = (
        "_allowance",
        "_allowance_at",
        "_begun_at",
        "_busy",
        "_channel",
        "_closed",
        "_closing_at",
        "_ends_at",
        "_limits",
        "_message",
        "_outbox",
        "_owner",
        "_ping_at",
        "_pings_lost",
        "_protocol",
        "_reader",
        "expires_at",
        "inbox",
        "last_active_at",
        "peer",
    )

    def __init__(self, channel: Channel, peer: Peer, owner: Owner, limits: Limits, expires_at: float | None = None) -> None:
        now = time.monotonic()
        self.peer = peer
        self.inbox: list[str] = []
        self.expires_at = expires_at
        self.last_active_at = now
        self._channel = channel
        self._owner = owner
        self._limits = limits
        self._protocol = WebSocketProtocol(SERVER, max_size=(MAX_MESSAGE_BYTES, MAX_FRAME_BYTES), logger=protocol_logger)
        self._message = bytearray()
        self._allowance, self._allowance_at = float(limits.frames_burst), now
        self._begun_at: float | None = None
        self._outbox = Outbox(channel, owner.on_sent, self.abort)
        self._busy = self._closed = False
        self._closing_at: float | None = None
        self._ends_at = now + limits.lifetime_seconds
        self._ping_at = now + limits.ping_seconds
        self._pings_lost = 0
        self._reader: Any = get_hub().loop.io(channel.fileno(), _READ)

    def start(self, received: bytes = b"") -> None:
        """Begin to read; `received` is what came behind the handshake already."""
        self._reader.start(self._on_readable)
        for start in range(0, len(received), _READ_BYTES):
            self._guard(self._feed, received[start : start + _READ_BYTES])

    @property
    def is_open(self) -> bool:
        """Whether messages may still be sent."""
        return not self._closed and self._closing_at is None

    @property
    def last_active_epoch(self) -> float:
        """When a message last went either way, in seconds since the epoch."""
        return time.time() - (time.monotonic() - self.last_active_at)

    def offer(self, frame: bytes, slot: str = "") -> int:
        """Send an encoded broadcast frame, or drop it for a newer one of its slot; answers how many were dropped."""
        return self._outbox.offer(frame, slot) if not self._closed and self._closing_at is None else 0

    def forget(self, slot: str) -> None:
        """Send no frame that still waits in this slot."""
        self._outbox.forget(slot)

    def post_text(self, data: bytes) -> None:
        """Send a message of its own to this peer, in order; raises QueueFull."""
        if self._outbox.queued_bytes + len(data) > self._limits.queued_bytes:
            raise QueueFull
        self.last_active_at = time.monotonic()
        self._send(Frame(Opcode.TEXT, data).serialize(mask=False))

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""
        if self.is_open and self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._guard(self._send_protocol_output)

    def abort(self) -> None:
        """Drop the connection without a word, because the peer is gone or deaf."""
        if self._closed:
            return
        self._closed = True
        self._reader.stop()
        self._reader.close()
        self._outbox.close()
        self._channel.close()
        self._owner.on_closed(self, *self._end())

    def resume(self) -> None:
        """Read on after the messages of the inbox were handled."""
        self._busy = False
        if self._begun_at is not None:
            self._begun_at = time.monotonic()
        if not self._closed:
            self._reader.start(self._on_readable)
            self._guard(self._read)

    def check(self, now: float, last_broadcast_at: float) -> None:
        """Whatever time demands: expiry, the end of life, idleness, pings, the dead."""
        limits, blocked_since = self._limits, self._outbox.blocked_since
        if self._closing_at is not None:
            if now - self._closing_at > limits.close_seconds:
                self.abort()
        elif self.expires_at is not None and now >= self.expires_at:
            self.close(TOKEN_EXPIRED, "token expired")
        elif now >= self._ends_at or now - max(self.last_active_at, last_broadcast_at) > limits.idle_seconds:
            self.close(CloseCode.GOING_AWAY, "Going away")
        elif self._begun_at is not None and now - self._begun_at > limits.message_seconds and not self._busy:
            self.close(CloseCode.POLICY_VIOLATION, "a message was begun and not finished")
        elif blocked_since is not None and now - blocked_since > limits.stall_seconds:
            self.abort()
        elif now >= self._ping_at and not self._busy:
            self._ping(now)

    def _ping(self, now: float) -> None:
        if self._pings_lost >= self._limits.lost_pings:
            self.abort()
            return
        self._pings_lost += 1
        self._ping_at = now + self._limits.ping_seconds
        self._send(_PING)

    def _on_readable(self) -> None:
        self._guard(self._read)

    def _guard(self, step: Any, *arguments: Any) -> None:
        """Run a step in the event loop, where nothing above would catch an error."""
        try:
            step(*arguments)
        except OSError:
            self.abort()
        except Exception:
            logger.exception("connection %s failed", self.peer.connection_id)
            self.abort()

    def _read(self) -> None:
        """What there is, once: whoever sends without end gets no more than one turn of the event loop after the other."""
        while not self._closed and not self._busy:
            data = self._channel.receive(_READ_BYTES)
            if data is None:
                return
            if not data:
                self.abort()
                return
            self._feed(data)
            if self._closed or not self._channel.pending():
                return

    def _feed(self, data: bytes) -> None:
        if self._closed:
            return
        self._protocol.receive_data(data)
        frames = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
        self._watch_pace(len(frames))
        for frame in frames:
            self._on_frame(frame)
        self._send_protocol_output()
        if self.inbox and not self._busy and not self._closed:
            self._busy = True
            self._reader.stop()
            self._owner.on_messages(self)

    def _watch_pace(self, frames: int) -> None:
        """Frames have their price, and half a message takes memory that nobody may keep for long."""
        now, limits = time.monotonic(), self._limits
        earned = (now - self._allowance_at) * limits.frames_per_second
        self._allowance, self._allowance_at = min(self._allowance + earned, limits.frames_burst) - frames, now
        if self._allowance < 0:
            self._refuse(CloseCode.POLICY_VIOLATION, "too many frames")
        in_message = self._protocol.current_size is not None
        if not in_message and (frames or not self._protocol.reader.buffer):
            self._begun_at = None
        if self._begun_at is None and (in_message or self._protocol.reader.buffer):
            self._begun_at = now

    def _on_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self._pings_lost = 0
        elif frame.opcode is Opcode.PING:
            self.last_active_at = time.monotonic()
        elif frame.opcode is Opcode.BINARY:
            self._refuse(CloseCode.UNSUPPORTED_DATA, "binary frames are not supported")
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT) and self._protocol.state is State.OPEN:
            self._on_text(frame)

    def _on_text(self, frame: Frame) -> None:
        self._message += frame.data
        if not frame.fin:
            return
        message, self._message = self._message, bytearray()
        self.last_active_at = time.monotonic()
        try:
            self.inbox.append(message.decode())
        except UnicodeDecodeError:
            self._refuse(CloseCode.INVALID_DATA, "text is not UTF-8")

    def _refuse(self, code: CloseCode, reason: str) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.fail(code, reason)

    def _send_protocol_output(self) -> None:
        """Pongs, close frames and the end of the stream, as the protocol wants them sent."""
        parts = self._protocol.data_to_send()
        data = b"".join(parts)
        if data:
            self._send(data)
        if b"" in parts and not self._closed:
            self._outbox.half_close()
        if not self._closed and self._protocol.close_expected():
            self._outbox.drop_broadcast()
            if self._closing_at is None:
                self._closing_at = time.monotonic()

    def _send(self, data: bytes) -> None:
        if self._closed:
            return
        self._outbox.send(data)
        if self._outbox.queued_bytes > 2 * self._limits.queued_bytes:
            self.abort()

    def _end(self) -> tuple[int, str]:
        """Code and reason as API Gateway reports them: the side that closed first says why."""
        received, sent = self._protocol.close_rcvd, self._protocol.close_sent
        close = sent if sent is not None and not self._protocol.close_rcvd_then_sent else received
        if close is None:
            return ABNORMAL, REASONS[ABNORMAL]
        return int(close.code), close.reason or REASONS.get(int(close.code), "")
