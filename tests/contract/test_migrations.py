"""Migrations: forward only, once each, however many run them; and the schema they make."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.core.errors import ConfigurationError
from shared.stores.leases import Leases
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


@pytest.fixture
def versions(database: Pool, tmp_path: Path) -> dict[str, Path]:
    """The migrations of two versions, of which the newer one has narrowed what the older one needs; nothing has run yet."""
    made = {name: tmp_path / name for name in ("older", "newer")}
    for directory in made.values():
        directory.mkdir()
        write(directory, "9031_known", "SELECT 1")
    write(
        made["newer"],
        "9032_narrows",
        "-- Without what older versions need.\n-- Oldest schema beside it: 9032\n\nCREATE TABLE narrow ()",
    )
    write(made["newer"], "9033_adds", "CREATE TABLE wide ()")
    Migrations(database, made["older"]).apply()
    return made


def tables(database: Pool, *names: str) -> list[str]:
    with database.connection() as session:
        return [name for name in names if session.run("SELECT 1 WHERE to_regclass(:name) IS NOT NULL", name=name)]


def test_a_version_that_a_migration_leaves_behind_is_refused_and_changes_nothing(
    database: Pool, versions: dict[str, Path]
) -> None:
    assert Migrations(database, versions["newer"]).apply() == ["9032_narrows", "9033_adds"]
    write(versions["older"], "9030_late", "CREATE TABLE too_late ()")
    for refused in (Migrations(database, versions["older"]).apply, Migrations(database, versions["older"]).refuse_outdated):
        with pytest.raises(ConfigurationError, match=r"\(9032_narrows\).* of this version is 9031, and 9032 is the oldest"):
            refused()
    assert tables(database, "too_late", "narrow") == ["narrow"]
    assert Migrations(database, versions["newer"]).apply() == []


def test_a_version_that_does_not_know_what_was_only_added_goes_on(database: Pool, versions: dict[str, Path]) -> None:
    write(versions["newer"], "9032_narrows", "SELECT 'nothing narrowed'")
    assert Migrations(database, versions["newer"]).apply() == ["9032_narrows", "9033_adds"]
    assert Migrations(database, versions["older"]).apply() == []


@pytest.mark.parametrize("detail", [{"SCHEMA": 9031}, {}, {"SCHEMA": 9032}], ids=["older", "without a schema", "new enough"])
def test_a_migration_waits_for_instances_that_it_would_leave_behind(
    database: Pool, versions: dict[str, Path], detail: dict[str, int]
) -> None:
    leases = Leases(database)
    leases.hold(["instance:there", "schedules"], "there", 60, detail=detail)
    newer = Migrations(database, versions["newer"], own=("here", "before"))
    if detail.get("SCHEMA") == 9032:
        assert newer.apply() == ["9032_narrows", "9033_adds"]
        return
    with pytest.raises(ConfigurationError, match=r"9032_narrows .* schema before 9032 .* are running: there\. Stop them first"):
        newer.apply()
    assert tables(database, "narrow", "wide") == []
    leases.release(["instance:there"], "there")
    leases.hold(["instance:before"], "before", 60, detail=detail)  # the one that this instance follows was killed just now
    assert newer.apply() == ["9032_narrows", "9033_adds"]


def test_what_older_versions_noted_of_their_migrations_is_kept(database: Pool, versions: dict[str, Path]) -> None:
    with database.connection() as session:
        session.run("ALTER TABLE schema_migrations DROP COLUMN oldest_schema")
        before = session.run("SELECT count(*) FROM schema_migrations")
    assert Migrations(database, versions["older"]).apply() == []
    with database.connection() as session:
        assert session.run("SELECT count(*), count(oldest_schema) FROM schema_migrations") == [[*before[0], 0]]


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
