"""Nothing that holds a secret shows it when it is printed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local_runtime.gateway.http.options import HttpOptions
from local_runtime.gateway.http.parser import RequestParser
from local_runtime.gateway.websocket.signature import SignedRequest
from local_runtime.hosting.events.http import HttpAnswer, HttpRequestParts
from local_runtime.hosting.manifest import Function
from local_runtime.instance.keyring import Keyring
from local_runtime.instance.launch import ServerAddresses
from local_runtime.instance.outside import redacted
from local_runtime.instance.servers.postgresql import PrivatePostgreSQL
from local_runtime.instance.supervisor.process import ProcessSpec
from local_runtime.settings import InstanceSettings
from shared.accounts.create_user import CreateUser, NewUser
from shared.accounts.issue_token import PasswordGrant, RefreshGrant, TokenPair
from shared.boards.action_tickets import ActionTicket, SignedTicket
from shared.core.database_url import DatabaseUrl
from shared.stores.redis.connection import connect
from shared.transport.http import HttpRequest, Reply
from shared.transport.websocket import WebSocketRequest
from shared.viewers.issue_ws_ticket import WatchingPlace, WsTicket

S = "hunter2-hunter2"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BEARER = {"authorization": f"Bearer {S}"}
URL = f"postgresql://ada:{S}@127.0.0.1:5432/scoreboard"


def parsed() -> Any:
    parser = RequestParser(1000)
    parser.feed(f"GET /ws?ticket={S} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {S}\r\nContent-Length: 15\r\n\r\n{S}".encode())
    return parser.requests[0]


HOLDERS: dict[str, Callable[[], object]] = {
    "CreateUser": lambda: CreateUser("ada", S, "player"),
    "NewUser": lambda: NewUser("u-1", "ada", "player", S),
    "PasswordGrant": lambda: PasswordGrant("ada", S, "192.0.2.1"),
    "RefreshGrant": lambda: RefreshGrant(S, "192.0.2.1"),
    "TokenPair": lambda: TokenPair("u-1", S, 900, S),
    "WsTicket": lambda: WsTicket(S, 30, 60, WatchingPlace()),
    "SignedTicket": lambda: SignedTicket(ActionTicket("r-1", "u-1", NOW), S),
    "DatabaseUrl": lambda: DatabaseUrl.parse(URL),
    "redis.Redis": lambda: connect(f"redis://:{S}@127.0.0.1:1/0"),
    "HttpRequest": lambda: HttpRequest("POST /", BEARER, {}, {"ticket": S}, S.encode(), "192.0.2.1", "r-1"),
    "Reply": lambda: Reply.ok({"apiKey": S}),
    "WebSocketRequest": lambda: WebSocketRequest("c-1", "$connect", BEARER, {"ticket": S}, S, "192.0.2.1", "r-1", {}),
    "HttpRequestParts": lambda: HttpRequestParts("GET", f"/{S}", S, BEARER, S.encode(), "192.0.2.1", "r-1", 0.0),
    "HttpAnswer": lambda: HttpAnswer(200, (("set-cookie", S),), S.encode()),
    "parser.Request": parsed,
    "HttpOptions": lambda: HttpOptions.from_environment(
        {"METRICS_TOKEN": S, "REDIS_URL": URL, "AWS_SECRET_ACCESS_KEY": S}, InstanceSettings()
    ),
    "SignedRequest": lambda: SignedRequest("POST", "/", "", BEARER, S.encode()),
    "Keyring": lambda: Keyring(S, S, S, S, S, S, S),
    "ServerAddresses": lambda: ServerAddresses({"DATABASE_URL": URL}, {}),
    "PrivatePostgreSQL": lambda: PrivatePostgreSQL(Path("nowhere"), S),
    "ProcessSpec": lambda: ProcessSpec("http", ("python",), {"DATABASE_URL": URL}, bool),
    "Function": lambda: Function("One", "one", Path(), "handler.lambda_handler", 1, 128, {"DATABASE_URL": URL}),
    "a redacted URL": lambda: redacted(URL),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_a_secret_is_not_shown(name: str) -> None:
    holder = HOLDERS[name]()
    assert S not in repr(holder)
    assert S not in str(holder)
