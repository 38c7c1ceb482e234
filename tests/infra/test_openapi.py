"""The API's description: complete, consistent, and the one that is served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from jsonschema import Draft202012Validator

from infra.documents import openapi
from local_runtime.gateway.http.problems import problem_body
from shared.core.errors import ScoreboardError

DOCUMENT: dict[str, Any] = json.loads(openapi.DOCUMENT.read_text(encoding="utf-8"))
OPEN_WHERE_THE_BOARD_IS_PUBLIC = (
    "GET /api/scores",
    "POST /api/ws-tickets",
    "GET /api/boards",
    "GET /api/boards/{board}",
    "GET /api/boards/{board}/seasons",
    "GET /api/boards/{board}/scores",
    "GET /api/boards/{board}/scores/{user_id}",
    "POST /api/boards/{board}/scores/query",
)
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
        yield from problem.get("enum", ()) if isinstance(problem, dict) else ()


def test_the_served_document_is_up_to_date() -> None:
    assert openapi.DOCUMENT.read_text(encoding="utf-8") == openapi.text()


def test_every_route_of_the_template_is_described() -> None:
    assert OPERATIONS
    routes = openapi.template_routes()
    assert openapi.NOT_DESCRIBED == ("get_page",)
    assert set(OPERATIONS) == {key for key, function in routes.items() if function not in openapi.NOT_DESCRIBED}
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
        media_type = "application/json" if status < "400" else "application/problem+json"
        assert list(response.get("content", ())) == ([] if status in ("204", "304") else [media_type])
    security = operation.get("security", DOCUMENT["security"])
    assert ("401" in operation["responses"]) == bool(security or key == "POST /api/tokens")
    assert ({} in security) == (key in OPEN_WHERE_THE_BOARD_IS_PUBLIC)
    assert operation["tags"][0] in [tag["name"] for tag in DOCUMENT["tags"]]
    assert operation["description"].strip().endswith(".")
    assert ("415" in operation["responses"]) == ("requestBody" in operation)


@pytest.mark.parametrize("key", OPERATIONS)
def test_an_operation_describes_what_the_server_may_answer_in_its_place(key: str) -> None:
    responses = responses_of(OPERATIONS[key])
    for status in openapi.SERVER_STATUSES:
        code = json.loads(problem_body(status, ""))["code"]
        assert code in set(codes_of(responses.get(str(status), responses["default"]))), (status, code)


@pytest.mark.parametrize("key", OPERATIONS)
def test_request_and_success_have_examples_that_their_schemas_allow(key: str) -> None:
    operation = OPERATIONS[key]
    contents = [
        response["content"] for status, response in responses_of(operation).items() if status < "300" and "content" in response
    ]
    contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
    assert contents or "204" in operation["responses"]
    for content in contents:
        media = content["application/json"]
        schema = {"allOf": [media["schema"]], "components": DOCUMENT["components"]}
        if media["schema"].get("properties"):
            schema["unevaluatedProperties"] = False
        examples = [each["value"] for each in media["examples"].values()] if "examples" in media else [media["example"]]
        for example in examples:
            jsonschema.validate(example, schema, Draft202012Validator, format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_an_operation_takes_no_more_room_than_it_needs() -> None:
    assert openapi.DOCUMENT.stat().st_size / len(OPERATIONS) < 2_520, "share parameters, headers, schemas and problems"


def test_the_codes_of_the_server_are_stable_names() -> None:
    for status in range(400, 512):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", json.loads(problem_body(status, ""))["code"]), status


def test_every_error_a_client_may_see_is_described_somewhere() -> None:
    described = {code for operation in OPERATIONS.values() for code in codes_of(responses_of(operation))}
    described |= set(re.findall(r"`([a-z_]+)`", DOCUMENT["info"]["description"]))
    only_a_base = {"conflict", "invalid_request", "unauthenticated"}
    never_over_http = {"invalid_ticket", "origin_not_allowed", "board_busy", "too_many_viewers", "viewers_unavailable"}

    def codes(kind: type[ScoreboardError]) -> set[str]:
        own = set() if kind.is_internal else {kind.code}
        return own.union(*(codes(child) for child in kind.__subclasses__()))

    assert codes(ScoreboardError) - described == only_a_base | never_over_http
