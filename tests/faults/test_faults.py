"""A short run: each fault once, on one product, under load all the while."""

from __future__ import annotations

from random import Random

import pytest

from tests.faults.campaign import compare, everybody, in_random_order, playing_field, run
from tests.faults.catalogue import CATALOGUE

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.timeout(900)]
SEED = 20
REST_SECONDS = (0.2, 1.0)
DISK_MEGABYTES = 600


def test_nothing_acknowledged_is_lost_or_counted_twice_whatever_breaks() -> None:
    random = Random(SEED)  # noqa: S311 - nobody's secret
    with playing_field(DISK_MEGABYTES) as product:
        load = everybody(product, 8)
        seen = run(product, load, in_random_order(len(CATALOGUE), random), random, REST_SECONDS)
        assert compare(product, load) == {}
    assert load.violations == []
    assert set(seen) == set(CATALOGUE)
    assert min(*load.acknowledged.values(), *load.on_board.values(), load.resets) > 0
