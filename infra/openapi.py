"""Writes functions/get_openapi/openapi.json from the template's routes and each function's openapi.yaml (`--check` compares)."""

from __future__ import annotations

import json
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from infra.sam import read_sam
from local_runtime.http.problems import problem_body
from shared.core import errors
from shared.transport.http import MAX_BODY_BYTES

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yaml"
BASE = ROOT / "infra" / "openapi_base.yaml"
DOCUMENT = ROOT / "functions" / "get_openapi" / "openapi.json"

BEHIND_A_TOKEN = ("Unavailable", "RedisUnavailable", "PostgresUnavailable")
WITH_A_TOKEN = ("MissingToken", "InvalidToken", "TokenExpired", "SessionEnded", "UnknownPlayer", *BEHIND_A_TOKEN)
WITH_A_BODY = ("MalformedJson", "UnsupportedMediaType")
WITH_A_KEY = ("InvalidParameter", "IdempotencyKeyReused", "RequestInProgress", "PostgresUnavailable")
KEY = {"$ref": "#/components/parameters/idempotencyKey"}
# What the server may answer to any request, before or in place of its function.
SERVER_STATUSES = (400, 408, 413, 414, 417, 429, 431, 500, 501, 503, 504)
# How a problem's headers go with its status.
PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
BODY_LIMIT = (
    f"At most {MAX_BODY_BYTES // 1024} KiB. Members that are not described are ignored; of one given twice the last counts."
)


def build() -> dict[str, Any]:
    """The document; SystemExit lists every route without a description and every description without a route."""
    document: dict[str, Any] = _yaml(BASE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    document["info"]["version"] = project["version"]
    routes, described = template_routes(TEMPLATE), _fragments()
    problems = [f"functions/{routes[key]}/openapi.yaml does not describe {key}" for key in sorted(set(routes) - set(described))]
    problems += [f"functions/{described[key][0]}/openapi.yaml describes {key}, which the template does not route to it"
                 for key in sorted(described) if routes.get(key) != described[key][0]]  # fmt: skip
    if problems:
        raise SystemExit("\n".join(problems))
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for key in routes:
        method, path = key.split(" ", 1)
        paths[path][method.lower()] = _operation(described[key][1])
    document["paths"] = paths
    document["components"]["responses"] = {_server_name(status): _problem_response(status, {}) for status in SERVER_STATUSES}
    return document


def template_routes(template: Path) -> dict[str, str]:
    """Route keys of the HTTP API with the directory of their function, in the template's order."""
    return {
        f"{event['Properties']['Method'].upper()} {event['Properties']['Path']}": function.name
        for function in read_sam(template).functions
        for event in function.properties.get("Events", {}).values()
        if event["Type"] == "HttpApi"
    }


def _fragments() -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        key: (path.parent.name, operation)
        for path in sorted((ROOT / "functions").glob("*/openapi.yaml"))
        for key, operation in _yaml(path).items()
    }


def _operation(fragment: dict[str, Any]) -> dict[str, Any]:
    """A fragment with its `problems`, and those every such operation has, written out as responses."""
    names = [*fragment["problems"]]
    names += WITH_A_TOKEN if "security" in fragment else ()
    names += WITH_A_BODY if "requestBody" in fragment else ()
    is_keyed = KEY in fragment.get("parameters", ())
    names += WITH_A_KEY if is_keyed else ()
    by_status: dict[int, dict[str, str]] = defaultdict(dict)
    for name in names:
        error = getattr(errors, name)
        by_status[error.status][error.code] = _meaning(error)
    operation = {name: value for name, value in fragment.items() if name != "problems"}
    operation.setdefault("security", [])
    if "requestBody" in operation:
        operation["requestBody"] = {"description": BODY_LIMIT, **operation["requestBody"]}
    of_success = ("X-Request-Id", "Idempotency-Replayed") if is_keyed else ("X-Request-Id",)
    successes = {status: _with_headers(response, *of_success) for status, response in fragment["responses"].items()}
    refusals = {str(status): _refusal(status, by_status.get(status)) for status in sorted({*by_status, *SERVER_STATUSES})}
    if 429 in by_status:
        limits = [
            name for response in fragment["responses"].values() for name in response.get("headers", {}) if "RateLimit" in name
        ]
        refusals["429"] = _with_headers(refusals["429"], *limits)
    operation["responses"] = {**successes, **refusals}
    return operation


def _refusal(status: int, meanings: dict[str, str] | None) -> dict[str, Any]:
    return _problem_response(status, meanings) if meanings else {"$ref": f"#/components/responses/{_server_name(status)}"}


def _problem_response(status: int, meanings: dict[str, str]) -> dict[str, Any]:
    """The response whose problems have these codes, and the server's own for this status."""
    if status in SERVER_STATUSES:
        document = _server_problem(status)
        meanings = {document["code"]: document["detail"], **meanings}
    codes = sorted(meanings)
    response = {
        "description": "\n".join(f"- `{code}`: {meanings[code]}" for code in codes),
        "content": {
            "application/problem+json": {
                "schema": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Problem"},
                        {"properties": {"status": {"const": status}, "code": {"enum": codes}}},
                    ]
                }
            }
        },
    }
    return _with_headers(response, "X-Request-Id", *PROBLEM_HEADERS.get(status, ()))


def _server_problem(status: int) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(problem_body(status, ""))
    return document


def _server_name(status: int) -> str:
    return "".join(word.capitalize() for word in _server_problem(status)["code"].split("_"))


def _meaning(kind: type[errors.ScoreboardError]) -> str:
    is_inherited = kind is not errors.ScoreboardError and kind.default_detail == errors.ScoreboardError.default_detail
    return f"{kind.title}; `detail` says why." if is_inherited else kind.default_detail


def _with_headers(response: dict[str, Any], *names: str) -> dict[str, Any]:
    headers = {**response.get("headers", {}), **{name: {"$ref": f"#/components/headers/{name}"} for name in names}}
    content = {"content": response["content"]} if "content" in response else {}
    return {"description": response["description"], "headers": headers, **content}


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def main(arguments: list[str]) -> int:
    """Write the document, or compare it and answer 1 when it is out of date."""
    text = json.dumps(build(), indent=1, ensure_ascii=False) + "\n"
    if "--check" not in arguments:
        DOCUMENT.write_text(text, encoding="utf-8")
        return 0
    if DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == text:
        return 0
    print(f"{DOCUMENT.relative_to(ROOT)} is out of date: run `make format`")  # noqa: T201 - a command's output
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
