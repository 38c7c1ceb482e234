"""The API's description against the running product: whatever is sent, every answer is one that the document describes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import schemathesis.openapi
from schemathesis.core.failures import FailureGroup

from tests.support.api import PASSWORD, Api
from tests.support.product import ROOT, Product, clean_environment

pytestmark = [pytest.mark.xdist_group("conformance"), pytest.mark.timeout(600)]

# What no schema can say: that a password is too easy, a name cannot be seen, a cursor was never given out, or of several filters
# only one may be sent; nor that 1.0 is no integer here, or an Idempotency-Key was used with another request.
NOT_IN_A_SCHEMA = (
    "registerUser",
    "getScoreHistory",
    "getAuditLog",
    "listReconciliations",
    "findUsers",
    "updateScore",
    "redriveDeadLetters",
    "changePassword",
    "updateMe",
    "issueToken",
    "rotateApiKey",
    "changeUser",
    "startReconciliation",
    "listDeadLetters",
    "discardDeadLetters",
    "putBoard",
    "deleteBoard",
    "getBoardScores",
    "queryBoardScores",
    "getSeasons",
    "resetBoard",
    "createServerKey",
    "rotateServerKey",
    "moderatePlayers",
    "listModeration",
)
# Where a length is that of the characters after NFKC or NFC: a schema counts those that were typed. Of a board, too, what is only
# shown may be sent back.
COUNTED_OTHERWISE = ("registerUser", "changePassword", "updateMe", "putBoard")
EXAMPLES = 5
# What a player is answered there stands in the tests of roles.
NOT_OF_ADMINS = ("--exclude-tag", "Admin")
ACCEPTABLE = ["2xx", 401, 403, 404, 409, 422, 429, 503]


@pytest.fixture(scope="module")
def generous() -> Iterator[Product]:
    """A product whose limits hide no answer."""
    with Product(RATE_LIMIT_REQUESTS="1000000") as product:
        yield product


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every object of its responses closed: a member that is not described becomes an error."""
    document = deepcopy(document)
    components = document["components"]
    responses = [*components["responses"].values()]
    responses += [
        response
        for methods in document["paths"].values()
        for operation in methods.values()
        for response in operation["responses"].values()
    ]
    for schema in components["schemas"].values():
        _close_members(schema)
    for response in responses:
        for content in response.get("content", {}).values():
            _close(content["schema"])
    return document


def _close(schema: dict[str, Any]) -> None:
    """Where the schema is used as a whole; what it refers to stays open, for it may be a part of something else, too."""
    if {"properties", "$ref", "allOf"} & set(schema) and "additionalProperties" not in schema:
        schema["unevaluatedProperties"] = False
    _close_members(schema)


def _close_members(schema: dict[str, Any]) -> None:
    for member in schema.get("properties", {}).values():
        _close(member)
    for part in schema.get("allOf", ()):
        _close_members(part)
    if "items" in schema:
        _close(schema["items"])


def configuration(token: str, parameters: dict[str, str]) -> str:
    """schemathesis.toml: the same run each time, nothing kept of the last one."""
    lines = [
        "seed = 20261124",
        "continue-on-failure = true",
        "request-timeout = 20",
        f'headers = {{ Authorization = "Bearer {token}" }}',
        "[generation]",
        "deterministic = true",
        'database = "none"',
        "[phases.stateful]",
        "max-steps = 4",
        "[parameters]",
        *(f'"{name}" = "{value}"' for name, value in parameters.items()),
        "[[operations]]",
        'include-operation-id = ["logOut"]',
        "enabled = false",  # or whatever follows would be refused
        "[[operations]]",
        f"include-operation-id = {json.dumps(NOT_IN_A_SCHEMA)}",
        "[operations.checks.positive_data_acceptance]",
        f"expected-statuses = {json.dumps(ACCEPTABLE)}",
        "[[operations]]",
        f"include-operation-id = {json.dumps(COUNTED_OTHERWISE)}",
        "[operations.checks.negative_data_rejection]",
        "enabled = false",
    ]
    return "\n".join(lines) + "\n"


def examine(product: Product, directory: Path, token: str, parameters: dict[str, str], *options: str) -> None:
    """Run schemathesis with all its checks and phases; AssertionError with what it says when it found something."""
    document, config = directory / "openapi.json", directory / "schemathesis.toml"
    document.write_text(json.dumps(closed(product.api.get("/openapi.json").json)))
    config.write_text(configuration(token, parameters))
    options = ("--url", product.base_url, "--max-examples", str(EXAMPLES), *options)
    run = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(config), "run", str(document), *options],
        cwd=directory,
        env={**clean_environment(), "PYTHONPATH": os.fspath(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_player_gets_only_answers_that_are_described(generous: Product, tmp_path: Path) -> None:
    player = generous.api.new_player()
    examine(generous, tmp_path, player.access_token, {"user_id": player.user_id}, *NOT_OF_ADMINS)


def test_an_admin_gets_only_answers_that_are_described(generous: Product, tmp_path: Path) -> None:
    examine(generous, tmp_path, admin_token(generous.api, generous), {})


def test_whoever_logs_in_gets_what_is_described(generous: Product) -> None:
    player = generous.api.new_player()
    document = closed(generous.api.get("/openapi.json").json)
    log_in = schemathesis.openapi.from_dict(document)["/api/tokens"]["POST"]
    grants: list[Any] = [{"username": player.username, "password": PASSWORD}, {"refreshToken": player.refresh_token}]
    for body in grants:
        response = log_in.Case(body=body, media_type="application/json").call_and_validate(base_url=generous.base_url)
        assert response.status_code == 200


def test_whoever_logs_out_is_told_what_is_described_and_nothing_after_that(generous: Product) -> None:
    player = generous.api.new_player()
    paths = schemathesis.openapi.from_dict(closed(generous.api.get("/openapi.json").json))
    ended = paths["/api/tokens"]["DELETE"].Case(headers=player.authorization).call_and_validate(base_url=generous.base_url)
    assert (ended.status_code, "Content-Type" in ended.headers) == (204, False)
    refused = paths["/api/scores"]["GET"].Case(headers=player.authorization).call(base_url=generous.base_url)
    assert refused.status_code == 401


def test_a_member_that_is_not_described_would_be_found(generous: Product) -> None:
    document = generous.api.get("/openapi.json").json
    standing = document["components"]["schemas"]["Standing"]
    del standing["properties"]["username"], standing["required"]
    player = generous.api.new_player()
    read = schemathesis.openapi.from_dict(closed(document))["/api/score/{user_id}"]["GET"]
    case = read.Case(path_parameters={"user_id": player.user_id}, headers=player.authorization)
    with pytest.raises(FailureGroup, match="username"):
        case.call_and_validate(base_url=generous.base_url)


def admin_token(api: Api, product: Product) -> str:
    """Of an admin made as an operator makes one."""
    options = ["--role", "admin", "--password-stdin", "--data-dir", str(product.data_dir)]
    made = subprocess.run(
        [sys.executable, "-m", "local_runtime", "create-user", "conformance-admin", *options],
        input=PASSWORD + "\n",
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    tokens = api.post("/api/tokens", {"username": "conformance-admin", "password": PASSWORD}).data
    return str(tokens["accessToken"])
