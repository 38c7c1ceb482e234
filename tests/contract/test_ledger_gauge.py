"""What the gauge of the ledger tells, from real rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from secrets import randbelow
from typing import Any
from uuid import uuid4

import pytest

from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.boards.definition import BoardDefinition
from shared.core import metrics
from shared.ledger.events import Number, ScoreAccepted
from shared.ledger.postgresql import Ledger
from shared.operations.postgresql import LedgerGauge
from shared.stores.postgresql.pool import Pool

ACCEPTED_AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture
def player(database: Pool) -> str:
    account = Account(str(uuid4()), f"Player-{uuid4().hex[:12]}", "player", "hash", uuid4().hex)
    Users(database).add(account)
    return account.user_id


def update(user_id: str, **fields: Any) -> ScoreAccepted:
    return ScoreAccepted(str(uuid4()), user_id, 1, 1, ACCEPTED_AT, "198.51.100.7", **fields)


def newest(database: Pool, user_id: str, limit: int) -> list[datetime]:
    return [accepted_at for name, accepted_at in LedgerGauge(database).newest_updates(limit) if name == user_id]


def test_a_row_that_names_no_player_is_passed_over(database: Pool, player: str) -> None:
    Ledger(database).record([update(player)])
    assert newest(database, player, 1) == [ACCEPTED_AT]
    with database.connection() as session:
        session.run("INSERT INTO score_history (request_id, increment, new_score) VALUES (:id, 1, 1)", id=str(uuid4()))
    assert newest(database, player, 1) == []
    assert newest(database, player, 2) == [ACCEPTED_AT]


def test_entries_of_other_boards_are_updates_too(database: Pool, player: str) -> None:
    board_id = f"b-{uuid4().hex[:12]}"
    with database.connection() as session:
        definition = json.dumps(BoardDefinition(board_id, "A board").as_json())
        session.run("INSERT INTO boards (board_id, definition) VALUES (:id, CAST(:text AS jsonb))", id=board_id, text=definition)
    gauge, rows = LedgerGauge(database), metrics.rows_inserted.of("score_entries")
    before, counted = gauge.read().newest_entry, rows.value
    entry = update(player, number=Number(10**6 + randbelow(10**9), 1), board_id=board_id, places="all_time:1:1:0:1:1")
    Ledger(database).record([update(player), entry])
    assert gauge.read().newest_entry >= before + 2
    assert newest(database, player, 1) == [ACCEPTED_AT, ACCEPTED_AT]
    assert rows.value == counted + 1
