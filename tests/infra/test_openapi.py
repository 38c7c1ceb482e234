"""The API's description: complete, consistent, and the one that is served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from infra import openapi
from local_runtime.http.problems import problem_body
from shared.core.errors import ScoreboardError

DOCUMENT: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text(encoding="utf-8"))
OPERATIONS = {
    f"{method.upper()} {path}": operation for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
}


def members(value: object, name: str) -> Iterator[Any]:
    """Every value of a member called `name`, however deep."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == name:
                yield item
            yield from members(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from members(item, name)


def responses_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The responses of an operation, those shared with others among them."""
    shared = DOCUMENT["components"]["responses"]
    return {
        status: shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        for status, response in operation["responses"].items()
    }


def codes_of(responses: object) -> Iterator[str]:
    """Every problem's code in some responses."""
    for problem in members(responses, "code"):
        yield from problem.get("enum", ())


def test_the_served_document_is_up_to_date() -> None:
    assert openapi.main(["--check"]) == 0


def test_every_route_of_the_template_is_described() -> None:
    assert OPERATIONS
    assert set(OPERATIONS) == set(openapi.template_routes(openapi.TEMPLATE))
    assert DOCUMENT["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere() -> None:
    for reference in members(DOCUMENT, "$ref"):
        place: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
        assert place


def test_everything_shared_is_used() -> None:
    used = set(members(DOCUMENT, "$ref"))
    for kind in ("headers", "parameters", "responses", "schemas"):
        for name in DOCUMENT["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, name


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", OPERATIONS)
def test_an_operation_describes_its_path_parameters_and_what_it_answers(key: str) -> None:
    operation = OPERATIONS[key]
    shared = DOCUMENT["components"]["parameters"]
    given = [shared[item["$ref"].rpartition("/")[2]] if "$ref" in item else item for item in operation.get("parameters", [])]
    assert {item["name"] for item in given if item["in"] == "path"} == set(re.findall(r"{(\w+)}", key))
    assert operation["summary"].endswith(".")
    assert any(status.startswith("2") for status in operation["responses"])
    for status, response in responses_of(operation).items():
        assert response["description"]
        assert "X-Request-Id" in response["headers"]
        media_type = "application/json" if status < "400" else "application/problem+json"
        assert list(response.get("content", ())) == ([] if status in ("204", "304") else [media_type])
    assert ("401" in operation["responses"]) == bool(operation["security"] or key == "POST /api/tokens")
    assert ("415" in operation["responses"]) == ("requestBody" in operation)


@pytest.mark.parametrize("key", OPERATIONS)
def test_an_operation_describes_what_the_server_may_answer_in_its_place(key: str) -> None:
    responses = responses_of(OPERATIONS[key])
    for status in openapi.SERVER_STATUSES:
        code = json.loads(problem_body(status, ""))["code"]
        assert code in set(codes_of(responses[str(status)])), (status, code)


@pytest.mark.parametrize("key", [key for key in OPERATIONS if "requestBody" in OPERATIONS[key]])
def test_a_body_has_an_example_and_a_limit(key: str) -> None:
    body = OPERATIONS[key]["requestBody"]
    assert "64 KiB" in body["description"]
    content = body["content"]["application/json"]
    for example in content.get("examples", {"one": {"value": content.get("example")}}).values():
        assert isinstance(example["value"], dict)


def test_the_codes_of_the_server_are_stable_names() -> None:
    for status in range(400, 512):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", json.loads(problem_body(status, ""))["code"]), status


def test_every_error_a_client_may_see_is_described_somewhere() -> None:
    described = {code for operation in OPERATIONS.values() for code in codes_of(responses_of(operation))}
    described |= set(re.findall(r"`([a-z_]+)`", DOCUMENT["info"]["description"]))
    only_a_base = {"conflict", "invalid_request"}
    never_over_http = {"bad_message", "configuration_error", "foreign_stores", "invalid_ticket", "origin_not_allowed"}
    never_over_http |= {"too_many_viewers", "viewers_unavailable"}

    def codes(kind: type[ScoreboardError]) -> set[str]:
        return {kind.code}.union(*(codes(child) for child in kind.__subclasses__()))

    assert codes(ScoreboardError) - described == only_a_base | never_over_http
