"""Idempotency-Key: the name that a client gives to a request, so that it may send it again and have it carried out once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from shared.core.errors import InvalidParameter

KEPT = timedelta(hours=24)
# Longer than any function behind the HTTP API may run: a request that was begun before that and has no answer has died.
CARRIED_OUT_WITHIN = timedelta(seconds=30)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def checked_key(value: str | None, name: str = "Idempotency-Key") -> str | None:
    """The value of the header, or of the member with this name, None without one; raises InvalidParameter."""
    if value is not None and not _KEY.fullmatch(value):
        raise InvalidParameter(f"`{name}` must be 1 to 255 visible ASCII characters.")
    return value


def key_hash(scope: str, key: str) -> str:
    """What is stored of a key: SHA-256 in hex of it and of the scope in which it names one request."""
    return hashlib.sha256(f"{scope}\n{key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer to a request, sealed, to be kept under the hash of its key."""

    key_hash: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """What is kept under a key: the sealed answer, None while the first request is being carried out; and for how long."""

    sealed: str | None = field(repr=False)
    remaining_seconds: float


# Seals the answer of a change, a JSON value, to be kept in the change's transaction; gives None where none is to be kept.
Attempt = Callable[[object], KeptAnswer | None]


def not_kept(_answer: object) -> None:
    """The attempt of a request without a key."""
