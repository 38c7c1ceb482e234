"""What pages of other origins may do: nothing, unless the template names them, and then what it says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from local_runtime.hosting.load import load_manifest
from local_runtime.hosting.manifest import Manifest
from local_runtime.instance.environment import with_provided_names
from local_runtime.settings import InstanceSettings
from tests.runtime.http_process import HttpProcess, read_answer
from tests.support.api import Answer

FRIEND, STRANGER = "https://friend.example", "https://evil.example"
READABLE = {
    "vary": "Origin",
    "access-control-allow-origin": FRIEND,
    "access-control-expose-headers": "ratelimit, retry-after",
}
POST = b"POST /echo HTTP/1.1\r\nHost: h\r\nOrigin: %s\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
# What the connection refuses itself after it has read the Origin, and the status.
REFUSED = {
    "a body too large": (POST + b"Content-Length: 1000000\r\n\r\n", 413),
    "chunks too large": (CHUNKED + b"f4240\r\n" + b"x" * 70_000, 413),
    "chunks too large behind an upgrade": (UPGRADE + b"f4240\r\n" + b"x" * 70_000, 413),
    "too many headers": (POST + b"X: y\r\n" * 100 + b"\r\n", 431),
    "a broken chunk": (CHUNKED + b"zz\r\n", 400),
    "an unknown expectation": (POST + b"Expect: 200-ok\r\n\r\n", 417),
    "an unknown coding": (POST + b"Transfer-Encoding: rot13\r\n\r\n", 501),
}


@pytest.fixture(scope="module")
def server() -> Iterator[HttpProcess]:
    with HttpProcess() as process:
        yield process


def cors_headers(answer: Answer) -> dict[str, str]:
    found = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in found.items() if name.startswith("access-control-") or name == "vary"}


@pytest.mark.parametrize("path", ["/echo", "/fail", "/nothing"])
def test_a_page_of_a_friend_may_read_answers_and_errors(server: HttpProcess, path: str) -> None:
    assert cors_headers(server.api.get(path, Origin=FRIEND)) == READABLE


@pytest.mark.parametrize("name", REFUSED)
def test_a_page_of_a_friend_may_read_what_the_connection_refuses(server: HttpProcess, name: str) -> None:
    request, status = REFUSED[name]
    for origin, expected in ((FRIEND, READABLE), (STRANGER, {"vary": "Origin"})):
        answer = server.send_raw(request % origin.encode())
        assert (answer.status, cors_headers(answer)) == (status, expected)


def test_a_page_of_a_friend_may_read_that_its_request_took_too_long() -> None:
    with HttpProcess({"SCOREBOARD_BODY_SECONDS": "1"}) as server:
        answer = server.send_raw(POST % FRIEND.encode() + b"Content-Length: 10\r\n\r\n")
        assert (answer.status, cors_headers(answer)) == (408, READABLE)


def test_an_origin_that_was_not_read_is_not_answered(server: HttpProcess) -> None:
    with server.open_socket() as sock:
        sock.sendall(f"GET /echo HTTP/1.1\r\nHost: h\r\nOrigin: {FRIEND}\r\n\r\n".encode())
        assert cors_headers(read_answer(sock)) == READABLE
        sock.sendall(b"GET /" + b"x" * 9000)
        answer = read_answer(sock)
        assert (answer.status, cors_headers(answer)) == (414, {"vary": "Origin"}), "that of the request before is not its own"


def test_the_management_api_is_for_no_page(server: HttpProcess) -> None:
    port = urlsplit(server.where["management_url"]).port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(CHUNKED % FRIEND.encode() + b"zz\r\n")
        answer = read_answer(sock)
        assert (answer.status, cors_headers(answer)) == (400, {})


@pytest.mark.parametrize(
    "origin", [STRANGER, "null", "http://friend.example", "https://friend.example:8443", "https://friend.example.evil.example"]
)
def test_others_may_not_and_caches_keep_them_apart(server: HttpProcess, origin: str) -> None:
    assert cors_headers(server.api.get("/echo", Origin=origin)) == {"vary": "Origin"}
    assert cors_headers(server.api.get("/echo")) == {"vary": "Origin"}


def preflight(server: HttpProcess, origin: str, path: str = "/echo") -> Answer:
    return server.api.request("OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})


def test_a_friend_is_told_beforehand_what_it_may_send(server: HttpProcess) -> None:
    answer = preflight(server, FRIEND)
    assert (answer.status, answer.body) == (204, b"")
    assert cors_headers(answer) == {
        "vary": "Origin",
        "access-control-allow-origin": FRIEND,
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": "600",
    }


def test_a_stranger_is_told_nothing_beforehand(server: HttpProcess) -> None:
    answer = preflight(server, STRANGER)
    assert (answer.status, cors_headers(answer)) == (204, {"vary": "Origin"})
    assert preflight(server, FRIEND, "/nothing").status == 404


def test_metrics_are_for_nobody_else(server: HttpProcess) -> None:
    answer = server.api.get("/metrics", Origin=FRIEND)
    assert (answer.status, cors_headers(answer)) == (200, {})


@pytest.mark.parametrize(
    "origin", ["https://friend.example:443", "https://FRIEND.example", "capacitor://localhost", "http://[::1]:3000"]
)
def test_an_origin_is_a_scheme_a_host_and_a_port(server: HttpProcess, origin: str) -> None:
    assert cors_headers(server.api.get("/echo", Origin=origin))["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", ["capacitor://other", "ionic://localhost", "http://[::2]:3000", "http://[::1]"])
def test_an_app_shell_that_is_not_named_is_a_stranger(server: HttpProcess, origin: str) -> None:
    assert cors_headers(server.api.get("/echo", Origin=origin)) == {"vary": "Origin"}


def hosted(origins: str) -> Manifest:
    return load_manifest(InstanceSettings(), with_provided_names({"CORS_ALLOWED_ORIGINS": origins}))


def test_the_product_is_closed_and_the_setting_opens_it() -> None:
    assert hosted("").cors.origins == ()
    named = ("https://a.example", "http://localhost:3000", "capacitor://localhost", "http://[::1]:3000")
    assert hosted(",".join(named)).cors.origins == named


@pytest.mark.parametrize("origins", ["*", "https://*.example", "https://a.example/", "https://a.example,null", "a.example"])
def test_only_exact_origins_can_be_named(origins: str) -> None:
    with pytest.raises(ValueError, match=r"^CORS_ALLOWED_ORIGINS: .*http://localhost:3000$"):
        hosted(origins)


def test_what_the_api_speaks_is_allowed() -> None:
    manifest = hosted("https://a.example")
    cors = manifest.cors
    assert {route.method for route in manifest.http_routes} <= set(cors.methods)
    assert {"authorization", "content-type", "idempotency-key", "x-api-key", "x-action-ticket"} <= set(cors.headers)
    assert {"ratelimit", "ratelimit-policy", "retry-after", "idempotency-replayed"} <= set(cors.exposed_headers)
