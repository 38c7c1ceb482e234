"""The board in the terminal."""

from __future__ import annotations

from typing import Any

import pytest

from local_runtime.cli.board_screen import board_line

FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


def frame(display_name: str) -> dict[str, Any]:
    line = {"userId": "u-1", "username": "ada", "displayName": display_name, "rank": 1, "score": 7}
    return {"type": "leaderboard", "version": 3, "data": [line], "cache_time": "T"}


@pytest.mark.parametrize(
    ("display_name", "shown"),
    [
        ("ada", "ada"),
        ("Ада", "Ада (ada)"),
        ("👩🏽‍🚀", "👩🏽‍🚀 (ada)"),
        (FLAG, f"{FLAG} (ada)"),
        ("a\x1b[2Jb\u202e", "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER} (ada)"),
    ],
)
def test_a_player_is_shown_by_both_names_and_nothing_moves_the_cursor(display_name: str, shown: str) -> None:
    assert board_line(frame(display_name), 10) == f"T  version 3  1 {shown} 7"
