"""Accounts and refresh tokens on PostgreSQL."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.accounts.player import Account, Profile
from shared.accounts.postgresql import RefreshTokens, Sessions, Users
from shared.accounts.session import Renewal, Successor
from shared.core.errors import InvalidCredentials, UsernameTaken
from shared.stores.postgresql.pool import Pool

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=30)


def new_account(**changes: object) -> Account:
    name = f"Player-{secrets.token_hex(6)}"
    return replace(Account(str(uuid4()), name, "player", "hash", secrets.token_hex(32)), **changes)  # type: ignore[arg-type]


@pytest.fixture
def users(database: Pool) -> Users:
    return Users(database)


@pytest.fixture
def tokens(database: Pool) -> RefreshTokens:
    return RefreshTokens(database)


@pytest.fixture
def sessions(database: Pool) -> Sessions:
    return Sessions(database)


@pytest.fixture
def account(users: Users) -> Account:
    stored = new_account()
    users.add(stored)
    return stored


def token() -> str:
    return secrets.token_hex(32)


def follower() -> Successor:
    """What is to follow a token."""
    return Successor(token(), f"sealed {token()}")


def test_an_account_is_found_by_id_and_by_name_however_capitalised(users: Users, account: Account) -> None:
    assert users.by_id(account.user_id) == account
    assert users.by_username(account.username) == account
    assert users.by_username(account.username.upper()) == account


def test_nobody_is_found_under_another_name(users: Users) -> None:
    assert users.by_id("nobody") is None
    assert users.by_username("nobody") is None


@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_a_name_is_given_once_however_capitalised(users: Users, account: Account, change: type[str]) -> None:
    with pytest.raises(UsernameTaken):
        users.add(new_account(username=change(account.username)))


def test_two_at_once_do_not_get_the_same_name(users: Users) -> None:
    name = new_account().username

    def register(_: int) -> bool:
        try:
            users.add(new_account(username=name))
        except UsernameTaken:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(register, range(8))) == 1


def test_profiles_come_without_passwords_and_only_of_those_who_exist(users: Users, account: Account) -> None:
    other = new_account(role="admin")
    users.add(other)
    found = users.profiles([account.user_id, other.user_id, "nobody"])
    assert found == {
        account.user_id: Profile(account.user_id, account.username, "player", account.api_key_hash),
        other.user_id: Profile(other.user_id, other.username, "admin", other.api_key_hash),
    }
    assert users.profiles([]) == {}


def test_a_new_account_stands_in_the_audit_log(database: Pool, users: Users) -> None:
    registered, created = new_account(), new_account(role="admin")
    users.add(registered, source_ip="198.51.100.7")
    users.add(created, actor="operator")
    with database.connection() as session:
        rows = session.run(
            "SELECT action, actor, source_ip, detail FROM audit_log WHERE user_id = ANY(CAST(:ids AS text[])) ORDER BY id",
            ids=[registered.user_id, created.user_id],
        )
    assert rows == [
        ["user_registered", registered.user_id, "198.51.100.7", {"username": registered.username, "role": "player"}],
        ["user_created", "operator", None, {"username": created.username, "role": "admin"}],
    ]


def test_a_refused_account_leaves_no_audit_row(database: Pool, users: Users, account: Account) -> None:
    refused = new_account(username=account.username)
    with pytest.raises(UsernameTaken):
        users.add(refused)
    with database.connection() as session:
        assert session.run("SELECT 1 FROM audit_log WHERE user_id = :id", id=refused.user_id) == []


def test_a_refresh_token_is_good_once(tokens: RefreshTokens, account: Account) -> None:
    first, second = token(), follower()
    tokens.add(first, "family-once", account, LATER)
    assert tokens.rotate(first, second, NOW, LATER) == Renewal(account.user_id, "family-once")
    assert tokens.rotate(second.token_hash, follower(), NOW, LATER) == Renewal(account.user_id, "family-once")


def test_a_spent_refresh_token_ends_its_family_and_no_other(
    database: Pool, tokens: RefreshTokens, sessions: Sessions, account: Account
) -> None:
    first, second, other = token(), follower(), token()
    tokens.add(first, "family-theft", account, LATER)
    tokens.add(other, "family-elsewhere", account, LATER)
    tokens.rotate(first, second, NOW, LATER)
    tokens.rotate(second.token_hash, follower(), NOW, LATER)
    ended = tokens.rotate(first, follower(), NOW, LATER).ended
    assert [one.session_id for one in ended] == ["family-theft"]
    assert set(ended) <= set(sessions.ended())
    for refused in (first, second.token_hash):
        with pytest.raises(InvalidCredentials):
            tokens.rotate(refused, follower(), NOW, LATER)
    assert tokens.rotate(other, follower(), NOW, LATER) == Renewal(account.user_id, "family-elsewhere")
    with database.connection() as session:
        rows = session.run(
            "SELECT detail FROM audit_log WHERE user_id = :id AND action = 'refresh_token_reused'", id=account.user_id
        )
    assert rows == [[{"session": "family-theft"}]]


def test_of_many_who_spend_one_token_at_once_all_get_one_successor(tokens: RefreshTokens, account: Account) -> None:
    first, successors = token(), [follower() for _ in range(6)]
    tokens.add(first, f"family-{first[:8]}", account, LATER)
    with ThreadPoolExecutor(6) as threads:
        renewals = list(threads.map(lambda successor: tokens.rotate(first, successor, NOW, LATER), successors))
    (winner,) = [one for one, renewal in zip(successors, renewals, strict=True) if renewal.first_successor is None]
    assert {renewal.first_successor for renewal in renewals} == {None, winner.sealed}
    assert not any(renewal.ended for renewal in renewals)
    for successor in successors:
        if successor is not winner:
            with pytest.raises(InvalidCredentials):
                tokens.rotate(successor.token_hash, follower(), NOW, LATER)
    assert not tokens.rotate(winner.token_hash, follower(), NOW, LATER).ended


def test_unknown_and_expired_refresh_tokens_are_refused(tokens: RefreshTokens, account: Account) -> None:
    with pytest.raises(InvalidCredentials):
        tokens.rotate(token(), follower(), NOW, LATER)
    old = token()
    tokens.add(old, "family-old", account, LATER)
    with pytest.raises(InvalidCredentials):
        tokens.rotate(old, follower(), LATER, LATER)


def test_expired_refresh_tokens_are_cleared_away(database: Pool, tokens: RefreshTokens, account: Account) -> None:
    old = token()
    tokens.add(old, "family-cleared", account, NOW - timedelta(days=1))
    tokens.add(token(), "family-new", account, LATER)
    with database.connection() as session:
        assert session.run("SELECT 1 FROM refresh_tokens WHERE token_hash = :hash", hash=old) == []
