"""Through PgBouncer in transaction mode: many clients, two connections to the server, every answer right."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from local_runtime.instance.servers.postgresql import FUNCTIONS_USER, USER, PrivatePostgreSQL
from local_runtime.instance.servers.run import running
from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.core.errors import NotFound
from shared.ledger.events import ScoreAccepted
from shared.ledger.postgresql import Ledger
from shared.stores.leases import Leases
from shared.stores.postgresql.errors import StatementRejected, UniqueViolation
from shared.stores.postgresql.migrations import Migrations
from shared.stores.postgresql.pool import Pool
from tests.support.pgbouncer import PgBouncer
from tests.support.product import query

CLIENTS, ROUNDS = 24, 25
AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture(scope="module")
def database_name(superuser_url: str) -> Iterator[str]:
    """A database of the module's own, where the sessions of others begin far from UTC and without patience."""
    name = f"pooled_{secrets.token_hex(4)}"
    query(superuser_url, f"CREATE DATABASE {name} OWNER {USER}")
    query(superuser_url, f"ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'")
    query(superuser_url, f"ALTER DATABASE {name} SET statement_timeout = '11s'")
    yield name
    query(superuser_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def pgbouncer(servers_dir: Path, private_postgresql: PrivatePostgreSQL) -> Iterator[PgBouncer]:
    """Two connections to the server for each role."""
    urls = (private_postgresql.url, private_postgresql.functions_url)
    with running(PgBouncer(servers_dir / "pgbouncer", *urls, options="default_pool_size = 2")) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def owners_url(pgbouncer: PgBouncer, private_postgresql: PrivatePostgreSQL, database_name: str) -> str:
    return f"{pgbouncer.through(private_postgresql.url).rpartition('/')[0]}/{database_name}"


@pytest.fixture(scope="module")
def functions_url(pgbouncer: PgBouncer, private_postgresql: PrivatePostgreSQL, owners_url: str, database_name: str) -> str:
    """The schema has come through the pooler, too."""
    owner = Pool(owners_url)
    Migrations(owner, functions_role=FUNCTIONS_USER).apply()
    owner.close()
    return f"{pgbouncer.through(private_postgresql.functions_url).rpartition('/')[0]}/{database_name}"


@pytest.fixture
def pool(functions_url: str) -> Iterator[Pool]:
    made = Pool(functions_url, size=2)
    yield made
    made.close()


def new_player(pool: Pool) -> str:
    account = Account(str(uuid4()), f"Player-{secrets.token_hex(6)}", "player", "hash", secrets.token_hex(32))
    Users(pool).add(account)
    return account.user_id


def play(functions_url: str, client: int) -> list[str]:
    """What one client sees that is not right: its statements differ from those of the others in number, order and type."""
    pool = Pool(functions_url, size=1)
    ledger, wrong = Ledger(pool), []
    player, total = new_player(pool), 0

    def compare(what: str, seen: object, expected: object) -> None:
        if seen != expected:
            wrong.append(f"client {client}, {what}: {seen!r} instead of {expected!r}")

    for number in range(ROUNDS):
        columns = ", ".join(f"CAST(:value AS {kind})" for kind in ("int", "text", "bigint")[: 1 + (client + number) % 3])
        with pool.connection() as session:
            [row] = session.run(f"SELECT {columns}, {client}", value=str(number))
        compare("the columns asked for", [str(value) for value in row], [*[str(number)] * (len(row) - 1), str(client)])
        increments = [1 + (client + number + place) % 5 for place in range(1 + number % 3)]
        ledger.record([ScoreAccepted(str(uuid4()), player, increment, total, AT, "ip") for increment in increments])
        total += sum(increments)
        compare("the total", ledger.totals([player]), {player: total})
        compare("whose history", {entry.user_id for entry in ledger.history(player, 100, None)}, {player})
        with pool.transaction("test") as session:
            processes = {session.run("SELECT pg_backend_pid(), CAST(:n AS int)", n=n)[0][0] for n in range(3)}
        compare("the processes of a transaction", len(processes), 1)
    pool.close()
    return wrong


@pytest.mark.long
def test_many_clients_on_two_connections_get_no_wrong_answer(functions_url: str) -> None:
    with ThreadPoolExecutor(CLIENTS) as playing:
        found = playing.map(play, [functions_url] * CLIENTS, range(CLIENTS))
        assert [wrong for client in found for wrong in client] == []


def test_every_statement_has_its_settings_and_leaves_none_behind(pool: Pool, owners_url: str, functions_url: str) -> None:
    shown = "SELECT current_setting('TimeZone'), current_setting('statement_timeout')"
    for _ in range(5):
        with pool.connection() as session:
            assert session.run(shown) == [["UTC", "1min"]]
        with pool.transaction("test") as session:
            assert session.run(shown) == [["UTC", "1min"]]
        assert query(functions_url, shown) == [["Asia/Tokyo", "11s"]], "what another program's session has"


def test_a_time_that_the_database_fills_in_is_utc(pool: Pool) -> None:
    player = new_player(pool)
    with pool.connection() as session:
        [[made_at]] = session.run("SELECT created_at FROM users WHERE user_id = :player", player=player)
    assert abs((datetime.now(UTC) - made_at.replace(tzinfo=UTC)).total_seconds()) < 600


def test_a_refused_statement_costs_neither_the_connection_nor_another_one(pool: Pool) -> None:
    for sql in ("SELECT no_such_column", "SELECT 1 / 0", "SELEC"):
        with pytest.raises(StatementRejected), pool.connection() as session:
            session.run(sql)
        with pool.connection() as session:
            assert not session.broken
            assert session.run("SELECT CAST(:n AS int)", n=7) == [[7]]


def test_a_transaction_commits_or_leaves_nothing(pool: Pool) -> None:
    player = new_player(pool)

    def rename_and_raise(error: Exception) -> None:
        with pool.transaction("test") as session:
            session.run("UPDATE users SET username = 'renamed' WHERE user_id = :player", player=player)
            raise error

    def insert_twice() -> None:
        with pool.transaction("test") as session:
            for _ in range(2):
                session.run("INSERT INTO refusal_batches (batch_id) VALUES (:player)", player=player)

    for error in (NotFound(), ZeroDivisionError()):
        with pytest.raises(type(error)):
            rename_and_raise(error)
    with pytest.raises(UniqueViolation):
        insert_twice()
    with pool.connection() as session:
        assert session.run("SELECT username LIKE 'Player-%' FROM users WHERE user_id = :player", player=player) == [[True]]
        assert session.run("SELECT 1 FROM refusal_batches WHERE batch_id = :player", player=player) == []


def test_leases_hold_where_no_session_does(pool: Pool) -> None:
    leases, name = Leases(pool), f"test-{secrets.token_hex(6)}"
    for _ in range(10):
        assert leases.hold([name], "a", 60) == {name: 1}
        assert leases.hold([name], "b", 60) == {}
    leases.release([name], "a")
    assert leases.hold([name], "b", 60) == {name: 2}
