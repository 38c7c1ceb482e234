"""Changes of accounts on PostgreSQL: what must not be possible however requests race."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.accounts.player import Account, AccountChange, Caller
from shared.accounts.postgresql import AccountChanges, RefreshTokens, Sessions, Users
from shared.accounts.session import Successor
from shared.core.errors import InvalidCredentials, LastAdmin, UnknownUser, WrongPassword
from shared.stores.actor import Actor
from shared.stores.postgresql.pool import Pool
from tests.contract.audit import Audit

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=30)
ACTOR = Actor("a-1", "198.51.100.7", "r-1")
DISABLED, PLAYER = AccountChange(disabled=True), AccountChange(role="player")


class Accounts:
    """Accounts and their sessions in a database of the test's own."""

    def __init__(self, pool: Pool) -> None:
        self.users, self.changes = Users(pool), AccountChanges(pool)
        self.tokens, self.sessions = RefreshTokens(pool), Sessions(pool)

    def add(self, **fields: object) -> Account:
        name = f"Player-{secrets.token_hex(6)}"
        account = replace(Account(str(uuid4()), name, "player", "hash", secrets.token_hex(32)), **fields)  # type: ignore[arg-type]
        self.users.add(account)
        return account

    def log_in(self, account: Account) -> tuple[str, str]:
        """A session and its refresh token."""
        session_id, token = str(uuid4()), secrets.token_hex(32)
        self.tokens.add(token, session_id, account, LATER)
        return session_id, token

    def goes_on(self, token: str) -> bool:
        try:
            return not self.tokens.rotate(token, Successor(secrets.token_hex(32), "sealed"), NOW, LATER).ended
        except InvalidCredentials:
            return False


@pytest.fixture
def accounts(audit: Audit) -> Accounts:
    return Accounts(audit.pool)


@pytest.mark.parametrize("change", [DISABLED, PLAYER, AccountChange(simulated=True), AccountChange(role="player", disabled=True)])
def test_the_last_active_admin_stays_one(accounts: Accounts, change: AccountChange) -> None:
    admin, other = accounts.add(role="admin"), accounts.add(role="admin")
    accounts.changes.change(other.user_id, DISABLED, ACTOR)
    with pytest.raises(LastAdmin):
        accounts.changes.change(admin.user_id, change, ACTOR)
    assert accounts.users.by_id(admin.user_id) == admin
    accounts.changes.change(other.user_id, AccountChange(disabled=False), ACTOR)
    assert not accounts.changes.change(admin.user_id, change, ACTOR)[0].is_active_admin


def test_admins_who_remove_each_other_at_once_leave_one(accounts: Accounts) -> None:
    admins = [accounts.add(role="admin") for _ in range(6)]

    def remove(admin: Account) -> bool:
        try:
            accounts.changes.change(admin.user_id, DISABLED, ACTOR)
        except LastAdmin:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(remove, admins)) == 5


def test_a_log_in_with_the_old_password_does_not_slip_through_its_change(accounts: Accounts) -> None:
    account = accounts.add()
    kept, _ = accounts.log_in(account)
    before = {accounts.log_in(account)[0] for _ in range(3)}
    ended = accounts.changes.change_password(account, "new hash", kept, ACTOR)
    assert {session.session_id for session in ended} == before
    assert {session.session_id for session in accounts.sessions.ended()} == before
    with pytest.raises(InvalidCredentials):
        accounts.log_in(account)
    with pytest.raises(WrongPassword):
        accounts.changes.change_password(account, "newer hash", kept, ACTOR)
    accounts.log_in(replace(account, hashed_password="new hash"))


def test_racing_log_ins_and_renewals_do_not_outlive_a_disabled_account(audit: Audit, accounts: Accounts) -> None:
    account = accounts.add()
    tokens = [accounts.log_in(account)[1] for _ in range(4)]

    def log_in(_: int) -> str:
        try:
            return accounts.log_in(account)[1]
        except InvalidCredentials:
            return ""

    with ThreadPoolExecutor(9) as threads:
        renewed = [threads.submit(accounts.goes_on, token) for token in tokens]
        begun = [threads.submit(log_in, number) for number in range(4)]
        disabled = threads.submit(accounts.changes.change, account.user_id, DISABLED, ACTOR)
    assert disabled.exception() is None
    assert [one.exception() for one in renewed] + [one.exception() for one in begun] == [None] * 8
    with audit.pool.connection() as session:
        assert session.run("SELECT family_id FROM refresh_tokens WHERE user_id = :id", id=account.user_id) == []


def test_sessions_that_were_idle_for_longer_than_a_token_lives_need_not_be_known(audit: Audit, accounts: Accounts) -> None:
    account = accounts.add()
    (idle, idle_token), (busy, _) = accounts.log_in(account), accounts.log_in(account)
    with audit.pool.connection() as session:
        session.run("UPDATE refresh_tokens SET issued_at = now() - interval '17 minutes' WHERE family_id = :id", id=idle)
    ended = accounts.sessions.end(Caller(account.user_id, "player", LATER, busy), ACTOR, everywhere=True)
    assert [session.session_id for session in ended] == [busy]
    assert not accounts.goes_on(idle_token)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda changes: changes.change("nobody", DISABLED, ACTOR),
        lambda changes: changes.change_api_key("nobody", "0" * 64, ACTOR),
        lambda changes: changes.change_password(Account("nobody", "n", "player", "h", "k"), "hash", "", ACTOR),
    ],
)
def test_who_does_not_exist_is_not_changed(accounts: Accounts, attempt: Callable[[AccountChanges], object]) -> None:
    with pytest.raises(UnknownUser):
        attempt(accounts.changes)
