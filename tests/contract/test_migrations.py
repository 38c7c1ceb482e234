"""Migrations: forward only, once each, however many run them; and the schema they make."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.core.errors import ConfigurationError
from shared.stores.postgresql.errors import StatementRejected, UniqueViolation
from shared.stores.postgresql.migrations import Migrations
from shared.stores.postgresql.pool import Pool

SPECIFIED = {
    "users": {
        "user_id": ("character varying", 36, "NO", None),
        "username": ("character varying", 50, "NO", None),
        "hashed_password": ("character varying", 100, "NO", None),
        "api_key": ("character varying", 64, "NO", None),
        "role": ("character varying", 10, "NO", None),
        "created_at": ("timestamp without time zone", None, "YES", "CURRENT_TIMESTAMP"),
    },
    "score_history": {
        "id": ("bigint", None, "NO", "nextval('score_history_id_seq'::regclass)"),  # wider than SERIAL, which is used up in days
        "request_id": ("character varying", 36, "NO", None),
        "user_id": ("character varying", 36, "YES", None),
        "increment": ("integer", None, "NO", None),
        "new_score": ("integer", None, "NO", None),
        "created_at": ("timestamp without time zone", None, "YES", "CURRENT_TIMESTAMP"),
    },
}

ADDED = {
    "users": {
        **dict.fromkeys(("disabled", "simulated"), ("boolean", None, "NO", "false")),
        "display_name": ("character varying", 50, "YES", None),
        "display_name_folded": ("text", None, "YES", None),
    },
    "score_history": dict.fromkeys(("epoch", "sequence"), ("bigint", None, "YES", None)),
}


@pytest.fixture
def database_url(own_database_url: str) -> str:
    """Of a database of the test's own: a migration that this version does not know would keep it from granting rights there."""
    return own_database_url


@pytest.fixture
def database(database_url: str) -> Iterator[Pool]:
    pool = Pool(database_url)
    yield pool
    pool.close()


def write(directory: Path, name: str, sql: str) -> None:
    (directory / f"{name}.sql").write_text(sql)


@pytest.mark.parametrize("table", SPECIFIED)
def test_tables_are_exactly_as_specified(database: Pool, table: str) -> None:
    with database.connection() as session:
        rows = session.run(
            "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default"
            " FROM information_schema.columns WHERE table_name = :table",
            table=table,
        )
    columns = {row[0]: tuple(row[1:]) for row in rows}
    assert {name: columns[name] for name in SPECIFIED[table]} == SPECIFIED[table]
    ours = {name: columns[name] for name in set(columns) - set(SPECIFIED[table])}
    assert ours == ADDED[table], "and what a program that knows only the specification need not know of"


def test_a_second_run_does_nothing(database: Pool) -> None:
    assert Migrations(database).apply() == []


def test_many_at_once_run_each_migration_once(database_url: str, tmp_path: Path) -> None:
    write(tmp_path, "9001_once", "CREATE TABLE once_only (n INT); INSERT INTO once_only VALUES (1)")
    write(tmp_path, "9002_once_more", "INSERT INTO once_only VALUES (2)")
    pools = [Pool(database_url, size=1) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        applied = list(threads.map(lambda pool: Migrations(pool, tmp_path).apply(), pools))
    assert sorted(name for names in applied for name in names) == ["9001_once", "9002_once_more"]
    with pools[0].connection() as session:
        assert session.run("SELECT n FROM once_only ORDER BY n") == [[1], [2]]
    for pool in pools:
        pool.close()


def test_a_migration_that_fails_leaves_nothing(database: Pool, tmp_path: Path) -> None:
    write(tmp_path, "9011_fails", "CREATE TABLE half_done (n INT); SELECT no_such_column")
    migrations = Migrations(database, tmp_path)
    with pytest.raises(StatementRejected):
        migrations.apply()
    write(tmp_path, "9011_fails", "CREATE TABLE half_done (n INT)")
    assert migrations.apply() == ["9011_fails"]


def test_a_migration_edited_after_it_ran_is_noticed(database: Pool, tmp_path: Path) -> None:
    write(tmp_path, "9021_edited", "SELECT 1")
    migrations = Migrations(database, tmp_path)
    assert migrations.apply() == ["9021_edited"]
    write(tmp_path, "9021_edited", "SELECT 2")
    with pytest.raises(ConfigurationError, match="9021_edited was edited"):
        migrations.apply()


@pytest.mark.parametrize("sql", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"])
def test_the_audit_log_only_grows(database: Pool, sql: str) -> None:
    with database.connection() as session:
        session.run("INSERT INTO audit_log (action, actor) VALUES ('test', 'test')")
    with pytest.raises(StatementRejected, match="append-only"), database.connection() as session:
        session.run(sql)


def test_the_ledger_refuses_what_the_specification_forbids(database: Pool) -> None:
    insert = "INSERT INTO score_history (request_id, increment, new_score) VALUES (:request_id, :increment, 1)"
    for increment in (0, 6):
        with pytest.raises(StatementRejected) as refused, database.connection() as session:
            session.run(insert, request_id="r-checked", increment=increment)
        assert refused.value.constraint == "score_history_increment_check"
    with database.connection() as session:
        session.run(insert, request_id="r-unique", increment=1)
    with pytest.raises(UniqueViolation), database.connection() as session:
        session.run(insert, request_id="r-unique", increment=1)
