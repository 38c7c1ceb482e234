"""One product for all tests of this directory, and the same scoreboard as it runs on Lambda."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api import Api
from tests.support.hosted import Hosted
from tests.support.product import Product


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """The product with its embedded default."""
    with Product() as running:
        yield running


@pytest.fixture
def api(product: Product) -> Api:
    """A client of the product."""
    return product.api


@pytest.fixture(scope="session", params=["product", "deployment"], ids=["local runtime", "lambda"])
def hosted(request: pytest.FixtureRequest) -> Hosted:
    """The scoreboard twice: what holds for one must hold for the other."""
    running: Hosted = request.getfixturevalue(request.param)
    return running
