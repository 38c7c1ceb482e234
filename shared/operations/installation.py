"""Whose the stores are: the installation they belong to, and the keys that sealed what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.core.redis_shards import FIRST
from shared.core.secret_keys import KeyPrint

# The longest life of what a key has made and no store lists: an access token, an action ticket, a message in flight.
NEEDED_SECONDS = 16 * 60


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that sealed what is in the stores; `retired_seconds` ago another one took its place, None while it is in use."""

    key: KeyPrint
    retired_seconds: float | None


@dataclass(frozen=True, slots=True)
class Installation:
    """What the database knows of its installation; the id is None when a version that had none made the tables."""

    installation_id: str | None
    keys: tuple[KnownKey, ...] = ()

    def replaced(self, own: Sequence[KeyPrint]) -> list[KnownKey]:
        """Keys whose id is among `own` and names another key there."""
        fingerprints = {(key.purpose, key.key_id): key.fingerprint for key in own}
        ids = [(known, fingerprints.get((known.key.purpose, known.key.key_id))) for known in self.keys]
        return [known for known, fingerprint in ids if fingerprint not in (None, known.key.fingerprint)]

    def missing(self, own: Sequence[KeyPrint]) -> list[KnownKey]:
        """Keys whose id is not among `own`."""
        ids = {(key.purpose, key.key_id) for key in own}
        return [known for known in self.keys if (known.key.purpose, known.key.key_id) not in ids]


def current_keys(own: Sequence[KeyPrint]) -> list[KeyPrint]:
    """The first of each purpose, which seals."""
    first: dict[str, KeyPrint] = {}
    for key in own:
        first.setdefault(key.purpose, key)
    return list(first.values())


def holder_of(installation_id: str, shard: str) -> str:
    """How a shard of an installation is marked."""
    return installation_id if shard == FIRST else f"{installation_id}/{shard}"
