"""Log in with a password, or stay logged in with a refresh token."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from shared.accounts.check_password import Gatekeeper, check_password
from shared.accounts.player import USERNAME, Account
from shared.accounts.session import Successor
from shared.accounts.take_effect import LiveAccounts, end_access
from shared.core.clock import Clock
from shared.core.errors import BadMessage, InvalidCredentials, InvalidParameter
from shared.core.invocation import note
from shared.stores.answer_once import KeyedRequest, Memory, answer_once
from shared.stores.idempotency import Attempt, checked_key, key_hash, not_kept

if TYPE_CHECKING:
    from shared.accounts.postgresql import RefreshTokens, Users
    from shared.accounts.tokens import AccessTokens


REFRESH_TOKEN_BYTES = 32
REFRESH_TOKEN_LIFETIME = timedelta(days=30)
_NO_SUCH_NAME = "-"  # never a username: what cannot be one shares one throttle


@dataclass(frozen=True, slots=True)
class PasswordGrant:
    """A name and a password from an address."""

    username: str
    password: str = field(repr=False)
    source_ip: str
    idempotency_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    """A refresh token from an address."""

    refresh_token: str = field(repr=False)
    source_ip: str
    idempotency_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a client goes on with, and as whom."""

    user_id: str
    access_token: str = field(repr=False)
    expires_in_seconds: int
    refresh_token: str = field(repr=False)
    is_replayed: bool = False

    def as_json(self) -> dict[str, str | int]:
        """In the words of the API."""
        return {
            "userId": self.user_id,
            "accessToken": self.access_token,
            "tokenType": "Bearer",
            "expiresIn": self.expires_in_seconds,
            "refreshToken": self.refresh_token,
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """The ports that know who somebody is."""

    users: Users
    gatekeeper: Gatekeeper
    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    accounts: LiveAccounts
    clock: Clock
    memory: Memory


def parse_grant(body: Mapping[str, Any], source_ip: str, idempotency_key: str | None) -> PasswordGrant | RefreshGrant:
    """Read `{"username", "password"}` or `{"refreshToken"}`; raises InvalidParameter."""
    key = checked_key(idempotency_key)
    refresh_token, username, password = body.get("refreshToken"), body.get("username"), body.get("password")
    if isinstance(refresh_token, str) and username is None and password is None:
        return RefreshGrant(refresh_token, source_ip, key)
    if isinstance(username, str) and isinstance(password, str) and refresh_token is None:
        return PasswordGrant(username, password, source_ip, key)
    raise InvalidParameter("Send either `username` and `password`, or `refreshToken`, as texts.")


def issue_token(grant: PasswordGrant | RefreshGrant, identity: Identity) -> TokenPair:
    """Raises InvalidCredentials, TooManyRequests, and TooManyAttempts while a delay after failures lasts."""
    if isinstance(grant, RefreshGrant):
        return _refresh(grant, identity)
    return _log_in(grant, identity)


def _log_in(grant: PasswordGrant, identity: Identity) -> TokenPair:
    is_possible = USERNAME.fullmatch(grant.username) is not None
    name = grant.username if is_possible else _NO_SUCH_NAME
    gatekeeper = identity.gatekeeper
    account = check_password(name, grant.password, grant.source_ip, lambda: identity.users.by_username(name), gatekeeper)
    if account is None:
        raise InvalidCredentials

    def begin(attempt: Attempt) -> dict[str, str]:
        gatekeeper.request_limits.admit("session", user_id=account.user_id)
        begun = {"refreshToken": secrets.token_urlsafe(REFRESH_TOKEN_BYTES), "session": str(uuid4())}
        expires_at = identity.clock.now() + REFRESH_TOKEN_LIFETIME
        identity.refresh_tokens.add(_hash(begun["refreshToken"]), begun["session"], account, expires_at, attempt(begun))
        return begun

    request = KeyedRequest(grant.idempotency_key, account.user_id, f"log-in of {account.user_id}".encode())
    answer = answer_once(request, identity.memory, begin)
    begun, is_replayed = answer.data, answer.is_replayed
    if is_replayed and not identity.refresh_tokens.give_again(_hash(begun["refreshToken"])):
        begun, is_replayed = begin(not_kept), False  # it has been used: the first answer arrived, and this is another log-in
    return replace(_pair(account, begun["session"], begun["refreshToken"], identity), is_replayed=is_replayed)


def _refresh(grant: RefreshGrant, identity: Identity) -> TokenPair:
    identity.gatekeeper.request_limits.admit("token_refresh", source_ip=grant.source_ip)
    refresh_token, now = secrets.token_urlsafe(REFRESH_TOKEN_BYTES), identity.clock.now()
    shown, sealer = _hash(grant.refresh_token), identity.memory.sealer_under(grant.refresh_token)
    key = grant.idempotency_key
    successor = Successor(
        _hash(refresh_token),
        sealer.seal(refresh_token.encode(), _successor_of(shown)),
        "" if key is None else key_hash(shown, key),
    )
    renewal = identity.refresh_tokens.rotate(shown, successor, now, now + REFRESH_TOKEN_LIFETIME)
    if renewal.ended:
        end_access(renewal.ended, identity.accounts)
        raise InvalidCredentials
    account = identity.users.by_id(renewal.user_id)
    if account is None or account.disabled:
        raise InvalidCredentials
    if renewal.first_successor is None:
        return _pair(account, renewal.session_id, refresh_token, identity)
    try:
        first = sealer.open(renewal.first_successor, _successor_of(shown)).decode()
    except BadMessage:  # sealed under a server's key that is no longer here
        raise InvalidCredentials from None
    return replace(_pair(account, renewal.session_id, first, identity), is_replayed=key is not None)


def _successor_of(token_hash: str) -> bytes:
    return f"successor of {token_hash}".encode()


def _pair(account: Account, session_id: str, refresh_token: str, identity: Identity) -> TokenPair:
    note(user_id=account.user_id)
    now = identity.clock.now()
    access_token, lifetime_seconds = identity.access_tokens.issue(account.user_id, account.role, now, session_id)
    return TokenPair(account.user_id, access_token, lifetime_seconds, refresh_token)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
