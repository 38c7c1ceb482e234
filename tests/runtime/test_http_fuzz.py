"""Streams of requests made from the grammar of HTTP and its distortions, against another implementation of it.

Whatever is answered must be a message that h11 sees in the same place, with the same method, target and body; everything else is
refused, and the connection is closed. So nobody in front of us can be made to see other messages than we do.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runtime.http_process import HttpProcess

CANARY = b"GET /echo?canary HTTP/1.1\r\nHost: h\r\n\r\n"
UNREAD = (204, 404, 405)
PROBLEMS = "application/problem+json"

# fmt: off
# What is right, and what is wrong or merely rare in its place; {} is the number or the name that belongs there.
LINE_ENDS = "\r\n", ["\n", "\r", "\r\r\n", "\n\r\n", "\0\r\n", " \r\n"]
METHODS = "POST", ["GET", "PUT", "OPTIONS", "get", "PO ST", "", "P\0ST", "POST\t", "\r\nPOST", "\nPOST"]
TARGETS = (
    "/echo",
    ["/echo?a=b%20c", '/echo?a="<>', "http://h/echo", "*", "/none", "/%00", "/\xff", "//echo", "/echo x", "echo", ""],
)
VERSIONS = "HTTP/1.1", ["HTTP/1.0", "HTTP/0.9", "HTTP/1.7", "HTTP/2.0", "HTTP/1", "http/1.1", "HTTP/1.1 ", ""]
HOSTS = "Host: h", ["", "Host: a\r\nHost: b", "Host:", "host : h", "Host: h\0", "\r\nHost: h"]
NAMES = "{}", ["{} ", " {}", "{}\t", "{}\0", "\x0b{}", "X: y\n{}", "X: y\r{}", "X: y\r\n {}"]
LENGTHS = (
    "{}",
    ["+{}", "-{}", " {} ", "{0} {0}", "{0},{0}", "{0}, {0}", "0{}", "0x{}", "{}.0", "{}e0", "", "\x0b{}", "{}\0", "\xb2",
     "9" * 30, "{}_0", "{};a", '"{}"', "1{}", "{}\t"],
)
CODINGS = (
    "chunked",
    ["Chunked", " chunked\t", "\x0bchunked", "chunked\x0b", "x, chunked", "chunked, chunked", "identity", "xchunked", "chunke",
     "chunked;q=1", '"chunked"', "gzip, chunked", ",chunked", "chunked,", "", "chunked\0", "chun\r\n ked", "\xefchunked",
     "chunked, identity", "identity, chunked", "chunked\r\nTransfer-Encoding: identity"],
)
SIZES = (
    "{:x}",
    ["{:X}", "0{:x}", "{:x} ", " {:x}", "+{:x}", "-{:x}", "0x{:x}", "{:x}_0", "{:x};a=b", '{:x};a="b\r\nc"', "", "{:x};\n",
     "{:x};" + "a" * 300, "ffffffffffffffff{:x}", "{:x}\0", "{:x};a\r0", "000000000000000000{:x}", "{:x}\x0b"],
)
LAST = "0", ["00", "0;a", "0 ", "-0", "0x0", ""]
TRAILERS = (
    "",
    ["X-T: 1\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "X-T\r\n", " X: 1\r\n", "X: 1\n", "\0\r\n"],
)
OTHERS = (
    "X-A: 1",
    ["X-A: \xff", "X-A: a\0b", "X-A: a\x7f", "X-A: 1\r\n 2", "X-A: 1\r\n\t2", ": x", "nonsense", "X A: 1", "X-A:1", "X-A:",
     "X-A : 1", "\x80: 1", "X-\xe9: 1", "\r\n", "X: " + "x" * 9000, "Connection: close", "TE: trailers", "Trailer: X-T",
     "Expect: 100-continue", "Expect: x", "Connection: Upgrade\r\nUpgrade: h2c", "Connection: Upgrade\r\nUpgrade: websocket",
     "Connection: Transfer-Encoding", "Connection: Content-Length", "Content_Length: 3", "Transfer_Encoding: chunked",
     "Content-Encoding: gzip", "Connection: Upgrade", "Upgrade: h2c, websocket"],
)
# fmt: on


def mostly(draw: st.DrawFn, options: tuple[str, list[str]], one_in: int = 12) -> str:
    """What is right, and one time in so many something else."""
    right, others = options
    return draw(st.sampled_from(others)) if draw(st.integers(1, one_in)) == one_in else right


@st.composite
def length_fields(draw: st.DrawFn, size: int) -> str:
    return f"{mostly(draw, NAMES).format('Content-Length')}: {mostly(draw, LENGTHS, 5).format(size)}"


@st.composite
def coding_fields(draw: st.DrawFn) -> str:
    return f"{mostly(draw, NAMES).format('Transfer-Encoding')}: {mostly(draw, CODINGS, 5)}"


@st.composite
def chunked(draw: st.DrawFn, body: str) -> str:
    def line(text: str) -> str:
        return text + mostly(draw, LINE_ENDS, 40)

    chunks = [line(mostly(draw, SIZES).format(len(part))) + line(part) for part in (body[:3], body[3:]) if part]
    return "".join(chunks) + line(mostly(draw, LAST)) + line(mostly(draw, TRAILERS))


@st.composite
def bodies(draw: st.DrawFn) -> tuple[list[str], str]:
    """How long the body is, said once, twice, contradictorily or not at all; and the body."""
    body = draw(st.text("ab0\r\n", max_size=8))
    length, coding = length_fields(len(body)), coding_fields()
    kind = draw(st.sampled_from(["none", "length", "length", "length", "coding", "coding", "coding", "both", "twice"]))
    if kind == "none":
        return [], mostly(draw, ("", [body]))
    if kind == "length":
        return [draw(length)], body
    if kind == "coding":
        return [draw(coding)], draw(chunked(body))
    fields = [draw(length), draw(coding)] if kind == "both" else [draw(length), draw(length)]
    return list(draw(st.permutations(fields))), draw(st.sampled_from([body, draw(chunked(body))]))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request, mostly right."""
    fields, body = draw(bodies())
    lines = [f"{mostly(draw, METHODS)} {mostly(draw, TARGETS)} {mostly(draw, VERSIONS, 20)}", mostly(draw, HOSTS, 20), *fields]
    lines += [mostly(draw, OTHERS, 4)]
    head = "".join(line + mostly(draw, LINE_ENDS, 80) for line in lines if line)
    return (head + mostly(draw, LINE_ENDS, 40) + body).encode("latin-1")


@dataclass(frozen=True)
class Message:
    method: str
    target: str
    body: bytes


def reference(stream: bytes) -> list[Message]:
    """The messages that h11 finds before the first one it does not accept or that is not whole."""
    found: list[Message] = []
    # Line ends before a request are passed over by one implementation more than by the other; nobody takes them for a message.
    while stream := stream.lstrip(b"\r\n"):
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(stream)
        body = b""
        try:
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return found
                if isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += event.data
        except h11.RemoteProtocolError:
            return found
        target = request.target.decode("latin-1").removeprefix("http://h")
        found.append(Message(request.method.decode(), target, body))
        stream = connection.trailing_data[0]
    return found


def answers(server: HttpProcess, stream: bytes, cut: int) -> list[tuple[int, dict[str, str], bytes]]:
    """Everything that is answered until the connection ends."""
    received = b""
    with server.open_socket() as sock:
        with suppress(OSError):
            for start in range(0, len(stream), cut):
                sock.sendall(stream[start : start + cut])
            sock.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while part := sock.recv(65536):
                received += part
    return list(parsed(received))


def parsed(received: bytes) -> Iterator[tuple[int, dict[str, str], bytes]]:
    class Source(BytesIO):
        def makefile(self, *_: Any) -> BytesIO:
            return self

        def close(self) -> None:
            """It goes on with the next one."""

    source = Source(received)
    while source.tell() < len(received):
        response = HTTPResponse(source)  # type: ignore[arg-type]
        response.begin()  # passes over 100 Continue
        yield response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


@pytest.fixture(scope="module")
def server() -> Iterator[HttpProcess]:
    with HttpProcess() as process:
        yield process


@pytest.fixture(scope="module")
def neighbour(server: HttpProcess) -> Iterator[HTTPConnection]:
    """A well-behaved client, on one connection all the time."""
    parts = urlsplit(server.base_url)
    assert parts.hostname
    connection = HTTPConnection(parts.hostname, parts.port, timeout=20)
    yield connection
    connection.close()


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(requests(), min_size=1, max_size=3), st.sampled_from([1 << 20, 1 << 20, 7, 64]))
def test_what_is_answered_is_what_another_implementation_sees(
    server: HttpProcess, neighbour: HTTPConnection, sent: list[bytes], cut: int
) -> None:
    workers = server.worker_pids
    stream = b"".join(sent) + CANARY
    seen = reference(stream)
    got = answers(server, stream, cut)
    for place, (status, headers, body) in enumerate(got):
        assert status < 500 or status == 501, got
        if headers.get("content-type") == PROBLEMS:
            assert json.loads(body)["requestId"] == headers["x-request-id"]
        closes = headers.get("connection") == "close"
        if closes and status not in (200, *UNREAD):
            assert place == len(got) - 1, "nothing comes after a refusal"
            break
        assert place < len(seen), (got, seen)
        if status == 200 and headers.get("content-type") == "application/json":
            assert message_of(json.loads(body)) == seen[place], (got, seen)
    else:
        assert len(got) == len(seen) or (got and got[-1][1].get("connection") == "close"), (got, seen)
    assert server.worker_pids == workers
    neighbour.request("GET", "/echo?neighbour")
    assert json.loads(neighbour.getresponse().read())["rawQueryString"] == "neighbour"


def message_of(event: dict[str, Any]) -> Message:
    body = event.get("body", "")
    data = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    http = event["requestContext"]["http"]
    target = event["rawPath"] + ("?" + event["rawQueryString"] if event["rawQueryString"] else "")
    return Message(http["method"], target, data)
