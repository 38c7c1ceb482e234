"""Connection ids in API Gateway's shape that also say which instance and which of its worker processes hold the connection."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import secrets

_INSTANCE_BYTES = 3
_PROCESS_BYTES = 3  # process ids are below 2^22
_NUMBER_BYTES = 5
_LENGTH = _INSTANCE_BYTES + _PROCESS_BYTES + _NUMBER_BYTES


class ConnectionIds:
    """The ids that one worker process gives to its connections.

    No two are the same, on however many machines: they name the instance, for containers share process ids; the process; and a
    number, counted from anywhere, for a process id is used again.
    """

    def __init__(self, instance_id: str, process_id: int) -> None:
        self._instance = hashlib.sha256(instance_id.encode()).digest()[:_INSTANCE_BYTES]
        self._process = process_id.to_bytes(_PROCESS_BYTES, "big")
        self._numbers = itertools.count(secrets.randbits(8 * _NUMBER_BYTES))

    def new(self) -> str:
        """Sixteen characters, the last one `=`, as AWS's are."""
        number = next(self._numbers) % 2 ** (8 * _NUMBER_BYTES)
        return base64.urlsafe_b64encode(self._instance + self._process + number.to_bytes(_NUMBER_BYTES, "big")).decode()

    def process_of(self, connection_id: str) -> int | None:
        """The process that made this id; None when it is none of this instance's."""
        raw = _decoded(connection_id)
        return int.from_bytes(raw[_INSTANCE_BYTES:-_NUMBER_BYTES], "big") if raw.startswith(self._instance) else None

    def is_of_another_instance(self, connection_id: str) -> bool:
        """Whether it is an id, and not of this instance."""
        raw = _decoded(connection_id)
        return bool(raw) and not raw.startswith(self._instance)


def _decoded(connection_id: str) -> bytes:
    """Nothing when it is no id."""
    try:
        raw = base64.b64decode(connection_id, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if len(raw) == _LENGTH else b""
