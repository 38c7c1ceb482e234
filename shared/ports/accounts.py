"""Accounts, and how somebody proves to be one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from shared.domain.player import Account, Caller, Profile
from shared.domain.request_limit import RequestKind
from shared.domain.ticket import ActionTicket


class Users(Protocol):
    """Accounts (PostgreSQL)."""

    def add(self, account: Account, *, actor: str | None = None, source_ip: str | None = None) -> None:
        """Store a new account and its audit row; `actor` is who made it, None the user; raises UsernameTaken."""
        ...

    def by_username(self, username: str) -> Account | None:
        """The account with this name."""
        ...

    def by_id(self, user_id: str) -> Account | None:
        """The account with this id."""
        ...

    def profiles(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """Profiles of those of the users that exist."""
        ...


class Profiles(Protocol):
    """Cached player profiles (Redis, short TTL)."""

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """Those of the profiles that are cached."""
        ...

    def put_many(self, profiles: Iterable[Profile]) -> None:
        """Cache profiles."""
        ...

    def drop(self, user_id: str) -> None:
        """Forget a profile at once: the role changed or the account was disabled."""
        ...


class RefreshTokens(Protocol):
    """Refresh tokens, stored as hashes; a family is everything that came from one log-in."""

    def add(self, token_hash: str, family_id: str, user_id: str, expires_at: datetime) -> None:
        """Store a new token."""
        ...

    def rotate(self, token_hash: str, new_token_hash: str, now: datetime, expires_at: datetime) -> str:
        """Spend one token and store its successor in one transaction; answer the user id.

        Raises InvalidCredentials for an unknown, expired or already spent token; a spent one ends its whole family.
        """
        ...


class PasswordHasher(Protocol):
    """argon2id; both methods raise TooBusy when too many wait already."""

    def hash(self, password: str) -> str:
        """The encoded hash."""
        ...

    def verify(self, hashed: str | None, password: str) -> bool:
        """Whether it fits; with None (no such account) it takes the same time and is False."""
        ...


class AccessTokens(Protocol):
    """Signed access tokens."""

    def issue(self, user_id: str, role: str, now: datetime) -> tuple[str, int]:
        """A signed JWT and the seconds it lives."""
        ...

    def verify(self, token: str) -> Caller:
        """Raises InvalidToken or TokenExpired."""
        ...

    def jwks(self) -> dict[str, Any]:
        """The public keys, as a JWK set."""
        ...


class WsTickets(Protocol):
    """One-use tickets for the WebSocket handshake (Redis, 30 s)."""

    def issue(self, caller: Caller) -> tuple[str, int]:
        """A ticket and the seconds it lives."""
        ...

    def spend(self, ticket: str) -> Caller:
        """Who the ticket was made for; raises InvalidTicket."""
        ...


class TicketSigner(Protocol):
    """Action tickets as text that nobody else can write; nothing is stored."""

    def sign(self, ticket: ActionTicket) -> str:
        """The text of a ticket."""
        ...

    def verify(self, text: str) -> ActionTicket:
        """The ticket of a text, perhaps expired; raises InvalidActionTicket."""
        ...


class LoginThrottle(Protocol):
    """Growing delays after failed log-ins: of one account from one network, of one account, from one network (Redis).

    The latter two do not concern an account that was logged in from the network before.
    """

    def attempt(self, username: str, source_ip: str) -> None:
        """Count an attempt as failed until `succeeded` says otherwise; raises TooManyAttempts while a delay lasts."""
        ...

    def succeeded(self, username: str, source_ip: str) -> None:
        """Forget the account's failures from there, and know the network from now on."""
        ...


class RequestLimits(Protocol):
    """How often requests of a kind may be made (Redis); the limits are those of domain/request_limit.py."""

    def admit(self, kind: RequestKind, *, source_ip: str = "", user_id: str = "") -> None:
        """Count a request of whom the kind's limits are about; raises TooManyRequests when one is reached.

        These protect what we can do, not secrets: while Redis is away everything is admitted.
        """
        ...
