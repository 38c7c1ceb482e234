"""Which players are out of order when the ledger is held against two readings of the board."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LedgerTotal:
    """A player and the sum of their increments in the ledger."""

    user_id: str
    total: int


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A player whose ledger total lies outside the interval; `difference` is what the board must be changed by."""

    user_id: str
    ledger_total: int
    board_before: int | None
    board_after: int | None

    @property
    def difference(self) -> int:
        """Add this to the board's score and both agree again: exact when `board_before` equals `board_after`."""
        return self.ledger_total - (self.board_before or 0)


def discrepancies(before: Mapping[str, int], ledger: Mapping[str, int], after: Mapping[str, int]) -> list[Discrepancy]:
    """Compare intervals: a total between the two readings is in order (updates only add, so readings only rise).

    `before` was read first, then every update accepted until then reached the ledger, then `ledger` was read, then `after`.
    A player known to the ledger but absent from the board is out of order, and so is one that only the board knows.
    """
    found: list[Discrepancy] = []
    for user_id in _players(before, ledger, after):
        total = ledger.get(user_id)
        low, high = before.get(user_id), after.get(user_id)
        if low is None and high is not None:
            low = 0  # entered the board while we looked
        if total is None and low == high == 0:
            continue  # on the board, never scored, not in the ledger's reading yet
        if total is None or low is None or high is None or not low <= total <= high:
            found.append(Discrepancy(user_id, total or 0, before.get(user_id), high))
    return found


def _players(*readings: Iterable[str]) -> list[str]:
    return sorted(set().union(*readings))
