"""Literals of arrays, as PostgreSQL reads them."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import int_array, text_array

ODD = ['"', "\\", '","', "{}", "NULL", ""]
TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.sampled_from(ODD))


@given(TEXTS, st.lists(st.integers(-(2**63), 2**63 - 1)))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_they_are_what_was_given(database: Pool, texts: list[str], numbers: list[int]) -> None:
    with database.connection() as session:
        rows = session.run(
            "SELECT CAST(:texts AS text[]), CAST(:numbers AS bigint[])", texts=text_array(texts), numbers=int_array(numbers)
        )
    assert rows == [[texts, numbers]]
