"""Which refusals belong into the audit log."""

from __future__ import annotations

import pytest

from shared.core.errors import InvalidIncrement, LastAdmin, MalformedJson, OriginNotAllowed, ScoreboardError, TokenExpired


@pytest.mark.parametrize("error", [LastAdmin(), OriginNotAllowed()])
def test_what_tells_of_an_attempt_matters(error: ScoreboardError) -> None:
    assert error.is_audited


@pytest.mark.parametrize("error", [InvalidIncrement(), MalformedJson(), TokenExpired()])
def test_slips_do_not(error: ScoreboardError) -> None:
    assert not error.is_audited
