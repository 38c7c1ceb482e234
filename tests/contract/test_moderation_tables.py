"""What is written down of moderation: by a database of before that is brought up to date, too."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_runtime.instance.servers.postgresql import USER
from shared.stores.postgresql.errors import StatementRejected, UniqueViolation
from shared.stores.postgresql.migrations import MIGRATIONS, Migrations
from shared.stores.postgresql.pool import Pool
from tests.support.product import query

ADD_ENTRY = "INSERT INTO moderation_entries (request_id, board_id, user_id, action, reason, moderator)"


@pytest.fixture
def database(own_database_url: str) -> Iterator[Pool]:
    pool = Pool(own_database_url)
    for name in ("ann", "ben", "cem", "dora"):
        add_user(pool, name, disabled=name == "dora")
    yield pool
    pool.close()


def add_user(pool: Pool, name: str, *, disabled: bool = False) -> None:
    with pool.connection() as session:
        session.run(
            "INSERT INTO users (user_id, username, hashed_password, api_key, role, disabled)"
            " VALUES (:name, :name, 'hash', :name, 'player', :disabled)",
            name=name,
            disabled=disabled,
        )


def hidden_on(pool: Pool, board_id: str) -> set[str]:
    with pool.connection() as session:
        return {row[0] for row in session.run("SELECT user_id FROM hidden_on(:board_id)", board_id=board_id)}


def test_hidden_are_disabled_accounts_and_who_is_hidden_there_or_everywhere(database: Pool) -> None:
    with database.connection() as session:
        session.run("INSERT INTO hidden_players (board_id, user_id) VALUES ('sprints', 'ann'), ('', 'ben'), ('main', 'dora')")
    assert hidden_on(database, "sprints") == {"ann", "ben", "dora"}
    assert hidden_on(database, "main") == {"ben", "dora"}


def test_the_planner_looks_into_who_is_hidden(database: Pool) -> None:
    """Otherwise each statement that leaves hidden players out would make the list of all of them first."""
    with database.connection() as session:
        session.run("SET enable_seqscan = off")
        wanted = (
            "EXPLAIN SELECT username FROM users AS u"
            " WHERE NOT EXISTS (SELECT FROM hidden_on('main') AS h WHERE h.user_id = u.user_id)"
        )
        plan = "\n".join(line for [line] in session.run(wanted))
    assert "Function Scan" not in plan
    assert "users_disabled_key" in plan or "users_pkey" in plan
    assert "hidden_players_pkey" in plan


def test_a_decision_counts_once_and_is_undone_once(database: Pool) -> None:
    with database.connection() as session:
        [[first]] = session.run(f"{ADD_ENTRY} VALUES ('r-1', 'main', 'ann', 'hide', 'forged', 'boss') RETURNING id")
    with pytest.raises(UniqueViolation), database.connection() as session:
        session.run(f"{ADD_ENTRY} VALUES ('r-1', NULL, 'ben', 'hide', 'forged', 'boss')")
    undo = f"{ADD_ENTRY[:-1]}, undoes) VALUES (:request_id, 'main', 'ann', 'undo', 'a mistake', 'boss', :undoes)"
    with database.connection() as session:
        session.run(undo, request_id="r-2", undoes=first)
    with pytest.raises(UniqueViolation), database.connection() as session:
        session.run(undo, request_id="r-3", undoes=first)


@pytest.mark.parametrize(
    "values", ["'r', NULL, 'nobody', 'hide', '', ''", "'r', NULL, 'ann', 'undo', '', ''", "'r', NULL, 'ann', 'ban', '', ''"]
)
def test_a_decision_that_none_can_have_made_is_refused(database: Pool, values: str) -> None:
    with pytest.raises(StatementRejected), database.connection() as session:
        session.run(f"{ADD_ENTRY} VALUES ({values})")


def test_a_database_of_before_is_brought_up_to_date(superuser_url: str, database_url: str, tmp_path: Path) -> None:
    """With what is in it: nobody is hidden but disabled accounts, and server keys may do what they could."""
    name = f"before_{secrets.token_hex(6)}"
    query(superuser_url, f"CREATE DATABASE {name} OWNER {USER}")
    pool = Pool(f"{database_url.rpartition('/')[0]}/{name}")
    try:
        for path in MIGRATIONS.glob("[0-9]*.sql"):
            if path.stem < "0031":
                (tmp_path / path.name).write_bytes(path.read_bytes())
        Migrations(pool, tmp_path).apply()
        add_user(pool, "ann")
        add_user(pool, "dora", disabled=True)
        with pool.connection() as session:
            session.run("INSERT INTO server_keys (key_id, name, key_hash, created_by) VALUES ('k', 'race', 'hash', 'boss')")
        assert Migrations(pool).apply()[0] == "0031_moderation"
        assert hidden_on(pool, "main") == {"dora"}
        with pool.connection() as session:
            assert session.run("SELECT scopes FROM server_keys") == [[None]]
    finally:
        pool.close()
        query(superuser_url, f"DROP DATABASE {name} WITH (FORCE)")
