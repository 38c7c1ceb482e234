"""What the board should say, found by what changed; what was lost from the ledger, given back."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.accounts.player import Account, Role
from shared.accounts.postgresql import Users
from shared.boards.board import MAIN
from shared.core.errors import ReconciliationRunning
from shared.ledger.events import Number, ScoreAccepted
from shared.ledger.postgresql import Ledger
from shared.reconciliation import postgresql as module
from shared.reconciliation.model import Discrepancy, ReconciliationRun
from shared.reconciliation.postgresql import Reconciliations
from shared.stores.postgresql.pool import Pool

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


class Books:
    """The ledger from both sides, and a database to spoil."""

    def __init__(self, database: Pool) -> None:
        self.database = database
        self.ledger = Ledger(database)
        self.reconciliations = Reconciliations(database, MAIN.increments)

    def player(self, role: Role = "player") -> str:
        account = Account(str(uuid4()), f"Player-{secrets.token_hex(6)}", role, "hash", secrets.token_hex(32))
        Users(self.database).add(account)
        return account.user_id

    def record(self, user_id: str, *increments: int) -> list[str]:
        events = [ScoreAccepted(str(uuid4()), user_id, increment, increment, ACCEPTED_AT, "ip") for increment in increments]
        self.ledger.record(events)
        return [event.request_id for event in events]

    def run(self, *, dry_run: bool = False) -> set[str]:
        """One run as the use case makes it; answers whose total changed."""
        span = self.reconciliations.begin()
        changed = {user_id for page in self.reconciliations.changed(span.since) for user_id in page}
        self.reconciliations.save(ReconciliationRun(span.opened, ACCEPTED_AT, dry_run, False, 0, []))
        return changed

    def points(self, user_ids: Sequence[str]) -> dict[str, int]:
        """At a number above all others."""
        return self.reconciliations.points_at(user_ids, Number(2**62, 0))

    def spoil(self, sql: str, **parameters: object) -> None:
        with self.database.connection() as session:
            session.run(sql, **parameters)


@pytest.fixture
def books(database: Pool) -> Books:
    return Books(database)


def test_only_those_are_found_whose_total_changed_since_the_last_runs(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    idle, players = books.player(), [books.player() for _ in range(5)]
    books.record(idle, 1)
    for _ in range(2):  # a transaction may commit late: an epoch is looked at twice
        assert idle in books.run()
    assert idle not in books.run()
    for player in players:
        books.record(player, 2, 3)
    changed = books.run()
    assert changed.issuperset(players)
    assert idle not in changed


def test_a_dry_run_leaves_what_changed_to_the_next_one(books: Books) -> None:
    player = books.player()
    books.record(player, 1)
    for _ in range(3):
        assert player in books.run(dry_run=True)
    assert player in books.run()


def test_everybody_who_belongs_on_the_board_is_named_once_page_by_page(books: Books) -> None:
    scorer, newcomers, admin = books.player(), [books.player() for _ in range(4)], books.player("admin")
    books.record(scorer, 5)
    named: list[str] = []
    points: dict[str, int] = {}
    after = None
    while after != "":
        page, after = books.reconciliations.points_after(after or "", 2)
        named += page
        points.update(page)
    assert len(named) == len(points)
    expected = {scorer: 5, **dict.fromkeys(newcomers, 0)}
    assert {user_id: points.get(user_id) for user_id in (scorer, *newcomers, admin)} == {**expected, admin: None}
    assert books.points([scorer, *newcomers, admin, "nobody"]) == expected
    assert sorted(books.reconciliations.unknown([scorer, *newcomers, admin, "nobody"])) == sorted([admin, "nobody"])


def test_users_are_named_page_by_page_in_their_order(books: Books) -> None:
    ours = {books.player() for _ in range(4)} | {books.player("admin")}
    named: list[str] = []
    while page := books.reconciliations.users_after(named[-1] if named else "", 2):
        assert len(page) <= 2
        named += page
    assert len(named) == len(set(named))
    assert set(named) >= ours


def test_points_are_told_as_they_were_at_a_number(books: Books) -> None:
    player, newcomer, epoch = books.player(), books.player(), books.ledger.open_epoch(None)
    later = books.ledger.open_epoch(None)
    numbers = [None, Number(epoch, 1), Number(epoch, 4), Number(later, 1)]
    books.ledger.record(
        [
            ScoreAccepted(str(uuid4()), player, points, points, ACCEPTED_AT, "ip", number)
            for points, number in zip((1, 2, 3, 4), numbers, strict=True)
        ]
    )
    at = [Number(epoch, 0), Number(epoch, 1), Number(epoch, 3), Number(epoch, 4), Number(later, 0), Number(later, 1)]
    told = [books.reconciliations.points_at([player, newcomer, "nobody"], number) for number in at]
    assert [points[player] for points in told] == [1, 3, 3, 6, 6, 10]
    assert [points.keys() for points in told] == [{player, newcomer}] * len(at)
    assert {points[newcomer] for points in told} == {0}


def test_points_that_the_ledger_refused_count_from_their_number_on(books: Books) -> None:
    player, epoch = books.player(), books.ledger.open_epoch(None)
    refused = ScoreAccepted(str(uuid4()), player, 4, 2**40, ACCEPTED_AT, "ip", Number(epoch, 2))
    old = refused._replace(request_id=str(uuid4()), increment=1, number=None)
    assert len(books.ledger.record([refused, old]).refused) == 2
    at = [Number(epoch, 1), Number(epoch, 2), Number(epoch, 9)]
    assert [books.reconciliations.points_at([player], number) for number in at] == [{player: 1}, {player: 5}, {player: 5}]


@pytest.mark.parametrize("name", ["", "\x00", "no\udcffbody", "x" * 37, "a,b{}\"'\\", "new\nline"])
def test_names_that_no_account_has_are_unknown(books: Books, name: str) -> None:
    player = books.player()
    assert books.points([name, player]) == {player: 0}
    assert books.reconciliations.unknown([name, player, "somebody"]) in ([name, "somebody"], ["somebody", name])


def test_a_ledger_row_that_was_deleted_is_missed_and_given_back_as_it_was(books: Books) -> None:
    player = books.player()
    lost, *_ = books.record(player, 4, 3)
    before = books.ledger.recorded(lost)
    books.run()
    books.run()
    books.run()
    books.spoil("DELETE FROM score_history WHERE request_id = :id", id=lost)
    assert books.points([player]) == {player: 3}
    assert player in books.run()
    assert books.reconciliations.missing([player]) == {player: 4}
    with books.reconciliations.alone() as run_number:
        assert books.reconciliations.restore([player], run_number) == {player: 4}
        assert books.reconciliations.restore([player], run_number) == books.reconciliations.missing([player]) == {}
    after = books.ledger.recorded(lost)
    assert before is not None
    assert after is not None
    assert (after.user_id, after.increment, after.new_score) == (player, 4, before.new_score)
    assert books.points([player]) == books.ledger.totals([player]) == {player: 7}


def test_what_the_ledger_refuses_by_now_keeps_nothing_else_from_being_given_back(books: Books) -> None:
    refused, other = books.player(), books.player()
    lost = [*books.record(refused, 4), *books.record(other, 2)]
    for request_id in lost:
        books.spoil("DELETE FROM score_history WHERE request_id = :id", id=request_id)
    books.spoil(f"ALTER TABLE score_history ADD CONSTRAINT not_theirs CHECK (user_id <> '{refused}') NOT VALID")
    with books.reconciliations.alone() as run_number:
        assert books.reconciliations.restore([refused, other], run_number) == {other: 2}
        books.spoil("ALTER TABLE score_history DROP CONSTRAINT not_theirs")
        assert books.reconciliations.restore([refused, other], run_number) == {refused: 4}


def test_a_ledger_row_that_was_changed_changes_the_total(books: Books) -> None:
    player = books.player()
    row, *_ = books.record(player, 1, 1)
    books.spoil("UPDATE score_history SET increment = 5 WHERE request_id = :id", id=row)
    assert books.ledger.totals([player]) == {player: 6}


def test_one_run_at_a_time(books: Books, database_url: str) -> None:
    another = Pool(database_url)
    with books.reconciliations.alone():
        with pytest.raises(ReconciliationRunning), Reconciliations(another, MAIN.increments).alone():
            raise AssertionError("two at once")
        with pytest.raises(ReconciliationRunning), books.reconciliations.alone():
            raise AssertionError("two at once")
    with Reconciliations(another, MAIN.increments).alone():
        pass
    another.close()


def test_a_run_that_was_held_up_until_another_began_writes_no_repair(books: Books) -> None:
    player = books.player()
    [lost] = books.record(player, 4)
    books.spoil("DELETE FROM score_history WHERE request_id = :id", id=lost)
    with books.reconciliations.alone() as late:
        books.spoil("UPDATE leases SET expires_at = now() - INTERVAL '1 second' WHERE name = :name", name=module.LEASE)
        with books.reconciliations.alone() as newest:
            assert newest > late
            with pytest.raises(ReconciliationRunning):
                books.reconciliations.audit_repairs([Discrepancy(player, 4, 9)], late)
            with pytest.raises(ReconciliationRunning):
                books.reconciliations.restore([player], late)
            assert books.reconciliations.restore([player], newest) == {player: 4}


def test_a_run_and_its_repairs_are_written_down(books: Books) -> None:
    entry = Discrepancy(str(uuid4()), 5, 999)
    stranger = Discrepancy(str(uuid4()), None, 7)
    run = ReconciliationRun(3, ACCEPTED_AT, True, True, 9, [entry, stranger])
    run_id = books.reconciliations.save(run)
    with books.reconciliations.alone() as run_number:
        books.reconciliations.audit_repairs(run.discrepancies, run_number)
    with books.database.connection() as session:
        [row] = session.run(
            "SELECT epoch, started_at, dry_run, whole_board, checked, discrepancies, detail FROM reconciliation_runs"
            " WHERE id = :id",
            id=run_id,
        )
        audited = session.run("SELECT action, actor, detail FROM audit_log WHERE user_id = :id", id=entry.user_id)
    found = {"ledgerTotal": 5, "boardBefore": 999, "boardAfter": 999, "missingPoints": 0, "difference": -994, "misplaced": False}
    assert row[:6] == [3, ACCEPTED_AT, True, True, 9, 2]
    assert row[6][0] == {"userId": entry.user_id, **found}
    assert row[6][1]["ledgerTotal"] is None
    assert audited == [["score_repaired", "reconcile_scores", found]]
