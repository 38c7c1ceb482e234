"""Signs the seals of the audit log: who can write into the database but does not have our keys cannot make the chain anew."""

from __future__ import annotations

import hmac

from shared.audit.entries import Signature
from shared.core.secret_keys import read_payload_keys
from shared.stores.sealing import derived_keys

_PURPOSE = b"scoreboard audit seal 1"


class SealSigner:
    """Signs seals with a key that the database does not have.

    HMAC-SHA-256 under keys derived (HKDF, RFC 5869) from those of the payloads.

    The first key signs, all of them verify. A key may be given up: a later seal's signature covers all that came before it.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys = derived_keys(keys, _PURPOSE)
        self._current = next(iter(keys))

    @classmethod
    def from_setting(cls, setting: str) -> SealSigner:
        """Derive from PAYLOAD_KEYS; raises ConfigurationError, never printing a key."""
        return cls(read_payload_keys(setting))

    @property
    def key_ids(self) -> list[str]:
        """The current one first."""
        return list(self._keys)

    def sign(self, hash_text: str) -> Signature:
        """With the current key."""
        return Signature(self._current, self._mac(self._current, hash_text))

    def signatures(self, hash_text: str) -> list[Signature]:
        """With each key: all that can be told to be ours."""
        return [Signature(key_id, self._mac(key_id, hash_text)) for key_id in self._keys]

    def verify(self, hash_text: str, signature: Signature) -> bool | None:
        """Whether we made it; None when its key is not among ours any more."""
        if signature.key_id not in self._keys:
            return None
        return hmac.compare_digest(signature.mac.encode(), self._mac(signature.key_id, hash_text).encode())

    def _mac(self, key_id: str, hash_text: str) -> str:
        return hmac.digest(self._keys[key_id], hash_text.encode(), "sha256").hex()
