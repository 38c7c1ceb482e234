"""The Ed25519 keys that sign access tokens, and their public halves as JWKs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.core.errors import ConfigurationError
from shared.stores.key_print import SIGNING, KeyPrint

ALGORITHM = "EdDSA"
_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`key_id` is the RFC 7638 thumbprint, so it changes whenever the key does; the private half never prints."""

    key_id: str
    public: Ed25519PublicKey
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_pem(cls, pem: str) -> SigningKey:
        """Read PKCS 8 PEM; raises ValueError."""
        try:
            private = serialization.load_pem_private_key(pem.encode(), password=None)
        except TypeError as error:
            raise ValueError("it is encrypted") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("it is no Ed25519 key")  # noqa: TRY004 - the setting's fault, not a caller's
        public = private.public_key()
        return cls(key_id=_thumbprint(_public_members(public)), public=public, private=private)

    def as_jwk(self) -> dict[str, str]:
        """The public half as a JSON Web Key."""
        return {**_public_members(self.public), "kid": self.key_id, "use": "sig", "alg": ALGORITHM}


def read_signing_keys(setting: str) -> tuple[SigningKey, ...]:
    """The keys of JWT_SIGNING_KEY in their order: PEM texts in a row, their line ends possibly written as backslash-n.

    Raises ConfigurationError, never printing a key.
    """
    text = setting.replace("\\n", "\n")
    blocks = _PEM.findall(text)
    try:
        keys = tuple(SigningKey.from_pem(block) for block in blocks)
    except ValueError:
        keys = ()
    if not keys or _PEM.sub("", text).strip() or len({key.key_id for key in keys}) != len(keys):
        raise ConfigurationError(
            "JWT_SIGNING_KEY does not consist of unencrypted Ed25519 private keys in PEM (PKCS 8), each of them once"
        )
    return keys


def signing_key_prints(setting: str) -> list[KeyPrint]:
    """Of the keys in JWT_SIGNING_KEY, in their order, each its own fingerprint; raises ConfigurationError."""
    return [KeyPrint(SIGNING, key.key_id, key.key_id) for key in read_signing_keys(setting)]


def _public_members(public: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public.public_bytes_raw())}


def _thumbprint(members: dict[str, str]) -> str:
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
