"""Who is who, and in which order, does not depend on the locale of the database."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from local_runtime.instance.servers.postgresql import FUNCTIONS_USER, USER, PrivatePostgreSQL
from shared.accounts.player import Account
from shared.accounts.postgresql import Users
from shared.audit.postgresql import AuditLog
from shared.audit.refusal import RefusalBatch, RefusalGroup
from shared.boards.board import MAIN
from shared.core.errors import ConfigurationError, UsernameTaken
from shared.core.ids import folded
from shared.reconciliation.postgresql import Reconciliations
from shared.stores.postgresql.migrations import MIGRATIONS, Migrations
from shared.stores.postgresql.pool import Pool
from tests.support.product import query

MIGRATION, COLUMNS_OF_TODAY = "0017_names_in_any_locale", "0026_display_names"
LOCALES = {
    "icu tr-TR": "LOCALE_PROVIDER icu ICU_LOCALE 'tr-TR' LOCALE 'C.UTF-8'",
    "icu en-US": "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'",
    "libc C.UTF-8": "LOCALE_PROVIDER libc LOCALE 'C.UTF-8'",
    "libc C": "LOCALE_PROVIDER libc LOCALE 'C'",
}
TURKISH = "icu tr-TR"
NOW = datetime.now(UTC)


@pytest.fixture
def locale(request: pytest.FixtureRequest) -> str:
    name: str = getattr(request, "param", TURKISH)
    return name


@pytest.fixture
def foreign(private_postgresql: PrivatePostgreSQL, superuser_url: str, locale: str) -> Iterator[Pool]:
    """An empty database with a locale of its own."""
    name = f"locale_{secrets.token_hex(6)}"
    query(superuser_url, f"CREATE DATABASE {name} OWNER {USER} ENCODING 'UTF8' TEMPLATE template0 {LOCALES[locale]}")
    pool = Pool(f"{private_postgresql.url.rpartition('/')[0]}/{name}")
    yield pool
    pool.close()
    query(superuser_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def users(foreign: Pool) -> Users:
    Migrations(foreign, functions_role=FUNCTIONS_USER).apply()
    return Users(foreign)


def account(username: str, user_id: str = "") -> Account:
    return Account(user_id or str(uuid4()), username, "player", "hash", secrets.token_hex(32))


def before_this_version(foreign: Pool, tmp_path: Path) -> Users:
    """A database as the version before left it, but with the columns that accounts are written to today."""
    for file in MIGRATIONS.glob("*.sql"):
        if file.stem < MIGRATION or file.stem == COLUMNS_OF_TODAY:
            shutil.copy(file, tmp_path)
    Migrations(foreign, tmp_path).apply()
    return Users(foreign)


anywhere = pytest.mark.parametrize("locale", LOCALES, indirect=True)


@anywhere
def test_a_name_is_one_name_however_capitalised(users: Users) -> None:
    ingrid = account("INGRID")
    users.add(ingrid)
    for spelled in ("ingrid", "Ingrid", "INGRID"):
        assert users.by_username(spelled) == ingrid
        with pytest.raises(UsernameTaken):
            users.add(account(spelled))


@anywhere
def test_database_and_program_fold_alike(users: Users, foreign: Pool) -> None:
    letters = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x11000)]))
    with foreign.connection() as session:
        [[by_database]] = session.run('SELECT lower(CAST(:letters AS text) COLLATE "C")', letters=letters)
    assert by_database == folded(letters)


@anywhere
def test_names_come_page_by_page_in_the_order_of_their_bytes(users: Users) -> None:
    names = ["iab", "IAC", "i-x", "i.x", "i_x", "I9x", "ia0", "Iz9", "izz", "hzz", "jaa"]
    for name in names:
        users.add(account(name))
    expected = sorted((name for name in names if folded(name).startswith("i")), key=folded)
    for beginning in ("i", "I"):
        found: list[str] = []
        while page := users.beginning_with(beginning, 3, found[-1] if found else ""):
            found += [one.username for one in page]
        assert found == expected


@anywhere
def test_display_names_are_found_as_the_program_folds_them(users: Users) -> None:
    for username, display_name in (
        ("p-1", "ILIK su"),
        ("p-2", "\u0131l\u0131k"),
        ("p-3", "İLİK"),
        ("p-4", "ОЛЕГ"),
        ("p-5", "Straße"),
        ("p-6", "小明"),
    ):
        users.add(replace(account(username), display_name=display_name))
    for beginning, expected in (
        ("ilik", ["p-1"]),
        ("ILIK", ["p-1"]),
        ("\u0131l\u0131k", ["p-2"]),
        ("İli", ["p-3"]),
        ("олег", ["p-4"]),
        ("STRASS", ["p-5"]),
        ("小", ["p-6"]),
    ):
        assert [one.username for one in users.beginning_with(beginning, 9, "")] == expected, beginning
    assert [one.username for one in users.beginning_with("", 9, "p-4")] == ["p-5", "p-6"]


@anywhere
def test_a_refused_log_in_is_the_accounts_whatever_was_typed(users: Users, foreign: Pool) -> None:
    users.add(ingrid := account("INGRID"))
    group = RefusalGroup("login_refused", "invalid_credentials", "anonymous", "", "ingrid", "198.51.100", 1, NOW, NOW, "", "")
    assert AuditLog(foreign).add_refusals(RefusalBatch(secrets.token_hex(8), [group])) == 1
    with foreign.connection() as session:
        assert session.run("SELECT user_id FROM audit_log WHERE action = 'login_refused'") == [[ingrid.user_id]]


@anywhere
def test_each_player_is_met_once_page_by_page(users: Users, foreign: Pool) -> None:
    odd = ["a-1", "A1", "a1", "a_1", "B", "b", "i", "I", "ib", "Ib", "IB", "-", "~", "10", "9"]
    user_ids = [*odd, str(uuid4()), str(uuid4()).upper()]
    for number, user_id in enumerate(user_ids):
        users.add(account(f"player-{number}", user_id))
    reconciliations = Reconciliations(foreign, MAIN.increments)
    met: list[str] = []
    after = ""
    while True:
        points, after = reconciliations.points_after(after, 3)
        met += points
        if not after:
            break
    assert sorted(met) == sorted(user_ids)


def test_a_database_of_before_is_brought_over(foreign: Pool, tmp_path: Path) -> None:
    users = before_this_version(foreign, tmp_path)
    known = [account(name) for name in ("INGRID", "ada", "Ida")]
    for one in known:
        users.add(one)
    assert MIGRATION in Migrations(foreign).apply()
    for one in known:
        assert users.by_username(one.username.swapcase()) == one
        with pytest.raises(UsernameTaken):
            users.add(replace(account(one.username.swapcase())))


def test_names_that_now_collide_are_listed_and_nothing_is_lost(foreign: Pool, tmp_path: Path) -> None:
    users = before_this_version(foreign, tmp_path)
    first, second, other = account("INGRID"), account("ingrid"), account("ada")
    for one in (first, second, other):
        users.add(one)
    with pytest.raises(ConfigurationError) as refused:
        Migrations(foreign).apply()
    for told in (MIGRATION, f"INGRID ({first.user_id}), ingrid ({second.user_id})", "UPDATE users SET username"):
        assert told in refused.value.detail
    assert "ada" not in refused.value.detail
    with foreign.connection() as session:
        assert session.run("SELECT username FROM users ORDER BY created_at") == [["INGRID"], ["ingrid"], ["ada"]]
        session.run("UPDATE users SET username = 'ingrid-2' WHERE user_id = :id", id=second.user_id)
    assert MIGRATION in Migrations(foreign).apply()
    assert users.by_username("ingrid") == first
    assert users.by_username("INGRID-2") == replace(second, username="ingrid-2")
