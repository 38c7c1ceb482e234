"""Tokens as anybody may write them, signed or not."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.core.secret_keys import SigningKey

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def pem_of(key: Ed25519PrivateKey) -> str:
    """As JWT_SIGNING_KEY wants it."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


PRIVATE = Ed25519PrivateKey.generate()
PEM = pem_of(PRIVATE)
KEY_ID = SigningKey.from_pem(PEM).key_id


class Time:
    """A clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a good token of ours; None leaves one out."""
    issued_at = int(NOW.timestamp())
    base = {"iss": "scoreboard", "aud": "scoreboard-api", "sub": "u-1", "role": "player", "jti": "j"}
    merged = {**base, "iat": issued_at, "exp": issued_at + 900, **changes}
    return {name: value for name, value in merged.items() if value is not None}


def signed(body: dict[str, Any], key: Any = PRIVATE, algorithm: str = "EdDSA", **header: Any) -> str:
    """A token; None leaves a header out."""
    headers = {"kid": KEY_ID, "typ": "at+jwt", **header}
    return jwt.encode(body, key, algorithm, {name: value for name, value in headers.items() if value is not None})


def base64url(raw: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encoded(value: object) -> str:
    """A part of a token."""
    return base64url(json.dumps(value).encode())
