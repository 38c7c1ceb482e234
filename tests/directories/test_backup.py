"""A backup of a running instance, restored elsewhere: everything that was acknowledged before it began is there, exactly."""

from __future__ import annotations

import json
import re
import stat
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.directories.check import board, check, ledger
from tests.directories.history import OPTIONS, History
from tests.faults.campaign import everybody, wait_for_answers
from tests.faults.load import BOARD
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
    assert "cannot be written: No such file" in product.verb("backup", str(file.with_name("nowhere") / "backup")).stderr
    history.end_all()
    copy = restored(product, file).start()
    try:
        check(copy, history.told())
    finally:
        copy.stop()


def test_a_backup_under_load_holds_every_update_that_was_acknowledged_before_it(product: Product) -> None:
    product.start()
    load = everybody(product, 6)
    with load.running():
        wait_for_answers(load)
        time.sleep(2)
        before, before_on_board = dict(load.acknowledged), dict(load.on_board)
        file = product.data_dir.with_name("backup")
        done = product.verb("backup", str(file))
        assert done.returncode == 0, done.stdout + done.stderr
        after = {user_id: points + 5 for user_id, points in load.acknowledged.items()}  # those under way, too
        after_on_board = {user_id: points + 5 for user_id, points in load.on_board.items()}
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
        places = {user_id: player.get(f"/api/boards/{BOARD}/scores/{user_id}").data["places"] for user_id in before}
        on_board = {user_id: of_player[0]["score"] for user_id, of_player in places.items()}
        for user_id, score in on_board.items():
            assert before_on_board[user_id] <= score <= after_on_board[user_id]
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
    (tmp_path / "backup").unlink()
    done = product.verb("restore", str(file))
    assert (done.returncode, done.stderr) == (2, f"error: {file} cannot be read: No such file or directory\n")
    done = product.verb("restore", str(tmp_path))
    assert (done.returncode, done.stderr) == (2, f"error: {tmp_path} cannot be read: Is a directory\n")
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / "something").touch()
    done = product.verb("restore", str(file))
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    done = product.verb("backup", str(tmp_path / "new"))
    assert (done.returncode, "no instance is ready" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("store", "brand", "member", "content", "reason"),
    [
        ("redis", "(Redis|Valkey)", "redis.rdb", b"REDIS9999", "Can't handle RDB format version 9999"),
        (
            "postgresql",
            "PostgreSQL",
            "database.dump",
            b"PGDMP\x01\x63\x00\x04\x08\x01",
            r"unsupported version (1.99) in file header",
        ),
    ],
)
def test_a_backup_of_a_newer_store_is_refused_with_both_versions(
    tmp_path: Path, store: str, brand: str, member: str, content: bytes, reason: str
) -> None:
    """At the restore, not when the instance is started; what an older version of the scoreboard wrote names no versions."""
    product = Product(tmp_path / "restored")
    for made_by, whose in (({store: "Other 99"}, "Other 99"), (None, "another version, which it does not say")):
        file = tmp_path / f"backup-{made_by is None}"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("secrets.json", "{}")
            archive.writestr(member, content)
            about = {"format": 1, "version": "0.1.0", "stores": [store]} | ({"made_by": made_by} if made_by else {})
            archive.writestr("backup.json", json.dumps(about))
        done = product.verb("restore", str(file))
        assert done.returncode == 1, done.stderr
        assert reason in done.stderr
        told = rf"\nthis machine has {brand} \d+\.\S+, and the backup is of {whose}: restore it where"
        assert re.search(told, done.stderr), done.stderr
        assert not (tmp_path / "restored").exists()
        assert not (tmp_path / "restored.restoring").exists()
