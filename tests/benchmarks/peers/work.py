"""What both peers do the same way, because there is one good way: the token, the body, the sealed message."""

from __future__ import annotations

import base64
import json
import os
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SCRIPT = (Path(__file__).resolve().parents[3] / "shared" / "boards" / "lua" / "update_score.lua").read_text()
QUEUE = "score_history_queue"
LIMIT = int(os.environ.get("RATE_LIMIT_REQUESTS", "100"))
_public_key: Any = load_pem_private_key(os.environ["JWT_SIGNING_KEY"].encode(), None).public_key()
_key_id, _, _key = os.environ["PAYLOAD_KEYS"].partition(",")[0].partition(":")
_cipher = AESGCM(base64.b64decode(_key))


class Refused(Exception):
    """Answered with `status`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def caller(authorization: str) -> str:
    """The user id of a token."""
    try:
        claims: dict[str, Any] = jwt.decode(
            authorization.removeprefix("Bearer "), _public_key, ["EdDSA"], audience="scoreboard-api", issuer="scoreboard"
        )
    except jwt.InvalidTokenError:
        raise Refused(401) from None
    return str(claims["sub"])


def increment_of(body: Any) -> int:
    """The number of points asked for."""
    increment = body.get("increment") if isinstance(body, dict) else None
    if type(increment) is not int or not 1 <= increment <= 5:
        raise Refused(422)
    return increment


def script_arguments(user_id: str, increment: int, source_ip: str) -> tuple[list[str], list[Any]]:
    """Keys and arguments of the script."""
    prefix = os.environ.get("KEY_PREFIX", "")
    player = f"{prefix}user:{user_id}"
    keys = [
        f"{prefix}leaderboard",
        f"{prefix}leaderboard:whole",
        f"{player}:profile",
        f"{player}:requests",
        f"{player}:result:none",
        f"{prefix}outbox",
        f"{player}:tickets",
        f"{prefix}rate-windows",
        f"{prefix}ended-sessions",
    ]
    request_id = str(uuid.uuid4())
    return keys, [f"user:{user_id}", user_id, request_id, increment, source_ip, LIMIT, 60_000, "", 0, "", "", "", 0, 0, ""]


def answer_of(result: list[Any], user_id: str, increment: int) -> tuple[dict[str, Any], dict[str, str]]:
    """The document and the rate limit's headers."""
    if result[0] != b"ok":
        raise Refused(429 if result[0] == b"limited" else 503)
    _, score, rank, _, remaining, reset, _, _, request_id = result
    document = {
        "userId": user_id,
        "score": int(float(score)),
        "rank": int(rank) + 1,
        "increment": increment,
        "requestId": request_id.decode(),
    }
    headers = {"RateLimit": f'"updates";r={remaining};t={int(reset) // 1000}', "RateLimit-Policy": f'"updates";q={LIMIT};w=60'}
    return {"data": document}, headers


def message_of(result: list[Any], user_id: str, increment: int, source_ip: str) -> bytes:
    """The body for the queue, as the consumer reads it."""
    _, score, _, accepted_at, _, _, _, _, request_id = result
    request_id, new_score = request_id.decode(), int(float(score))
    secret = json.dumps({"v": 1, "accepted_at": int(accepted_at), "source_ip": source_ip}, separators=(",", ":")).encode()
    bound = json.dumps(["score.accepted", request_id, user_id, increment, new_score], separators=(",", ":")).encode()
    nonce = os.urandom(12)
    sealed = base64.urlsafe_b64encode(nonce + _cipher.encrypt(nonce, secret, bound)).decode()
    document = {
        "request_id": request_id,
        "user_id": user_id,
        "increment": increment,
        "new_score": new_score,
        "encrypted_data": f"{_key_id}.{sealed}",
    }
    return json.dumps(document).encode()
