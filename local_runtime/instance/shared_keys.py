"""The keys that all instances on the same stores have in common, and how they travel from one to another."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from local_runtime.instance.directory import write_private_json
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.keyring import UNUSED, payload_key_print, read_secrets

SIGNING, PAYLOAD = "JWT_SIGNING_KEY", "PAYLOAD_KEYS"
KEY_BYTES = 32
_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class KeyPrint:
    """A key by what may be told of it; `setting` is the variable that holds it, `is_first` whether it makes anything new."""

    setting: str
    key_id: str
    fingerprint: str
    is_first: bool


@dataclass(frozen=True, slots=True, repr=False)
class SharedKeys:
    """The values of JWT_SIGNING_KEY and PAYLOAD_KEYS; never printed but by as_text()."""

    jwt_signing_key: str
    payload_keys: str

    @classmethod
    def in_file(cls, path: Path) -> SharedKeys | None:
        """Those in secrets.json, None when it lacks one; InstanceError when it cannot be read."""
        known = _secrets(path)
        keys = cls(known.get("jwt_signing_key", ""), known.get("payload_keys", ""))
        return keys if keys.jwt_signing_key and keys.payload_keys else None

    @classmethod
    def parse(cls, text: str) -> SharedKeys:
        """Read what as_text() wrote, or a secret with further members; InstanceError when no instance could use it."""
        try:
            document = json.loads(text)
            keys = cls(document[SIGNING], document[PAYLOAD])
            keys.prints()
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InstanceError(f"this is no JSON object with {SIGNING} and {PAYLOAD}, as `keys export` writes it") from None
        return keys

    def as_text(self) -> str:
        """A JSON object by the names of the variables, as Secrets Manager would hold it."""
        return json.dumps({SIGNING: self.jwt_signing_key, PAYLOAD: self.payload_keys}, indent=2) + "\n"

    def prints(self) -> list[KeyPrint]:
        """All keys in their order; ValueError when one cannot be used."""
        payload = [_payload_print(item, number == 0) for number, item in enumerate(self.payload_keys.split(","))]
        blocks = _PEM.findall(self.jwt_signing_key.replace("\\n", "\n"))
        signing = [_signing_print(block, number == 0) for number, block in enumerate(blocks)]
        if not signing:
            raise ValueError("no signing key")
        return [*payload, *signing]

    def holds(self, other: SharedKeys) -> bool:
        """Whether all keys of the other one are among these."""
        mine = {(one.setting, one.key_id, one.fingerprint) for one in self.prints()}
        return all((one.setting, one.key_id, one.fingerprint) in mine for one in other.prints())


def import_keys(path: Path, keys: SharedKeys) -> None:
    """Into secrets.json; InstanceError when that would take away keys with which something may be sealed."""
    known = _secrets(path)
    own = SharedKeys(known.get("jwt_signing_key", ""), known.get("payload_keys", ""))
    if own != SharedKeys("", "") and UNUSED not in known and not keys.holds(own):
        raise InstanceError(
            f"{path.parent} has keys of its own that are not in the file, and what they have sealed would be lost:"
            " choose another --data-dir"
        )
    known.pop(UNUSED, None)
    write_private_json(path, known | {"jwt_signing_key": keys.jwt_signing_key, "payload_keys": keys.payload_keys})


def _secrets(path: Path) -> dict[str, str]:
    try:
        return read_secrets(path)
    except ValueError as error:
        raise InstanceError(f"{path} cannot be read ({error}): restore it from a backup") from None


def _payload_print(item: str, is_first: bool) -> KeyPrint:
    key_id, _, encoded = item.strip().partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
    if not _KEY_ID.fullmatch(key_id) or len(key) != KEY_BYTES:
        raise ValueError("no payload key")
    return KeyPrint(PAYLOAD, key_id, payload_key_print(key), is_first)


def _signing_print(pem: str, is_first: bool) -> KeyPrint:
    """By the RFC 7638 thumbprint, which is also the id of the key in tokens."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("no Ed25519 key")  # noqa: TRY004 - the value's fault, not a caller's
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()
    return KeyPrint(SIGNING, thumbprint, thumbprint, is_first)
