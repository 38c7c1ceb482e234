"""The passwords and keys of an instance, made once and kept in secrets.json."""

from __future__ import annotations

import base64
import json
import re
import secrets
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from local_runtime.instance.directory import write_private_json
from local_runtime.instance.errors import InstanceError

_KEY_NUMBER = re.compile(r"(?:^|,)k(\d+):")
_PEM_END = "-----END PRIVATE KEY-----"


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """Everything secret; never printed."""

    redis_password: str
    amqp_password: str
    database_password: str
    jwt_signing_key: str
    payload_keys: str
    access_key_id: str
    secret_access_key: str

    @classmethod
    def load_or_make(cls, path: Path) -> Keyring:
        """Read the file, making what is not there yet; InstanceError when it is damaged."""
        try:
            known = _read(path)
        except (OSError, ValueError) as error:
            raise InstanceError(
                f"{path} cannot be read ({error}): restore it from a backup; without it the data beside it cannot be opened"
            ) from None
        names = [item.name for item in fields(cls)]
        if all(name in known for name in names):
            path.chmod(0o600)
            return cls(**{name: known[name] for name in names})
        keyring = cls(**{name: known.get(name) or _make(name) for name in names})
        write_private_json(path, known | asdict(keyring))
        return keyring

    def rotated(self) -> Keyring:
        """With a new first signing key and payload key; the old ones stand behind them and verify and open what they made."""
        numbers = [int(number) for number in _KEY_NUMBER.findall(self.payload_keys)]
        payload_key = new_payload_key(f"k{max(numbers, default=0) + 1}")
        return replace(
            self, jwt_signing_key=new_signing_key() + self.jwt_signing_key, payload_keys=f"{payload_key},{self.payload_keys}"
        )

    def without_old_keys(self) -> Keyring:
        """With no keys but those in use."""
        signing_key, end, _ = self.jwt_signing_key.partition(_PEM_END)
        return replace(self, jwt_signing_key=f"{signing_key}{end}\n", payload_keys=self.payload_keys.partition(",")[0])

    def with_keys_of(self, other: Keyring) -> Keyring:
        """With what may be rotated taken from another one; the servers have the passwords they were started with."""
        return replace(self, jwt_signing_key=other.jwt_signing_key, payload_keys=other.payload_keys)

    @property
    def old_keys(self) -> int:
        """How many keys there are that only verify or open."""
        return self.jwt_signing_key.count(_PEM_END) + self.payload_keys.count(":") - 2

    def save(self, path: Path) -> None:
        """Into the file, in place of what it holds of these."""
        write_private_json(path, _read(path) | asdict(self))


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    known = json.loads(path.read_text())
    if not isinstance(known, dict) or not all(isinstance(value, str) and value for value in known.values()):
        raise ValueError("not an object of strings")
    return known


def _make(name: str) -> str:
    if name == "jwt_signing_key":
        return new_signing_key()
    if name == "payload_keys":
        return new_payload_key("k1")
    if name == "access_key_id":
        return f"LOCAL{secrets.token_hex(8).upper()}"
    return secrets.token_hex(24)


def new_payload_key(key_id: str) -> str:
    """An AES-256 key, as PAYLOAD_KEYS has it."""
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def new_signing_key() -> str:
    """An Ed25519 key, as JWT_SIGNING_KEY has it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
