"""The headers that tell of the rate window."""

from __future__ import annotations

import pytest

from shared.boards.rate_window import RateWindow


@pytest.mark.parametrize(
    ("reset_seconds", "told"), [(0, "0"), (0.001, "1"), (1.0, "1"), (29.5, "30"), (59.999, "60"), (60.0, "60")]
)
def test_seconds_until_the_reset_are_rounded_up(reset_seconds: float, told: str) -> None:
    assert RateWindow(100, 60, 99, reset_seconds).headers()["RateLimit"] == f'"updates";r=99;t={told}'


def test_the_policy_names_quota_and_window() -> None:
    assert RateWindow(7, 30, 0, 1).headers() == {"RateLimit-Policy": '"updates";q=7;w=30', "RateLimit": '"updates";r=0;t=1'}
