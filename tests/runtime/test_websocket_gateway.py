"""WebSockets of the HTTP process: handshakes, routes, ends, in the clear and over TLS."""

from __future__ import annotations

import base64
import collections
import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect

from tests.runtime.http_process import HttpProcess, read_answer
from tests.support.api import Answer
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[HttpProcess]:
    with HttpProcess(workers=2) as process:
        yield process


def viewer_of(server: HttpProcess, query: str = "", path: str = "/ws", **options: Any) -> ClientConnection:
    url = server.ws_url.removesuffix("/ws") + path + query
    viewer: ClientConnection = connect(url, proxy=None, open_timeout=60, **options)
    return viewer


def refusal(server: HttpProcess, query: str = "", **options: Any) -> Response:
    with pytest.raises(InvalidStatus) as refused, viewer_of(server, query, **options):
        pass
    return refused.value.response


def closed(viewer: ClientConnection) -> tuple[int, str]:
    """Code and reason of the server's close frame."""
    with pytest.raises(ConnectionClosed) as end:
        collections.deque(iter(lambda: viewer.recv(timeout=60), None), maxlen=0)
    assert end.value.rcvd is not None
    return end.value.rcvd.code, end.value.rcvd.reason


def handshake(server: HttpProcess, **changes: str | None) -> Answer:
    """Send a handshake with some headers changed or left out, or with a body."""
    headers: dict[str, str | None] = {
        "Host": "h",
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(b"x" * 16).decode(),
        "Sec-WebSocket-Version": "13",
    }
    first, body = changes.pop("first", None) or "GET /ws HTTP/1.1", changes.pop("body", None) or ""
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [first, *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return server.send_raw("\r\n".join([*lines, "", body]).encode())


def event_for(server: HttpProcess, kind: str, marker: str) -> dict[str, Any]:
    """The event of this kind that belongs to the connection opened with `?marker=`."""

    def find() -> dict[str, Any] | None:
        opened = [e for e in server.events("CONNECT") if (e.get("queryStringParameters") or {}).get("marker") == marker]
        ids = {e["requestContext"]["connectionId"] for e in opened}
        return next((e for e in server.events(kind) if e["requestContext"]["connectionId"] in ids), None)

    found = eventually(find, 60, f"{kind} of {marker}")
    assert found is not None
    return found


@pytest.mark.parametrize("path", ["/", "/ws"])
def test_a_websocket_opens(server: HttpProcess, path: str) -> None:
    with viewer_of(server, path=path) as viewer:
        assert viewer.ping().wait(60)
        assert viewer.response is not None
        assert viewer.response.headers["X-Request-Id"]


def test_connect_gets_the_event_of_api_gateway(server: HttpProcess) -> None:
    headers = {"Authorization": "Bearer tok", "X-Forwarded-For": "203.0.113.9"}
    with viewer_of(server, "?marker=connect&a=1&a=2", additional_headers=headers, user_agent_header="game/1"):
        event = event_for(server, "CONNECT", "connect")
    assert event["headers"]["Authorization"] == "Bearer tok"
    assert event["headers"]["Sec-WebSocket-Version"] == "13"
    assert event["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert event["multiValueQueryStringParameters"] == {"marker": ["connect"], "a": ["1", "2"]}
    context = event["requestContext"]
    assert (context["eventType"], context["routeKey"], context["stage"]) == ("CONNECT", "$connect", "live")
    assert context["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "game/1"}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Sec_WebSocket_Key": None}, 400, "malformed_request"),
        ({"Sec_WebSocket_Key": "short"}, 400, "malformed_request"),
        ({"Sec_WebSocket_Version": None}, 400, "malformed_request"),
        ({"Sec_WebSocket_Version": "8"}, 426, "upgrade_required"),
        ({"Connection": "keep-alive"}, 426, "upgrade_required"),
        ({"Upgrade": None}, 426, "upgrade_required"),
        ({"Upgrade": "websocket, h2c"}, 426, "upgrade_required"),
        ({"first": "POST /ws HTTP/1.1"}, 405, "method_not_allowed"),
        ({"first": "GET /ws HTTP/1.0"}, 505, "http_version_not_supported"),
        ({"Content_Length": "3", "body": "abc"}, 400, "malformed_request"),
    ],
)
def test_a_handshake_that_is_none_is_a_problem(
    server: HttpProcess, changes: dict[str, str | None], status: int, code: str
) -> None:
    answer = handshake(server, **changes)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["code"] == code
    assert answer.json["requestId"] == answer.headers["X-Request-Id"]


def test_an_old_version_is_told_the_right_one(server: HttpProcess) -> None:
    assert handshake(server, Sec_WebSocket_Version="8").headers["Sec-WebSocket-Version"] == "13"


def test_connect_refuses_with_its_own_status(server: HttpProcess) -> None:
    response = refusal(server, "?status=401")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    problem = json.loads(response.body or b"")
    assert (problem["code"], problem["requestId"]) == ("unauthenticated", response.headers["X-Request-Id"])
    assert refusal(server, "?status=403").status_code == 403
    assert refusal(server, "?status=503").headers["Retry-After"]


def test_a_connect_that_fails_is_a_500_that_tells_nothing(server: HttpProcess) -> None:
    response = refusal(server, "?fail=1")
    assert response.status_code == 500
    assert b"hunter2" not in (response.body or b"")


def test_a_connection_refused_stays_usable(server: HttpProcess) -> None:
    key = base64.b64encode(b"x" * 16).decode()
    lines = ["GET /ws?status=401 HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}"]
    with server.open_socket() as sock:
        sock.sendall("\r\n".join([*lines, "Sec-WebSocket-Version: 13"]).encode() + b"\r\n\r\n")
        assert read_answer(sock).status == 401
        sock.sendall(b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_answer(sock).status == 200


def test_a_subprotocol_is_agreed_only_when_it_was_offered(server: HttpProcess) -> None:
    offered: Any = ["leaderboard.v1", "other"]
    with viewer_of(server, "?subprotocol=leaderboard.v1", subprotocols=offered) as viewer:
        assert viewer.subprotocol == "leaderboard.v1"
    with viewer_of(server, "?subprotocol=leaderboard.v2", subprotocols=offered) as viewer:
        assert viewer.subprotocol is None


def test_messages_take_their_route_in_order_and_are_not_answered(server: HttpProcess) -> None:
    with viewer_of(server, "?marker=messages") as viewer:
        for text in ('{"action": "shout", "n": 1}', '{"action": "$connect", "n": 2}', "plain"):
            viewer.send(text)
        with pytest.raises(TimeoutError):
            viewer.recv(timeout=0.5)
        connection_id = event_for(server, "CONNECT", "messages")["requestContext"]["connectionId"]

    def told() -> list[Any]:
        events = [e for e in server.events("MESSAGE") if e["requestContext"]["connectionId"] == connection_id]
        return events if len(events) >= 3 else []

    events = eventually(told, 60, "all messages")
    assert [e["requestContext"]["routeKey"] for e in events] == ["shout", "$default", "$default"]
    assert [e["body"] for e in events] == ['{"action": "shout", "n": 1}', '{"action": "$connect", "n": 2}', "plain"]


def test_a_message_sent_with_the_handshake_is_not_lost(server: HttpProcess) -> None:
    from websockets.frames import Frame, Opcode

    key = base64.b64encode(b"x" * 16).decode()
    lines = ["GET /ws?marker=eager HTTP/1.1", "Host: h", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}"]
    data = "\r\n".join([*lines, "Sec-WebSocket-Version: 13"]).encode() + b"\r\n\r\n"
    with server.open_socket() as sock:
        sock.sendall(data + Frame(Opcode.TEXT, b"eager").serialize(mask=True))
        assert event_for(server, "MESSAGE", "eager")["body"] == "eager"


def test_a_message_whose_function_fails_is_told_as_api_gateway_does(server: HttpProcess) -> None:
    with viewer_of(server) as viewer:
        viewer.send("fail")
        told = json.loads(viewer.recv(timeout=60))
        assert told["message"] == "Internal server error"
        assert set(told) == {"message", "connectionId", "requestId"}
        viewer.send("fine")
        assert viewer.ping().wait(60)


def test_the_end_is_told_with_code_and_reason(server: HttpProcess) -> None:
    with viewer_of(server, "?marker=end") as viewer:
        viewer.close(4000, "had enough")
    context = event_for(server, "DISCONNECT", "end")["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (4000, "had enough")


def test_a_viewer_that_vanishes_is_told_as_1006(server: HttpProcess) -> None:
    viewer = viewer_of(server, "?marker=vanish")
    with viewer:
        viewer.socket.shutdown(socket.SHUT_RDWR)
    context = event_for(server, "DISCONNECT", "vanish")["requestContext"]
    assert context["disconnectStatusCode"] == 1006


def test_a_session_ends_at_the_moment_connect_said(server: HttpProcess) -> None:
    began = time.monotonic()
    with viewer_of(server, "?expires_in=1") as viewer:
        assert closed(viewer) == (4401, "token expired")
    assert 0.9 < time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("message", "code"), [("x" * 40_000, 1009), (["x" * 30_000] * 5, 1009), (b"binary", 1003)], ids=["frame", "message", "binary"]
)
def test_what_is_too_big_or_binary_ends_the_connection(server: HttpProcess, message: Any, code: int) -> None:
    with viewer_of(server) as viewer:
        with suppress(ConnectionClosed):  # the server need not hear all of it
            viewer.send(message)
        assert closed(viewer)[0] == code


def test_plain_http_on_the_same_paths_still_works(server: HttpProcess) -> None:
    assert server.api.get("/").status in (200, 404)
    answer = server.api.get("/ws")
    assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")


def test_the_number_of_connections_is_measured(server: HttpProcess) -> None:
    def measured() -> float:
        lines = server.api.get("/metrics").body.decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("scoreboard_websocket_connections "))

    eventually(lambda: measured() == 0, 60, "all earlier connections gone")
    viewers = [viewer_of(server) for _ in range(5)]
    try:
        eventually(lambda: measured() == 5, 60, "five connections")
    finally:
        for viewer in viewers:
            with viewer:
                pass
    eventually(lambda: measured() == 0, 60, "no connections")


def test_stopping_closes_every_websocket_with_1001_and_tells_disconnect() -> None:
    with HttpProcess(workers=2) as server:
        viewers = [viewer_of(server, "?marker=stop") for _ in range(4)]
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        for viewer in viewers:
            with viewer:
                assert closed(viewer)[0] == 1001
        assert server.process.wait(60) == 0
        codes = [e["requestContext"]["disconnectStatusCode"] for e in server.events("DISCONNECT")]
        assert codes == [1001] * 4
        assert "Traceback" not in server.log


def test_a_viewer_that_ignores_the_end_does_not_hold_it_up() -> None:
    with HttpProcess() as server:
        key = base64.b64encode(os.urandom(16)).decode()
        request = f"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        with server.open_socket() as deaf:
            deaf.sendall(request.encode() + b"Sec-WebSocket-Version: 13\r\n\r\n")
            assert deaf.recv(1000).startswith(b"HTTP/1.1 101")
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 30


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], ssl.SSLContext]:
    directory: Path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    certificate.private_key_pem.write_to_path(directory / "key.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    paths = {"SCOREBOARD_TLS_CERT": str(directory / "cert.pem"), "SCOREBOARD_TLS_KEY": str(directory / "key.pem")}
    return {"SCOREBOARD_TLS": "true", **paths}, context


def test_websockets_work_over_tls_too(tls: tuple[dict[str, str], ssl.SSLContext]) -> None:
    environment, context = tls
    with HttpProcess(environment) as server:
        with viewer_of(server, "?marker=tls", ssl=context) as viewer:
            for n in range(20):
                viewer.send("x" * 30_000 + str(n))
            viewer.send("fail")
            assert json.loads(viewer.recv(timeout=60))["message"] == "Internal server error"
        assert event_for(server, "DISCONNECT", "tls")["requestContext"]["disconnectStatusCode"] == 1000
        assert len(server.events("MESSAGE")) == 21
        with viewer_of(server, ssl=context) as viewer:
            assert server.process is not None
            server.process.send_signal(signal.SIGTERM)
            assert closed(viewer)[0] == 1001
        assert server.process.wait(60) == 0
        log = server.log
        assert log.count("Traceback") == log.count("RuntimeError: the database password is hunter2") == 1
