"""A connection to the broker with one channel on which every message is confirmed, and the conversation that opens it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Any

import pika
from pika import frame, spec
from pika.exceptions import AMQPError

from shared.core.peer_watch import PeerWatch
from shared.core.tcp import keep_alive
from shared.stores.rabbitmq.connection import SILENCE_SECONDS
from shared.stores.rabbitmq.frames import CHANNEL, heard, method
from shared.stores.rabbitmq.streams import PlainStream, SecureStream, Stream

TICK_SECONDS = 0.5
SEND_SECONDS = 5.0
FRAME_BYTES = 131_072
_PROPERTIES = {
    "product": "scoreboard",
    "capabilities": {
        "authentication_failure_close": True,
        "basic.nack": True,
        "connection.blocked": True,
        "publisher_confirms": True,
    },
}
_HEARTBEAT: bytes = frame.Heartbeat().marshal()


class LinkClosed(Exception):
    """The broker ended the connection or its channel, or does not open them; the text is what it said."""


class Link:
    """Whoever may write to it takes care that the others do not; `receive` is for one thread alone."""

    def __init__(self, parameters: pika.ConnectionParameters) -> None:
        """Connect and open the channel, in bounded time; raises OSError or LinkClosed."""
        self._rest = b""
        self._sending = threading.Lock()
        self._reading = socket.create_connection((parameters.host, parameters.port), parameters.socket_timeout)
        self._writing = self._reading.dup()
        try:
            self._reading.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            keep_alive(self._reading)
            self._writing.settimeout(SEND_SECONDS)
            self._peer = PeerWatch(self._reading)
            self._stream = self._made_stream(parameters.ssl_options)
            self._open(parameters)
            self._reading.settimeout(TICK_SECONDS)
        except BaseException:
            self.close()
            raise
        self._sent_at = self._heard_at = time.monotonic()

    def send(self, data: bytes) -> None:
        """Whole frames; raises OSError."""
        with self._sending:
            self._stream.sendall(data)
            self._sent_at = time.monotonic()

    def receive(self) -> list[Any]:
        """Confirms and pika's frames, in their order, after at most TICK_SECONDS; raises OSError or LinkClosed."""
        found: list[Any] = []
        with suppress(TimeoutError):
            found = self._heard()
            self._heard_at = time.monotonic()
        self._keep_alive(time.monotonic())
        return found

    def has_hung_up(self) -> bool:
        """Whether the broker ended it while nothing was in flight, say while this process was frozen."""
        return self._peer.has_hung_up()

    def say_goodbye(self) -> None:
        """Ask the broker to end it; `receive` then raises."""
        with suppress(OSError):
            self.send(method(0, spec.Connection.Close(200, "closed", 0, 0)))

    def abort(self) -> None:
        """End it; `receive` raises, in whatever thread it waits."""
        with suppress(OSError):
            self._reading.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """When nobody uses it any more."""
        self.abort()
        self._reading.close()
        self._writing.close()

    def _keep_alive(self, now: float) -> None:
        """The broker must say something from time to time, and we must."""
        if self._heartbeat and now - self._heard_at > SILENCE_SECONDS:
            raise TimeoutError("the broker has gone silent")
        if self._heartbeat and now - self._sent_at > self._heartbeat / 2:
            self.send(_HEARTBEAT)

    def _heard(self) -> list[Any]:
        received = self._stream.recv()
        if not received:
            raise ConnectionResetError("the broker closed the connection")
        try:
            found, self._rest = heard(self._rest + received)
        except AMQPError as error:
            raise LinkClosed(repr(error)) from error
        for said in found:
            closing = getattr(said, "method", None)
            if isinstance(closing, spec.Channel.Close):
                self.say_goodbye()
            if isinstance(closing, spec.Connection.Close | spec.Channel.Close):
                raise LinkClosed(f"{closing.reply_code} {closing.reply_text}")
            if isinstance(closing, spec.Connection.CloseOk):
                raise LinkClosed("closed")
        return found

    def _made_stream(self, options: pika.SSLOptions | None) -> Stream:
        if options is None:
            return PlainStream(self._reading, self._writing)
        stream = SecureStream(self._reading, self._writing, options.context, options.server_hostname)
        stream.shake_hands()
        return stream

    def _open(self, parameters: pika.ConnectionParameters) -> None:
        self._stream.sendall(frame.ProtocolHeader().marshal())
        start = self._answer(spec.Connection.Start)
        mechanism, response = parameters.credentials.response_for(start)
        self._say(0, spec.Connection.StartOk(_PROPERTIES, mechanism, response, "en_US"))
        tune = self._answer(spec.Connection.Tune)
        self._heartbeat = min(filter(None, (tune.heartbeat, parameters.heartbeat)), default=0)
        self._say(0, spec.Connection.TuneOk(CHANNEL, min(tune.frame_max or FRAME_BYTES, FRAME_BYTES), self._heartbeat))
        self._say(0, spec.Connection.Open(parameters.virtual_host))
        self._answer(spec.Connection.OpenOk)
        self._say(CHANNEL, spec.Channel.Open())
        self._answer(spec.Channel.OpenOk)
        self._say(CHANNEL, spec.Confirm.Select())
        self._answer(spec.Confirm.SelectOk)

    def _say(self, channel: int, content: Any) -> None:
        self._stream.sendall(method(channel, content))

    def _answer(self, kind: type[Any]) -> Any:
        while not (found := self._heard()):
            pass
        answer = getattr(found[0], "method", None)
        if not isinstance(answer, kind):
            raise LinkClosed(f"the broker answered {found[0]!r}")
        return answer
