"""Leases: rows that say which of several instances does what only one may do, until when."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from shared.core.errors import PostgresUnavailable
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

ANSWER_SECONDS = 3.0
RUN_SECONDS = 30.0
RENEWALS = 5  # in the time for which a lease is taken


class LeaseTaken(Exception):
    """Another holder has it. Never leaves the adapters."""


class Leases:
    """What only one holder at a time may do, until when, by the clock of the store (PostgreSQL).

    One statement each, so that no session is relied on.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

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
        with self._pool.connection(ANSWER_SECONDS) as session:
            rows = session.run(
                statement("hold_leases"),
                names=list(names),
                holder=holder,
                seconds=seconds,
                successor_of=successor_of or holder,
                detail=json.dumps(detail or {}),
            )
        return {name: int(fencing) for name, fencing in rows}

    def release(self, names: Sequence[str], holder: str) -> None:
        """Let go of those that the holder has; another may take them at once."""
        with self._pool.connection(ANSWER_SECONDS) as session:
            session.run(
                "UPDATE leases SET expires_at = clock_timestamp()"
                " WHERE name = ANY(CAST(:names AS text[])) AND holder = :holder AND expires_at > clock_timestamp()",
                names=list(names),
                holder=holder,
            )

    def holders(self, names: Sequence[str]) -> dict[str, str]:
        """Who has these now; those that are free are absent."""
        if not names:
            return {}
        with self._pool.connection(ANSWER_SECONDS) as session:
            rows = session.run(
                "SELECT name, holder FROM leases WHERE name = ANY(CAST(:names AS text[])) AND expires_at > clock_timestamp()",
                names=list(names),
            )
        return dict(rows)

    def details_of_others(self, holders: Sequence[str]) -> list[Mapping[str, Any]]:
        """What holders other than these say of themselves, as long as they have a lease.

        All rows: there are few, and those of instances that ended long ago are removed on this occasion.
        """
        with self._pool.connection(ANSWER_SECONDS) as session:
            session.run("DELETE FROM leases WHERE name LIKE 'instance:%' AND expires_at < clock_timestamp() - INTERVAL '1 day'")
            rows = session.run(
                "SELECT DISTINCT detail FROM leases"
                " WHERE holder <> ALL(CAST(:holders AS text[])) AND expires_at > clock_timestamp() AND detail <> '{}'",
                holders=list(holders),
            )
        return [detail for (detail,) in rows]

    @contextmanager
    def held(self, name: str, seconds: float = RUN_SECONDS) -> Iterator[int]:
        """Hold one while the block runs, renewed beside it; answers its fencing number. Raises LeaseTaken.

        When the process dies it is free again after `seconds`.
        """
        holder = str(uuid4())
        fencing = self.hold([name], holder, seconds).get(name)
        if fencing is None:
            raise LeaseTaken(name)
        ended = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(name, holder, seconds, ended), name=f"lease-{name}", daemon=True)
        renewing.start()
        try:
            yield fencing
        finally:
            ended.set()
            renewing.join()
            with suppress(PostgresUnavailable):
                self.release([name], holder)

    def _renew(self, name: str, holder: str, seconds: float, ended: threading.Event) -> None:
        while not ended.wait(seconds / RENEWALS):
            with suppress(PostgresUnavailable):
                self.hold([name], holder, seconds)


def is_held(session: Session, name: str, fencing: int) -> bool:
    """Whether no other holder has followed the one with this number; in a transaction it stays so until the end."""
    return bool(
        session.run("SELECT 1 FROM leases WHERE name = :name AND fencing = :fencing FOR SHARE", name=name, fencing=fencing)
    )
