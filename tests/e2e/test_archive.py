"""Old months of the ledger on the product as it runs: moved, put into files, dropped, read back; no score changes."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.audit.entries import NO_HASH, Seal
from shared.audit.postgresql import AuditSeals
from shared.container import Container
from shared.core.config import Settings
from shared.stores.postgresql.pool import Pool
from tests.contract.audit import Audit
from tests.support.api import Player
from tests.support.product import Product
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(600)
OLD, ROWS_A_MONTH = 3, 40
PLAYED = (
    "INSERT INTO score_history (request_id, user_id, increment, new_score, created_at)"
    " SELECT gen_random_uuid(), :user_id, 2, 2 * n, CAST(:month AS timestamp) + n * INTERVAL '1 hour'"
    " FROM generate_series(1, CAST(:rows AS int)) AS n"
)
ADDED = (
    "INSERT INTO score_totals (user_id, total, epoch)"
    " SELECT user_id, sum(increment), (SELECT last_value FROM reconciliation_epoch) FROM score_history"
    " WHERE user_id = :user_id GROUP BY user_id"
    " ON CONFLICT (user_id) DO UPDATE SET total = excluded.total, epoch = excluded.epoch"
)


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """Its horizon is not that of the others."""
    with Product(HISTORY_MONTHS="2", AUDIT_MONTHS="2") as running:
        yield running


@pytest.fixture(scope="module")
def months() -> list[str]:
    """Those that are over for two whole months and more, the oldest first."""
    first, found = datetime.now(UTC).replace(day=1), []
    for _ in range(OLD + 2):
        first = (first - timedelta(days=1)).replace(day=1)
        found.append(f"{first:%Y-%m}")
    return found[:1:-1]


@pytest.fixture(scope="module")
def player(product: Product, months: list[str]) -> Player:
    """Who played in each of them, and a moment ago."""
    found = product.api.new_player()
    for month in months:
        product.query(PLAYED, user_id=found.user_id, month=f"{month}-01", rows=ROWS_A_MONTH)
    product.query(ADDED, user_id=found.user_id)
    assert "1 discrepancy repaired" in run(product, "reconcile").stdout
    assert found.score(1).status == 200
    eventually(lambda: len(history(found)) == OLD * ROWS_A_MONTH + 1, 60, "the update is recorded")
    return found


def points() -> int:
    return 2 * OLD * ROWS_A_MONTH


def run(product: Product, *arguments: str) -> subprocess.CompletedProcess[str]:
    return product.verb(*arguments)


def said(product: Product, *arguments: str) -> str:
    done = run(product, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def history(player: Player) -> list[str]:
    """Request ids of all that the API shows."""
    found: list[str] = []
    cursor = ""
    while True:
        page = player.get(f"/api/score/{player.user_id}/history?limit=37{cursor}").json
        found += [entry["requestId"] for entry in page["data"]]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


def test_old_months_move_go_into_files_and_come_back(product: Product, player: Player, months: list[str], tmp_path: Path) -> None:
    before = history(player)
    assert "nothing is older" in said(product, "archive", "list")
    assert product.invoke("archive_ledger") == {"updates": OLD * ROWS_A_MONTH, "auditRows": 0}
    assert product.query("SELECT count(*) FROM score_history WHERE user_id = :id", id=player.user_id) == [[1]]
    assert history(player) == before

    listed = [line.split("\t")[:4] for line in said(product, "archive", "list").splitlines()[1:]]
    assert listed == [["score_history", month, "kept", str(ROWS_A_MONTH)] for month in months]

    said(product, "archive", "export", str(tmp_path))
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"score_history-{month}.jsonl.gz" for month in months]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert "in a file already" in said(product, "archive", "export", str(tmp_path))
    assert said(product, "archive", "verify", *map(str, files)).count("as exported") == OLD

    assert "in files" not in said(product, "archive", "drop", str(files[0]), "--yes")
    assert history(player) == before[:-ROWS_A_MONTH]
    shown = [json.loads(line) for line in said(product, "archive", "show", str(files[0])).splitlines()]
    assert [entry["requestId"] for entry in reversed(shown)] == before[-ROWS_A_MONTH:]
    assert shown[0] == shown[0] | {
        "userId": player.user_id,
        "increment": 2,
        "newScore": 2,
        "createdAt": f"{months[0]}-01T01:00:00.000Z",
    }
    one = said(product, "archive", "show", str(files[0]), "--request-id", before[-1])
    assert json.loads(one)["requestId"] == before[-1]

    assert "found: 0" in said(product, "reconcile", "--full", "--dry-run")
    assert "accounted for" in said(product, "balance")
    assert player.standing()["score"] == points() + 1

    said(product, "archive", "restore", str(files[0]))
    assert history(player) == before
    assert {line.split("\t")[2] for line in said(product, "archive", "list").splitlines()[1:]} == {"filed"}
    assert "is intact" in said(product, "verify-audit")


def test_a_file_that_was_changed_is_found_and_not_taken(
    product: Product, player: Player, months: list[str], tmp_path: Path
) -> None:
    product.invoke("archive_ledger")
    said(product, "archive", "export", str(tmp_path), "--part", months[1])
    [file] = tmp_path.iterdir()
    whole = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    for changed in (
        [whole[0].replace(b", 2, 2, ", b", 5, 2, "), *whole[1:]],
        whole[1:],
        whole[:-1],
        [*whole[:-1], whole[-1].replace(months[1].encode(), months[2].encode())],
    ):
        assert changed != whole
        file.write_bytes(gzip.compress(b"".join(changed)))
        done = run(product, "archive", "verify", str(file))
        assert (done.returncode, done.stderr) == (1, "")
        assert "changed" in done.stdout or "its end is missing" in done.stdout
        assert run(product, "archive", "drop", str(file), "--yes").returncode == 1
    file.write_bytes(gzip.compress(b"".join(whole))[:-20])
    assert "cannot be read" in run(product, "archive", "verify", str(file)).stdout
    assert len(history(player)) == OLD * ROWS_A_MONTH + 1


class SealedLog(Audit):
    """The audit log of a running product, for somebody who owns the tables and has the keys."""

    def __init__(self, product: Product, stores: Container) -> None:
        self.pool = Pool(product.runtime["database_url"])
        self.chain = replace(stores.audit_chain, seals=AuditSeals(self.pool))
        self.anchor = self.chain.anchor


def sealed_as_if(product: Product, months: list[str]) -> int:
    """Everything in the log so far becomes months old, a seal for each; answer how many rows are under those."""
    stores = Container(Settings.from_environment(product.runtime["function_env"]))
    log = SealedLog(product, stores)
    try:
        eventually(lambda: log.chain.anchor.claim("test", 100), 60, "it is our turn to seal")
        log.tamper("DELETE FROM audit_seals")
        log.add(30)
        [[last_id]] = log.run("SELECT max(id) FROM audit_log")
        log.chain.seals.add_salts(0, last_id, 10_000)
        [[rows]] = log.run("SELECT count(*) FROM audit_log")
        contents = log.chain.seals.unsealed(0, last_id, 1 + rows // len(months), len(months))
        previous = NO_HASH
        for seq, (content, name) in enumerate(zip(contents, months, strict=True), 1):
            hash_text = Seal.hash_of(seq, content, previous)
            seal = Seal(seq, content, previous, hash_text, log.chain.signer.sign(hash_text))
            assert log.chain.seals.add([seal])
            log.anchor.put(seal)
            log.make_old(datetime.now(UTC).month - int(name[5:]) + 12 * (datetime.now(UTC).year - int(name[:4])))
            previous = log.chain.seals.newest()[0].hash
        log.add(1)
        return int(rows)
    finally:
        log.chain.anchor.claim("test", 0)
        log.pool.close()
        stores.close()


def test_old_months_of_the_audit_log_go_into_files_and_come_back(
    product: Product, player: Player, months: list[str], tmp_path: Path
) -> None:
    rows = sealed_as_if(product, months)
    product.invoke("seal_audit")
    before = said(product, "export-audit")
    assert product.invoke("archive_ledger")["auditRows"] == rows
    assert said(product, "export-audit").startswith(before)
    assert "is intact" in said(product, "verify-audit")

    said(product, "archive", "export", str(tmp_path))
    files = sorted(tmp_path.glob("audit_log-*"))
    assert [file.name for file in files] == [f"audit_log-{month}.jsonl.gz" for month in months]
    assert said(product, "archive", "verify", *map(str, files)).count("as exported") == len(months)
    assert player.user_id.encode() not in b"".join(gzip.decompress(file.read_bytes()) for file in files)

    said(product, "archive", "drop", str(files[0]), "--yes")
    verified = said(product, "verify-audit")
    assert f"are in the detached part {months[0]}" in verified
    assert "is intact" in verified
    shown = [json.loads(line) for line in said(product, "archive", "show", str(files[0])).splitlines()]
    exported = [json.loads(line) for line in before.splitlines()][: len(shown)]
    for member in ("id", "at", "action", "requestId"):
        assert [entry[member] for entry in shown] == [entry[member] for entry in exported]
    assert said(product, "archive", "verify", str(files[0])).count("dropped") == 1

    said(product, "archive", "restore", str(files[0]))
    assert said(product, "export-audit").startswith(before)
    assert "is intact" in said(product, "verify-audit")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("export",), "name the directory"),
        (("verify",), "name the files"),
        (("verify", "nowhere.gz"), "there is no such file"),
        (("export", "{}", "--part", "1999-01"), "there is no part 1999-01"),
    ],
)
def test_what_cannot_be_done_is_said(product: Product, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = run(product, "archive", *(argument.format(tmp_path) for argument in arguments))
    assert done.returncode in (1, 2)
    assert told in done.stdout + done.stderr
