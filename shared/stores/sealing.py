"""AES-256-GCM for what travels through the broker and what is kept for one client, with a key id so that keys can be changed."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.core.errors import BadMessage
from shared.core.secret_keys import KEY_BYTES, KEY_ID, read_payload_keys

NONCE_BYTES = 12
_TAG_BYTES = 16
_PURPOSE = b"scoreboard answer for one client 1"
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Sealer:
    """Authenticated encryption of event payloads.

    Seals as `<key id>.<base64url of nonce, ciphertext and tag>`; the first key seals, all of them open.

    The nonce is random, which is safe for 2^32 messages a key: twice what the ids of score_history can count.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))

    @classmethod
    def from_setting(cls, setting: str) -> Sealer:
        """Of the keys in PAYLOAD_KEYS; raises ConfigurationError, never printing a key."""
        return cls(read_payload_keys(setting))

    @classmethod
    def under(cls, setting: str, secret: str) -> Sealer:
        """Of keys derived from those in PAYLOAD_KEYS and a secret of a client: either alone opens nothing."""
        return cls(derived_keys(read_payload_keys(setting), _PURPOSE, secret.encode(errors="replace")))

    def seal(self, secret: bytes, associated: bytes) -> str:
        """Encrypt with the current key, bound to `associated`; the answer names the key."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self._ciphers[self._current].encrypt(nonce, secret, associated)
        return f"{self._current}.{binascii.b2a_base64(sealed, newline=False).translate(_URL_SAFE).decode()}"

    def open(self, sealed: str, associated: bytes) -> bytes:
        """Decrypt; raises BadMessage when the key is unknown, or the text or `associated` was changed."""
        key_id, _, encoded = sealed.partition(".")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            named = f" `{key_id}`" if KEY_ID.fullmatch(key_id) else ""
            raise BadMessage(f"sealed with a key{named} that is not among PAYLOAD_KEYS")
        try:
            raw = base64.b64decode(encoded, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise BadMessage("not base64url") from None
        if len(raw) < NONCE_BYTES + _TAG_BYTES:
            raise BadMessage("too short to be sealed")
        try:
            return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], associated)
        except InvalidTag:
            raise BadMessage("does not decrypt: it was changed, or bound to something else") from None


def derived_keys(keys: Mapping[str, bytes], purpose: bytes, secret: bytes = b"") -> dict[str, bytes]:
    """Keys for another purpose, by the ids of those they are derived from (HKDF, RFC 5869), which they tell nothing of."""
    return {key_id: HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(key + secret) for key_id, key in keys.items()}
