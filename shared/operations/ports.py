"""What operators ask of the stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from shared.audit.entries import Seal
from shared.operations.installation import Installation
from shared.operations.overview import BoardState, LedgerState
from shared.stores.key_print import KeyPrint


class BoardGauge(Protocol):
    """The board and the outbox (Redis)."""

    def read(self) -> BoardState:
        """In one round trip, whatever the number of players."""
        ...


class QueueWatch(Protocol):
    """Remembers when each queue was last seen empty (Redis): of a queue nobody can ask how old its oldest message is."""

    def waiting_since(self, messages: Mapping[str, int], now: datetime) -> dict[str, datetime]:
        """Since when, at the most, each queue that has messages has had some; the empty ones are noted."""
        ...


class LedgerGauge(Protocol):
    """The ledger and the audit log (PostgreSQL)."""

    def read(self) -> LedgerState:
        """In one statement that reads the ends of indexes, whatever the length of the history."""
        ...

    def newest_updates(self, limit: int) -> list[tuple[str, datetime]]:
        """User ids and instants of acceptance of the updates recorded last."""
        ...


class InstallationRecord(Protocol):
    """The installation, while no other process writes to it."""

    def read(self) -> Installation | None:
        """As Installations.read()."""
        ...

    def begin(self, installation_id: str) -> None:
        """The stores belong to this installation from now on."""
        ...

    def remember(self, current: Sequence[KeyPrint], retired: Sequence[KeyPrint], forgotten: Sequence[KeyPrint]) -> None:
        """The keys in use, those that only open what they sealed before, and those that nothing needs any more."""
        ...


class Installations(Protocol):
    """What the database knows of its installation (PostgreSQL)."""

    def read(self) -> Installation | None:
        """None for a database without tables of ours."""
        ...

    def newest_seals(self, limit: int) -> list[Seal]:
        """Seals of the audit log; none where there is no such table yet."""
        ...

    def kept_letters(self, key_id: str) -> tuple[int, int]:
        """How many messages that the ledger did not take are sealed with this key; how many dead letters it has kept whole."""
        ...

    def alone(self) -> AbstractContextManager[InstallationRecord]:
        """A transaction in which to change it."""
        ...


class StoreMark(Protocol):
    """The id of the installation, in a store beside the database (Redis, RabbitMQ)."""

    def mark(self, installation_id: str) -> str:
        """Write the id where there is none; answer whose the store is."""
        ...


class BoardMark(StoreMark, Protocol):
    """The mark of Redis."""

    def holder(self) -> str | None:
        """Whose the store is; None when nobody marked it yet."""
        ...


class BrokerMark(StoreMark, Protocol):
    """The mark of RabbitMQ."""

    def waiting(self) -> tuple[int, int]:
        """How many updates are in queues that do not run empty now, and how many dead letters there are."""
        ...
