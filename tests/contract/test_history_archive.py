"""Old updates leave score_history for the months beside it: nothing is lost, counted twice, or taken from a total."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.audit.hmac_seals import SealSigner
from shared.core.clock import SystemClock
from shared.core.errors import InvalidParameter, PartNotReady, UnknownPart
from shared.ledger.archive_history import archive_history
from shared.ledger.archive_postgresql import HistoryArchive
from shared.ledger.events import Number, ScoreAccepted
from shared.ledger.postgresql import Ledger
from shared.operations import archive as archive_module
from shared.operations.archive import check_file, drop_part, read_part, restore_part, sign_part
from shared.operations.archive_postgresql import ArchiveParts
from shared.reconciliation.postgresql import Reconciliations
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.pool import Pool


class Months:
    """A ledger of its own; month 0 is the current one, month 2 the one before the last."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.ledger = Ledger(pool)
        self.archive = HistoryArchive(pool)
        self.epoch = self.ledger.open_epoch(None)
        self.sequence = 0
        self.user_id = self.new_player()

    def new_player(self) -> str:
        account = Account(str(uuid4()), f"Player-{secrets.token_hex(6)}", "player", "hash", secrets.token_hex(32))
        Users(self.pool).add(account)
        return account.user_id

    def begin(self, months_ago: int) -> datetime:
        """The first instant of a month, UTC."""
        first = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        for _ in range(months_ago):
            first = (first - timedelta(days=1)).replace(day=1)
        return first

    def update(self, months_ago: int, day: int = 10, user_id: str = "", increment: int = 2) -> ScoreAccepted:
        """An update with the next number, not recorded yet."""
        self.sequence += 1
        accepted_at = self.begin(months_ago) + timedelta(days=day - 1)
        number = Number(self.epoch, self.sequence)
        return ScoreAccepted(str(uuid4()), user_id or self.user_id, increment, 7, accepted_at, "198.51.100.7", number=number)

    def record(self, *events: ScoreAccepted, recorded_at: datetime | None = None) -> Sequence[ScoreAccepted]:
        """Recorded at the instant they were accepted, or at another one."""
        for event in events:
            self.ledger.record([event])
            self.as_owner(
                "UPDATE audit_log SET at = :at WHERE request_id = :request_id",
                at=recorded_at or event.accepted_at,
                request_id=event.request_id,
            )
        return events

    def as_owner(self, sql: str, **parameters: object) -> list[list[object]]:
        """Whatever the triggers refuse."""
        with self.pool.transaction("test") as session:
            session.script("ALTER TABLE audit_log DISABLE TRIGGER USER")
            rows = session.run(sql, **parameters)
            session.script("ALTER TABLE audit_log ENABLE TRIGGER USER")
        return rows

    def run(self, sql: str, **parameters: object) -> list[list[object]]:
        with self.pool.connection() as session:
            return session.run(sql, **parameters)

    def move(self, months: int = 1) -> int:
        return archive_history(months, self.archive, SystemClock())

    def live(self) -> set[object]:
        return {request_id for (request_id,) in self.run("SELECT request_id FROM score_history")}

    def parts(self) -> list[list[object]]:
        return self.run("SELECT part, row_count, filled_at IS NOT NULL, dropped_at IS NOT NULL FROM archive_parts ORDER BY part")

    def total(self) -> int:
        return self.ledger.totals([self.user_id])[self.user_id]


@pytest.fixture
def months(own_database_url: str) -> Iterator[Months]:
    pool = Pool(own_database_url)
    yield Months(pool)
    pool.close()


def days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def ids(events: Sequence[ScoreAccepted]) -> set[object]:
    return {event.request_id for event in events}


def test_what_is_older_than_so_many_whole_months_moves(months: Months) -> None:
    old = months.record(*(months.update(4, day) for day in (1, 15, 28)), months.update(3), months.update(2))
    young = months.record(months.update(1, 1), months.update(0, 1))
    assert months.move(1) == 5
    assert months.live() == ids(young)
    named = [f"{months.begin(ago):%Y-%m}" for ago in (4, 3, 2)]
    assert months.parts() == [[named[0], 3, True, False], [named[1], 1, True, False], [named[2], 1, True, False]]
    assert ids(old) == {row for (row,) in months.run("SELECT request_id FROM score_history_archive")}
    assert months.move(1) == 0


def test_more_months_keep_more(months: Months) -> None:
    [oldest, *others] = months.record(*(months.update(ago) for ago in (5, 4, 3, 2, 1)))
    assert months.move(4) == 1
    assert months.live() == ids(others)
    assert months.move(12) == 0
    assert oldest.request_id not in months.live()


def test_totals_stay_as_they_are(months: Months) -> None:
    months.record(*(months.update(ago, increment=5) for ago in (3, 2, 1)))
    before = months.run("SELECT total, epoch, updated_at FROM score_totals")
    assert months.move() == 2
    assert months.run("SELECT total, epoch, updated_at FROM score_totals") == before
    assert months.total() == 15


def test_a_row_that_somebody_deletes_still_leaves_the_total(months: Months) -> None:
    _, young = months.record(months.update(3, increment=5), months.update(1, increment=3))
    months.move()
    months.run("DELETE FROM score_history WHERE request_id = :id", id=young.request_id)
    assert months.total() == 5
    months.record(months.update(0, 1, increment=1))
    months.run("TRUNCATE score_history")
    assert months.total() == 5


def test_an_archived_row_is_not_changed(months: Months) -> None:
    months.record(months.update(3))
    months.move()
    [[part]] = months.run(
        "SELECT CAST(inhrelid AS regclass) FROM pg_inherits WHERE inhparent = CAST('score_history_archive' AS regclass)"
    )
    for table in ("score_history_archive", part):
        for change in ("DELETE FROM {}", "UPDATE {} SET increment = 1", "TRUNCATE {}"):
            with pytest.raises(StatementRejected, match="append-only"):
                months.run(change.format(table))


def test_a_history_goes_on_into_the_archive(months: Months) -> None:
    events = months.record(*(months.update(ago, day) for ago in (4, 3, 2, 1, 0) for day in (1, 1)))
    months.record(months.update(3, user_id=months.new_player()))
    months.move()
    newest_first = [event.request_id for event in reversed(events)]
    for page in (3, 4, 5, 7, 10, 11):
        found, before = [], None
        while entries := months.ledger.history(months.user_id, page, before):
            found += [entry.request_id for entry in entries]
            before = entries[-1].id
        assert found == newest_first
    assert months.ledger.recorded(events[0].request_id) is not None
    assert months.ledger.has_accepted(events[0].request_id)


def test_what_comes_again_after_months_counts_no_second_time(months: Months) -> None:
    old = months.record(*(months.update(3, day) for day in (1, 2, 3)))
    months.move()
    batch = months.ledger.record(old)
    assert (batch.new, batch.refused) == (0, {})
    assert sorted(batch.known) == sorted(event.request_id for event in old)
    assert months.total() == 6
    assert months.live() == set()


def test_an_old_update_that_the_ledger_does_not_have_is_recorded(months: Months) -> None:
    months.record(months.update(3))
    months.move()
    late = months.update(3)
    assert months.ledger.record([late]).new == 1
    assert months.total() == 4
    months.as_owner("UPDATE audit_log SET at = :at WHERE request_id = :id", at=days_ago(20), id=late.request_id)
    assert months.move() == 0  # it was recorded of late


def test_a_second_acceptance_with_another_number_counts(months: Months) -> None:
    [old] = months.record(months.update(3))
    months.move()
    months.sequence += 1
    again = old._replace(number=Number(months.epoch, months.sequence))
    assert months.ledger.record([again]).new == 1
    assert months.total() == 4
    assert months.ledger.record([again]).new == 0
    assert months.total() == 4


def test_an_archived_update_is_not_missing(months: Months) -> None:
    months.record(*(months.update(3) for _ in range(3)), months.update(1))
    months.move()
    assert Reconciliations(months.pool, range(1, 6)).missing([months.user_id]) == {}


def test_a_number_that_never_came_is_given_up_with_its_month(months: Months) -> None:
    months.record(months.update(3))
    months.sequence += 2  # two that nobody has
    months.record(months.update(3))
    newest = months.record(months.update(0, 1))[0].number
    assert newest is not None
    assert sum(gap.size for gap in months.ledger.missing(newest)) == 2
    months.move()
    assert months.ledger.missing(newest) == []
    assert months.ledger.lost() == 2
    months.ledger.open_epoch(newest)
    assert months.ledger.count_lost(months.epoch + 1) == {}
    assert months.ledger.lost() == 2


def test_a_ledger_that_fell_behind_by_weeks_waits(months: Months) -> None:
    months.record(months.update(3), recorded_at=days_ago(2))
    assert months.move() == 0
    assert months.parts() == []


def test_months_in_which_nobody_played_are_left_out(months: Months) -> None:
    months.record(months.update(7), months.update(3))
    assert months.move() == 2
    assert [part[0] for part in months.parts()] == [f"{months.begin(ago):%Y-%m}" for ago in (7, 3)]


def test_a_batch_at_a_time(months: Months) -> None:
    months.record(*(months.update(3) for _ in range(5)))
    assert months.archive.move(1, 2) == 2
    assert months.parts()[0][1:] == [None, False, False]
    assert [months.archive.move(1, 2) for _ in range(3)] == [2, 1, 0]
    assert months.parts()[0][1:] == [5, True, False]


class Filed:
    """The parts of a ledger, and a file that is kept in memory."""

    def __init__(self, months: Months) -> None:
        self.parts = ArchiveParts(months.pool, months.pool)
        self.signer = SealSigner({"test": bytes(range(32))})
        self.lines: list[str] = []
        self.last: dict[str, Any] = {}

    def export(self, part: str) -> None:
        self.lines = []
        after: int | None = 0
        while after is not None:
            page = read_part({"kind": "score_history", "part": part, "after": after}, self.parts)
            self.lines += page["lines"]
            after = page["after"]
        digest = hashlib.sha256("".join(f"{line}\n" for line in self.lines).encode()).hexdigest()
        wanted = {"kind": "score_history", "part": part, "rows": len(self.lines), "digest": digest}
        self.last = sign_part(wanted, self.parts, self.signer)

    def drop(self) -> None:
        drop_part({"file": self.last}, self.parts, self.signer)

    def restore(self, *pages: list[str]) -> None:
        for number, lines in enumerate(pages):
            wanted = {"file": self.last, "lines": lines, "begins": number == 0, "ends": number == len(pages) - 1}
            restore_part(wanted, self.parts, self.signer)

    def restore_a_page(self, lines: list[str], attempt: str, *, begins: bool = False, ends: bool = False) -> None:
        wanted = {"file": self.last, "lines": lines, "begins": begins, "ends": ends, "attempt": attempt}
        restore_part(wanted, self.parts, self.signer)

    def check(self) -> dict[str, Any]:
        return check_file({"file": self.last}, self.parts, self.signer)


@pytest.fixture
def filed(months: Months) -> Filed:
    """Three months, the oldest of them in a file and dropped."""
    months.record(*(months.update(ago, day) for ago in (4, 3, 2) for day in (1, 2, 3)), months.update(0, 1))
    months.move()
    made = Filed(months)
    made.export(f"{months.begin(4):%Y-%m}")
    made.drop()
    return made


def test_a_part_that_was_dropped_comes_back_as_it_was(months: Months) -> None:
    months.record(*(months.update(3, day, increment=day) for day in (1, 2, 3)))
    months.move()
    rows = months.run("SELECT * FROM score_history_archive ORDER BY id")
    filed = Filed(months)
    filed.export(f"{months.begin(3):%Y-%m}")
    assert filed.check() == {"genuine": True, "state": "filed"}
    filed.drop()
    assert filed.check() == {"genuine": True, "state": "dropped"}
    assert months.run("SELECT * FROM score_history_archive") == []
    assert months.total() == 6
    filed.restore(filed.lines[:2], filed.lines[2:])
    assert months.run("SELECT * FROM score_history_archive ORDER BY id") == rows
    assert filed.check() == {"genuine": True, "state": "filed"}
    with pytest.raises(StatementRejected, match="append-only"):
        months.run("DELETE FROM score_history_archive")
    assert [row[0] for row in months.run("SELECT action FROM audit_log WHERE action LIKE 'archive%' ORDER BY id")] == [
        "archive_part_dropped",
        "archive_part_restored",
    ]


def test_a_history_ends_where_the_files_begin(months: Months, filed: Filed) -> None:
    assert len(months.ledger.history(months.user_id, 100, None)) == 7
    assert months.total() == 20


def test_what_is_in_files_alone_is_not_missing(months: Months, filed: Filed) -> None:
    assert Reconciliations(months.pool, range(1, 6)).missing([months.user_id]) == {}


def test_what_may_be_in_a_file_alone_is_refused_and_can_be_recorded_when_that_is_back(months: Months, filed: Filed) -> None:
    first = json.loads(filed.lines[0])
    known = ScoreAccepted(first[1], first[2], first[3], first[4], months.begin(4), "", number=Number(first[6], first[7]))
    never = months.update(4, 2)
    batch = months.ledger.record([known, never, months.update(0, 2)])
    assert batch.new == 1
    assert set(batch.refused) == {known.request_id, never.request_id}
    assert "in files alone" in batch.refused[never.request_id]
    filed.restore(filed.lines)
    assert months.ledger.record([known, never]).new == 1
    assert months.total() == 24


def test_a_part_stays_while_messages_of_its_time_wait(months: Months) -> None:
    months.record(*(months.update(3, day) for day in (1, 2)))
    months.move()
    filed = Filed(months)
    filed.export(f"{months.begin(3):%Y-%m}")
    note = (
        "INSERT INTO unrecorded_updates (request_id, user_id, increment, reason, accepted_at, state)"
        " VALUES ('r-1', :user_id, 1, 'refused', :at, 'parked')"
    )
    months.run(note, user_id=months.user_id, at=months.begin(3))
    with pytest.raises(PartNotReady, match="1 messages may be of that time"):
        filed.drop()
    months.run("UPDATE unrecorded_updates SET state = 'discarded'")
    filed.drop()


@pytest.mark.parametrize(("member", "value"), [("rows", 2), ("digest", "0" * 64), ("lastId", 1), ("mac", "0" * 64)])
def test_a_file_whose_last_line_was_changed_is_not_ours(months: Months, filed: Filed, member: str, value: object) -> None:
    filed.last["archive"][member] = value
    assert filed.check()["genuine"] is False
    with pytest.raises(PartNotReady, match="not signed"):
        filed.restore(filed.lines)
    assert months.parts()[0][3] is True


def test_a_file_of_a_key_that_was_given_up_cannot_be_told(filed: Filed) -> None:
    filed.signer = SealSigner({"other": bytes(range(32))})
    assert filed.check()["genuine"] is None


def test_rows_that_are_left_out_do_not_come_back_as_the_part(months: Months, filed: Filed) -> None:
    with pytest.raises(PartNotReady, match="had 3 rows, and 2 were given"):
        filed.restore(filed.lines[:2])
    filed.restore(filed.lines)
    assert len(months.ledger.history(months.user_id, 100, None)) == 10


def test_only_a_whole_part_gets_a_file(months: Months) -> None:
    months.record(*(months.update(3) for _ in range(3)))
    months.archive.move(1, 2)
    filed, part = Filed(months), f"{months.begin(3):%Y-%m}"
    with pytest.raises(PartNotReady, match="is moving"):
        filed.export(part)
    months.move()
    wanted = {"kind": "score_history", "part": part, "rows": 2, "digest": "0" * 64}
    with pytest.raises(PartNotReady, match="has 3 rows"):
        sign_part(wanted, filed.parts, filed.signer)
    with pytest.raises(UnknownPart):
        filed.export("2001-01")


def test_a_part_is_read_page_by_page(months: Months, monkeypatch: pytest.MonkeyPatch) -> None:
    months.record(*(months.update(3) for _ in range(5)))
    months.move()
    whole, paged = Filed(months), Filed(months)
    whole.export(f"{months.begin(3):%Y-%m}")
    monkeypatch.setattr(archive_module, "LINES_AT_ONCE", 2)
    paged.export(f"{months.begin(3):%Y-%m}")
    assert (paged.lines, paged.last) == (whole.lines, whole.last)


def test_of_several_who_restore_a_part_at_once_the_last_one_goes_on(months: Months, filed: Filed) -> None:
    filed.restore_a_page(filed.lines[:2], "aa", begins=True)
    filed.restore_a_page(filed.lines[:1], "bb", begins=True)
    for ends in (False, True):
        with pytest.raises(PartNotReady, match="is being restored by somebody else, who began later"):
            filed.restore_a_page(filed.lines[2:], "aa", ends=ends)
    filed.restore_a_page(filed.lines[1:], "bb", ends=True)
    assert len(months.ledger.history(months.user_id, 100, None)) == 10
    with pytest.raises(PartNotReady, match="is in the database"):
        filed.restore_a_page(filed.lines[2:], "aa", ends=True)


def test_many_who_restore_a_part_at_once_bring_it_back_once(months: Months, filed: Filed) -> None:
    def restore(number: int) -> bool:
        try:
            for place, line in enumerate(filed.lines):
                filed.restore_a_page([line], f"a{number}", begins=place == 0, ends=place == 2)
        except PartNotReady:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(restore, range(4))) == 1
    assert len(months.ledger.history(months.user_id, 100, None)) == 10


@pytest.mark.parametrize("attempt", ["'; --", "a" * 33, 7, None])
def test_an_attempt_is_named_in_hex(filed: Filed, attempt: Any) -> None:
    with pytest.raises(InvalidParameter, match="`attempt`"):
        filed.restore_a_page(filed.lines, attempt, begins=True)
