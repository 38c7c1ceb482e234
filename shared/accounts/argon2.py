"""Passwords as argon2id hashes."""

from __future__ import annotations

import base64

import argon2

from shared.accounts.password import normalized
from shared.core.clock import Offload
from shared.core.loop import BoundedOffload, in_place

# OWASP's choice; the encoded hash has 97 characters and fits users.hashed_password.
MEMORY_KIB, ITERATIONS, LANES = 19456, 2, 1
HASH_BYTES, SALT_BYTES = 32, 16
# Of one process: 38 MiB, and the last one in the line waits for about a second.
HASHES_AT_ONCE, HASHES_WAITING = 2, 64


def _encoded_zeros(count: int) -> str:
    return base64.b64encode(bytes(count)).decode().rstrip("=")


# Belongs to no password, yet costs as much to verify as any.
_NOBODY = f"$argon2id$v=19$m={MEMORY_KIB},t={ITERATIONS},p={LANES}${_encoded_zeros(SALT_BYTES)}${_encoded_zeros(HASH_BYTES)}"


class PasswordHasher:
    """argon2id; both methods raise TooBusy when too many wait already.

    The same characters typed on another keyboard are the same password (NFKC).

    argon2 lets go of the interpreter's lock while it computes, so a thread that `offload` runs it in stops nobody else.
    """

    def __init__(self, offload: Offload = in_place, *, at_once: int = HASHES_AT_ONCE, waiting: int = HASHES_WAITING) -> None:
        self._offload = BoundedOffload(offload, at_once=at_once, waiting=waiting)
        self._hasher = argon2.PasswordHasher(
            time_cost=ITERATIONS,
            memory_cost=MEMORY_KIB,
            parallelism=LANES,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
            type=argon2.Type.ID,
        )

    def hash(self, password: str) -> str:
        """The encoded hash, with a random salt; raises TooBusy."""
        normal = normalized(password)
        return self._offload.run(lambda: str(self._hasher.hash(normal)))

    def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it fits; with None (no such account) it takes the same time and is False. Raises TooBusy."""
        normal = normalized(password)
        return self._offload.run(lambda: self._fits(hashed or _NOBODY, normal)) and hashed is not None

    def _fits(self, hashed: str, password: str) -> bool:
        try:
            return bool(self._hasher.verify(hashed, password))
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
