"""Which increments are allowed."""

from __future__ import annotations

import pytest

from shared.boards.board import MAIN
from shared.boards.score import checked_increment
from shared.core.errors import InvalidIncrement


@pytest.mark.parametrize("value", [1, 2, 3, 4, 5])
def test_one_to_five_points_are_allowed(value: int) -> None:
    assert checked_increment(value, MAIN.increments) == value


@pytest.mark.parametrize(
    "value", [0, -1, 6, 10**30, True, False, 1.0, 2.5, float("nan"), float("inf"), "3", b"3", None, [], [3], {}, {"increment": 3}]
)
def test_nothing_else_is(value: object) -> None:
    with pytest.raises(InvalidIncrement) as refused:
        checked_increment(value, MAIN.increments)
    assert (refused.value.status, refused.value.code) == (422, "invalid_increment")
