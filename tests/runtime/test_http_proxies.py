"""Whose address counts: the peer's, and what a proxy says of others only where that proxy was declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local_runtime.gateway.http.options import HttpOptions
from local_runtime.gateway.http.proxies import TrustedProxies
from local_runtime.settings import InstanceSettings, SettingsError
from tests.runtime.http_process import HttpProcess
from tests.runtime.test_websocket_gateway import event_for, viewer_of

PROXY, OUTER_PROXY, CLIENT, LIAR = "10.0.0.1", "192.0.2.80", "203.0.113.9", "198.51.100.66"


def seen(forwarded: str | None, *, peer: str = PROXY, proxies: str = f"{PROXY}, {OUTER_PROXY}, 2001:db8:f::/48") -> str:
    environ: dict[str, Any] = {"REMOTE_ADDR": peer}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    return TrustedProxies.parse(proxies).source_ip(environ)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (None, PROXY),
        ("", PROXY),
        (CLIENT, CLIENT),
        (f"{LIAR}, {CLIENT}", CLIENT),
        (f"{LIAR},{CLIENT},{OUTER_PROXY}", CLIENT),
        (f"{CLIENT}, {OUTER_PROXY}, {PROXY}", CLIENT),
        (f"{OUTER_PROXY}, {PROXY}", OUTER_PROXY),
        # Empty elements are nothing, whoever left them.
        (f"{CLIENT}, ", CLIENT),
        (f", ,{CLIENT},,", CLIENT),
        # Ports, quotes and brackets.
        (f"{CLIENT}:51234", CLIENT),
        (f'"{CLIENT}:51234"', CLIENT),
        ("[2001:db8::9]:443", "2001:db8::9"),
        ("[2001:db8::9]", "2001:db8::9"),
        ("2001:DB8:0:0::9", "2001:db8::9"),
        ("fe80::9%eth0", "fe80::9"),
        ("::ffff:203.0.113.9", CLIENT),
        ("::FFFF:cb00:7109", CLIENT),
        # A proxy by IPv6, and in the clothes of IPv6.
        (f"{CLIENT}, 2001:db8:f:1::1", CLIENT),
        (f"{CLIENT}, ::ffff:{OUTER_PROXY}", CLIENT),
        # What cannot be read ends the list: nobody can say what stands before it.
        (f"{CLIENT}, unknown", PROXY),
        (f"{CLIENT}, _hidden, {OUTER_PROXY}", OUTER_PROXY),
        (f"{LIAR}, {CLIENT}:port", PROXY),
        (f"{LIAR}, [2001:db8::9]x", PROXY),
        (f"{LIAR}, [2001:db8::9", PROXY),
        (f"{LIAR}, 203.0.113.999", PROXY),
        (f"{LIAR}, 203.0.113.0/24", PROXY),
        (f"{LIAR}, 3405803785", PROXY),
        (f"{LIAR}, \u0662\u0660\u0663.0.113.9", PROXY),
        ("x" * 8000, PROXY),
    ],
)
def test_the_nearest_address_that_is_no_proxy_of_ours_counts(forwarded: str | None, address: str) -> None:
    assert seen(forwarded) == address


@pytest.mark.parametrize("peer", [LIAR, "10.0.0.2", "2001:db8:e::1", "", "not an address"])
def test_nobody_else_is_believed(peer: str) -> None:
    assert seen(CLIENT, peer=peer) == peer


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}", "2001:db8:f::7", "2001:db8:f::7%eth0"])
def test_a_proxy_is_known_in_every_spelling(peer: str) -> None:
    assert seen(CLIENT, peer=peer) == CLIENT


def test_without_proxies_an_address_has_one_spelling_still() -> None:
    assert seen(CLIENT, peer="::ffff:198.51.100.66", proxies="") == LIAR
    assert seen(CLIENT, peer="fe80::9%eth0", proxies="") == "fe80::9"


@pytest.mark.parametrize(
    ("forwarded", "peer", "scheme"),
    [("https", PROXY, "https"), ("http, HTTPS", PROXY, "https"), ("gopher", PROXY, "http"), ("https", LIAR, "http")],
)
def test_the_scheme_is_the_nearest_proxys(forwarded: str, peer: str, scheme: str) -> None:
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_PROTO": forwarded, "wsgi.url_scheme": "http"}
    assert TrustedProxies.parse(PROXY).scheme(environ) == scheme


@pytest.mark.parametrize(
    ("forwarded", "peer", "host"),
    [
        ("game.example", PROXY, "game.example"),
        ("liar.example, game.example:8443", PROXY, "game.example:8443"),
        ("[2001:db8::9]:443", PROXY, "[2001:db8::9]:443"),
        ("", PROXY, "inner:8080"),
        ("no host", PROXY, "inner:8080"),
        ("game.example", LIAR, "inner:8080"),
    ],
)
def test_the_host_is_the_nearest_proxys(forwarded: str, peer: str, host: str) -> None:
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_HOST": forwarded, "HTTP_HOST": "inner:8080"}
    assert TrustedProxies.parse(PROXY).host(environ) == host


@pytest.mark.parametrize("value", ["proxy.internal", "10.0.0.1/33", "10.0.0.1;10.0.0.2", "*"])
def test_what_is_no_network_stops_the_start(value: str) -> None:
    with pytest.raises(SettingsError, match="SCOREBOARD_TRUSTED_PROXIES"):
        HttpOptions.from_environment({}, InstanceSettings(trusted_proxies=value))


@pytest.fixture(scope="module")
def behind_a_proxy() -> Iterator[HttpProcess]:
    with HttpProcess({"SCOREBOARD_TRUSTED_PROXIES": "127.0.0.1"}) as process:
        yield process


def test_headers_that_were_sent_twice_are_one_list(behind_a_proxy: HttpProcess) -> None:
    answer = behind_a_proxy.send_raw(
        f"GET /echo HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {LIAR}\r\nX-Forwarded-For: {CLIENT}, 127.0.0.1\r\n"
        f"X_Forwarded_For: {LIAR}\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.json["requestContext"]["http"]["sourceIp"] == CLIENT
    assert answer.json["headers"]["x-forwarded-for"] == CLIENT


def test_a_websocket_comes_from_whom_the_proxy_names(behind_a_proxy: HttpProcess) -> None:
    headers = [("X-Forwarded-For", LIAR), ("X-Forwarded-For", f"[2001:db8::9]:51234, {CLIENT}:443")]
    with viewer_of(behind_a_proxy, "?marker=proxied", additional_headers=headers):
        event = event_for(behind_a_proxy, "CONNECT", "proxied")
    assert event["requestContext"]["identity"]["sourceIp"] == CLIENT
    assert event["headers"]["X-Forwarded-For"] == CLIENT
    assert event["headers"]["Host"] != "game.example"


def test_a_websocket_is_of_the_host_that_the_proxy_names(behind_a_proxy: HttpProcess) -> None:
    headers = [("X-Forwarded-Host", "game.example"), ("X-Forwarded-Proto", "https")]
    with viewer_of(behind_a_proxy, "?marker=named", additional_headers=headers):
        event = event_for(behind_a_proxy, "CONNECT", "named")
    assert (event["headers"]["Host"], event["headers"]["X-Forwarded-Proto"]) == ("game.example", "https")
    assert event["requestContext"]["domainName"] == "game.example"


def test_what_a_stranger_says_of_the_host_is_not_believed() -> None:
    with HttpProcess({}) as server:
        headers = [("X-Forwarded-Host", "game.example"), ("X-Forwarded-Proto", "https")]
        with viewer_of(server, "?marker=stranger", additional_headers=headers):
            event = event_for(server, "CONNECT", "stranger")
        assert event["headers"]["Host"].startswith("127.0.0.1:")
        assert event["headers"]["X-Forwarded-Proto"] == "http"
