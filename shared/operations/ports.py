"""What each store can say of how things stand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from shared.operations.overview import BoardState, LedgerState


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
