"""Frames no well-behaved viewer sends: the connection ends with the right code, and the other viewers see nothing of it."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from tests.runtime.boards import Board
from tests.runtime.http_process import HttpProcess
from tests.support.waiting import eventually

MASK = b"\x11\x22\x33\x44"
DROPPED = None  # without a close frame
MIB = 1024 * 1024


def frame(
    opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True, length: bytes | None = None
) -> bytes:
    """A frame as we say, right or wrong; `length` stands for the length and what announces it."""
    first = bytes([fin << 7 | rsv << 4 | opcode])
    if length is None:
        size = len(data)
        length = bytes([size]) if size < 126 else struct.pack("!BH", 126, size) if size < 65536 else struct.pack("!BQ", 127, size)
    length = bytes([length[0] | masked << 7]) + length[1:]
    if not masked:
        return first + length + data
    return first + length + MASK + bytes(byte ^ MASK[place % 4] for place, byte in enumerate(data))


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(8, struct.pack("!H", code) + reason)


WRONG_CODES = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)
# name: what is sent, and the code of the close frame that answers it
CASES: dict[str, tuple[bytes, int]] = {
    "no mask": (frame(1, b"hello", masked=False), 1002),
    "no mask on a ping": (frame(9, masked=False), 1002),
    **{f"reserved bits {bits}": (frame(1, b"hello", rsv=bits), 1002) for bits in range(1, 8)},
    **{f"opcode {opcode}": (frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a compressed bomb that was not agreed on": (frame(1, b"\xec\xc1\x01\x01" + b"\x00" * 4000, rsv=4), 1002),
    "a ping that is too long": (frame(9, b"x" * 126), 1002),
    "a close frame that is too long": (frame(8, b"\x03\xe8" + b"x" * 124), 1002),
    "a ping in parts": (frame(9, b"x", fin=False), 1002),
    "a close frame in parts": (frame(8, b"\x03\xe8", fin=False), 1002),
    "the end of nothing": (frame(0, b"x"), 1002),
    "the middle of nothing": (frame(0, b"x", fin=False), 1002),
    "a message in a message": (frame(1, b"x", fin=False) + frame(1, b"y"), 1002),
    "a binary message": (frame(2, b"x"), 1003),
    "a binary message in parts": (frame(2, b"x", fin=False), 1003),
    "a length of 63 bits": (frame(1, length=struct.pack("!BQ", 127, 2**63 - 1)), 1009),
    "a length of 64 bits": (frame(1, length=struct.pack("!BQ", 127, 2**64 - 1)), 1009),
    "a frame of 4 GiB": (frame(1, length=struct.pack("!BQ", 127, 2**32)), 1009),
    "a frame one byte too long": (frame(1, b"x" * 32769), 1009),
    "a message too long": (frame(1, b"x" * 32768, fin=False) + frame(0, b"x" * 32768, fin=False) * 3 + frame(0, b"x"), 1009),
    "text that is not UTF-8": (frame(1, b"\xff"), 1007),
    "text that ends in a letter": (frame(1, "é".encode()[:1]), 1007),
    "a surrogate": (frame(1, b"\xed\xa0\x80"), 1007),
    "a letter written too long": (frame(1, b"\xc0\x80"), 1007),
    "a letter beyond all letters": (frame(1, b"\xf4\x90\x80\x80"), 1007),
    "not UTF-8 in parts": (frame(1, b"\xce", fin=False) + frame(0, b"\xff"), 1007),
    "half a code": (frame(8, b"\x03"), 1002),
    **{f"the code {code}": (close_frame(code), 1002) for code in WRONG_CODES},
    "a reason that is not UTF-8": (close_frame(1000, b"\xff\xfe"), 1007),
    "pings without end": (frame(9) * 5000, 1008),
    "pongs nobody asked for": (frame(10, b"x") * 5000, 1008),
    "a message of letters": (frame(1, b"x", fin=False) + frame(0, b"x", fin=False) * 5000, 1008),
    "a message of nothing": (frame(1, fin=False) + frame(0, fin=False) * 5000, 1008),
    "pings in a message of letters": (frame(1, b"x", fin=False) + (frame(9) + frame(0, b"x", fin=False)) * 3000, 1008),
}


@pytest.fixture(scope="module")
def board(redis_url: str) -> Iterator[Board]:
    board = Board(redis_url)
    yield board
    board.close()


@pytest.fixture(scope="module")
def server(board: Board) -> Iterator[HttpProcess]:
    with HttpProcess(board.environment) as process:
        eventually(lambda: board.listeners() == 1, 60, "the worker listens")
        yield process


class Audience:
    """A viewer who must not notice anything."""

    def __init__(self, server: HttpProcess, board: Board, viewer: ClientConnection) -> None:
        self._server, self._board, self._viewer = server, board, viewer
        self._workers = server.worker_pids
        self._memory = resident_bytes(self._workers[0])

    def is_served(self) -> None:
        """The next frame arrives, requests are answered, the worker is the same and has not grown."""
        version = self._board.next_version()
        self._board.publish(version)
        while json.loads(self._viewer.recv(timeout=60))["version"] < version:
            pass
        assert self._server.api.get("/echo").status == 200
        assert self._server.worker_pids == self._workers
        assert resident_bytes(self._workers[0]) < self._memory + 48 * MIB
        assert "Traceback" not in self._server.log


@pytest.fixture(scope="module")
def audience(server: HttpProcess, board: Board) -> Iterator[Audience]:
    with connect(server.ws_url, proxy=None, open_timeout=60) as viewer:
        yield Audience(server, board, viewer)


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def open_viewer(server: HttpProcess, query: str = "", extensions: str = "") -> socket.socket:
    """A WebSocket whose frames are ours to make."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET /ws{query} HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}"]
    lines += ["Sec-WebSocket-Version: 13", *([f"Sec-WebSocket-Extensions: {extensions}"] if extensions else [])]
    sock = server.open_socket()
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        part = sock.recv(1)
        assert part, head
        head += part
    assert head.startswith(b"HTTP/1.1 101"), head
    assert b"extensions" not in head.lower(), "compression is never agreed on"
    return sock


def send(sock: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # closed before the end of it
        sock.sendall(data)


def code_of_the_end(sock: socket.socket) -> int | None:
    """Read until the server has closed; the code of its close frame."""
    received = b""
    with suppress(ConnectionResetError):
        while part := sock.recv(65536):
            received += part
    return close_code(received)


def close_code(received: bytes) -> int | None:
    while len(received) >= 2:
        opcode, size = received[0] & 15, received[1]
        head = 2 if size < 126 else 4 if size == 126 else 10
        size = size if size < 126 else int.from_bytes(received[2:head], "big")
        if opcode == 8:
            return int.from_bytes(received[head : head + 2], "big") if size else 1005
        received = received[head + size :]
    return DROPPED


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_frame_ends_its_connection_and_no_other(server: HttpProcess, audience: Audience, name: str) -> None:
    sent, code = CASES[name]
    with open_viewer(server, extensions="permessage-deflate; client_max_window_bits") as sock:
        send(sock, sent)
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        ended = code_of_the_end(sock)
        # What was sent beyond the end may have the kernel drop the close frame on its way.
        assert ended == code or (ended is DROPPED and code in (1008, 1009)), name
    audience.is_served()


def test_half_a_stream_is_the_end_of_it(server: HttpProcess, audience: Audience) -> None:
    with open_viewer(server) as sock:
        send(sock, frame(1, b"half", fin=False))
        sock.shutdown(socket.SHUT_WR)
        assert code_of_the_end(sock) is DROPPED
    audience.is_served()


def test_viewers_who_read_nothing_and_ask_for_much_are_let_go(server: HttpProcess, audience: Audience) -> None:
    with ExitStack() as stack:
        deaf = [stack.enter_context(open_viewer(server)) for _ in range(20)]
        for _ in range(3):
            for sock in deaf:
                sock.settimeout(1)
                send(sock, frame(9, b"x" * 125) * 300)
            audience.is_served()


def test_a_lengthy_name_of_a_route_is_no_route(server: HttpProcess, audience: Audience) -> None:
    with open_viewer(server) as sock:
        for body in (
            b'{"action":' * 3000,
            b"[" * 30000,
            b'{"action": "' + b"x" * 30000 + b'"}',
            b'{"action": 1e999}',
            b"\x00" * 100,
        ):
            send(sock, frame(1, body))
        send(sock, frame(9, b"still here"))
        assert frame(10, b"still here", masked=False) in read_until(sock, b"still here")
    audience.is_served()


def read_until(sock: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        part = sock.recv(65536)
        assert part, "closed"
        received += part
    return received


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, list[bytes]]:
    """A text, and the frames it is sent in: cut anywhere, with pings and pongs between the parts."""
    text = draw(st.text(max_size=40))
    data = text.encode()
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=4)))
    parts = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    frames: list[bytes] = []
    for place, part in enumerate(parts):
        frames.append(frame(1 if place == 0 else 0, part, fin=place == len(parts) - 1))
        frames += draw(st.lists(st.sampled_from([frame(9, b"?"), frame(10)]), max_size=2))
    return text, frames


# The threads of the audience draw random numbers while an example is drawn.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(messages(), max_size=4),
    st.sampled_from([name for name, (sent, code) in CASES.items() if len(sent) < 200 and code != 1008]),
    st.binary(max_size=60),
    st.integers(1, 50),
)
def test_what_is_right_arrives_and_what_is_wrong_is_where_it_ends(
    server: HttpProcess, audience: Audience, said: list[Any], wrong: str, rest: bytes, piece: int
) -> None:
    marker = secrets.token_hex(8)
    violation, code = CASES[wrong]
    if code != 1002:  # of two wrongs that arrive together the one against the protocol names the end
        rest = b""
    stream = b"".join(part for _, frames in said for part in frames) + violation + rest
    with open_viewer(server, f"?marker={marker}") as sock:
        for start in range(0, len(stream), piece):
            send(sock, stream[start : start + piece])
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        assert code_of_the_end(sock) in (code, DROPPED)
    ended = eventually(lambda: event_of(server, "DISCONNECT", marker), 60, "its end is told")
    assert ended[0]["requestContext"]["disconnectStatusCode"] == code
    heard = [event["body"] for event in event_of(server, "MESSAGE", marker)]
    texts = [text for text, _ in said]
    assert heard == texts[: len(heard)], "nothing else, and in this order"


def event_of(server: HttpProcess, kind: str, marker: str) -> list[dict[str, Any]]:
    opened = [e for e in server.events("CONNECT") if (e.get("queryStringParameters") or {}).get("marker") == marker]
    ids = {event["requestContext"]["connectionId"] for event in opened}
    return [event for event in server.events(kind) if event["requestContext"]["connectionId"] in ids]


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.binary(max_size=400))
def test_noise_ends_one_connection_at_most(server: HttpProcess, audience: Audience, noise: bytes) -> None:
    with open_viewer(server) as sock:
        send(sock, noise)
        sock.shutdown(socket.SHUT_WR)
        assert code_of_the_end(sock) in (DROPPED, 1000, 1002, 1003, 1005, 1007, 1009, *range(3000, 5000))


def test_after_all_of_it_the_viewer_has_missed_nothing(audience: Audience) -> None:
    audience.is_served()
