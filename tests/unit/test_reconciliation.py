"""When a ledger total between two readings of the board is in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.reconciliation import Discrepancy, differing, discrepancies


@pytest.mark.parametrize(
    ("before", "total", "after"),
    [
        (5, 5, 5),
        (5, 5, 9),
        (5, 7, 9),
        (5, 9, 9),
        (0, 0, 0),
        (None, 0, 0),
        (None, 3, 5),
        (None, None, 3),
    ],
)
def test_a_total_between_the_readings_is_in_order(before: int | None, total: int | None, after: int | None) -> None:
    assert discrepancies(_reading(before), _reading(total), _reading(after)) == []


@pytest.mark.parametrize(
    ("before", "total", "after", "difference"),
    [
        (5, 4, 9, -1),
        (5, 10, 9, 5),
        (999, 5, 999, -994),
        (3, 8, 3, 5),
        (None, 8, None, 8),
        (None, 0, None, 0),
        (None, 6, 5, 6),
        (8, 8, None, 0),
        (7, None, 7, -7),
        (0, None, 0, 0),
        (0, None, 7, 0),
    ],
)
def test_anything_else_is_found_with_what_brings_it_back(
    before: int | None, total: int | None, after: int | None, difference: int
) -> None:
    [found] = discrepancies(_reading(before), _reading(total), _reading(after))
    assert found == Discrepancy("p", total, before, after)
    assert (found.difference, found.is_invented, found.is_in_order) == (difference, total is None, False)


def test_players_are_reported_in_order_and_apart() -> None:
    found = discrepancies({"b": 1, "ok": 2, "a": 1}, {"a": 2, "ok": 2, "b": 2, "c": 1}, {"a": 1, "b": 1, "ok": 2})
    assert [entry.user_id for entry in found] == ["a", "b", "c"]


@given(
    increments=st.lists(st.integers(1, 5), max_size=30),
    cuts=st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)),
)
def test_updates_in_flight_are_never_mistaken(increments: list[int], cuts: tuple[int, int, int]) -> None:
    before, ledger, after = sorted(cuts)
    readings = [{"p": sum(increments[:cut])} for cut in (before, ledger, after)]
    assert discrepancies(*readings) == []


@given(
    increments=st.lists(st.integers(1, 5), max_size=30),
    cut=st.integers(0, 30),
    wrong=st.integers(-50, 50).filter(bool),
)
def test_a_repair_is_right_whatever_came_meanwhile(increments: list[int], cut: int, wrong: int) -> None:
    """The ledger had all that the first reading had; what came afterwards stands on the board already."""
    settled, all_of_it = sum(increments[:cut]), sum(increments)
    found = discrepancies({"p": settled + wrong}, {"p": settled}, {"p": settled + wrong})
    assert all_of_it + wrong + found[0].difference == all_of_it


def _reading(score: int | None) -> dict[str, int]:
    return {} if score is None else {"p": score}


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
