"""What the use cases of every subject ask of the stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.stores.idempotency import FirstAnswer, KeptAnswer


class KeptAnswers(Protocol):
    """First answers to requests with an Idempotency-Key, by the hash of the key (PostgreSQL).

    A change that is one transaction keeps its answer in it. One that several stores take part in is claimed before it begins.
    """

    def find(self, key_hash: str) -> FirstAnswer | None:
        """What is kept under a key."""
        ...

    def claim(self, key_hash: str) -> None:
        """Begin to carry out a request; raises RequestInProgress when another one has begun or been answered."""
        ...

    def settle(self, answer: KeptAnswer) -> None:
        """A request that was claimed has been carried out."""
        ...

    def release(self, key_hash: str) -> None:
        """A request that was claimed was refused."""
        ...

    def forget(self) -> int:
        """Drop those whose time is over; answer how many."""
        ...


class Sealer(Protocol):
    """Authenticated encryption of event payloads."""

    def seal(self, secret: bytes, associated: bytes) -> str:
        """Encrypt; the answer names its key."""
        ...

    def open(self, sealed: str, associated: bytes) -> bytes:
        """Decrypt; raises BadMessage."""
        ...


class Migrations(Protocol):
    """The schema (PostgreSQL)."""

    def apply(self) -> list[str]:
        """Bring the schema up to date, safe to run side by side; answer the names of the migrations that ran."""
        ...


class Leases(Protocol):
    """What only one holder at a time may do, until when, by the clock of the store (PostgreSQL)."""

    def hold(
        self,
        names: Sequence[str],
        holder: str,
        seconds: float,
        *,
        successor_of: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> dict[str, int]:
        """Take or renew those that are free, the holder's, or its predecessor's; answer them with their fencing numbers.

        A number rises when its lease is taken anew, also by the same holder after it has expired.
        """
        ...

    def release(self, names: Sequence[str], holder: str) -> None:
        """Let go of those that the holder has; another may take them at once."""
        ...

    def holders(self, names: Sequence[str]) -> dict[str, str]:
        """Who has these now; those that are free are absent."""
        ...

    def details_of_others(self, holders: Sequence[str]) -> list[Mapping[str, Any]]:
        """What holders other than these say of themselves, as long as they have a lease."""
        ...
