"""The keys that all instances on the same stores have in common, and how they travel from one to another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from local_runtime.instance.directory import write_private_json
from local_runtime.instance.errors import InstanceError
from local_runtime.instance.keyring import UNUSED, read_secrets
from shared.core.errors import ConfigurationError
from shared.core.secret_keys import KeyPrint, key_prints

SIGNING, PAYLOAD = "JWT_SIGNING_KEY", "PAYLOAD_KEYS"


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
        except (InstanceError, ValueError, KeyError, TypeError, AttributeError):
            raise InstanceError(f"this is no JSON object with {SIGNING} and {PAYLOAD}, as `keys export` writes it") from None
        return keys

    def as_text(self) -> str:
        """A JSON object by the names of the variables, as Secrets Manager would hold it."""
        return json.dumps({SIGNING: self.jwt_signing_key, PAYLOAD: self.payload_keys}, indent=2) + "\n"

    def prints(self) -> list[KeyPrint]:
        """All keys in their order; InstanceError when one cannot be used."""
        try:
            return key_prints(self.payload_keys, self.jwt_signing_key)
        except ConfigurationError as error:
            raise InstanceError(error.detail) from None

    def holds(self, other: SharedKeys) -> bool:
        """Whether all keys of the other one are among these; raises InstanceError."""
        return set(other.prints()) <= set(self.prints())


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
