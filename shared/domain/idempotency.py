"""Idempotency-Key: the name that a client gives to a request, so that it may send it again and have it carried out once."""

from __future__ import annotations

import hashlib
import re

from shared.errors import InvalidParameter

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def checked_key(value: str | None) -> str | None:
    """The value of the header, None without one; raises InvalidParameter."""
    if value is not None and not _KEY.fullmatch(value):
        raise InvalidParameter("`Idempotency-Key` must be 1 to 255 visible ASCII characters.")
    return value


def key_hash(scope: str, key: str) -> str:
    """What is stored of a key: SHA-256 in hex of it and of the scope in which it names one request."""
    return hashlib.sha256(f"{scope}\n{key}".encode()).hexdigest()
