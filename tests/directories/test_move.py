"""A data directory in another place: moved, or copied while stopped, with everything under way that can be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.directories.check import check
from tests.directories.history import OPTIONS, History
from tests.support.product import Product

pytestmark = [pytest.mark.xdist_group("directories"), pytest.mark.timeout(600)]


def test_a_data_directory_is_moved_and_copied_and_nothing_is_lost() -> None:
    """Dead letters stand, some updates are in the broker alone and some in the outbox, and nothing said farewell."""
    product = Product(None, **OPTIONS)
    first = product.data_dir
    moved, copied = first.with_name("moved to another place"), first.with_name("copied")
    try:
        history = History(product.start())
        history.make()
        history.play_unrecorded()
        history.play_unpublished()
        history.end_all()
        first.rename(moved)
        shutil.copytree(moved, copied, symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
        for place in (moved, copied):
            check_at(place, history)
        assert not first.exists()
    finally:
        product.destroy()


def check_at(place: Path, history: History) -> None:
    """Started there, all of it is there."""
    product = Product(place, **OPTIONS).start()
    try:
        check(product, history.told())
    finally:
        product.stop()
