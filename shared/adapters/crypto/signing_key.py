"""The Ed25519 key that signs access tokens, and its public half as a JWK."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import ConfigurationError

ALGORITHM = "EdDSA"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`key_id` is the RFC 7638 thumbprint, so it changes whenever the key does; the private half never prints."""

    key_id: str
    public: Ed25519PublicKey
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_setting(cls, setting: str) -> SigningKey:
        """Read PKCS 8 PEM, its line ends possibly written as backslash-n; raises ConfigurationError, never printing the key."""
        try:
            private = serialization.load_pem_private_key(setting.replace("\\n", "\n").encode(), password=None)
        except (ValueError, TypeError):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise ConfigurationError("JWT_SIGNING_KEY is not an unencrypted Ed25519 private key in PEM (PKCS 8)")
        public = private.public_key()
        return cls(key_id=_thumbprint(_public_members(public)), public=public, private=private)

    def as_jwk(self) -> dict[str, str]:
        """The public half as a JSON Web Key."""
        return {**_public_members(self.public), "kid": self.key_id, "use": "sig", "alg": ALGORITHM}


def _public_members(public: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public.public_bytes_raw())}


def _thumbprint(members: dict[str, str]) -> str:
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
