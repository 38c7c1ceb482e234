"""What the local runtime answers before any function is asked."""

from __future__ import annotations

from http.client import HTTPConnection
from urllib.parse import urlsplit

from tests.support.api import Api, problem


def test_metrics_are_shown_to_loopback(api: Api) -> None:
    answer = api.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert b"# TYPE" in answer.body


def test_unknown_paths_and_wrong_methods_are_told_apart(api: Api) -> None:
    assert problem(api.get("/api/nothing")) == (404, "not_found")
    wrong = api.request("DELETE", "/api/scores")
    assert problem(wrong) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["Allow"]


def test_a_slash_too_many_leads_to_the_page(api: Api) -> None:
    for page in ("/docs", "/admin"):
        moved = api.get(f"{page}/")
        assert (moved.status, moved.headers["Location"], moved.body) == (308, page, b"")


def test_a_clients_request_id_is_taken_over(api: Api) -> None:
    assert api.get("/healthz", **{"X-Request-Id": "trace-42"}).headers["X-Request-Id"] == "trace-42"
    assert api.get("/healthz", **{"X-Request-Id": "bad id!"}).headers["X-Request-Id"] != "bad id!"


def test_one_connection_serves_many_requests(api: Api) -> None:
    parts = urlsplit(api.base_url)
    assert parts.hostname
    connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
    try:
        for _ in range(3):
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()
    finally:
        connection.close()
