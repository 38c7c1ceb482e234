"""Requests that two servers might read in two ways, and what is only there to break something.

Whatever is sent, the worker lives.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException

import pytest

from tests.runtime.http_process import HttpProcess, read_answer
from tests.support.waiting import eventually

POST = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /echo HTTP/1.1\r\nHost: h\r\n"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\n"
)
CLOSED: list[int] = []  # without an answer

# name: what is sent, and the statuses answered to it
CASES: dict[str, tuple[bytes, list[int]]] = {
    "length and chunks": (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "chunks and length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", [400]),
    "two lengths": (POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", [400]),
    "the same length twice": (POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", [400]),
    "a list of lengths": (POST + b"Content-Length: 4, 4\r\n\r\nabcd", [400]),
    "a length with a sign": (POST + b"Content-Length: +4\r\n\r\nabcd", [400]),
    "a negative length": (POST + b"Content-Length: -4\r\n\r\nabcd", [400]),
    "a length with a space in it": (POST + b"Content-Length: 4 4\r\n\r\nabcd", [400]),
    "a length in hexadecimal": (POST + b"Content-Length: 0x4\r\n\r\nabcd", [400]),
    "a length with an underscore": (POST + b"Content-Length: 1_0\r\n\r\nabcdefghij", [400]),
    "a length in another script": (POST + "Content-Length: ４\r\n\r\nabcd".encode(), [400]),  # noqa: RUF001 - that is the point
    "a length beyond all numbers": (POST + b"Content-Length: 99999999999999999999999999\r\n\r\n", [400]),
    "an empty length": (POST + b"Content-Length:\r\n\r\n", [400]),
    "an unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [501]),
    "chunks inside of something": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", [400]),
    "something inside of chunks": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [501]),
    "chunks in chunks": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "a coding behind a vertical tab": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", [400]),
    "a space before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", [400]),
    "chunks of an old client": (b"POST /echo HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "an underscore for a hyphen": (POST + b"Transfer_Encoding: chunked\r\nContent-Length: 4\r\n\r\nabcd", [200]),
    "bare line feeds": (b"GET /echo HTTP/1.1\nHost: h\n\n", [400]),
    "a bare line feed in the head": (b"GET /echo HTTP/1.1\r\nHost: h\nX-A: 1\r\n\r\n", [400]),
    "a bare carriage return": (b"GET /echo HTTP/1.1\r\nHost: h\rX-A: 1\r\n\r\n", [400]),
    "a folded header": (GET + b"X-A: 1\r\n 2\r\n\r\n", [400]),
    "a folded first header": (b"GET /echo HTTP/1.1\r\n Host: h\r\n\r\n", [400]),
    "NUL in a value": (GET + b"X-A: a\x00b\r\n\r\n", [400]),
    "NUL in a name": (GET + b"X\x00A: ab\r\n\r\n", [400]),
    "NUL in the target": (b"GET /ec\x00ho HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    "a space in the target": (b"GET /echo x HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    "tabs in the request line": (b"GET\t/echo\tHTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    "a method in small letters": (b"get /echo HTTP/1.1\r\nHost: h\r\n\r\n", [501]),
    "an unknown method": (b"HACK /echo HTTP/1.1\r\nHost: h\r\n\r\n", [501]),
    "a method that begins like another": (b"GETS /echo HTTP/1.1\r\nHost: h\r\n\r\n", [501]),
    "a method of another protocol": (b"DESCRIBE /echo HTTP/1.1\r\nHost: h\r\n\r\n", [501]),
    "a method of WebDAV": (b"PROPFIND /echo HTTP/1.1\r\nHost: h\r\n\r\n", [405]),
    "an unknown method of another protocol": (b"HACK /echo RTSP/1.0\r\nHost: h\r\n\r\n", [400]),
    "an unknown method without a version": (b"HACK /echo\r\n\r\n", [400]),
    "an unknown method that is no token": (b"HA(K /echo HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    "an unknown method behind another request": (GET + b"\r\nHACK /echo HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]),
    "an answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", [400]),
    "a tunnel": (b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", [404]),
    "a trace": (b"TRACE /echo HTTP/1.1\r\nHost: h\r\n\r\n", [405]),
    "HTTP of 1991": (b"GET /echo\r\n", CLOSED),
    "HTTP that is not there": (b"GET /echo HTTP/1.7\r\nHost: h\r\n\r\n", [400]),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "no host": (b"GET /echo HTTP/1.1\r\n\r\n", [400]),
    "a host with a space": (b"GET /echo HTTP/1.1\r\nHost: a b\r\n\r\n", [400]),
    "a host with a path": (b"GET /echo HTTP/1.1\r\nHost: h/x\r\n\r\n", [400]),
    "a host with a user": (b"GET /echo HTTP/1.1\r\nHost: u@h\r\n\r\n", [400]),
    "a host with half a bracket": (b"GET /metrics HTTP/1.1\r\nHost: [::1\r\n\r\n", [400]),
    "a host with two ports": (b"GET /echo HTTP/1.1\r\nHost: h:80:80\r\n\r\n", [400]),
    "a host that is an address": (b"GET /echo HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", [200]),
    "two hosts": (b"GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400]),
    "a header without a colon": (GET + b"nonsense\r\n\r\n", [400]),
    "a header without a name": (GET + b": x\r\n\r\n", [400]),
    "a name with a space": (GET + b"X A: 1\r\n\r\n", [400]),
    "a name with parentheses": (GET + b"X(A): 1\r\n\r\n", [400]),
    "a value that is no text": (GET + b"X-A: \xff\xfe\r\n\r\n", [200]),
    "DEL in a value": (GET + b"X-A: a\x7fb\r\n\r\n", [400]),
    "a negative chunk": (CHUNKED + b"-1\r\n\r\n", [400]),
    "a chunk size with 0x": (CHUNKED + b"0x4\r\nabcd\r\n0\r\n\r\n", [400]),
    "a chunk beyond all numbers": (CHUNKED + b"fffffffffffffffff\r\nabcd\r\n", [400]),
    "a chunk with an extension": (CHUNKED + b"4;a=b\r\nabcd\r\n0\r\n\r\n", [200]),
    "chunks with bare line feeds": (CHUNKED + b"4\nabcd\n0\n\n", [400]),
    "a chunk longer than it says": (CHUNKED + b"4\r\nabcdX0\r\n\r\n", [400]),
    "a trailer": (CHUNKED + b"4\r\nabcd\r\n0\r\nX-T: 1\r\n\r\n", [200]),
    "a length in the trailer": (CHUNKED + b"4\r\nabcd\r\n0\r\nContent-Length: 7\r\n\r\n", [400]),
    "a body with a GET": (GET + b"Content-Length: 4\r\n\r\nabcd", [200]),
    "an expectation nobody meets": (POST + b"Expect: 200-ok\r\nContent-Length: 0\r\n\r\n", [417]),
    "an upgrade to HTTP/2": (GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", [200]),
    "an upgrade behind another request": (
        GET + b"\r\n" + GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET + b"\r\n",
        [200, 200, 200],
    ),
    "a body behind an upgrade": (
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 31\r\n\r\n" + GET + b"\r\n" + GET + b"\r\n",
        [200, 200],
    ),
    "chunks behind an upgrade": (
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n" + GET + b"\r\n",
        [200, 200],
    ),
    "a body behind a handshake": (
        HANDSHAKE + b"Content-Length: 31\r\n\r\n" + GET + b"\r\n" + GET + b"\r\n",
        [400, 200],
    ),
    "a request behind a tunnel": (b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n" + GET + b"\r\n", [404]),
    "too many headers": (GET + b"X: y\r\n" * 5000 + b"\r\n", [431]),
    "a path that is no text": (b"GET /\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    "NUL in a path": (b"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", [404]),
    "options of everything": (b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", [404]),
    "no target": (b"GET HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    "a relative target": (b"GET echo HTTP/1.1\r\nHost: h\r\n\r\n", [400]),
    "a request in a body": (POST + b"Content-Length: 6\r\n\r\n0\r\n\r\nGGET /echo HTTP/1.1\r\nHost: h\r\n\r\n", [200, 200]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[HttpProcess]:
    with HttpProcess() as process:
        yield process


@pytest.fixture
def own() -> Iterator[HttpProcess]:
    with HttpProcess() as process:
        yield process


def statuses(server: HttpProcess, sent: bytes) -> list[int]:
    """What is answered until the connection ends."""
    received = b""
    with server.open_socket() as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        while part := sock.recv(65536):
            received += part
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d\d\d)", received) if found != b"100"]


@pytest.mark.parametrize("name", CASES)
def test_what_is_ambiguous_is_refused(server: HttpProcess, name: str) -> None:
    sent, expected = CASES[name]
    workers = server.worker_pids
    assert statuses(server, sent) == expected
    assert server.worker_pids == workers
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (GET + b"X-A: " + b"x" * 200_000, 431),
        (GET + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 4000) for n in range(60)), 431),
        (CHUNKED + b"4;" + b"a" * 2_000_000, 413),
        (CHUNKED + b"0\r\n" + b"X-T: 1\r\n" * 200_000, 413),
    ],
    ids=["a header", "headers", "the extension of a chunk", "trailers"],  # its name is in the environment of what it starts
)
def test_what_does_not_end_is_ended(own: HttpProcess, sent: bytes, status: int) -> None:
    with own.open_socket() as sock:
        with suppress(OSError):  # refused long before the end of it
            sock.sendall(sent)
        assert read_answer(sock).status == status
    assert "Traceback" not in own.log


def test_a_client_that_expects_it_is_told_to_go_on(server: HttpProcess) -> None:
    with server.open_socket() as sock:
        sock.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"ab")
        assert read_answer(sock).json["body"] == "ab"


def test_a_client_that_expects_it_is_not_told_to_send_too_much(own: HttpProcess) -> None:
    with own.open_socket() as sock:
        sock.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
        assert read_answer(sock).status == 413


def test_slow_clients_are_given_up_and_told_so() -> None:
    limits = {"SCOREBOARD_HEAD_SECONDS": "1", "SCOREBOARD_BODY_SECONDS": "1", "SCOREBOARD_IDLE_SECONDS": "300"}
    with HttpProcess(limits) as server:

        def trickle(beginning: bytes) -> list[int]:
            """A byte now and then, for as long as the server has patience."""
            with server.open_socket() as sock:
                sock.sendall(beginning)
                try:
                    for _ in range(300):
                        sock.settimeout(0.1)
                        try:
                            received = sock.recv(65536)
                        except TimeoutError:
                            sock.sendall(b"x")
                            continue
                        return [int(received[9:12])] if received else CLOSED
                except OSError:
                    return CLOSED
            raise AssertionError("it has all the patience in the world")

        beginnings = [GET + b"X-A: ", POST + b"Content-Length: 5000\r\n\r\n", b"GET /ec", b""]  # the last one: xxx
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(trickle, beginnings)) == [[408], [408], [408], [400]]
        assert server.api.get("/echo").status == 200


def test_who_asks_for_nothing_any_more_is_let_go() -> None:
    with HttpProcess({"SCOREBOARD_IDLE_SECONDS": "1"}) as server:

        def is_answered_and_let_go() -> bool:
            with server.open_socket() as idle:
                try:
                    idle.sendall(GET + b"\r\n")
                    assert read_answer(idle).status == 200
                except (OSError, HTTPException):  # it was idle for too long before it asked
                    return False
                return idle.recv(100) == b""

        eventually(is_answered_and_let_go, 60, "closed when nobody asked for anything any more")
        assert server.api.get("/echo").status == 200


def test_who_does_not_read_is_let_go() -> None:
    with HttpProcess({"SCOREBOARD_SEND_SECONDS": "1"}) as server:
        with server.open_socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            padding = b"X-A: " + b"x" * 8000 + b"\r\n"
            sock.settimeout(0.5)
            asked = b"".join([GET, padding, b"\r\n"] * 2000)
            with pytest.raises((TimeoutError, ConnectionError)):  # let go already
                sock.sendall(asked)
            eventually(lambda: _is_reset(sock), 60, "the connection gone")
        assert server.api.get("/echo").status == 200


def _is_reset(sock: socket.socket) -> bool:
    try:
        sock.send(b"x")
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def test_who_never_waits_for_an_answer_has_one_turn_after_the_other(server: HttpProcess) -> None:
    number = 4000

    def answered_meanwhile() -> bool:
        with server.open_socket() as greedy, ThreadPoolExecutor(2) as pool:
            sending = pool.submit(greedy.sendall, (GET + b"\r\n") * number)
            first = greedy.recv(1)
            reading = pool.submit(_read_times, greedy, first, number)
            mine = server.api.get("/echo").json["requestContext"]["timeEpoch"]  # we may have been late to ask
            sending.result()
            return bool(mine < reading.result()[-1])

    eventually(answered_meanwhile, 60, "an answer while the other one's requests were answered, not after all of them")


def _read_times(sock: socket.socket, received: bytes, number: int) -> list[int]:
    """When so many requests were taken up, as their answers say."""
    while received.count(b'"timeEpoch": ') < number:
        part = sock.recv(1 << 20)
        assert part, "closed"
        received += part
    return [int(found) for found in re.findall(rb'"timeEpoch": (\d+)', received)]
