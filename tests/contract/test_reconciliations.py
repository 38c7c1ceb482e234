"""What the board should say, found by what changed; what was lost from the ledger, given back."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.adapters.postgresql import reconciliations as module
from shared.adapters.postgresql.ledger import PostgresLedger
from shared.adapters.postgresql.pool import Pool
from shared.adapters.postgresql.reconciliations import PostgresReconciliations
from shared.adapters.postgresql.users import PostgresUsers
from shared.domain.player import Account, Role
from shared.domain.reconciliation import Discrepancy, PointsAsOf, ReconciliationRun
from shared.domain.score import ScoreAccepted
from shared.errors import ReconciliationRunning

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


class Books:
    """The ledger from both sides, and a database to spoil."""

    def __init__(self, database: Pool) -> None:
        self.database = database
        self.ledger = PostgresLedger(database)
        self.reconciliations = PostgresReconciliations(database)

    def player(self, role: Role = "player") -> str:
        account = Account(str(uuid4()), f"Player-{secrets.token_hex(6)}", role, "hash", secrets.token_hex(32))
        PostgresUsers(self.database).add(account)
        return account.user_id

    def record(self, user_id: str, *increments: int) -> list[str]:
        events = [ScoreAccepted(str(uuid4()), user_id, increment, increment, ACCEPTED_AT, "ip") for increment in increments]
        self.ledger.record(events)
        return [event.request_id for event in events]

    def run(self, *, dry_run: bool = False) -> set[str]:
        """One run as the use case makes it; answers whose total changed."""
        span = self.reconciliations.begin()
        changed = set(_names(self.reconciliations.changed(span.since)))
        self.reconciliations.save(ReconciliationRun(span.opened, ACCEPTED_AT, dry_run, False, 0, []))
        return changed

    def spoil(self, sql: str, **parameters: object) -> None:
        with self.database.connection() as session:
            session.run(sql, **parameters)


@pytest.fixture
def books(database: Pool) -> Books:
    return Books(database)


def _names(pages: Iterable[dict[str, int]]) -> list[str]:
    return [user_id for page in pages for user_id in page]


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
    assert books.reconciliations.points([scorer, *newcomers, admin, "nobody"]) == expected
    assert sorted(books.reconciliations.unknown([scorer, *newcomers, admin, "nobody"])) == sorted([admin, "nobody"])


def test_points_are_told_as_they_were_at_an_instant(books: Books) -> None:
    player, newcomer = books.player(), books.player()

    def at(milliseconds: int) -> datetime:
        return ACCEPTED_AT + timedelta(milliseconds=milliseconds)

    events = [ScoreAccepted(str(uuid4()), player, points, points, at(later), "ip") for later, points in ((0, 1), (5, 2), (7, 4))]
    books.ledger.record(events)
    told = {when: books.reconciliations.points_as_of([player, newcomer, "nobody"], at(when)) for when in (-1, 0, 3, 7, 8)}
    assert {when: points[player] for when, points in told.items()} == {
        -1: PointsAsOf(7, 7, unclear=False),
        0: PointsAsOf(7, 6, unclear=True),
        3: PointsAsOf(7, 6, unclear=False),
        7: PointsAsOf(7, 0, unclear=True),
        8: PointsAsOf(7, 0, unclear=False),
    }
    assert told[3].keys() == {player, newcomer}
    assert told[3][newcomer] == PointsAsOf(0, 0, unclear=False)


@pytest.mark.parametrize("name", ["", "\x00", "no\udcffbody", "x" * 37, "a,b{}\"'\\", "new\nline"])
def test_names_that_no_account_has_are_unknown(books: Books, name: str) -> None:
    player = books.player()
    assert books.reconciliations.points([name, player]) == {player: 0}
    assert books.reconciliations.unknown([name, player, "somebody"]) in ([name, "somebody"], ["somebody", name])


def test_a_ledger_row_that_was_deleted_is_missed_and_given_back_as_it_was(books: Books) -> None:
    player = books.player()
    lost, *_ = books.record(player, 4, 3)
    before = books.ledger.recorded(lost)
    books.run()
    books.run()
    books.run()
    books.spoil("DELETE FROM score_history WHERE request_id = :id", id=lost)
    assert books.reconciliations.points([player]) == {player: 3}
    assert player in books.run()
    assert books.reconciliations.missing([player]) == {player: 4}
    assert books.reconciliations.restore([player]) == {player: 4}
    assert books.reconciliations.restore([player]) == books.reconciliations.missing([player]) == {}
    after = books.ledger.recorded(lost)
    assert before is not None
    assert after is not None
    assert (after.user_id, after.increment, after.new_score) == (player, 4, before.new_score)
    assert books.reconciliations.points([player]) == books.ledger.totals([player]) == {player: 7}


def test_a_ledger_row_that_was_changed_changes_the_total(books: Books) -> None:
    player = books.player()
    row, *_ = books.record(player, 1, 1)
    books.spoil("UPDATE score_history SET increment = 5 WHERE request_id = :id", id=row)
    assert books.ledger.totals([player]) == {player: 6}


def test_one_run_at_a_time(books: Books, database_url: str) -> None:
    another = Pool(database_url)
    with books.reconciliations.alone():
        with pytest.raises(ReconciliationRunning), PostgresReconciliations(another).alone():
            raise AssertionError("two at once")
        with pytest.raises(ReconciliationRunning), books.reconciliations.alone():
            raise AssertionError("two at once")
    with PostgresReconciliations(another).alone():
        pass
    another.close()


def test_a_run_and_its_repairs_are_written_down(books: Books) -> None:
    entry = Discrepancy(str(uuid4()), 5, 999, 999)
    stranger = Discrepancy(str(uuid4()), None, 7, 7)
    run = ReconciliationRun(3, ACCEPTED_AT, True, True, 9, [entry, stranger])
    run_id = books.reconciliations.save(run)
    books.reconciliations.audit_repairs(run.discrepancies)
    with books.database.connection() as session:
        [row] = session.run(
            "SELECT epoch, started_at, dry_run, whole_board, checked, discrepancies, detail FROM reconciliation_runs"
            " WHERE id = :id",
            id=run_id,
        )
        audited = session.run("SELECT action, actor, detail FROM audit_log WHERE user_id = :id", id=entry.user_id)
    found = {"ledgerTotal": 5, "boardBefore": 999, "boardAfter": 999, "missingPoints": 0, "difference": -994}
    assert row[:6] == [3, ACCEPTED_AT, True, True, 9, 2]
    assert row[6][0] == {"userId": entry.user_id, **found}
    assert row[6][1]["ledgerTotal"] is None
    assert audited == [["score_repaired", "reconcile_scores", found]]
