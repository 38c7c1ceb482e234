"""Writes functions/get_openapi/openapi.json from the template's routes and each function's openapi.yaml."""

from __future__ import annotations

import json
import tomllib
from collections import Counter, defaultdict
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

from infra.sam import read_sam
from local_runtime.gateway.http.problems import KNOWN
from local_runtime.settings import PROJECT_ROOT
from shared.core import errors

HERE = Path(__file__).resolve().parent
BASE = HERE / "openapi_base.yaml"
DOCUMENT = PROJECT_ROOT / "functions" / "get_openapi" / "openapi.json"
# Shown to people; no program asks for it.
NOT_DESCRIBED = ("get_page",)

STORES = ("RedisUnavailable", "PostgresUnavailable", "RabbitUnavailable")
WITH_A_TOKEN = ("MissingToken", "InvalidToken", "TokenExpired", "SessionEnded", "UnknownPlayer", *STORES[:2])
WITH_A_BODY = ("MalformedJson", "UnsupportedMediaType")
WITH_A_QUERY = ("InvalidParameter",)  # for one that is unknown
WITH_A_KEY = ("InvalidParameter", "IdempotencyKeyReused", "RequestInProgress", "PostgresUnavailable")
KEY = {"$ref": "#/components/parameters/idempotencyKey"}
# What the server may answer to any request, before or in place of its function; described once, as the default.
SERVER_STATUSES = (400, 408, 413, 414, 417, 429, 431, 500, 501, 503, 504)
ANY = "AnyRequest"
ANY_CODES = {*(KNOWN[status][0] for status in SERVER_STATUSES), *(getattr(errors, name).code for name in STORES)}
LIMITS = ("RateLimit-Policy", "RateLimit")
# How a problem's headers go with its status.
PROBLEM_HEADERS = {"401": ("WWW-Authenticate",), "429": ("Retry-After", *LIMITS), "503": ("Retry-After",)}


def text() -> str:
    """The document as it is served, a line for each path and component; raises what build raises."""
    document = build()
    document["paths"] = _Lines(document["paths"])
    document["components"] = _Lines({kind: _Lines(items) for kind, items in document["components"].items()})
    return _written(_Lines(document)) + "\n"


class _Lines(dict[str, Any]):
    """A mapping whose members are written on lines of their own."""


def _written(value: Any) -> str:
    if not isinstance(value, _Lines):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return "{\n" + ",\n".join(f"{json.dumps(name)}:{_written(member)}" for name, member in value.items()) + "\n}"


def build() -> dict[str, Any]:
    """The document; SystemExit lists every route without a description and every description without a route."""
    document: dict[str, Any] = _yaml(BASE)
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    document["info"]["version"] = project["version"]
    routes = {key: name for key, name in template_routes().items() if name not in NOT_DESCRIBED}
    described = _fragments()
    problems = [f"functions/{routes[key]}/openapi.yaml does not describe {key}" for key in sorted(set(routes) - set(described))]
    problems += [f"functions/{described[key][0]}/openapi.yaml describes {key}, which the template does not route to it"
                 for key in sorted(described) if routes.get(key) != described[key][0]]  # fmt: skip
    if problems:
        raise SystemExit("\n".join(problems))
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for key in routes:
        method, path = key.split(" ", 1)
        paths[path][method.lower()] = _operation(described[key][1], of_the_api=path.startswith("/api/"))
    document["paths"] = paths
    operations = [operation for path in paths.values() for operation in path.values()]
    document["components"]["responses"] = _shared_refusals(operations)
    return document


def _shared_refusals(operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Responses that several operations have, which refer to them from here on; first those that any request may meet."""
    shared: dict[str, Any] = {ANY: _problem_response("default", ANY_CODES)}
    names: dict[str, str] = {}
    count = Counter(json.dumps(one) for operation in operations for one in operation["responses"].items())
    for operation in operations:
        for status, response in operation["responses"].items():
            text = json.dumps((status, response))
            if status < "400" or count[text] == 1:
                continue
            if text not in names:
                names[text] = status + chr(ord("a") + sum(name.startswith(status) for name in names.values()))
                shared[names[text]] = response
            operation["responses"][status] = {"$ref": f"#/components/responses/{names[text]}"}
        operation["responses"]["default"] = {"$ref": f"#/components/responses/{ANY}"}
    return shared


def template_routes() -> dict[str, str]:
    """Route keys of the HTTP API with the directory of their function, in the template's order."""
    return {
        f"{event['Properties']['Method'].upper()} {event['Properties']['Path']}": function.name
        for function in read_sam().functions
        for event in function.properties.get("Events", {}).values()
        if event["Type"] == "HttpApi"
    }


def _fragments() -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        key: (path.parent.name, operation)
        for path in sorted((PROJECT_ROOT / "functions").glob("*/openapi.yaml"))
        for key, operation in _yaml(path).items()
    }


def _operation(fragment: dict[str, Any], *, of_the_api: bool) -> dict[str, Any]:
    """A fragment with its `problems`, and those every such operation has, written out as responses."""
    names = [*fragment["problems"]]
    names += WITH_A_QUERY if of_the_api else ()
    names += WITH_A_TOKEN if "security" in fragment else ()
    names += WITH_A_BODY if "requestBody" in fragment else ()
    is_keyed = KEY in fragment.get("parameters", ())
    names += WITH_A_KEY if is_keyed else ()
    by_status: dict[int, set[str]] = defaultdict(set)
    for name in names:
        error = getattr(errors, name, None)
        if error is None:
            raise SystemExit(f"functions/*/openapi.yaml, {fragment['operationId']}: `problems` names no error of ours: {name}")
        by_status[error.status].add(error.code)
    operation = {name: value for name, value in fragment.items() if name != "problems"}
    if operation.setdefault("security", []) == _yaml(BASE)["security"]:
        del operation["security"]  # the document's
    limits = LIMITS if 429 in by_status else ()
    of_success = (*(("Idempotency-Replayed",) if is_keyed else ()), *limits)
    successes = {status: _with_headers(response, *of_success) for status, response in fragment["responses"].items()}
    own = {status: codes for status, codes in by_status.items() if not codes <= ANY_CODES}
    if all(status >= HTTPStatus.INTERNAL_SERVER_ERROR for status in own):
        own[400] = set()  # a request may always be one that cannot be read
    refusals = {
        str(status): _problem_response(str(status), codes | ({KNOWN[status][0]} if status in SERVER_STATUSES else set()))
        for status, codes in sorted(own.items())
    }
    operation["responses"] = {**successes, **refusals}
    return operation


def _problem_response(status: str, codes: set[str]) -> dict[str, Any]:
    """The response whose problems have these codes; what they mean stands at /docs/problems."""
    schema = {"$ref": "#/components/schemas/Problem", "properties": {"code": {"enum": sorted(codes)}}}
    response = {"description": "Refused.", "content": {"application/problem+json": {"schema": schema}}}
    return _with_headers(response, *PROBLEM_HEADERS.get(status, ()))


def _with_headers(response: dict[str, Any], *names: str) -> dict[str, Any]:
    headers = {**response.get("headers", {}), **{name: {"$ref": f"#/components/headers/{name}"} for name in names}}
    content = {"content": response["content"]} if "content" in response else {}
    return {"description": response["description"], **({"headers": headers} if headers else {}), **content}


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
