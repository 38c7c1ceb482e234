"""What each store can say of how things stand."""

from __future__ import annotations

from typing import Protocol

from shared.domain.overview import BoardState, LedgerState, QueueState


class BoardGauge(Protocol):
    """The board and the outbox (Redis)."""

    def read(self) -> BoardState:
        """In one round trip, whatever the number of players."""
        ...


class QueueGauge(Protocol):
    """The queues (RabbitMQ)."""

    def read(self) -> QueueState:
        """Messages that are being worked on are not counted."""
        ...


class LedgerGauge(Protocol):
    """The ledger and the audit log (PostgreSQL)."""

    def read(self) -> LedgerState:
        """In one statement that reads the ends of indexes, whatever the length of the history."""
        ...
