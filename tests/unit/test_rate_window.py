"""The headers that tell of the rate window."""

from __future__ import annotations

import pytest

from shared.core.rate_window import RateWindow, rate_limit_headers


@pytest.mark.parametrize(
    ("reset_seconds", "told"), [(0, "0"), (0.001, "1"), (1.0, "1"), (29.5, "30"), (59.999, "60"), (60.0, "60")]
)
def test_seconds_until_the_reset_are_rounded_up(reset_seconds: float, told: str) -> None:
    assert RateWindow(100, 60, 99, reset_seconds).headers()["RateLimit"] == f'"updates";r=99;t={told}'


def test_the_policy_names_quota_and_window() -> None:
    assert RateWindow(7, 30, 0, 1).headers() == {"RateLimit-Policy": '"updates";q=7;w=30', "RateLimit": '"updates";r=0;t=1'}


def test_several_limits_are_told_together() -> None:
    of_network, of_all = (
        RateWindow(600, 3600, 599, 6, "registration_network"),
        RateWindow(10_000, 3600, 9_990, 0.36, "registration_everybody"),
    )
    assert rate_limit_headers([of_network, of_all]) == {
        "RateLimit-Policy": '"registration_network";q=600;w=3600, "registration_everybody";q=10000;w=3600',
        "RateLimit": '"registration_network";r=599;t=6, "registration_everybody";r=9990;t=1',
    }
