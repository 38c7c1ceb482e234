"""What the state machines run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.container import Container
from shared.core.config import Settings


@pytest.fixture
def deployed(function_environment: dict[str, str], own_database_url: str) -> Iterator[Container]:
    """On a ledger of the model's own: numbers that other tests leave unaccounted for would be proof of nothing."""
    url = function_environment["DATABASE_URL"].rpartition("/")[0] + "/" + own_database_url.rpartition("/")[2]
    urls = {"DATABASE_URL": url, "MIGRATIONS_DATABASE_URL": own_database_url}
    made = Container(Settings.from_environment({**function_environment, **urls}))
    made.migrations.apply()
    yield made
    made.close()
