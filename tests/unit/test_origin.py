"""Whether a page may open a WebSocket: origins and hosts are compared by scheme, host and port."""

from __future__ import annotations

import pytest

from local_runtime.gateway.http.cors import CorsHeaders
from local_runtime.hosting.manifest import Cors
from shared.core.errors import OriginNotAllowed
from shared.core.origins import parse_origin
from shared.transport.origin import check_origin


def is_let_in(origin: str | None, host: str = "", allowed: tuple[str, ...] = (), proto: str = "") -> bool:
    headers = {"host": host, "x-forwarded-proto": proto} | ({} if origin is None else {"origin": origin})
    try:
        check_origin(headers, allowed)
    except OriginNotAllowed:
        return False
    return True


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://game.example", "game.example"),
        ("https://game.example", "game.example:443"),
        ("https://game.example:443", "game.example"),
        ("http://game.example", "game.example:80"),
        ("http://game.example:8080", "game.example:8080"),
        ("https://GAME.example", "Game.Example:443"),
        ("https://game.example", "game.example."),
        ("https://game.example", "game.example:"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://[::1]", "[0:0:0:0:0:0:0:1]:80"),
        ("https://[2001:db8::1]", "[2001:DB8::1]:443"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://my_game:8080", "my_game:8080"),
    ],
)
def test_a_page_of_this_host_is_let_in_however_a_proxy_writes_the_host(origin: str, host: str) -> None:
    assert is_let_in(origin, host)
    assert is_let_in(origin, host, proto="http"), "a proxy that ends TLS need not have said so"
    assert is_let_in(origin, host, proto="https") is origin.startswith("https")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "game.example"),
        ("https://game.example", "game.example:80"),
        ("https://game.example", "game.example:8443"),
        ("https://game.example:8443", "game.example"),
        ("http://game.example", "game.example:443"),
        ("https://game.example.evil.example", "game.example"),
        ("https://game.example@evil.example", "game.example"),
        ("https://game.example", "evil.example"),
        ("https://[::1]", "[::2]"),
        ("capacitor://game.example", "game.example"),
        ("null", "null"),
        ("null", "game.example"),
        ("file://", "game.example"),
        ("https://", ""),
        ("game.example", "game.example"),
        ("https://game.example/", "game.example"),
        ("https://game.example https://evil.example", "game.example"),
        ("https://game.example", ""),
        ("http://[", "["),
        ("http://[1]", "[1]"),
        ("http://[1]", "[1]:80"),
        ("https://game.example:", "game.example"),
        ("https://game.example", "game.example::"),
    ],
)
def test_other_pages_are_not(origin: str, host: str) -> None:
    assert not is_let_in(origin, host)


def test_what_is_no_browser_is_let_in() -> None:
    assert is_let_in(None)
    assert is_let_in("")


@pytest.mark.parametrize(
    ("allowed", "origin"),
    [
        ("capacitor://localhost", "capacitor://localhost"),
        ("tauri://localhost", "tauri://localhost"),
        ("ionic://localhost", "IONIC://localhost"),
        ("http://tauri.localhost", "http://tauri.localhost"),
        ("https://localhost", "https://localhost"),
        ("https://game.example:443", "https://game.example"),
        ("https://game.example", "https://game.example:443"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
    ],
)
def test_pages_of_named_origins_are_let_in(allowed: str, origin: str) -> None:
    assert is_let_in(origin, "scores.example", ("https://other.example", allowed))
    assert not is_let_in(origin, "scores.example", ("https://other.example",))


@pytest.mark.parametrize(
    "text", ["http://[1]", "http://a:", "http://a:123456", "http://[::1", "http://", "null", "", "http://a/", "*"]
)
def test_what_names_no_origin_is_none_for_the_api_and_the_websocket_alike(text: str) -> None:
    assert parse_origin(text) is None
    assert "Access-Control-Allow-Origin" not in dict(CorsHeaders(Cors(origins=(text,))).answer("GET", text, ""))
    assert not is_let_in(text or "null", "a", (text,))


@pytest.mark.parametrize("origin", ["null", "tauri://evil", "capacitor://localhost:81", "http://localhost", "https://localhost"])
def test_only_they_are(origin: str) -> None:
    assert not is_let_in(origin, "game.example", ("capacitor://localhost", "tauri://localhost", "null"))
