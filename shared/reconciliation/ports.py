"""What reconciliation asks of the board and of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from shared.ledger.events import (
    Number,
)
from shared.reconciliation.model import Discrepancy, EpochSpan, PastRun, Reading, ReconciliationRun, Sweep


class BoardCheck(Protocol):
    """The board as reconciliation sees it."""

    def scan(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """A step of about `count` through all names of the board, cursor 0 to begin with and at the end.

        Who is there all the time is seen at least once.
        """
        ...

    def read(self, user_ids: Sequence[str]) -> Reading:
        """The scores of these players, and up to which number they count, in one step."""
        ...

    def suspects(self) -> set[str]:
        """Players that somebody wants to be looked at."""
        ...

    def clear(self, user_ids: Iterable[str]) -> None:
        """They were looked at."""
        ...

    def sweep(self) -> Sweep:
        """How far the rolling comparison has come; from the beginning where that is unknown."""
        ...

    def save_sweep(self, sweep: Sweep) -> None:
        """Go on from there the next time."""
        ...

    def mark(self, run_number: int) -> str:
        """What tells this board from the one before or after a rebuild; runs that began earlier may not repair any more."""
        ...

    def repair(self, differences: Mapping[str, int] | Mapping[str, int | None], mark: str, run_number: int) -> None:
        """Add atomic differences; 0 enters a player who is not there, None takes a member off the board.

        Raises LeaderboardRebuilding when the board is not the marked one any more (it is then rebuilt, and needs no repair), and
        ReconciliationRunning when another run has begun.
        """
        ...

    def server(self) -> str:
        """Which run of which Redis this is."""
        ...

    def is_known_server(self, server: str) -> bool:
        """Whether the board was held against the ledger in this run: a Redis that died may have lost its last writes."""
        ...

    def know_server(self, server: str) -> None:
        """The board was held against the ledger."""
        ...


class Reconciliations(Protocol):
    """What the board should say, as the ledger knows it, and the runs that held one against the other (PostgreSQL).

    A player's points here are what was accepted: recorded, or noted as waiting (refused for its own sake, not lost).
    """

    def alone(self) -> AbstractContextManager[int]:
        """One run at a time, or two would repair the same difference twice; raises ReconciliationRunning.

        Gives the number of the run: what a run writes is refused when a later one has begun, for it may have been held up so long
        that its turn was over.
        """
        ...

    def begin(self) -> EpochSpan:
        """Open a new epoch; answer it, and the one from which on totals changed since the last run that repaired."""
        ...

    def changed(self, since: int) -> Iterator[list[str]]:
        """Players whose total changed in the epoch `since` or later, in pages."""
        ...

    def users_after(self, user_id: str, limit: int) -> list[str]:
        """At most `limit` user ids above this one, in their order."""
        ...

    def points_at(self, user_ids: Sequence[str], number: Number) -> dict[str, int]:
        """Points of those of the users who belong on the board, as accepted up to this number."""
        ...

    def unknown(self, user_ids: Sequence[str]) -> list[str]:
        """Those who do not belong on the board."""
        ...

    def points_after(self, user_id: str, limit: int) -> tuple[dict[str, int], str]:
        """At most `limit` players with ids above `user_id`, in their order, and where the next page begins: "" after the last."""
        ...

    def missing(self, user_ids: Sequence[str]) -> dict[str, int]:
        """Points that the audit log says were recorded and that the ledger has no more."""
        ...

    def restore(self, user_ids: Sequence[str], run_number: int) -> dict[str, int]:
        """Give the ledger those updates back; answer the points, without those of players whose updates it refuses now.

        Raises ReconciliationRunning when another run has begun.
        """
        ...

    def audit_repairs(self, discrepancies: Sequence[Discrepancy], run_number: int) -> None:
        """One audit row for each repair. Raises ReconciliationRunning when another run has begun."""
        ...

    def save(self, run: ReconciliationRun) -> int:
        """Write one row of reconciliation_runs; answer its id."""
        ...

    def newest(self, limit: int, before_id: int | None) -> list[PastRun]:
        """Runs with ids below `before_id`, newest first."""
        ...
