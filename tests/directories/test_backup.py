"""A backup of a running instance, restored elsewhere: everything that was acknowledged before it began is there, exactly."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.directories.check import board, check, ledger
from tests.directories.history import OPTIONS, History
from tests.faults.campaign import wait_for_answers
from tests.faults.load import Load
from tests.support.product import Product
from tests.support.waiting import eventually

pytestmark = [pytest.mark.xdist_group("directories"), pytest.mark.timeout(900)]


@pytest.fixture
def product() -> Iterator[Product]:
    """Not started yet."""
    product = Product(None, RATE_LIMIT_REQUESTS="1000000", **OPTIONS)
    product.data_dir.parent.mkdir(exist_ok=True)
    yield product
    product.destroy()


def restored(product: Product, file: Path) -> Product:
    """From the file, into a new data directory beside the other one."""
    copy = Product(product.data_dir.with_name("restored"), RATE_LIMIT_REQUESTS="1000000", **OPTIONS)
    done = copy.verb("restore", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"serve --data-dir {copy.data_dir}" in done.stdout
    return copy


def test_what_is_under_way_and_what_could_not_be_recorded_is_in_a_backup(product: Product) -> None:
    """Dead letters stand, some updates are in the broker and not recorded, others never reached the broker, which is gone."""
    history = History(product.start())
    history.make()
    history.play_unrecorded()
    history.play_unpublished()
    file = product.data_dir.with_name("backup")
    done = product.verb("backup", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "keys and passwords included" in done.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "is there already" in product.verb("backup", str(file)).stderr
    history.end_all()
    copy = restored(product, file).start()
    try:
        check(copy, history.told())
    finally:
        copy.stop()


def test_a_backup_under_load_holds_every_update_that_was_acknowledged_before_it(product: Product) -> None:
    product.start()
    load = Load([product.api.new_player() for _ in range(6)])
    with load.running():
        wait_for_answers(load)
        time.sleep(2)
        before = dict(load.acknowledged)
        file = product.data_dir.with_name("backup")
        done = product.verb("backup", str(file))
        assert done.returncode == 0, done.stdout + done.stderr
        after = {user_id: points + 5 for user_id, points in load.acknowledged.items()}  # those under way, too
        wait_for_answers(load)
    assert load.violations == []
    product.stop()
    copy = restored(product, file).start()
    try:

        def agree() -> bool:
            copy.invoke("rebuild_leaderboard")
            return board(copy, before) == ledger(copy, before)

        eventually(agree, 150, "board and ledger agree")
        found = ledger(copy, before)
        assert {user_id: points for user_id, points in found.items() if not before[user_id] <= points <= after[user_id]} == {}
        eventually(lambda: copy.verb("reconcile", "--full").returncode == 0, 60, "everybody in order")
        assert board(copy, before) == ledger(copy, before) == found
        player = load.players[0]
        player.api = copy.api
        assert player.score(3).data["score"] == found[player.user_id] + 3
    finally:
        copy.stop()


def test_a_backup_that_cannot_be_used_leaves_nothing(tmp_path: Path) -> None:
    product = Product(tmp_path / "restored")
    file = tmp_path / "backup"
    for content in (b"", b"no backup", b"PK\x03\x04 cut off"):
        file.write_bytes(content)
        done = product.verb("restore", str(file))
        assert (done.returncode, "no backup" in done.stderr) == (2, True), done.stderr
        assert list(tmp_path.iterdir()) == [file]
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / "something").touch()
    done = product.verb("restore", str(file))
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    done = product.verb("backup", str(tmp_path / "new"))
    assert (done.returncode, "no instance is ready" in done.stderr) == (2, True)
