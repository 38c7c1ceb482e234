"""The passwords and keys of an instance, made once and kept in secrets.json."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from local_runtime.instance.directory import write_private_json
from local_runtime.instance.errors import InstanceError
from shared.core.secret_keys import KEY_BYTES, fingerprint

_PEM_END = "-----END PRIVATE KEY-----"
_KEYS = ("jwt_signing_key", "payload_keys")
# Beside the secrets in the file while no start has used the keys: then they have sealed nothing, and others may take their place.
UNUSED = "unused_keys"
# What shows that a private server was made with a secret, which it cannot be opened without. Redis is told its password anew.
_SERVER_DATA = {"database_password": "postgresql/cluster/PG_VERSION", "amqp_password": "rabbitmq/mnesia/*"}
_SEALED_DATA = (*_SERVER_DATA.values(), "redis/appendonlydir")


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
    def load_or_make(cls, path: Path, given: Collection[str] = ()) -> Keyring:
        """Read the file, making what is not there yet; InstanceError when it is damaged.

        What private servers beside the file were made with is never made anew, but for names in `given`, whose values come from
        elsewhere: InstanceError when it is missing.
        """
        try:
            known = read_secrets(path)
        except (OSError, ValueError) as error:
            raise InstanceError(
                f"{path} cannot be read ({error}): restore it from a backup; without it the data beside it cannot be opened"
            ) from None
        names = [item.name for item in fields(cls)]
        if all(name in known for name in names):
            path.chmod(0o600)
            return cls(**{name: known[name] for name in names})
        _see_that_none_is_lost(path, [name for name in names if name not in known and name not in given])
        keyring = cls(**{name: known.get(name) or _make(name) for name in names})
        unused = {UNUSED: "true"} if not any(name in known for name in _KEYS) else {}
        write_private_json(path, known | asdict(keyring) | unused)
        return keyring

    def rotated(self) -> Keyring:
        """With a new first signing key and payload key; the old ones stand behind them and verify and open what they made."""
        return replace(
            self,
            jwt_signing_key=new_signing_key() + self.jwt_signing_key,
            payload_keys=f"{new_payload_key()},{self.payload_keys}",
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
        write_private_json(path, read_secrets(path) | asdict(self))


def keys_are_in_use(path: Path) -> None:
    """The stores have taken the keys of the file: no others may take their place any more."""
    known = read_secrets(path)
    if known.pop(UNUSED, None):
        write_private_json(path, known)


def _see_that_none_is_lost(path: Path, missing: Collection[str]) -> None:
    directory = path.parent
    held = {name: (data,) for name, data in _SERVER_DATA.items()} | dict.fromkeys(_KEYS, _SEALED_DATA)
    lost = [name for name in missing if any(any(directory.glob(data)) for data in held.get(name, ()))]
    if lost:
        raise InstanceError(
            f"{directory} holds the data of an instance, and {path.name} lacks what it was made with ({', '.join(lost)}): bring"
            f" {path.name} back from where the data came from, or from its backup. To begin anew, choose another --data-dir"
        )


def read_secrets(path: Path) -> dict[str, str]:
    """What the file holds, nothing where there is none; raises OSError or ValueError."""
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
        return new_payload_key()
    if name == "access_key_id":
        return f"LOCAL{secrets.token_hex(8).upper()}"
    return secrets.token_hex(24)


def new_payload_key() -> str:
    """An AES-256 key under its fingerprint, as PAYLOAD_KEYS has it."""
    key = secrets.token_bytes(KEY_BYTES)
    return f"{fingerprint(key)}:{base64.b64encode(key).decode()}"


def new_signing_key() -> str:
    """An Ed25519 key, as JWT_SIGNING_KEY has it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
