"""The keys of JWT_SIGNING_KEY and PAYLOAD_KEYS: how they are written, and what may be told of them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.core.errors import ConfigurationError

if TYPE_CHECKING:  # whoever only makes or tells of payload keys loads none of it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PAYLOAD, SIGNING = "payload", "signing"
KEY_BYTES = 32
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
ALGORITHM = "EdDSA"
_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
_FINGERPRINT_PURPOSE = b"scoreboard payload key 1"
_FINGERPRINT_LENGTH = 16


@dataclass(frozen=True, slots=True)
class KeyPrint:
    """A key by what may be told of it. `purpose` is PAYLOAD or SIGNING; the fingerprint differs for every key."""

    purpose: str
    key_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`key_id` is the RFC 7638 thumbprint, so it changes whenever the key does; the private half never prints."""

    key_id: str
    public: Ed25519PublicKey
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def from_pem(cls, pem: str) -> SigningKey:
        """Read PKCS 8 PEM; raises ValueError."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            private = load_pem_private_key(pem.encode(), password=None)
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


def read_payload_keys(setting: str) -> dict[str, bytes]:
    """Read `key_id:base64[,older_id:base64]`, in that order; raises ConfigurationError, never printing a key."""
    keys: dict[str, bytes] = {}
    for place, item in enumerate(setting.split(","), 1):
        key_id, _, encoded = item.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not KEY_ID.fullmatch(key_id) or key_id in keys or len(key) != KEY_BYTES:
            raise ConfigurationError(
                f"PAYLOAD_KEYS: item {place} is not `key_id:base64 of {KEY_BYTES} bytes` with a key id of its own"
            )
        keys[key_id] = key
    return keys


def fingerprint(key: bytes) -> str:
    """What tells a payload key from others and nothing more of it: 96 bits of an HMAC under it. New keys have it as their id."""
    digest = hmac.digest(key, _FINGERPRINT_PURPOSE, "sha256")
    return base64.urlsafe_b64encode(digest).decode()[:_FINGERPRINT_LENGTH]


def key_prints(payload_keys: str, signing_keys: str) -> list[KeyPrint]:
    """Of the keys in PAYLOAD_KEYS, then of those in JWT_SIGNING_KEY, each its own fingerprint, in their order.

    Raises ConfigurationError.
    """
    payload = [KeyPrint(PAYLOAD, key_id, fingerprint(key)) for key_id, key in read_payload_keys(payload_keys).items()]
    return [*payload, *(KeyPrint(SIGNING, key.key_id, key.key_id) for key in read_signing_keys(signing_keys))]


def _public_members(public: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public.public_bytes_raw())}


def _thumbprint(members: dict[str, str]) -> str:
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
