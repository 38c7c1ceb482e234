"""A disk without room: nothing that was acknowledged is lost, and everything works again by itself when there is room."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.faults.campaign import compare, wait_for_answers
from tests.faults.load import Load
from tests.support.small_disk import SmallDisk
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("directories"), pytest.mark.timeout(900)]
DISK_MEGABYTES = 500
KILLED = ("redis", "consumer", "postgresql", "scheduler", "rabbitmq", "http")


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with SmallDisk(DISK_MEGABYTES) as disk:
        yield disk


def test_a_full_disk_loses_nothing_whatever_dies_meanwhile_and_everything_comes_back(disk: SmallDisk) -> None:
    """Filled at a stroke, before anybody can prepare for it, and every process dies on the full disk."""
    product = disk.product(RATE_LIMIT_REQUESTS="1000000")
    with product:
        load = Load([product.api.new_player() for _ in range(6)])
        with load.running():
            wait_for_answers(load)
            disk.fill()
            wait_for(load, "503 leaderboard_unavailable")
            for name in KILLED:
                pids = product.children()
                with suppress(ProcessLookupError):  # the broker may not run without room
                    product.kill(name)
                eventually(lambda pids=pids: product.children() - pids, 60, f"something in the place of {name}")  # type: ignore[misc]
            eventually(product.is_alive, 60, "/healthz answered")
            assert product.process is not None
            assert product.process.poll() is None
            disk.make_room()
            wait_for_answers(load)
            eventually(lambda: product.runtime["processes"]["http"] in product.children(), 60, "runtime.json written again")
        assert compare(product, load) == {}
        assert load.violations == []
        assert min(load.acknowledged.values()) > 0
        eventually(lambda: product.api.get("/readyz").status == 200, 60, "ready")


def test_updates_are_refused_while_there_still_is_room_and_taken_again(disk: SmallDisk) -> None:
    product = disk.product()
    with product:
        player = product.api.new_player()
        assert player.score(2).status == 200
        disk.fill(leave_bytes=40 * 1024 * 1024)
        eventually(lambda: player.score(1).status == 503, 30, "updates refused")
        disk.make_room()
        eventually(lambda: player.score(1).status == 200, 30, "updates taken again")
        assert any("changes are refused until there is more room" in line for line in product.output)


def wait_for(load: Load, outcome: str) -> None:
    """Until somebody is answered so from now on."""
    began = time.monotonic()
    eventually(lambda: any(one.outcome == outcome and one.at > began for one in list(load.attempts[-200:])), 60, outcome)
