"""The Flask application made from a manifest, without a server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import EnvironHeaders
from werkzeug.test import TestResponse

from local_runtime.gateway.http.app import WSGI, create_app
from local_runtime.gateway.http.proxies import TrustedProxies
from local_runtime.gateway.http.requests import BODY, HEADERS
from local_runtime.hosting.deadline import GeventDeadline
from local_runtime.hosting.invoker import Invoker
from local_runtime.hosting.manifest import Function, HttpRoute, Manifest
from local_runtime.metrics import read
from local_runtime.settings import InstanceSettings
from shared.core.metrics import invocations
from shared.core.metrics.processes import ProcessMetrics

FUNCTIONS = Path(__file__).resolve().parent / "fixtures_http" / "functions"
ROUTES = {
    "GET /echo": "echo",
    "POST /echo": "echo",
    "PUT /echo/{name}": "echo",
    "PUT /echo/reserved": "echo",
    "PUT /echo/{user-id}/score": "echo",
    "POST /files/{proxy+}": "echo",
    "ANY /any": "echo",
    "GET /slashed/": "echo",
    "POST /answer": "answer",
    "GET /fail": "fail",
}


def as_parsed(inner: WSGI) -> Any:
    """With what the connection puts into an environment beside what werkzeug's client does."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ[HEADERS] = {name.lower(): value for name, value in EnvironHeaders(environ)}
        environ[BODY] = environ["wsgi.input"].read()
        return inner(environ, start_response)

    return app


def make_client(proxies: str = "", metrics_token: str = "", **settings: Any) -> FlaskClient:
    functions = {name: Function(name, name, FUNCTIONS / name, "handler.lambda_handler", 2, 128, {}) for name in ROUTES.values()}
    routes = tuple(HttpRoute(functions[name], *key.split(" ")) for key, name in ROUTES.items())
    manifest = Manifest(tuple(functions.values()), (), routes, (), (), None)
    app = create_app(
        manifest,
        Invoker(manifest, GeventDeadline()),
        InstanceSettings(**settings),
        metrics=ProcessMetrics(None, read),
        metrics_token=metrics_token,
        proxies=TrustedProxies.parse(proxies),
    )
    app.wsgi_app = as_parsed(app.wsgi_app)  # type: ignore[method-assign]
    return app.test_client()


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return make_client()


def event_of(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    event: dict[str, Any] = json.loads(response.data)
    return event


def problem_of(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(response.data)
    assert problem["type"] == f"/docs/problems#{code}"
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"]
    assert problem["requestId"] == response.headers["X-Request-Id"]
    return problem


def test_a_request_reaches_its_function_as_an_event(client: FlaskClient) -> None:
    response = client.post("/echo?a=1", data='{"x": 1}', content_type="application/json", headers={"X-Thing": "t"})
    event = event_of(response)
    assert response.headers["x-function"] == "echo"
    assert event["routeKey"] == "POST /echo"
    assert event["body"] == '{"x": 1}'
    assert event["headers"]["x-thing"] == "t"
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["requestContext"]["requestId"] == response.headers["X-Request-Id"]


def test_path_parameters_are_decoded_segment_by_segment(client: FlaskClient) -> None:
    event = event_of(client.put("/echo/a%2Fb%20%C3%A9"))
    assert event["pathParameters"] == {"name": "a/b é"}
    assert event["rawPath"] == "/echo/a%2Fb%20%C3%A9"


def test_parameters_may_have_names_that_are_no_identifiers(client: FlaskClient) -> None:
    assert event_of(client.put("/echo/7/score"))["pathParameters"] == {"user-id": "7"}


def test_a_greedy_parameter_takes_the_rest_of_the_path(client: FlaskClient) -> None:
    event = event_of(client.post("/files/a/b/c.txt"))
    assert (event["routeKey"], event["pathParameters"]) == ("POST /files/{proxy+}", {"proxy": "a/b/c.txt"})


def test_a_fixed_path_wins_over_a_parameter(client: FlaskClient) -> None:
    assert event_of(client.put("/echo/reserved"))["routeKey"] == "PUT /echo/reserved"


def test_a_path_may_end_in_a_slash(client: FlaskClient) -> None:
    assert event_of(client.get("/slashed/"))["routeKey"] == "GET /slashed/"
    assert client.head("/slashed/").status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
def test_any_means_any_method(client: FlaskClient, method: str) -> None:
    event = event_of(client.open("/any", method=method))
    assert (event["routeKey"], event["requestContext"]["http"]["method"]) == ("ANY /any", method)


@pytest.mark.parametrize(
    "path",
    ["/", "/nope", "/echo/", "/echo//x", "/Echo", "/files/", "/echo/../echo", "/slashed", "/assets/app.js", "/assets/../app.py"],
)
def test_an_unknown_path_is_404_and_never_a_redirect(client: FlaskClient, path: str) -> None:
    problem_of(client.open(path, method="PUT" if path == "/echo//x" else "GET"), 404, "not_found")


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_a_person_who_asks_for_an_unknown_path_is_shown_the_way_home(client: FlaskClient) -> None:
    response = client.get("/nope", headers={"Accept": BROWSER, "X-Request-Id": "look-1"})
    assert (response.status_code, response.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert '<a href="/">' in response.text
    assert "look-1" in response.text
    assert response.headers["X-Request-Id"] == "look-1"
    problem = client.get("/nope")
    plain = {"Content-Type", "Content-Length", "X-Request-Id"}
    assert {pair for pair in response.headers if pair[0] not in plain} == {
        pair for pair in problem.headers if pair[0] not in plain
    }


@pytest.mark.parametrize(
    ("method", "path", "accept", "status"),
    [
        ("GET", "/nope", "*/*", 404),
        ("GET", "/nope", "application/json, text/html;q=0.9, */*;q=0.1", 404),
        ("GET", "/nope", "application/json, text/html", 404),
        ("POST", "/nope", BROWSER, 404),
        ("GET", "/api/nope", BROWSER, 404),
        ("GET", "/api/nope", "text/html", 404),
        ("GET", "/%61pi/nope", BROWSER, 404),
        ("DELETE", "/echo", BROWSER, 405),
    ],
)
def test_everybody_else_is_given_the_problem(client: FlaskClient, method: str, path: str, accept: str, status: int) -> None:
    code = {404: "not_found", 405: "method_not_allowed"}[status]
    problem_of(client.open(path, method=method, headers={"Accept": accept}), status, code)


def test_a_wrong_method_is_405_with_the_right_ones(client: FlaskClient) -> None:
    response = client.delete("/echo")
    problem_of(response, 405, "method_not_allowed")
    assert {item.strip() for item in response.headers["Allow"].split(",")} == {"GET", "HEAD", "POST", "OPTIONS"}


def test_options_tells_the_methods(client: FlaskClient) -> None:
    response = client.options("/answer")
    assert (response.status_code, response.data) == (204, b"")
    assert {item.strip() for item in response.headers["Allow"].split(",")} == {"POST", "OPTIONS"}


def test_head_is_a_get_without_its_body(client: FlaskClient) -> None:
    response = client.head("/echo")
    assert (response.status_code, response.data) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


def test_a_safe_request_id_of_the_client_is_taken_over(client: FlaskClient) -> None:
    response = client.get("/echo", headers={"X-Request-Id": "abc-1.2_3"})
    assert event_of(response)["requestContext"]["requestId"] == response.headers["X-Request-Id"] == "abc-1.2_3"


def test_a_request_id_that_is_a_uuid_is_one_in_small_letters(client: FlaskClient) -> None:
    given = "6D1A6E0B-7F6F-4B9E-8F55-0B9C4D0F8A11"
    response = client.get("/echo", headers={"X-Request-Id": given})
    assert event_of(response)["requestContext"]["requestId"] == response.headers["X-Request-Id"] == given.lower()
    assert client.get("/echo", headers={"X-Request-Id": "Trace-42"}).headers["X-Request-Id"] == "Trace-42"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "é"])
def test_an_unsafe_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    request_id = client.get("/nope", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert request_id != given
    assert len(request_id) == 36


def test_a_failing_function_is_a_500_that_tells_nothing(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    response = client.get("/fail")
    problem = problem_of(response, 500, "internal_error")
    assert "hunter2" not in response.text
    assert "hunter2" in caplog.text
    assert problem["requestId"] in caplog.text


@pytest.mark.parametrize("answer", [{"statusCode": "x"}, {"statusCode": 200, "body": {}}])
def test_a_malformed_answer_is_a_500(client: FlaskClient, answer: object) -> None:
    problem_of(client.post("/answer", json=answer), 500, "internal_error")


def test_status_headers_cookies_and_body_of_an_answer_are_served(client: FlaskClient) -> None:
    answer = {
        "statusCode": 202,
        "headers": {"Content-Type": "text/x", "Cache-Control": "max-age=5", "Content-Length": "999", "X-Request-Id": "mine"},
        "cookies": ["a=1; HttpOnly", "b=2"],
        "body": "hé",
    }
    response = client.post("/answer", json=answer)
    assert (response.status_code, response.text) == (202, "hé")
    assert response.headers["Content-Type"] == "text/x"
    assert response.headers["Cache-Control"] == "max-age=5"
    assert response.headers["Content-Length"] == "3"
    assert response.headers["X-Request-Id"] != "mine"
    assert response.headers.getlist("Set-Cookie") == ["a=1; HttpOnly", "b=2"]


def test_answers_are_guarded_by_default(client: FlaskClient) -> None:
    headers = client.get("/echo").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_a_forwarded_address_is_believed_only_from_a_configured_proxy() -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}

    def seen(proxies: str, peer: str = "127.0.0.1") -> tuple[str, str]:
        response = make_client(proxies).get("/echo", headers=forwarded, environ_overrides={"REMOTE_ADDR": peer})
        event = event_of(response)
        return event["requestContext"]["http"]["sourceIp"], event["headers"]["x-forwarded-proto"]

    assert seen("") == ("127.0.0.1", "http")
    assert seen("10.0.0.0/8") == ("127.0.0.1", "http")
    assert seen("127.0.0.1") == ("198.51.100.7", "https")
    assert seen("127.0.0.0/8, 198.51.100.7") == ("203.0.113.9", "https")
    assert seen("127.0.0.1", "::ffff:127.0.0.1") == ("198.51.100.7", "https")


def test_metrics_are_for_this_machine_or_a_token() -> None:
    client = make_client(metrics_token="open sesame")
    before = invocations.of("echo", "http", "ok").value
    client.get("/echo")
    away = {"REMOTE_ADDR": "198.51.100.7"}
    here = client.get("/metrics")
    assert here.status_code == 200
    counted = 'scoreboard_function_invocations_total{function="echo",outcome="ok",trigger="http"}'
    assert f"{counted} {before + 1:.1f}\n" in here.text
    problem_of(client.get("/metrics", environ_overrides=away), 403, "forbidden")
    problem_of(client.get("/metrics", headers={"Authorization": "Bearer x"}, environ_overrides=away), 403, "forbidden")
    known = {"Authorization": "Bearer open sesame"}
    assert client.get("/metrics", headers=known, environ_overrides=away).status_code == 200


@pytest.mark.parametrize("sign", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via"])
def test_whatever_comes_through_a_proxy_is_not_of_this_machine(client: FlaskClient, sign: str) -> None:
    problem_of(client.get("/metrics", headers={sign: "127.0.0.1"}), 403, "forbidden")


def test_a_declared_proxy_is_not_this_machine_even_if_it_says_nothing() -> None:
    client = make_client("127.0.0.1", "open sesame")
    problem_of(client.get("/metrics"), 403, "forbidden")
    problem_of(client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}), 403, "forbidden")
    assert client.get("/metrics", headers={"Authorization": "Bearer open sesame"}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_who_asks_for_this_machine_gets_the_metrics(client: FlaskClient, host: str) -> None:
    assert client.get("/metrics", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "198.51.100.7"]
)
def test_a_page_whose_name_was_made_to_mean_this_machine_does_not(host: str) -> None:
    """DNS rebinding: the browser is on this machine, and takes the page and the metrics for one origin."""
    client = make_client(metrics_token="open sesame")
    problem_of(client.get("/metrics", headers={"Host": host}), 403, "forbidden")
    assert client.get("/metrics", headers={"Host": host, "Authorization": "Bearer open sesame"}).status_code == 200


def test_without_a_token_no_token_opens_the_metrics(client: FlaskClient) -> None:
    headers = {"Authorization": "Bearer "}
    problem_of(client.get("/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": "198.51.100.7"}), 403, "forbidden")
