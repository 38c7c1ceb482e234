"""Connection ids in API Gateway's shape that also say which worker process holds the connection."""

from __future__ import annotations

import base64
import binascii
import os

_PROCESS_BYTES = 3
_RANDOM_BYTES = 8


def new_connection_id(process_id: int) -> str:
    """Sixteen characters, the last one `=`, as AWS's are."""
    raw = process_id.to_bytes(_PROCESS_BYTES, "big") + os.urandom(_RANDOM_BYTES)
    return base64.urlsafe_b64encode(raw).decode()


def process_of(connection_id: str) -> int | None:
    """The process that made this id; None when nobody did."""
    try:
        raw = base64.b64decode(connection_id, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return int.from_bytes(raw[:_PROCESS_BYTES], "big") if len(raw) == _PROCESS_BYTES + _RANDOM_BYTES else None
