"""One WebSocket over a real pair of sockets: frames, limits, slow readers, and everything that time does to it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gevent
import pytest
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from local_runtime.gateway.websocket.broadcast import encode
from local_runtime.gateway.websocket.channel import SAME_AGAIN, WOULD_BLOCK, open_channel
from local_runtime.gateway.websocket.connection import Connection, QueueFull
from local_runtime.gateway.websocket.limits import Limits
from local_runtime.gateway.websocket.outbox import Outbox
from local_runtime.hosting.events.websocket import Peer

PEER = Peer("id", "host", "127.0.0.1", "test", 0.0)


def until(probe: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Run the event loop until the probe's answer is truthy."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, "did not happen in time"
        gevent.sleep(0.005)
    return answer


class Gateway:
    """An owner that remembers what it is told."""

    def __init__(self) -> None:
        self.ends: list[tuple[int, str]] = []
        self.waiting: list[Connection] = []
        self.frames = 0

    def on_messages(self, connection: Connection) -> None:
        self.waiting.append(connection)

    def on_closed(self, connection: Connection, code: int, reason: str) -> None:
        self.ends.append((code, reason))

    def on_sent(self, size: int) -> None:
        self.frames += 1


class Viewer:
    """The other end: a client that reads only when told to."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.protocol = ClientProtocol(parse_uri("ws://host/"), state=OPEN, max_size=None)
        self.frames: list[Frame] = []

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_frame(self, opcode: Opcode, data: bytes, fin: bool = True) -> None:
        self.send(Frame(opcode, data, fin).serialize(mask=True))

    def read(self, answer: bool = True) -> list[Frame]:
        """Read what there is, answer pings and close frames as clients do, and give all frames received so far."""
        try:
            while data := self.sock.recv(65536):
                self.protocol.receive_data(data)
                self.frames += [event for event in self.protocol.events_received() if isinstance(event, Frame)]
                for reply in self.protocol.data_to_send() if answer else []:
                    if reply:
                        self.sock.sendall(reply)
            self.sock.close()
        except OSError:
            pass
        return self.frames

    def texts(self) -> list[bytes]:
        return [bytes(frame.data) for frame in self.read() if frame.opcode is Opcode.TEXT]

    def close(self) -> Close:
        """The close frame, once it has come."""
        return until(lambda: next((Close.parse(f.data) for f in self.read() if f.opcode is Opcode.CLOSE), None))  # type: ignore[no-any-return]


class Bench:
    """A connection, its gateway and its viewer."""

    def __init__(self, limits: Limits, expires_at: float | None = None) -> None:
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.gateway = Gateway()
        self.viewer = Viewer(theirs)
        self.connection = Connection(open_channel(ours), PEER, self.gateway, limits, expires_at)
        self.connection.start()

    def check(self, last_broadcast_at: float = 0.0, later: float = 0.0) -> None:
        """As the gateway does so many seconds later."""
        self.connection.check(time.monotonic() + later, last_broadcast_at)

    def messages(self, count: int) -> list[str]:
        until(lambda: len(self.connection.inbox) >= count)
        return self.connection.inbox

    def end(self) -> tuple[int, str]:
        def ended() -> list[tuple[int, str]]:
            self.viewer.read()
            return self.gateway.ends

        until(ended)
        assert len(self.gateway.ends) == 1
        return self.gateway.ends[0]

    def fill(self) -> int:
        """Send broadcast frames until the socket is full; answers the last number sent."""
        number = 0
        while self.connection._outbox.blocked_since is None:
            number += 1
            self.connection.offer(numbered(number))
        return number


def numbered(number: int) -> bytes:
    return encode(b'{"type":"leaderboard","version":%d,"data":"%s"}' % (number, b"x" * 3000)).data


def number_of(text: bytes) -> int:
    return int(text.split(b'"version":')[1].split(b",")[0])


@pytest.fixture
def make() -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def make_bench(expires_at: float | None = None, **limits: Any) -> Bench:
        benches.append(Bench(Limits(**limits), expires_at))
        return benches[-1]

    yield make_bench
    for bench in benches:
        bench.connection.abort()
        bench.viewer.sock.close()


@pytest.fixture
def bench(make: Callable[..., Bench]) -> Bench:
    return make()


def test_messages_arrive_in_order_however_they_are_cut(bench: Bench) -> None:
    stream = b"".join(Frame(Opcode.TEXT, text).serialize(mask=True) for text in (b"one", "zwei é".encode(), b""))
    for at in range(0, len(stream), 3):
        bench.viewer.send(stream[at : at + 3])
        gevent.sleep(0)
    bench.messages(1)
    bench.connection.resume()
    assert bench.messages(3) == ["one", "zwei é", ""]


def test_nothing_is_read_while_messages_are_handled(bench: Bench) -> None:
    bench.viewer.send_frame(Opcode.TEXT, b"first")
    bench.messages(1)
    bench.viewer.send_frame(Opcode.TEXT, b"second")
    gevent.sleep(0.05)
    assert bench.connection.inbox == ["first"]
    bench.connection.inbox.clear()
    bench.connection.resume()
    assert bench.messages(1) == ["second"]


def test_fragments_become_one_message(bench: Bench) -> None:
    bench.viewer.send_frame(Opcode.TEXT, "é".encode()[:1], fin=False)
    bench.viewer.send_frame(Opcode.PING, b"between")
    bench.viewer.send_frame(Opcode.CONT, "é".encode()[1:] + b"!")
    assert bench.messages(1) == ["é!"]


def test_a_ping_is_answered(bench: Bench) -> None:
    bench.viewer.send_frame(Opcode.PING, b"x")
    assert until(bench.viewer.read)[0] == Frame(Opcode.PONG, b"x")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(Opcode.BINARY, b"x", True)], 1003),
        ([(Opcode.TEXT, b"\xff", True)], 1007),
        ([(Opcode.TEXT, b"x" * (32 * 1024 + 1), True)], 1009),
        ([(Opcode.TEXT, b"x" * 30000, False)] + [(Opcode.CONT, b"x" * 30000, False)] * 4, 1009),
        ([(Opcode.CONT, b"x", True)], 1002),
    ],
)
def test_what_is_not_allowed_closes_the_connection(bench: Bench, frames: list[tuple[Opcode, bytes, bool]], code: int) -> None:
    def feed() -> None:
        bench.viewer.sock.setblocking(True)
        for frame in frames:
            bench.viewer.send_frame(*frame)
        bench.viewer.sock.setblocking(False)

    gevent.get_hub().threadpool.spawn(feed).get()
    assert bench.viewer.close().code == code
    assert bench.end()[0] == code
    assert bench.connection.inbox == []


def test_a_message_of_128_kib_in_frames_of_32_is_fine(bench: Bench) -> None:
    def feed() -> None:
        bench.viewer.sock.setblocking(True)
        for n in range(4):
            bench.viewer.send_frame(Opcode.TEXT if n == 0 else Opcode.CONT, b"x" * 32768, n == 3)
        bench.viewer.sock.setblocking(False)

    gevent.get_hub().threadpool.spawn(feed).get()
    assert len(bench.messages(1)[0]) == 128 * 1024


def test_frames_that_say_nothing_take_no_memory(bench: Bench) -> None:
    bench.viewer.send_frame(Opcode.TEXT, b"", fin=False)
    for _ in range(100):
        bench.viewer.send_frame(Opcode.CONT, b"", fin=False)
    gevent.sleep(0.05)
    assert len(bench.connection._message) == 0
    assert bench.connection.is_open


def test_a_message_must_be_finished_in_time(make: Callable[..., Bench]) -> None:
    half_a_message = Frame(Opcode.TEXT, b"half", fin=False).serialize(mask=True)
    half_a_frame = Frame(Opcode.TEXT, b"half").serialize(mask=True)[:-1]
    for begun in (half_a_message, half_a_frame):
        bench = make(message_seconds=10)
        bench.viewer.send(begun)
        until(partial(getattr, bench.connection, "_begun_at"))
        bench.check()
        assert bench.connection.is_open
        bench.check(later=11)
        assert bench.viewer.close().code == 1008


def test_a_message_that_arrives_in_pieces_is_no_reason_to_hurry(make: Callable[..., Bench]) -> None:
    bench = make(message_seconds=10)
    for part in (Frame(Opcode.TEXT, b"a", fin=False), Frame(Opcode.PING, b""), Frame(Opcode.CONT, b"b")):
        bench.viewer.send(part.serialize(mask=True))
    assert bench.messages(1) == ["ab"]
    bench.check(later=11)
    assert bench.connection.is_open


def test_more_frames_than_allowed_close_the_connection(make: Callable[..., Bench]) -> None:
    bench = make(frames_burst=10, frames_per_second=0.0)
    for _ in range(10):
        bench.viewer.send_frame(Opcode.PING, b"")
    until(lambda: len(bench.viewer.read()) == 10)
    assert bench.connection.is_open
    bench.viewer.send_frame(Opcode.PONG, b"")
    assert bench.viewer.close() == Close(1008, "too many frames")


def test_frames_are_allowed_again_after_a_while(make: Callable[..., Bench]) -> None:
    bench = make(frames_burst=1, frames_per_second=1000.0)
    for _ in range(5):
        time.sleep(0.01)
        bench.viewer.frames.clear()
        bench.viewer.send_frame(Opcode.PING, b"")
        until(bench.viewer.read)
    assert bench.connection.is_open


def test_a_flood_gets_one_turn_after_the_other(make: Callable[..., Bench]) -> None:
    bench = make(frames_per_second=0.0)
    bench.viewer.sock.setblocking(True)
    bench.viewer.send(Frame(Opcode.PONG, b"x" * 120).serialize(mask=True) * 400)
    bench.connection._read()
    first = bench.connection._allowance
    bench.connection._read()
    assert 0 < bench.connection._allowance < first, "the second turn had something left to read"
    bench.viewer.sock.setblocking(False)


@pytest.mark.parametrize(
    ("payload", "end"),
    [
        (Close(1000, "bye").serialize(), (1000, "bye")),
        (Close(4000, "").serialize(), (4000, "")),
        (b"", (1005, "Client-side close frame status not set")),
    ],
)
def test_the_viewers_close_frame_is_answered_and_reported(bench: Bench, payload: bytes, end: tuple[int, str]) -> None:
    bench.viewer.send_frame(Opcode.CLOSE, payload)
    assert bench.end() == end
    assert [frame.opcode for frame in bench.viewer.frames] == [Opcode.CLOSE]


def test_a_vanished_viewer_is_reported_as_1006(bench: Bench) -> None:
    bench.viewer.sock.close()
    assert bench.end() == (1006, "Connection closed abnormally")


def test_our_close_frame_is_the_last_thing_sent(bench: Bench) -> None:
    bench.connection.close(1001, "Going away")
    bench.connection.offer(numbered(1))
    assert bench.viewer.close() == Close(1001, "Going away")
    assert bench.end() == (1001, "Going away")
    assert len(bench.viewer.frames) == 1


def test_a_viewer_that_never_answers_a_close_is_dropped(make: Callable[..., Bench]) -> None:
    bench = make(close_seconds=10)
    bench.connection.close(1001, "Going away")
    bench.check()
    assert bench.gateway.ends == []
    bench.check(later=11)
    assert bench.gateway.ends == [(1001, "Going away")]


def test_a_frame_begun_is_finished_before_the_next(bench: Bench) -> None:
    last = bench.fill()
    bench.viewer.send_frame(Opcode.PING, b"now")
    gevent.sleep(0.02)
    bench.connection.post_text(b"for you")
    texts = until(lambda: len(bench.viewer.read()) >= last + 2 and bench.viewer.texts())
    versions = [number_of(text) for text in texts if text != b"for you"]
    assert versions == list(range(1, last + 1))
    assert b"for you" in texts
    assert Frame(Opcode.PONG, b"now") in bench.viewer.frames


def test_a_slow_reader_gets_the_newest_frame_and_none_between(bench: Bench) -> None:
    last = bench.fill()
    dropped = sum(bench.connection.offer(numbered(number)) for number in range(last + 1, last + 1001))
    texts = until(lambda: (texts := bench.viewer.texts()) and number_of(texts[-1]) == last + 1000 and texts)
    versions = [number_of(text) for text in texts]
    assert versions == sorted(set(versions))
    assert dropped in (999, 1000)
    assert len(versions) + dropped == last + 1000
    assert bench.gateway.frames == len(versions)


def test_a_reader_that_caught_up_gets_every_frame_again(bench: Bench) -> None:
    last = bench.fill()
    until(lambda: bench.viewer.read() and bench.connection._outbox.blocked_since is None)
    assert bench.connection.offer(numbered(last + 1)) == 0
    until(lambda: number_of(bench.viewer.texts()[-1]) == last + 1)


def test_a_reader_that_takes_nothing_for_too_long_is_dropped(make: Callable[..., Bench]) -> None:
    bench = make(stall_seconds=10)
    bench.fill()
    bench.check()
    assert bench.gateway.ends == []
    bench.check(later=11)
    assert bench.gateway.ends == [(1006, "Connection closed abnormally")]


def test_posts_to_a_reader_that_reads_nothing_are_bounded(make: Callable[..., Bench]) -> None:
    bench = make(queued_bytes=10_000)
    bench.fill()
    bench.connection.post_text(b"x" * 9_000)
    with pytest.raises(QueueFull):
        bench.connection.post_text(b"x" * 9_000)


def test_a_viewer_that_answers_no_ping_twice_is_dropped(make: Callable[..., Bench]) -> None:
    bench = make(ping_seconds=0.0)
    for _ in range(2):
        bench.check()
        assert bench.gateway.ends == []
    bench.viewer.read(answer=False)
    bench.check()
    assert bench.gateway.ends == [(1006, "Connection closed abnormally")]


def test_a_viewer_that_answers_pings_lives(make: Callable[..., Bench]) -> None:
    bench = make(ping_seconds=0.0)
    for _ in range(5):
        bench.check()
        until(lambda: bench.viewer.read() and bench.connection._pings_lost == 0)
    assert bench.connection.is_open


@pytest.mark.parametrize(
    ("limits", "end"),
    [({"lifetime_seconds": 0.0}, (1001, "Going away")), ({"idle_seconds": -1.0}, (1001, "Going away"))],
)
def test_age_and_idleness_end_a_connection(make: Callable[..., Bench], limits: dict[str, float], end: tuple[int, str]) -> None:
    bench = make(**limits)
    bench.check()
    assert bench.viewer.close() == Close(*end)
    assert bench.end() == end


def test_a_viewer_of_a_lively_board_is_not_idle(make: Callable[..., Bench]) -> None:
    bench = make(idle_seconds=0.0)
    bench.check(last_broadcast_at=time.monotonic() + 10)
    assert bench.connection.is_open


def test_an_expired_session_is_closed_with_4401(make: Callable[..., Bench]) -> None:
    bench = make(expires_at=time.monotonic() + 10)
    bench.check()
    assert bench.connection.is_open
    bench.check(later=11)
    assert bench.viewer.close() == Close(4401, "token expired")


class ScriptedChannel:
    """A channel that takes as much as the script says, and remembers what it was offered."""

    def __init__(self, *script: int) -> None:
        self._script = list(script)
        self._ours, self._theirs = socket.socketpair()
        self.offered: list[bytes] = []

    def fileno(self) -> int:
        return self._ours.fileno()

    def receive(self, size: int) -> bytes | None:
        return None

    def send(self, data: bytes | memoryview) -> int:
        self.offered.append(bytes(data))
        return self._script.pop(0) if self._script else len(data)

    def pending(self) -> bool:
        return False

    def shutdown(self) -> None:
        self.offered.append(b"shutdown")

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


def run_outbox(channel: ScriptedChannel, *frames: bytes, own: bytes = b"") -> list[bytes]:
    outbox = Outbox(channel, lambda size: None, lambda: None)
    for frame in frames:
        outbox.offer(frame)
    if own:
        outbox.send(own)
    until(lambda: outbox.blocked_since is None)
    outbox.close()
    channel.close()
    return channel.offered


def test_an_untouched_frame_gives_way_to_a_newer_one() -> None:
    assert run_outbox(ScriptedChannel(WOULD_BLOCK), b"old", b"mid", b"new") == [b"old", b"new"]


def test_a_frame_that_tls_may_have_encrypted_is_offered_again() -> None:
    assert run_outbox(ScriptedChannel(SAME_AGAIN), b"old", b"mid", b"new") == [b"old", b"old", b"new"]
    assert run_outbox(ScriptedChannel(WOULD_BLOCK, SAME_AGAIN), b"old", b"new") == [b"old", b"new", b"new"]


def test_a_frame_in_part_is_completed_first() -> None:
    assert run_outbox(ScriptedChannel(1, 1), b"old", b"mid", b"new") == [b"old", b"ld", b"d", b"new"]


def test_frames_of_ones_own_go_before_the_broadcast() -> None:
    assert run_outbox(ScriptedChannel(1, 0), b"old", b"new", own=b"own") == [b"old", b"ld", b"ld", b"own", b"new"]


def test_the_stream_is_closed_after_everything_has_gone_out() -> None:
    channel = ScriptedChannel(1)
    outbox = Outbox(channel, lambda size: None, lambda: None)
    outbox.send(b"bye")
    outbox.half_close()
    assert channel.offered == [b"bye"]
    until(lambda: outbox.blocked_since is None)
    assert channel.offered == [b"bye", b"ye", b"shutdown"]
    outbox.close()
    channel.close()
