"""The audit log, its seals, and refusals on their way to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shared.audit.entries import AuditEntry, AuditFilter, Content, Horizon, Seal, Signature
from shared.audit.refusal import Refusal, RefusalBatch


class AuditLog(Protocol):
    """Who did what to whom (PostgreSQL); rows are only ever added."""

    def newest(self, wanted: AuditFilter, limit: int, before_id: int | None) -> list[AuditEntry]:
        """Entries with ids below `before_id`, newest first."""
        ...

    def page(self, since: datetime | None, until: datetime | None, after_id: int, limit: int) -> list[AuditEntry]:
        """Entries with ids above `after_id`, oldest first; `since` is included, `until` is not."""
        ...

    def additions(self, wanted: AuditFilter, after_id: int, up_to: int, limit: int) -> list[AuditEntry]:
        """Entries with ids above `after_id` up to `up_to`, oldest first; `user_id` is whom they are about, or who did it."""
        ...

    def add_refusals(self, batch: RefusalBatch) -> int:
        """A row for each group, unless the batch is there already; answer how many rows that made."""
        ...


class Refusals(Protocol):
    """Refusals of the last minute, counted (Redis); bounded, whatever comes."""

    def note(self, refusal: Refusal) -> None:
        """Count one."""
        ...

    def take(self) -> RefusalBatch | None:
        """What is to be recorded now; the same again until it is settled. None when there is nothing."""
        ...

    def settle(self, batch_id: str) -> None:
        """The batch is recorded."""
        ...


class AuditSeals(Protocol):
    """The chain of seals (PostgreSQL)."""

    def horizon(self) -> Horizon:
        """How far ids are given away, and which transactions may still bring rows with such ids."""
        ...

    def still_writing(self, writers: frozenset[str]) -> frozenset[str]:
        """Those of these transactions that have not ended."""
        ...

    def end(self, writers: frozenset[str]) -> None:
        """End those of these transactions that are our own role's: none of ours lasts for as long as they were waited for."""
        ...

    def newest(self, limit: int = 1, below: int | None = None) -> list[Seal]:
        """Seals with numbers below this one, the highest first; some may be of a stranger's making."""
        ...

    def free_numbers(self, after: int) -> range:
        """The next numbers above this one that no seal has, at most MAX_SEQ."""
        ...

    def unsealed(self, after_id: int, up_to: int, rows_a_seal: int, seals: int) -> list[Content]:
        """What is to be sealed next: at most `seals` contents of at most `rows_a_seal` rows; the last one ends at `up_to`."""
        ...

    def add(self, seals: Sequence[Seal]) -> bool:
        """Write all of them, or none when another transaction has, or is about to have, one of their numbers."""
        ...

    def page(self, from_seq: int, limit: int) -> list[Seal]:
        """Seals from this number on, in their order."""
        ...

    def contents(self, seals: Sequence[Seal]) -> list[Content]:
        """What stands in audit_log now where each of these says; no more than about twice a seal's rows are read for one."""
        ...

    def rows_outside(self, last_id: int) -> tuple[int, int]:
        """How many rows have an id of 0 or below, which is never given, and how many one above `last_id`."""
        ...


class SealSigner(Protocol):
    """Signs seals with a key that the database does not have."""

    def sign(self, hash_text: str) -> Signature:
        """With the current key."""
        ...

    def verify(self, hash_text: str, signature: Signature) -> bool | None:
        """Whether we made it; None when its key is not among ours any more."""
        ...


class SealAnchor(Protocol):
    """The newest seal, remembered outside of PostgreSQL (Redis)."""

    def get(self) -> Seal | None:
        """The seal, or None when nothing (that can be read) is remembered."""
        ...

    def put(self, seal: Seal) -> None:
        """Remember it."""
        ...

    def claim(self, run: str, seconds: float) -> bool:
        """Whether it is this run's turn to add seals, for so long from now on; 0 ends it."""
        ...
