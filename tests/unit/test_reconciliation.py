"""By how much a player's score is wrong, and whether its repair takes anything away."""

from __future__ import annotations

import pytest

from shared.reconciliation.model import Discrepancy


@pytest.mark.parametrize(
    ("entry", "difference", "lowering"),
    [
        (Discrepancy("p", 5, 3), 2, False),
        (Discrepancy("p", 0, None), 0, False),
        (Discrepancy("p", 4, None), 4, False),
        (Discrepancy("p", 3, 5, 2), 0, False),
        (Discrepancy("p", 3, 9, 2), -4, True),
        (Discrepancy("p", 5, 6), -1, True),
        (Discrepancy("p", None, 0), 0, True),
        (Discrepancy("p", None, 7), -7, True),
        (Discrepancy("p", None, -7), 7, True),
    ],
)
def test_what_the_ledger_gets_back_is_not_taken_from_the_board(entry: Discrepancy, difference: int, *, lowering: bool) -> None:
    assert (entry.difference, entry.is_lowering) == (difference, lowering)
