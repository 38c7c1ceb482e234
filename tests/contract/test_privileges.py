"""What the functions' role may do with the tables: all that functions do, and nothing to what is kept for good."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from local_runtime.instance.servers.postgresql import FUNCTIONS_USER, USER, PrivatePostgreSQL
from shared.core.errors import ConfigurationError
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.migrations import Migrations
from shared.stores.postgresql.pool import Pool
from tests.support.product import query

FORBIDDEN = [
    *(
        statement.format(table=table)
        for table in (
            "audit_log",
            "audit_log_archive",
            "audit_personal",
            "audit_salts",
            "audit_seals",
            "score_history",
            "score_entries",
            "final_ranks",
            "moderation_entries",
            "reconciliation_runs",
        )
        for statement in (
            "DELETE FROM {table}",
            "TRUNCATE {table}",
            "DROP TABLE {table}",
            "ALTER TABLE {table} DISABLE TRIGGER ALL",
            "ALTER TABLE {table} ADD COLUMN more TEXT",
            "ALTER TABLE {table} RENAME TO another",
            "ALTER TABLE {table} OWNER TO scoreboard_functions",
            "GRANT DELETE ON {table} TO scoreboard_functions; DELETE FROM {table}",
            "CREATE TRIGGER mine BEFORE INSERT ON {table} EXECUTE FUNCTION audit_log_refuse_change()",
            "CREATE RULE mine AS ON INSERT TO {table} DO INSTEAD NOTHING",
            "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE",
        )
    ),
    "UPDATE audit_log SET actor = 'nobody'",
    "UPDATE audit_seals SET hash = ''",
    "UPDATE audit_salts SET salt = gen_random_uuid()",
    "INSERT INTO audit_salts (subject) VALUES ('mine')",
    "UPDATE audit_log_archive SET action = 'mine'",
    "INSERT INTO audit_log_archive (id, at, action, actor, detail) VALUES (1, now(), 'mine', 'mine', '{}')",
    "UPDATE audit_personal SET value = 'mine'",
    "INSERT INTO audit_personal (hash, subject, value) VALUES ('', '', 'mine')",
    "UPDATE audit_signatures SET mac = ''",
    "DELETE FROM audit_signatures",
    "SELECT begin_audit_part(1)",
    "UPDATE score_history SET increment = 5",
    "UPDATE score_entries SET value = 5",
    "UPDATE final_ranks SET rank = 1",
    "UPDATE moderation_entries SET reason = 'none'",
    "UPDATE reconciliation_runs SET discrepancies = 0",
    "DROP TRIGGER audit_log_append_only ON audit_log",
    "INSERT INTO audit_log (id, action, actor) VALUES (-1, 'invented', 'nobody')",
    "INSERT INTO audit_log (at, action, actor) VALUES (now() - INTERVAL '1 year', 'invented', 'nobody')",
    "SELECT setval('audit_log_id_seq', 1)",
    "ALTER SEQUENCE audit_log_id_seq RESTART",
    "CREATE OR REPLACE FUNCTION audit_log_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$",
    "DROP FUNCTION audit_log_refuse_change() CASCADE",
    "SET session_replication_role = replica",
    "SET ROLE scoreboard",
    "SET SESSION AUTHORIZATION scoreboard",
    "ALTER ROLE scoreboard PASSWORD 'mine'",
    "CREATE ROLE accomplice",
    "CREATE TABLE public.mine (n INT)",
    "CREATE SCHEMA mine",
    "INSERT INTO schema_migrations (name, checksum) VALUES ('9999_mine', '')",
    "DELETE FROM schema_migrations",
    "INSERT INTO installation (installation_id) VALUES ('mine')",
    "UPDATE installation SET installation_id = 'mine'",
    "DELETE FROM installation",
    "INSERT INTO installation_keys (purpose, key_id, fingerprint) VALUES ('payload', 'mine', 'mine')",
    "UPDATE installation_keys SET retired_at = now()",
    "DELETE FROM installation_keys",
    "TRUNCATE users CASCADE",
    "COPY audit_log TO PROGRAM 'true'",
    "COPY audit_log FROM '/etc/passwd'",
]


@pytest.fixture(scope="module")
def functions(private_postgresql: PrivatePostgreSQL) -> Iterator[Pool]:
    """A pool as the functions have it, on a database whose stores were prepared."""
    prepare(private_postgresql)
    query(private_postgresql.url, "INSERT INTO audit_log (action, actor) VALUES ('privileges', 'test')")
    pool = Pool(private_postgresql.functions_url)
    yield pool
    pool.close()


def prepare(postgresql: PrivatePostgreSQL, functions_role: str = FUNCTIONS_USER) -> None:
    """As at every start."""
    owner = Pool(postgresql.url)
    try:
        Migrations(owner, functions_role=functions_role).apply()
    finally:
        owner.close()


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_what_is_kept_for_good_is_kept_from_the_functions(functions: Pool, database_url: str, sql: str) -> None:
    kept = query(database_url, "SELECT id, action, actor FROM audit_log ORDER BY id")
    with pytest.raises(StatementRejected) as refused, functions.transaction("test") as session:
        session.script(sql)
    assert refused.value.sqlstate == "42501", refused.value
    assert "append-only" not in str(refused.value), "the trigger is the second lock; this is about the first"
    assert query(database_url, "SELECT id, action, actor FROM audit_log ORDER BY id")[: len(kept)] == kept


def test_the_functions_may_read_and_add_to_the_audit_log(functions: Pool) -> None:
    action = secrets.token_hex(8)
    with functions.connection() as session:
        session.run("INSERT INTO audit_log (action, actor) VALUES (:action, 'test')", action=action)
        [[number, is_now]] = session.run(
            "SELECT id, at > now() - INTERVAL '1 hour' FROM audit_log WHERE action = :action", action=action
        )
    assert number > 0
    assert is_now


def test_every_table_and_sequence_can_be_used(functions: Pool, private_postgresql: PrivatePostgreSQL) -> None:
    """A migration that brings a table need not say who may use it."""
    query(private_postgresql.url, "CREATE TABLE IF NOT EXISTS brought_by_a_migration (n SERIAL)")
    prepare(private_postgresql)
    with functions.connection() as session:
        closed = session.run(
            "SELECT relname FROM pg_class WHERE relnamespace = CAST('public' AS regnamespace) AND relkind IN ('r', 'p', 'S')"
            " AND NOT has_table_privilege(oid, 'SELECT')"
        )
        session.run("INSERT INTO brought_by_a_migration DEFAULT VALUES")
    assert closed == []


def test_granting_again_takes_back_what_somebody_gave(functions: Pool, private_postgresql: PrivatePostgreSQL) -> None:
    query(private_postgresql.url, f"GRANT UPDATE, DELETE ON audit_log TO {FUNCTIONS_USER}")
    prepare(private_postgresql)
    with pytest.raises(StatementRejected, match="permission denied"), functions.connection() as session:
        session.run("UPDATE audit_log SET actor = 'nobody'")


def test_an_older_version_that_starts_later_grants_nothing_again(
    functions: Pool, private_postgresql: PrivatePostgreSQL, caplog: pytest.LogCaptureFixture
) -> None:
    query(private_postgresql.url, "INSERT INTO schema_migrations (name, checksum) VALUES ('9999_narrower', '')")
    query(private_postgresql.url, f"REVOKE DELETE ON users FROM {FUNCTIONS_USER}")
    try:
        prepare(private_postgresql)
        with pytest.raises(StatementRejected, match="permission denied"), functions.connection() as session:
            session.run("DELETE FROM users WHERE user_id = 'nobody'")
        assert "9999_narrower" in str([vars(record) for record in caplog.records])
    finally:
        query(private_postgresql.url, "DELETE FROM schema_migrations WHERE name = '9999_narrower'")
        prepare(private_postgresql)
    with functions.connection() as session:
        session.run("DELETE FROM users WHERE user_id = 'nobody'")


@pytest.mark.parametrize("made_as", ["SUPERUSER", f"IN ROLE {USER}"])
def test_a_role_that_can_do_everything_anyway_is_refused(
    private_postgresql: PrivatePostgreSQL, superuser_url: str, made_as: str
) -> None:
    role = f"mighty_{secrets.token_hex(4)}"
    query(superuser_url, f"CREATE ROLE {role} {made_as}")
    try:
        with pytest.raises(ConfigurationError, match="MIGRATIONS_DATABASE_URL"):
            prepare(private_postgresql, role)
    finally:
        query(superuser_url, f"DROP ROLE {role}")
