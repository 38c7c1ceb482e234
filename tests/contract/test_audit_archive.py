"""Sealed rows leave audit_log for the months beside it: the chain stays whole, and everybody reads what they read before."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from local_runtime.cli.archive_file import is_row, lines_of, verified
from local_runtime.cli.archive_seals import problems_with_seals
from shared.audit.archive_audit import archive_audit
from shared.audit.entries import AuditEntry, AuditFilter, Span
from shared.audit.hmac_seals import SealSigner
from shared.core.clock import SystemClock
from shared.core.errors import InvalidParameter, PartNotReady
from shared.operations import archive as archive_module
from shared.operations.archive import check_file, drop_part, read_part, restore_part, sign_part
from shared.operations.archive_postgresql import ArchiveParts
from shared.operations.check_seals import check_seals
from shared.stores.postgresql.errors import StatementRejected
from tests.contract.audit import KEY, Audit, month
from tests.contract.test_salted_seals import seal_as_before

CHANGED = "covers rows that were changed"
TEXTS = "covers rows of which {} clear texts are missing, and {} were changed"
PERSONAL = ("u-1", "u-2", "anna", "198.51.100.7", "203.0.113.9", "Annas reason")


def write(audit: Audit) -> None:
    """Rows of several kinds."""
    audit.add(2)
    for action, actor, user_id, detail in (
        ("user_registered", "u-2", "u-2", {"username": "anna", "role": "player"}),
        ("player_hidden", "u-1", "u-2", {"board": "*", "reason": "Annas reason"}),
        ("score_refused", "anonymous", None, {"addresses": "203.0.113.0/24", "reason": "replayed", "firstAt": "x"}),
        ("board_defined", "operator", None, {"board": "sprints"}),
    ):
        audit.run(
            "INSERT INTO audit_log (action, actor, user_id, request_id, source_ip, detail)"
            " VALUES (:action, :actor, :user_id, 'r-x', '203.0.113.9', CAST(:detail AS jsonb))",
            action=action,
            actor=actor,
            user_id=user_id,
            detail=json.dumps(detail),
        )


def add_month(audit: Audit, months_ago: int, *, as_before: bool = False) -> None:
    """Two seals of that month."""
    for _ in range(2):
        if as_before:
            seal_as_before(audit, 3)
        else:
            write(audit)
            audit.seal()
        audit.make_old(months_ago)


def move(audit: Audit, months: int = 1) -> int:
    return archive_audit(months, audit.chain)


def archived(audit: Audit) -> list[int]:
    return [row[0] for row in audit.run("SELECT id FROM audit_log_archive ORDER BY id")]


def parts(audit: Audit) -> list[list[Any]]:
    return audit.run("SELECT part, row_count, filled_at IS NOT NULL FROM archive_parts WHERE kind = 'audit_log' ORDER BY part")


@pytest.fixture
def months(audit: Audit) -> Audit:
    """Months 4, 3 and 2 of the past, and rows of today."""
    for ago in (4, 3, 2):
        add_month(audit, ago)
    write(audit)
    audit.seal()
    return audit


def test_what_was_sealed_before_so_many_whole_months_moves(months: Audit) -> None:
    assert move(months, 3) == 12
    assert parts(months) == [[f"{month(4):%Y-%m}", 12, True]]
    assert move(months, 1) == 24
    assert [part[0] for part in parts(months)] == [f"{month(ago):%Y-%m}" for ago in (4, 3, 2)]
    assert archived(months) == list(range(1, 37))
    assert months.run("SELECT min(id), count(*) FROM audit_log") == [[37, 6]]
    assert move(months, 1) == 0
    assert months.problems() == []
    assert months.verify()["rows"] == 42


def test_rows_that_are_not_sealed_stay(audit: Audit) -> None:
    add_month(audit, 3)
    audit.add(3)
    audit.tamper("UPDATE audit_log SET at = now() - INTERVAL '3 months' WHERE id > 12")
    assert move(audit) == 6, "the last seal has none behind it yet"
    audit.seal()
    assert archived(audit) == list(range(1, 7))
    assert audit.problems() == []


def test_an_empty_log_has_nothing_to_move(audit: Audit) -> None:
    assert move(audit) == 0
    audit.add_sealed(3, 3)
    assert move(audit) == 0


def test_months_without_seals_are_left_out(audit: Audit) -> None:
    add_month(audit, 7)
    add_month(audit, 3)
    audit.add_sealed(1, 3)
    assert move(audit) == 24
    assert [part[0] for part in parts(audit)] == [f"{month(ago):%Y-%m}" for ago in (7, 3)]
    assert audit.problems() == []


def test_what_time_does_not_suffice_for_is_the_next_runs(months: Audit) -> None:
    span = months.chain.archive.begin(1)
    assert span == Span(0, 12)
    assert months.chain.archive.move(12, 5) == 5
    assert months.problems() == []
    assert parts(months) == [[f"{month(4):%Y-%m}", None, False]]
    assert move(months) == 31
    assert months.problems() == []


def test_no_clear_text_is_in_the_archive(months: Audit) -> None:
    move(months)
    text = json.dumps(months.run("SELECT CAST(to_jsonb(old) AS text) FROM audit_log_archive AS old"))
    assert not [clear for clear in PERSONAL if clear in text]
    assert "sprints" in text
    assert "replayed" in text
    values = {row[0] for row in months.run("SELECT value FROM audit_personal")}
    assert {"u-1", "u-2", '"anna"', "198.51.100.7", "203.0.113.9"} <= values


FILTERS = [
    AuditFilter(user_id=user_id, action=action, actor=actor, request_id=request_id)
    for user_id, action, actor, request_id in product(
        (None, "u-2"), (None, "score_accepted", "player_hidden"), (None, "u-1", "operator"), (None, "r-x")
    )
]


def test_everybody_reads_what_they_read_before(months: Audit) -> None:
    def everything() -> list[list[AuditEntry]]:
        since, until = month(4) + timedelta(days=8), month(2) + timedelta(days=8)
        log = months.log
        return [
            *(log.newest(one, 1000, None) for one in FILTERS),
            *(log.newest(one, 5, 30) for one in FILTERS),
            *(log.newest(replace(one, since=since, until=until), 1000, None) for one in FILTERS),
            *(log.additions(one, 3, 40, 1000) for one in FILTERS),
            log.page(None, None, 0, 1000),
            log.page(since, until, 2, 10),
        ]

    before = everything()
    assert sum(map(len, before)) > 100
    for until in (3, 2, 1):
        assert move(months, until) == 12
        assert everything() == before


def test_an_archived_row_is_not_changed_and_none_leaves_but_by_the_archive(months: Audit) -> None:
    move(months, 2)
    [part] = [f"audit_log_{month(4):%Y_%m}"]
    for table, change in product(("audit_log_archive", "audit_personal", part), ("DELETE FROM {}", "TRUNCATE {}")):
        with pytest.raises(StatementRejected, match="append-only"):
            months.run(change.format(table))
    with pytest.raises(StatementRejected, match="append-only"):
        months.run("UPDATE audit_log_archive SET action = 'x'")
    for sql in ("DELETE FROM audit_log", "DELETE FROM audit_log WHERE id = 40", "UPDATE audit_log SET action = 'x'"):
        with pytest.raises(StatementRejected, match="audit_log is append-only"):
            months.run(sql)
    months.run("INSERT INTO audit_log SELECT * FROM audit_log_archive WHERE id = 5")
    with pytest.raises(StatementRejected, match="audit_log is append-only"):
        months.run("DELETE FROM audit_log WHERE id IN (5, 40)")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE audit_log_archive SET actor = repeat('0', 64) WHERE id = 3", CHANGED),
        ("UPDATE audit_log_archive SET user_id = NULL WHERE id = 3", CHANGED),
        ("UPDATE audit_log_archive SET source_ip = NULL WHERE id = 3", CHANGED),
        ("UPDATE audit_log_archive SET action = 'x' WHERE id = 3", CHANGED),
        ('UPDATE audit_log_archive SET detail = \'{"role": "admin"}\' WHERE id = 3', CHANGED),
        ("UPDATE audit_log_archive SET at = at + INTERVAL '1 second' WHERE id = 3", CHANGED),
        ("DELETE FROM audit_log_archive WHERE id = 3", "covers 6 rows, 5 are there"),
        ("INSERT INTO audit_log (id, action, actor) VALUES (3, 'x', 'x')", "covers 6 rows, 7 are there"),
        ("""UPDATE audit_personal SET value = '"bert"' WHERE value = '"anna"'""", TEXTS.format(0, 1)),
        ("""DELETE FROM audit_personal WHERE value = '"anna"'""", TEXTS.format(1, 0)),
        ("UPDATE audit_personal SET subject = 'u-1' WHERE value = '\"anna\"'", TEXTS.format(0, 1)),
    ],
)
def test_a_change_to_the_archive_is_found(months: Audit, change: str, problem: str) -> None:
    move(months)
    assert months.problems() == []
    months.tamper(change)
    assert (1, problem) in months.problems()


def test_a_salt_of_archived_rows_that_was_changed_is_found(months: Audit) -> None:
    move(months)
    months.tamper("UPDATE audit_salts SET salt = gen_random_uuid() WHERE subject = 'u-2'")
    found = dict(months.problems())
    assert set(found) == {1, 2, 3, 4, 5, 6, 7}
    assert "were changed" in found[1]


@pytest.fixture
def upgraded(audit: Audit) -> Audit:
    """Seals of a version that hashed rows as they are, and of this one."""
    add_month(audit, 4, as_before=True)
    add_month(audit, 3)
    audit.add_sealed(1, 3)
    return audit


def test_what_was_sealed_as_it_is_is_verified_over_its_hashes(upgraded: Audit) -> None:
    assert move(upgraded) == 18
    assert upgraded.problems() == []
    upgraded.tamper("TRUNCATE audit_personal")
    assert [seq for seq, problem in upgraded.problems()] == [1, 2, 3, 4]
    assert all("clear texts are missing" in problem for _, problem in upgraded.problems()), "and no row was changed"


def test_without_what_was_signed_a_seal_of_before_needs_its_clear_texts(upgraded: Audit) -> None:
    move(upgraded)
    upgraded.run("TRUNCATE audit_signatures")
    assert upgraded.problems() == []
    upgraded.tamper("TRUNCATE audit_personal")
    assert upgraded.problems()[:2] == [(1, CHANGED), (2, CHANGED)]


@pytest.mark.parametrize("key", [bytes(32), bytes(range(32))])
def test_what_stands_in_for_a_seal_must_have_been_signed_by_us(upgraded: Audit, key: bytes) -> None:
    """Somebody who has the database, and not the key, changes a row and what stands in for its seal."""
    move(upgraded)
    upgraded.tamper("UPDATE audit_log_archive SET action = 'x' WHERE id = 2")
    seal = upgraded.chain.seals.page(1, 1)[0]
    [now] = upgraded.chain.seals.contents([seal], hashed=True)
    restated = seal.restated(now.content_hash)
    signature = SealSigner({"test": key}).sign(restated)
    upgraded.run(
        "INSERT INTO audit_signatures (key_id, signed, mac) VALUES ('test', :signed, :mac)", signed=restated, mac=signature.mac
    )
    assert upgraded.problems() == ([(1, CHANGED)] if key == bytes(32) else [])


def test_a_row_that_was_changed_before_it_moved_is_found_afterwards(upgraded: Audit) -> None:
    upgraded.tamper("UPDATE audit_log SET action = 'x' WHERE id = 2")
    assert upgraded.problems() == [(1, CHANGED)]
    assert move(upgraded) == 18
    assert upgraded.problems() == [(1, CHANGED)]


def test_what_was_signed_outlives_its_key(upgraded: Audit) -> None:
    move(upgraded)
    new = bytes(range(32, 64))
    upgraded.chain = replace(upgraded.chain, signer=SealSigner({"new": new, **KEY}))
    upgraded.add_sealed(1, 3)
    assert move(upgraded) == 0
    upgraded.chain = replace(upgraded.chain, signer=SealSigner({"new": new}))
    upgraded.tamper("TRUNCATE audit_personal")
    assert not [problem for _, problem in upgraded.problems() if problem == CHANGED]


class Recording(SystemClock):
    """Pauses are counted, not made."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


def test_a_pause_stands_behind_each_batch(months: Audit) -> None:
    clock = Recording()
    assert archive_audit(1, replace(months.chain, clock=clock)) == 36
    assert len(clock.pauses) == 3
    assert min(clock.pauses) > 0


@pytest.mark.parametrize("reader", [lambda audit: audit.log.page(None, None, 0, 100), lambda audit: audit.verify()["rows"]])
def test_what_is_read_meanwhile_is_whole(months: Audit, reader: Callable[[Audit], Any]) -> None:
    """One statement sees one instant: a row is here or there."""
    before = reader(months)
    while months.chain.archive.begin(1):
        months.chain.archive.move(10**9, 4)
        assert reader(months) == before


class File:
    """A part in a file, as `scoreboard archive` writes and reads it."""

    def __init__(self, audit: Audit, path: Path, part: str) -> None:
        self.audit, self.path, self.part = audit, path / "audit_log.jsonl.gz", part
        self.parts = ArchiveParts(audit.pool, audit.pool)
        self.lines: list[str] = []
        self.last: dict[str, Any] = {}

    def export(self) -> None:
        named = {"kind": "audit_log", "part": self.part}
        self.lines = []
        after: int | None = 0
        while after is not None:
            page = read_part({**named, "after": after}, self.parts)
            self.lines += page["lines"]
            after = page["after"]
        self.sign()

    def sign(self, lines: Sequence[str] | None = None) -> None:
        """What is in the lines now; a part has as many rows as it has."""
        self.lines = self.lines if lines is None else list(lines)
        digest = hashlib.sha256("".join(f"{line}\n" for line in self.lines).encode()).hexdigest()
        rows = sum(map(is_row, self.lines))
        self.audit.run("UPDATE archive_parts SET row_count = :rows WHERE part = :part", rows=rows, part=self.part)
        wanted = {"kind": "audit_log", "part": self.part, "rows": rows, "digest": digest}
        self.last = sign_part(wanted, self.parts, self.audit.chain.signer)
        self.path.write_bytes(gzip.compress("".join(f"{line}\n" for line in (*self.lines, json.dumps(self.last))).encode()))

    def problems(self) -> list[str]:
        """What is wrong with its seals."""
        return problems_with_seals(self._ask, verified(self.path))

    def _ask(self, event: Any) -> dict[str, Any]:
        return check_seals(event, self.audit.chain)

    def drop(self) -> None:
        drop_part({"file": self.last}, self.parts, self.audit.chain.signer)

    def restore(self, lines: Sequence[str]) -> None:
        wanted = {"file": self.last, "lines": lines, "begins": True, "ends": True}
        restore_part(wanted, self.parts, self.audit.chain.signer)

    def is_genuine(self) -> bool | None:
        genuine: bool | None = check_file({"file": self.last}, self.parts, self.audit.chain.signer)["genuine"]
        return genuine


@pytest.fixture
def filed(months: Audit, tmp_path: Path) -> File:
    """The oldest of the months, in a file."""
    move(months)
    made = File(months, tmp_path, f"{month(4):%Y-%m}")
    made.export()
    return made


def test_a_file_is_held_against_its_seals_without_the_rows_of_the_database(months: Audit, filed: File) -> None:
    months.tamper("UPDATE audit_log_archive SET action = 'x'")
    assert filed.problems() == []
    assert filed.is_genuine()
    rows = [json.loads(line) for line in lines_of(filed.path) if is_row(line)]
    assert [row[0] for row in rows] == list(range(1, 13))
    seals = [json.loads(line)["seal"] for line in lines_of(filed.path) if not is_row(line)]
    assert [seal[:4] for seal in seals] == [[1, 1, 6, 6], [2, 7, 12, 6]]
    assert not [clear for clear in PERSONAL if clear in "".join(filed.lines)]


def test_a_file_is_the_same_whatever_its_pages_are(filed: File, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = filed.lines
    for size in (1, 2, 3, 5, 7):
        monkeypatch.setattr(archive_module, "LINES_AT_ONCE", size)
        filed.export()
        assert filed.lines == whole


def test_an_answer_is_bounded_whatever_stands_in_the_rows(months: Audit, filed: File, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, answers = filed.lines, []
    monkeypatch.setattr(archive_module, "MAX_ANSWER_BYTES", 1000)
    after: int | None = 0
    while after is not None:
        page = read_part({"kind": "audit_log", "part": filed.part, "after": after}, filed.parts)
        answers.append(page["lines"])
        after = page["after"]
    assert len(answers) > 3
    assert all(len(json.dumps(lines)) < 2000 for lines in answers)
    assert [line for lines in answers for line in lines] == whole


CHANGES: list[tuple[Callable[[list[str]], list[str]], str]] = [
    (lambda lines: [lines[0].replace("score_accepted", "score_refused"), *lines[1:]], "seal 1 covers rows that were changed"),
    (lambda lines: [lines[1], lines[0], *lines[2:]], "seal 1 covers rows that were changed"),
    (lambda lines: lines[1:], "seal 1 covers 6 rows, 5 are there"),
    (lambda lines: [*lines[:6], *lines[7:]], "seal 2 does not follow the one before it"),
    (lambda lines: lines[:-1], "no seal covers rows 7 to 12"),
    (lambda lines: [*lines[:-1], lines[-1].replace("[2, 7, 12, 6,", "[2, 7, 12, 5,")], "no seal covers rows 7 to 12"),
]


@pytest.mark.parametrize(("change", "problem"), CHANGES)
def test_a_file_with_other_rows_than_were_sealed_is_found_even_if_it_was_signed(
    filed: File, change: Callable[[list[str]], list[str]], problem: str
) -> None:
    """As if the rows had been changed in the database before they were written."""
    assert change(filed.lines) != filed.lines
    filed.sign(change(filed.lines))
    assert problem in filed.problems()


def test_a_row_that_was_changed_in_the_archive_is_found_in_its_file(months: Audit, tmp_path: Path) -> None:
    move(months)
    months.tamper("UPDATE audit_log_archive SET action = 'x' WHERE id = 8")
    file = File(months, tmp_path, f"{month(4):%Y-%m}")
    file.export()
    assert file.problems() == ["seal 2 covers rows that were changed"]


def test_seals_of_a_stranger_in_a_file_mean_nothing(months: Audit, filed: File) -> None:
    fields = json.loads(next(line for line in filed.lines if not is_row(line)))["seal"]
    forged = [*fields[:-1], SealSigner({"test": bytes(32)}).sign(fields[7]).mac]
    strangers = [json.dumps({"seal": forged}), json.dumps({"seal": [9, *fields[1:]]})]
    filed.sign([*filed.lines[:3], *strangers, *filed.lines[3:]])
    assert filed.problems() == []
    with pytest.raises(InvalidParameter):
        check_seals({"seals": [[1, 2]]}, months.chain)


def test_a_part_in_a_file_alone_is_no_hole_in_the_chain(months: Audit, filed: File) -> None:
    assert months.verify()["detached"] == []
    filed.drop()
    report = months.verify()
    digest = filed.last["archive"]["digest"]
    assert report["detached"] == [{"part": filed.part, "firstSeal": 1, "lastSeal": 2, "rows": 12, "digest": digest}]
    assert (report["intact"], report["rows"]) == (True, 30)
    assert [entry.id for entry in months.log.page(None, None, 0, 3)] == [13, 14, 15]
    assert filed.problems() == []


def test_a_part_comes_back_as_it_was(months: Audit, filed: File) -> None:
    before = months.log.page(None, None, 0, 1000)
    rows = months.run("SELECT * FROM audit_log_archive ORDER BY id")
    filed.drop()
    assert len(months.log.page(None, None, 0, 1000)) == len(before) - 12 + 1, "and that it was dropped"
    filed.restore(filed.lines)
    assert months.run("SELECT * FROM audit_log_archive ORDER BY id") == rows
    assert months.log.page(None, None, 0, 1000)[: len(before)] == before
    months.seal()
    report = months.verify()
    assert (report["intact"], report["detached"]) == (True, [])
    noted = [entry.action for entry in months.log.newest(AuditFilter(), 2, None)]
    assert noted == ["archive_part_restored", "archive_part_dropped"]
    with pytest.raises(StatementRejected, match="append-only"):
        months.run("DELETE FROM audit_log_archive")


NOTED = (
    "INSERT INTO archive_parts (kind, part, first_id, last_id, recorded_until, row_count, filled_at, digest, dropped_at)"
    " VALUES ('audit_log', :part, :first_id, :last_id, :until, :rows, now(), :digest, now())"
)


def test_rows_that_are_gone_without_our_word_are_found(months: Audit, filed: File) -> None:
    """The table is taken away, and notes about it are written that are not quite what was signed."""
    months.run(f"DROP TABLE audit_log_{month(4):%Y_%m}")
    missing = [(1, "covers 6 rows, 0 are there"), (2, "covers 6 rows, 0 are there")]
    assert months.problems() == missing
    signed: dict[str, Any] = {
        "part": filed.part,
        "first_id": 1,
        "last_id": 12,
        "until": month(3),
        "rows": 12,
        "digest": filed.last["archive"]["digest"],
    }
    forgeries: list[dict[str, Any]] = [
        {"digest": "0" * 64},
        {"last_id": 13},
        {"first_id": 0},
        {"rows": 11},
        {"part": "2001-01"},
        {"until": month(2)},
    ]
    for forged in forgeries:
        months.run("DELETE FROM archive_parts WHERE first_id <= 1")
        months.run(NOTED, **(signed | forged))
        assert months.problems() == missing, forged
    months.run("DELETE FROM archive_parts WHERE first_id <= 1")
    months.run(NOTED, **signed)
    assert months.problems() == [], "that is what was signed: its file has them"
    months.run("TRUNCATE audit_signatures")
    assert months.problems() == missing


def test_rows_of_a_part_in_a_file_alone_that_are_there_all_the_same_are_found(months: Audit, filed: File) -> None:
    filed.drop()
    months.run("INSERT INTO audit_log (id, action, actor) VALUES (3, 'x', 'x')")
    assert months.problems() == [(1, f"covers rows of the detached part {filed.part}, 1 are there")]


def test_the_word_for_a_part_outlives_its_key(months: Audit, filed: File) -> None:
    filed.drop()
    new = bytes(range(32, 64))
    months.chain = replace(months.chain, signer=SealSigner({"new": new, **KEY}))
    months.seal()
    move(months)
    months.chain = replace(months.chain, signer=SealSigner({"new": new}))
    assert months.problems() == []
    assert filed.is_genuine() is True
    assert filed.problems() == []


def test_a_part_sealed_as_it_was_goes_into_a_file_as_hashes(upgraded: Audit, tmp_path: Path) -> None:
    move(upgraded)
    file = File(upgraded, tmp_path, f"{month(4):%Y-%m}")
    file.export()
    assert not [clear for clear in PERSONAL if clear in "".join(file.lines)]
    assert file.problems() == []
    file.drop()
    assert upgraded.problems() == []
    file.restore(file.lines)
    assert upgraded.problems() == []
    upgraded.run("TRUNCATE audit_signatures")
    assert file.problems() == ["seal 1 covers rows that were changed", "seal 2 covers rows that were changed"]


def test_a_file_that_was_changed_is_not_taken_for_the_part(months: Audit, filed: File) -> None:
    filed.last["archive"]["digest"] = "0" * 64
    with pytest.raises(PartNotReady, match="not signed"):
        filed.drop()
    assert months.problems() == []
