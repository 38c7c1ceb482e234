"""Passwords as argon2id hashes."""

from __future__ import annotations

import base64
import unicodedata

import argon2

# OWASP's choice; the encoded hash has 97 characters and fits users.hashed_password.
MEMORY_KIB, ITERATIONS, LANES = 19456, 2, 1
HASH_BYTES, SALT_BYTES = 32, 16


def _encoded_zeros(count: int) -> str:
    return base64.b64encode(bytes(count)).decode().rstrip("=")


# Belongs to no password, yet costs as much to verify as any.
_NOBODY = f"$argon2id$v=19$m={MEMORY_KIB},t={ITERATIONS},p={LANES}${_encoded_zeros(SALT_BYTES)}${_encoded_zeros(HASH_BYTES)}"


class Argon2PasswordHasher:
    """The port PasswordHasher; the same characters typed on another keyboard are the same password (NFC)."""

    def __init__(self) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=ITERATIONS,
            memory_cost=MEMORY_KIB,
            parallelism=LANES,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
            type=argon2.Type.ID,
        )

    def hash(self, password: str) -> str:
        """The encoded hash, with a random salt."""
        return str(self._hasher.hash(unicodedata.normalize("NFC", password)))

    def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it fits; with None (no such account) it takes the same time and is False."""
        try:
            fits = self._hasher.verify(hashed or _NOBODY, unicodedata.normalize("NFC", password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return bool(fits) and hashed is not None
