"""No secret leaves its place: not in what the product writes, stores or shows, and its files are its owner's alone."""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.product import Product

# Where secrets of the instance live: its own keys, how to reach it, and what its servers read at their start.
KEEPERS = ("secrets.json", "runtime.json", "redis/redis.conf", "rabbitmq/rabbitmq.conf", "rabbitmq/tls/server.key")
PROBLEM = "application/problem+json"


def keys_of(product: Product) -> dict[str, bytes]:
    """Every password and key of the instance, as it would be written down."""
    keyring: dict[str, str] = json.loads((product.data_dir / "secrets.json").read_text())
    found = {name: value.encode() for name, value in keyring.items() if name not in ("jwt_signing_key", "access_key_id")}
    found["payload_keys"] = keyring["payload_keys"].partition(":")[2].encode()
    found["jwt_signing_key"] = keyring["jwt_signing_key"].split("\n")[1].encode()
    found["functions' database password"] = (urlsplit(product.runtime["function_env"]["DATABASE_URL"]).password or "").encode()
    return found


def provoke(product: Product) -> dict[str, bytes]:
    """Use everything that is secret of a player, rightly and wrongly; answers the secrets."""
    api = product.api
    username, password = f"player-{secrets.token_hex(6)}", f"a password nobody has {secrets.token_hex(12)}"
    guess = f"not the password {secrets.token_hex(12)}"
    credentials = {"username": username, "password": password}
    key = {"Idempotency-Key": f"key-{secrets.token_hex(12)}"}
    account, tokens = (api.post(path, credentials, key).data for path in ("/api/users", "/api/tokens"))
    assert api.post("/api/users", credentials, key).data == account
    bearer = {"Authorization": f"Bearer {tokens['accessToken']}"}
    score = f"/api/score/{account['userId']}"
    refreshed, again = (api.post("/api/tokens", {"refreshToken": tokens["refreshToken"]}).data for _ in range(2))
    assert again["refreshToken"] == refreshed["refreshToken"]
    following = api.post("/api/tokens", {"refreshToken": refreshed["refreshToken"]}).data
    ticket = api.post(f"{score}/tickets", headers=bearer).data["ticket"]
    ws_tickets = [api.post("/api/ws-tickets", headers=bearer).data["ticket"] for _ in range(2)]
    assert api.post(score, {"increment": 1}, {**bearer, "X-API-Key": account["apiKey"], "X-Action-Ticket": ticket}).status == 200
    made = {
        "password": password,
        "mistyped password": guess,
        "API key": account["apiKey"],
        "access token": tokens["accessToken"].rpartition(".")[2],
        "refresh token": tokens["refreshToken"],
        "next refresh token": refreshed["refreshToken"],
        "the one after it": following["refreshToken"],
        "Idempotency-Key": key["Idempotency-Key"],
        "action ticket": ticket,
        "WebSocket ticket": ws_tickets[0],
        "spent WebSocket ticket": ws_tickets[1],
    }
    spend_at_the_door(product, ws_tickets[1])
    wrong = [
        api.post("/api/users", credentials),
        api.post("/api/users", {**credentials, "username": password[:50]}),
        api.post("/api/users", {"username": username, "password": password * 9}),
        api.post("/api/tokens", {"username": username, "password": guess}),
        api.post("/api/tokens", {"username": password, "password": username}),
        api.post("/api/tokens", f'{{"username": "{username}", "password": "{password}"'.encode()),
        api.post("/api/tokens", json.dumps(credentials).encode(), {"Content-Type": "text/plain"}),
        api.post(score, {"increment": 1}, {**bearer, "X-Action-Ticket": ticket}),
        api.post(score, {"increment": 1}, {"Authorization": f"Bearer {tokens['accessToken']}x"}),
        api.post(score, {"increment": 1}, {**bearer, "X-API-Key": guess}),
        api.post(score, {"increment": guess}, bearer),
        api.get(f"/api/scores?limit={password.replace(' ', '+')}", **bearer),
        api.get(f"/{tokens['refreshToken']}"),
        api.post("/api/tokens", {"refreshToken": tokens["refreshToken"]}),  # a spent one ends the session
        api.post(score, {"increment": 1}, bearer),
        api.get(f"/metrics?token={guess.replace(' ', '+')}", Authorization=f"Bearer {guess}", **{"X-Forwarded-For": "192.0.2.1"}),
    ]
    for answer in wrong:
        assert 400 <= answer.status < 500, answer.body
        assert answer.headers["Content-Type"] == PROBLEM
        for name, secret in made.items():
            assert secret.encode() not in answer.body, name
    return {name: secret.encode() for name, secret in made.items()}


def spend_at_the_door(product: Product, ticket: str) -> None:
    """Once rightly, once too often."""
    url = product.api.base_url.replace("http", "ws", 1) + f"/ws?ticket={ticket}"
    with connect(url, proxy=None, open_timeout=60):
        pass
    with pytest.raises(InvalidStatus) as refused:
        connect(url, proxy=None, open_timeout=60)
    assert refused.value.response.status_code == 401


def test_no_secret_is_written_anywhere_but_where_it_belongs(product: Product) -> None:
    keys, used = keys_of(product), provoke(product)
    assert all(len(secret) >= 24 for secret in (*keys.values(), *used.values()))
    places = {str(path.relative_to(product.data_dir)): path for path in files_of(product)}
    assert {"logs/http.log", "logs/consumer.log", "logs/scheduler.log", "logs/at_start.log"} <= set(places)
    check("what it printed", "".join(product.output).encode(), keys, used)
    for place, path in places.items():
        check(place, read(path), keys, used)
    for pid in product.children():
        arguments = read(Path(f"/proc/{pid}/cmdline"))
        assert not [name for name, secret in keys.items() if secret in arguments], arguments


def check(place: str, content: bytes, keys: dict[str, bytes], used: dict[str, bytes]) -> None:
    """A player's secret is nowhere, and one of the instance only where it is kept."""
    found = [name for name, secret in used.items() if secret in content]
    found += [name for name, secret in keys.items() if secret in content and place not in KEEPERS]
    assert not found, f"{found} in {place}"


def test_files_are_their_owners_alone(product: Product) -> None:
    for keeper in KEEPERS:
        assert mode(product.data_dir / keeper) == 0o600, keeper
    for path in (product.data_dir / "logs").iterdir():
        assert mode(path) == 0o600, path
    for name in ("logs", "run", "redis", "rabbitmq", "postgresql"):
        place = (product.data_dir / name).resolve()
        assert mode(place) == 0o700, place
    if os.geteuid() != 0:  # else PostgreSQL's own account has to pass through
        assert mode(product.data_dir) == 0o700


def files_of(product: Product) -> list[Path]:
    """Every file of the instance, those of its servers, too."""
    return [path for path in product.data_dir.rglob("*") if path.is_file() and not path.is_symlink()]


def read(path: Path) -> bytes:
    """What is in it, or nothing when it has gone meanwhile."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def mode(path: Path) -> Any:
    return stat.S_IMODE(path.stat().st_mode)
