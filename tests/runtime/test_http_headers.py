"""Every answer tells a browser how little it may do with it, whoever made the answer and over whatever it was asked for."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from shared.core.headers import SECURITY_HEADERS
from tests.runtime.http_process import HttpProcess, read_answer
from tests.support.api import Answer

POST = b"POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
HANDSHAKE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + base64.b64encode(b"x" * 16) + b"\r\n"
)
# Who answers: a function, the gateway for a function that failed, the router, the parser, the gateway of the WebSockets.
ANSWERS = {
    "a function": (b"GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", 200),
    "a function that failed": (b"GET /fail HTTP/1.1\r\nHost: h\r\n\r\n", 500),
    "nothing there": (b"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404),
    "another method": (b"DELETE /echo HTTP/1.1\r\nHost: h\r\n\r\n", 405),
    "options": (b"OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n", 204),
    "metrics": (b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200),
    "metrics refused": (b"GET /metrics HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n", 403),
    "no websocket": (b"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", 426),
    "no viewer": (b"GET /ws?status=401 HTTP/1.1\r\nHost: h\r\n" + HANDSHAKE + b"\r\n", 401),
    "a body too large": (POST + b"Content-Length: 1000000\r\n\r\n", 413),
    "no HTTP": (b"GET /echo HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    "too many headers": (b"GET /echo HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
}


@pytest.fixture(scope="module")
def server() -> Iterator[HttpProcess]:
    with HttpProcess() as process:
        yield process


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[HttpProcess, ssl.SSLContext]]:
    directory: Path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(directory / "server.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    files = dict.fromkeys(("SCOREBOARD_TLS_CERT", "SCOREBOARD_TLS_KEY"), str(directory / "server.pem"))
    with HttpProcess({"SCOREBOARD_TLS": "true", **files}) as process:
        yield process, context


def asked(server: HttpProcess, name: str, tls: ssl.SSLContext | None = None) -> Answer:
    sent, status = ANSWERS[name]
    with server.open_socket(tls) as sock:
        sock.sendall(sent)
        answer = read_answer(sock)
    assert answer.status == status, name
    return answer


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_is_guarded(server: HttpProcess, name: str) -> None:
    headers = asked(server, name).headers
    assert {each: headers.get_all(each) for each in SECURITY_HEADERS} == {k: [v] for k, v in SECURITY_HEADERS.items()}
    assert headers["X-Request-Id"]
    assert "Strict-Transport-Security" not in headers, "a browser would keep to it, and there is no TLS here"
    assert not set(headers) & {"X-Powered-By", "Access-Control-Allow-Origin"}
    assert headers["Server"] is None, "no version to look up weaknesses of"


@pytest.mark.parametrize("name", ANSWERS)
def test_over_tls_a_browser_is_told_to_come_over_tls_again(secure: tuple[HttpProcess, ssl.SSLContext], name: str) -> None:
    server, context = secure
    headers = asked(server, name, context).headers
    assert headers.get_all("Strict-Transport-Security") == ["max-age=31536000; includeSubDomains"]
    assert headers["X-Frame-Options"] == "DENY"


def test_so_it_is_behind_a_proxy_that_ends_tls() -> None:
    with HttpProcess({"SCOREBOARD_TRUSTED_PROXIES": "127.0.0.1"}) as server:
        for path in ("/echo", "/nothing", "/"):
            assert "Strict-Transport-Security" in server.api.get(path, **{"X-Forwarded-Proto": "https"}).headers
            assert "Strict-Transport-Security" not in server.api.get(path).headers
    with HttpProcess() as server:
        assert "Strict-Transport-Security" not in server.api.get("/echo", **{"X-Forwarded-Proto": "https"}).headers


@pytest.mark.parametrize("path", ["/", "/assets/app.js", "/assets/style.css"])
def test_the_page_runs_nothing_but_its_own_files(server: HttpProcess, path: str) -> None:
    headers = server.api.get(path).headers
    directives = dict(item.strip().partition(" ")[::2] for item in headers["Content-Security-Policy"].split(";"))
    assert directives["default-src"] == directives["base-uri"] == directives["frame-ancestors"] == "'none'"
    assert {directives[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert directives["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers.get_all("Referrer-Policy") == ["no-referrer"]
