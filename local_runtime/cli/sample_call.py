"""`invoke --sample`: one call of a function as somebody who may make it, with an account that ends with the call."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from local_runtime.cli.running import HostedFunctions
from local_runtime.hosting.events.sample import Sample, request_event, sample_event, sample_payload
from local_runtime.hosting.manifest import Function
from shared.core.booleans import boolean

_SAMPLE = Sample("sample", "scoreboard-invoke")
_ADMINS = "/api/admin/"
_ADMINS_TOO = ("put_board", "delete_board", "reset_board", "add_entries")
_WITH_SERVER_KEY = ("add_entries", "rotate_server_key", "revoke_server_key")
_BOARD = {"periods": [{"name": "weekly", "cron": "0 0 * * MON"}, {"name": "all_time"}]}
_REASON = "a sample call"


@dataclass(frozen=True, slots=True)
class _Account:
    user_id: str
    username: str
    password: str
    token: str


def sample_call(functions: HostedFunctions, name: str) -> Any:
    """What the function answers; CliError when there is no such one, or it fails.

    Accounts that are made for it, or by it, are marked as simulated, and disabled when it has answered; boards are deleted
    and server keys revoked.
    """
    function, made = functions.named(name), list[str]()
    try:
        with (
            _caller(functions, function, made) as account,
            _board(functions, function) as board_id,
            _server_key(functions, function, account) as key,
        ):
            answer = functions.call(function.name, _event(functions, function, account, board_id, key))
            if function.name == "create_server_key":
                _revoke(functions, account, json.loads(answer["body"])["data"]["keyId"])
        if function.name in ("create_user", "register_user"):
            made.append(json.loads(answer["body"])["data"]["userId"] if "body" in answer else answer["userId"])
        return answer
    finally:
        if made:
            functions.call("change_users", {"userIds": made, "role": "player", "simulated": True, "disabled": True})


@contextmanager
def _caller(functions: HostedFunctions, function: Function, made: list[str]) -> Iterator[_Account | None]:
    """Somebody who may call the function; nobody where everybody may."""
    manifest, call = functions.manifest, functions.call
    paths = [route.path for route in manifest.http_routes if route.function.name == function.name]
    handshakes = (
        [route for route in manifest.websocket_api.routes if route.route_key == "$connect"] if manifest.websocket_api else []
    )
    is_for_somebody = any(path.startswith("/api/") for path in paths) and function.name != "register_user"
    if not is_for_somebody and function.name != "change_users" and function not in [route.function for route in handshakes]:
        yield None
        return
    credentials = _credentials()
    user_id = call("create_user", {**credentials, "role": "player"})["userId"]
    made.append(user_id)
    call("change_users", {"userIds": [user_id], "simulated": True})
    is_for_admins = function.name in _ADMINS_TOO or any(path.startswith(_ADMINS) for path in paths)
    if is_for_admins:  # now: one who is simulated is never the last admin
        call("change_users", {"userIds": [user_id], "role": "admin"})
    yield _Account(user_id, **credentials, token=_logged_in(functions, credentials))


@contextmanager
def _board(functions: HostedFunctions, function: Function) -> Iterator[str]:
    """Where a path names a board: one of its own."""
    paths = [route.path for route in functions.manifest.http_routes if route.function.name == function.name]
    if not any("{board}" in path for path in paths):
        yield ""
        return
    board_id = f"sample-{secrets.token_hex(4)}"
    board = {**_BOARD, "write": "server"} if function.name == "add_entries" else _BOARD
    functions.call("manage_boards", {"action": "apply", "boards": {board_id: board}})
    try:
        yield board_id
    finally:
        if function.name != "delete_board":
            functions.call("manage_boards", {"action": "delete", "id": board_id})


@contextmanager
def _server_key(functions: HostedFunctions, function: Function, account: _Account | None) -> Iterator[Mapping[str, str]]:
    """One of its own (`keyId`, `key`) for what needs one."""
    if function.name not in _WITH_SERVER_KEY or account is None:
        yield {"keyId": "", "key": ""}
        return
    key = _answered(functions, "create_server_key", replace(_SAMPLE, token=account.token, body={"name": _REASON}))
    try:
        yield key
    finally:
        _revoke(functions, account, key["keyId"])


def _revoke(functions: HostedFunctions, account: _Account | None, key_id: str) -> None:
    sample = replace(_SAMPLE, token=account.token if account else "", path={"key_id": key_id})
    functions.call("revoke_server_key", sample_event(functions.manifest, "revoke_server_key", sample))


def _credentials() -> dict[str, str]:
    return {"username": f"sample-{secrets.token_hex(4)}", "password": secrets.token_urlsafe(18)}


def _logged_in(functions: HostedFunctions, credentials: Mapping[str, str]) -> str:
    token: str = _answered(functions, "issue_token", replace(_SAMPLE, body=credentials))["accessToken"]
    return token


def _answered(functions: HostedFunctions, name: str, sample: Sample) -> Any:
    route = next(route for route in functions.manifest.http_routes if route.function.name == name)
    return json.loads(functions.call(name, request_event(route, sample))["body"])["data"]


def _event(
    functions: HostedFunctions, function: Function, account: _Account | None, board_id: str, key: Mapping[str, str]
) -> Any:
    user_id, token = (account.user_id, account.token) if account else ("", "")
    token = key["key"] if function.name == "add_entries" else token
    path = {"user_id": user_id, "id": "1", "board": board_id, "key_id": key["keyId"]}
    sample = replace(_SAMPLE, token=token, path=path, body=_body(function, account))
    if function.name in ("update_score", "add_entry") and boolean(os.environ.get("REQUIRE_ACTION_TICKET") or "false"):
        ticket = _answered(functions, "issue_action_ticket", sample)["ticket"]
        sample = replace(sample, headers={"x-action-ticket": ticket})
    event = sample_event(functions.manifest, function.name, sample)
    return event if event is not None else _direct(function.name, user_id)


def _body(function: Function, account: _Account | None) -> Any:
    """What must be another one each time, or do no harm; otherwise the example of the function's description."""
    credentials = {"username": account.username, "password": account.password} if account else _credentials()
    match function.name:
        case "register_user" | "issue_token":
            return credentials
        case "change_password":
            return {"currentPassword": credentials["password"], "newPassword": _credentials()["password"]}
        case "change_user":
            return {"disabled": False}
        case "discard_dead_letters":
            return {"requestIds": [str(uuid4())], "reason": _REASON}
        case "add_entries":
            return {"entries": [{"userId": str(uuid4()), "value": 1}]}
        case "moderate_players":
            return {"action": "show", "userId": account.user_id if account else "", "reason": _REASON}
        case "query_board_scores":
            return {"userIds": [str(uuid4())]}
        case "redrive_dead_letters":
            return {"requestIds": [str(uuid4())]}
    return _example(function.directory / "openapi.yaml")


def _example(description: Path) -> Any:
    if not description.is_file():
        return {}
    operations = yaml.safe_load(description.read_text(encoding="utf-8")).values()
    contents = [operation.get("requestBody", {}).get("content", {}) for operation in operations]
    return next(
        (content["application/json"]["example"] for content in contents if "example" in content.get("application/json", {})), {}
    )


def _direct(name: str, user_id: str) -> Any:
    """For a function that nothing triggers."""
    match name:
        case "authorize_viewer":
            return sample_payload("appsync_events_authorizer")
        case "create_user":
            return {**_credentials(), "role": "player"}
        case "change_users":
            return {"userIds": [user_id], "simulated": True}
        case "hold_leases":
            return {"names": ["sample"], "release": True}
        case "manage_archive" | "manage_boards":
            return {"action": "list"}
        case "manage_dead_letters":
            return {"action": "list", "limit": 1}
        case "manage_moderation":
            return {"action": "list", "board": "*"}
    return {}
