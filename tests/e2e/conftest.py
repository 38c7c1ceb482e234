"""One product for all tests of this directory, on one worker of the test run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api import Api
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share the product on one worker."""
    for item in items:
        if "product" in getattr(item, "fixturenames", ()) and not list(item.iter_markers("xdist_group")):
            item.add_marker(pytest.mark.xdist_group("product"))
