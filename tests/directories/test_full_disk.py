"""A disk without room, or one that can only be read: changes are refused as long as it lasts, and then taken by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.api import Player
from tests.support.small_disk import MEGABYTE, ProductOnDisk, SmallDisk
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("directories"), pytest.mark.timeout(600)]
DISK_MEGABYTES = 500


@pytest.fixture(scope="module")
def product() -> Iterator[ProductOnDisk]:
    with SmallDisk(DISK_MEGABYTES) as disk, disk.product() as running:
        yield running


def test_updates_are_refused_while_there_still_is_room_and_taken_again(product: ProductOnDisk) -> None:
    player = product.api.new_player()
    assert player.score(2).status == 200
    product.disk.fill(leave_bytes=40 * MEGABYTE)
    eventually(lambda: player.score(1).status == 503, 60, "updates refused")
    product.disk.make_room()
    eventually(lambda: player.score(1).status == 200, 60, "updates taken again")
    told = "changes are refused until there is more room"
    eventually(lambda: any(told in line for line in product.output), 60, "the operator told")


def test_what_dies_on_a_disk_that_can_only_be_read_comes_back_when_it_can_be_written(product: ProductOnDisk) -> None:
    player = product.api.new_player()
    assert player.score(2).status == 200
    with product.disk.read_only():
        old = product.children()
        product.kill("http")
        eventually(lambda: product.children() - old and product.is_alive(), 60, "HTTP again, without a log")
        product.kill("redis")
        eventually(lambda: is_refused(player), 60, "updates refused")
        eventually(lambda: any("Read-only file system" in line for line in product.output), 60, "the operator told")
    eventually(lambda: player.score(1).status == 200, 90, "updates taken again")
    eventually(lambda: "every accepted update is accounted for" in product.verb("balance").stdout, 60, "the books balanced")


def is_refused(player: Player) -> bool:
    """Whether an update is answered 503; a worker that is just ending answers nothing."""
    with suppress(OSError):
        return player.score(1).status == 503
    return False
