"""The pool: bounded, patient but not too much, and never giving out a connection it is not sure of."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.core.database_url import DatabaseUrl
from shared.core.errors import ConfigurationError, NotFound, PostgresUnavailable
from shared.stores.postgresql.errors import StatementRejected, UniqueViolation
from shared.stores.postgresql.last_answer import LastAnswer
from shared.stores.postgresql.pool import Pool
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def pool(database_url: str) -> Iterator[Pool]:
    made = Pool(database_url, size=2)
    yield made
    made.close()


def backend(pool: Pool) -> int:
    with pool.connection() as session:
        return int(session.run("SELECT pg_backend_pid()")[0][0])


def kill(pool: Pool, pid: int) -> None:
    with pool.connection() as session:
        session.run("SELECT pg_terminate_backend(:pid)", pid=pid)
    eventually(lambda: not alive(pool, pid), 60, "the backend's end")


def alive(pool: Pool, pid: int) -> bool:
    with pool.connection() as session:
        return bool(session.run("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid=pid))


def insert_and_raise(pool: Pool, number: int, error: Exception) -> None:
    with pool.transaction("test") as session:
        session.run("INSERT INTO pool_transaction VALUES (:n)", n=number)
        raise error


def insert_twice(pool: Pool, number: int) -> None:
    with pool.transaction("test") as session:
        for _ in range(2):
            session.run("INSERT INTO pool_transaction VALUES (:n)", n=number)


def test_what_is_answered_is_noted_and_no_silence(database_url: str) -> None:
    answered = LastAnswer()
    with closing(Pool(database_url, answered=answered)) as pool:
        for ending in (None, StatementRejected):
            time.sleep(0.3)
            with suppress(StatementRejected), pool.connection() as session:
                session.run("SELECT 1" if ending is None else "SELECT no_such_column")
            assert answered.seconds_ago() < 0.3
        time.sleep(0.3)
        with pytest.raises(PostgresUnavailable), pool.connection(0.1) as session:
            session.run("SELECT pg_sleep(1)")
        assert answered.seconds_ago() >= 0.3


def test_a_connection_is_used_again(pool: Pool) -> None:
    assert backend(pool) == backend(pool)


def test_the_session_is_in_utc(pool: Pool) -> None:
    with pool.connection() as session:
        (zone, now), *_ = session.run("SELECT current_setting('TimeZone'), CAST(:now AS timestamp)", now=datetime.now(UTC))
    assert zone == "UTC"
    assert abs(now.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds() < 60


def test_a_transaction_commits_or_leaves_nothing(pool: Pool) -> None:
    with pool.connection() as session:
        session.script("CREATE TABLE IF NOT EXISTS pool_transaction (n INT PRIMARY KEY); TRUNCATE pool_transaction")
    with pool.transaction("test") as session:
        session.run("INSERT INTO pool_transaction VALUES (:n)", n=1)
    with pytest.raises(NotFound):
        insert_and_raise(pool, 2, NotFound())
    with pytest.raises(ZeroDivisionError):
        insert_and_raise(pool, 3, ZeroDivisionError())
    with pytest.raises(UniqueViolation) as violated:
        insert_twice(pool, 4)
    assert violated.value.constraint == "pool_transaction_pkey"
    assert violated.value.sqlstate == "23505"
    with pool.connection() as session:
        assert session.run("SELECT n FROM pool_transaction") == [[1]]


def test_a_wrong_statement_does_not_cost_the_connection(pool: Pool) -> None:
    before = backend(pool)
    for sql in ("SELECT no_such_column", "SELECT 1 / 0", "SELEC"):
        with pytest.raises(StatementRejected), pool.connection() as session:
            session.run(sql)
    with pytest.raises(StatementRejected) as refused, pool.connection() as session:
        session.run("SELECT CAST(:text AS text)", text="a\x00b")
    assert refused.value.sqlstate == "22021"
    assert backend(pool) == before


def test_a_connection_the_server_closed_is_replaced_unnoticed(pool: Pool, database_url: str) -> None:
    other = Pool(database_url, size=1)
    pid = backend(pool)
    kill(other, pid)
    assert backend(pool) != pid
    other.close()


def test_a_connection_lost_in_the_middle_is_an_outage(pool: Pool) -> None:
    with pytest.raises(PostgresUnavailable), pool.connection() as session:
        session.run("SELECT pg_terminate_backend(pg_backend_pid())")
    assert backend(pool)


def test_a_transaction_lost_in_the_middle_is_an_outage(pool: Pool) -> None:
    with pytest.raises(PostgresUnavailable), pool.transaction("test") as session:
        session.run("SELECT pg_terminate_backend(pg_backend_pid())")
    assert backend(pool)


def test_an_answer_that_does_not_come_is_an_outage(pool: Pool) -> None:
    before = backend(pool)
    with pytest.raises(PostgresUnavailable), pool.connection(answer_seconds=0.1) as session:
        session.run("SELECT pg_sleep(20)")
    assert backend(pool) != before


def test_patience_belongs_to_the_borrower(pool: Pool) -> None:
    with pool.connection(answer_seconds=3) as session:
        session.run("SELECT 1")
    with pool.connection(answer_seconds=30) as session:
        session.run("SELECT pg_sleep(3.2)")


def test_no_more_connections_than_allowed(pool: Pool) -> None:
    entered, leave, seen = threading.Semaphore(0), threading.Event(), []

    def borrow() -> None:
        with pool.connection() as session:
            seen.append(session)
            entered.release()
            leave.wait(60)

    threads = [threading.Thread(target=borrow) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert all(entered.acquire(timeout=60) for _ in range(2))
    with pytest.raises(PostgresUnavailable) as refused, pool.connection(answer_seconds=0.1):
        pass
    assert isinstance(refused.value.__cause__, TimeoutError)
    leave.set()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 2
    assert backend(pool)


def test_nobody_there_is_an_outage() -> None:
    with pytest.raises(PostgresUnavailable), Pool("postgresql://u:p@127.0.0.1:1/db").connection():
        pass


def test_a_wrong_password_is_an_outage_that_names_its_cause(database_url: str) -> None:
    user, _, rest = database_url.partition("@")
    with pytest.raises(PostgresUnavailable) as refused, Pool(f"{user}wrong@{rest}").connection():
        pass
    assert "password authentication failed" in repr(refused.value.__cause__)


def test_a_server_without_tls_is_refused_when_tls_is_asked_for(database_url: str) -> None:
    with pytest.raises(PostgresUnavailable) as refused, Pool(database_url + "?sslmode=require").connection():
        pass
    assert "TLS" in repr(refused.value.__cause__)


def test_greenlets_share_the_pool_and_a_killed_one_does_no_harm(database_url: str) -> None:
    command = [sys.executable, "-m", "tests.contract.pool_under_gevent", database_url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "ok"), done.stderr


@pytest.mark.parametrize(
    ("url", "ssl_mode"),
    [
        ("postgresql://u:p@db.example/scores", "verify-full"),
        ("postgres://u:p@127.0.0.1:5433/scores", "disable"),
        ("postgresql://u:p@[::1]/scores", "disable"),
        ("postgresql://u@localhost/scores", "disable"),
        ("postgresql://u:p@db.example/scores?sslmode=require", "require"),
        ("postgresql://u:p@127.0.0.1/scores?sslmode=verify-ca", "verify-ca"),
        ("postgresql://u@/scores?host=/run/postgresql", "disable"),
    ],
)
def test_a_line_that_leaves_the_machine_is_verified_unless_told_otherwise(url: str, ssl_mode: str) -> None:
    parsed = DatabaseUrl.parse(url)
    assert (parsed.ssl_mode, parsed.database, parsed.user) == (ssl_mode, "scores", "u")
    context = parsed.ssl_context()
    assert (context is None) == (ssl_mode == "disable")
    if context is not None:
        assert context.check_hostname == (ssl_mode == "verify-full")


def test_what_is_escaped_in_a_url_is_read_back() -> None:
    parsed = DatabaseUrl.parse("postgresql://a%40b:p%3A%2F@h:1/d%20b?sslmode=disable")
    assert (parsed.user, parsed.password, parsed.port, parsed.database) == ("a@b", "p:/", 1, "d b")
    assert "p:/" not in repr(parsed)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://u:secret@h/d",
        "postgresql://h/d",
        "postgresql://u:secret@h",
        "postgresql://u:secret@h:x/d",
        "postgresql://u:secret@h/d?sslmode=maybe",
        "postgresql://u:secret@h/d?surprise=1",
        "postgresql:///d",
    ],
)
def test_a_bad_url_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Pool(url)
    assert "secret" not in str(refused.value)
