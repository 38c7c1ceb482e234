"""Who is out of order, and by how much."""

from __future__ import annotations

import pytest

from shared.domain.reconciliation import Discrepancy, differing


@pytest.mark.parametrize(
    ("entry", "difference", "in_order"),
    [
        (Discrepancy("p", 5, 5, 5), 0, True),
        (Discrepancy("p", 0, 0, 0), 0, True),
        (Discrepancy("p", 0, None, None), 0, False),
        (Discrepancy("p", 3, 5, 5, 2), 0, False),
        (Discrepancy("p", 3, 9, 9, 2), -4, False),
        (Discrepancy("p", None, 0, 0), 0, False),
    ],
)
def test_what_the_ledger_gets_back_is_not_taken_from_the_board(entry: Discrepancy, difference: int, in_order: bool) -> None:
    assert (entry.difference, entry.is_in_order) == (difference, in_order)


def test_those_differ_who_are_not_the_same_on_both_sides() -> None:
    assert sorted(differing({"a": 1, "b": 2, "c": 0}, {"a": 1, "b": 3, "d": 0})) == ["b", "c", "d"]
