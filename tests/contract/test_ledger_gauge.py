"""What the gauge of the ledger tells, from real rows."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from shared.accounts.player import Account
from shared.accounts.postgresql import PostgresUsers
from shared.ledger.events import ScoreAccepted
from shared.ledger.postgresql import PostgresLedger
from shared.operations.postgresql import PostgresLedgerGauge
from shared.stores.postgresql.pool import Pool

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


def test_a_row_that_names_no_player_is_passed_over(database: Pool) -> None:
    account = Account(str(uuid4()), f"Player-{uuid4().hex[:12]}", "player", "hash", uuid4().hex)
    PostgresUsers(database).add(account)
    PostgresLedger(database).record([ScoreAccepted(str(uuid4()), account.user_id, 1, 1, ACCEPTED_AT, "198.51.100.7")])
    gauge = PostgresLedgerGauge(database)
    assert gauge.newest_updates(1) == [(account.user_id, ACCEPTED_AT)]
    with database.connection() as session:
        session.run("INSERT INTO score_history (request_id, increment, new_score) VALUES (:id, 1, 1)", id=str(uuid4()))
    assert gauge.newest_updates(1) == []
    assert gauge.newest_updates(2) == [(account.user_id, ACCEPTED_AT)]
