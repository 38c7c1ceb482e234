"""What an older version left, with updates under way and dead letters standing, is whole under this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.directories.check import check
from tests.directories.older import make_directory
from tests.support.product import Product

pytestmark = [pytest.mark.xdist_group("directories"), pytest.mark.timeout(600)]
ARCHIVES = sorted(Path(__file__).parent.glob("*.tar.gz"))


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.name.partition(".")[0])
def test_a_data_directory_of_an_older_version_is_taken_over_whole(archive: Path) -> None:
    product = Product(None, REGISTRATIONS_PER_HOUR="1000")
    left = make_directory(archive, product.data_dir)
    with product:
        check(product, left)
