"""A key by what may be told of it."""

from __future__ import annotations

from dataclasses import dataclass

PAYLOAD, SIGNING = "payload", "signing"


@dataclass(frozen=True, slots=True)
class KeyPrint:
    """A key by what may be told of it. `purpose` is PAYLOAD or SIGNING; the fingerprint differs for every key."""

    purpose: str
    key_id: str
    fingerprint: str
