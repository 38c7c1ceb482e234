"""Keys that a deployment would have in its secret."""

from __future__ import annotations

import base64
import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def new_signing_key() -> str:
    """An Ed25519 private key as JWT_SIGNING_KEY wants it."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def new_keys() -> dict[str, str]:
    """Every secret setting."""
    return {
        "JWT_SIGNING_KEY": new_signing_key(),
        "PAYLOAD_KEYS": "test:" + base64.b64encode(secrets.token_bytes(32)).decode(),
    }
