"""Accounts, and how somebody proves to be one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

from shared.accounts.player import Account, AccountChange, Caller, Profile
from shared.accounts.request_limit import RequestKind
from shared.accounts.session import Admission, EndedSession, Missing, Question, Renewal, Successor
from shared.stores.actor import Actor
from shared.stores.idempotency import Attempt, KeptAnswer, not_kept


class Users(Protocol):
    """Accounts (PostgreSQL)."""

    def add(
        self, account: Account, *, actor: str | None = None, source_ip: str | None = None, answer: KeptAnswer | None = None
    ) -> None:
        """Store a new account and its audit row; `actor` is who made it, None the user.

        Raises UsernameTaken, and RequestInProgress when there is an answer under the same key already.
        """
        ...

    def by_username(self, username: str) -> Account | None:
        """The account with this name."""
        ...

    def by_id(self, user_id: str) -> Account | None:
        """The account with this id."""
        ...

    def beginning_with(self, beginning: str, limit: int, after: str) -> list[Account]:
        """Accounts whose names begin so, in the order of their names, from the one after the name `after` on."""
        ...

    def registered_of_late(self, most: int) -> int | None:
        """How many registered themselves within the last hour, counted up to `most`; None where there are no accounts."""
        ...

    def changed_of_late(self) -> list[Profile]:
        """Profiles of the accounts that were changed since a cached one may have been read."""
        ...

    def profiles(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """Profiles of those of the users that exist."""
        ...


class AccountChanges(Protocol):
    """What becomes of accounts, each change with its audit row and the ends of sessions that it brings (PostgreSQL).

    All raise UnknownUser, and RequestInProgress when there is an answer under the same key already; the sessions that are
    answered may still have living access tokens.
    """

    def change_password(
        self, account: Account, hashed_password: str, kept_session: str, actor: Actor, answer: KeptAnswer | None = None
    ) -> list[EndedSession]:
        """All sessions but the kept one end; raises WrongPassword when the password has changed since the account was read."""
        ...

    def change_api_key(self, user_id: str, api_key_hash: str, actor: Actor, answer: KeptAnswer | None = None) -> None:
        """From now on this key is the account's, and no other."""
        ...

    def change(
        self, user_id: str, change: AccountChange, actor: Actor, attempt: Attempt = not_kept
    ) -> tuple[Account, list[EndedSession]]:
        """The account as it is then; of one that is disabled all sessions end. Raises LastAdmin."""
        ...


class Profiles(Protocol):
    """Cached player profiles (Redis, short TTL)."""

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """Those of the profiles that are cached."""
        ...

    def put_many(self, profiles: Iterable[Profile]) -> None:
        """Cache profiles that were read; one that is cached stays, for it may be newer than what was read."""
        ...

    def replace(self, profile: Profile) -> None:
        """Cache a profile that has just changed, in place of what is cached."""
        ...

    def drop(self, user_id: str) -> None:
        """Forget a profile."""
        ...


class Access(Protocol):
    """Whether a caller may still come in: ended sessions and cached profiles, asked in one round trip (Redis)."""

    def admit(self, caller: Caller, question: Question[Any] | None = None, *, no_account: bool = False) -> Admission | Missing:
        """The caller's admission, and with it the answer to what they came for.

        What is missing must be given (put the profile, or say that there is `no_account`; restore the ended sessions), then it is
        tried again. Raises SessionEnded, and UnknownPlayer for a disabled account.
        """
        ...

    def end(self, ended: Iterable[EndedSession]) -> None:
        """From now on nobody comes in with an access token of these sessions."""
        ...

    def restore(self, ended: Iterable[EndedSession]) -> None:
        """These are all sessions that ended of late, as far as anybody knows who asks the database.

        Profiles that were changed of late must have been replaced before.
        """
        ...

    def forget(self) -> int:
        """Drop the sessions whose access tokens have all expired; answer how many."""
        ...


class RefreshTokens(Protocol):
    """Refresh tokens, stored as hashes; all that come from one log-in belong to one session (PostgreSQL)."""

    def add(
        self, token_hash: str, session_id: str, account: Account, expires_at: datetime, answer: KeptAnswer | None = None
    ) -> None:
        """Store the first token of a new session.

        Raises InvalidCredentials when the account is not as it was read any more, and RequestInProgress when there is an answer
        under the same key already.
        """
        ...

    def give_again(self, token_hash: str) -> bool:
        """Whether a token has not been used yet, so that it may be given again, with an access token that lives from now on."""
        ...

    def rotate(self, token_hash: str, successor: Successor, now: datetime, expires_at: datetime) -> Renewal:
        """Spend one token and store its successor in one transaction.

        One that was spent within RENEWAL_GRACE, or within RENEWAL_KEPT with the same Idempotency-Key, gives its first successor
        again until that has been used; any other spent one ends its session. Raises InvalidCredentials for an unknown or
        expired token.
        """
        ...


class Sessions(Protocol):
    """Sessions and their ends (PostgreSQL)."""

    def end(self, caller: Caller, actor: Actor, *, everywhere: bool, answer: KeptAnswer | None = None) -> list[EndedSession]:
        """End the caller's session, or all of the account's; answer those whose access tokens may still be alive.

        Raises RequestInProgress when there is an answer under the same key already.
        """
        ...

    def ended_of(self, user_id: str) -> list[EndedSession]:
        """The account's sessions that ended of late."""
        ...

    def ended(self) -> list[EndedSession]:
        """All sessions that ended of late: their access tokens may still be alive."""
        ...

    def forget(self) -> int:
        """Drop the ends of sessions whose access tokens have all expired; answer how many."""
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

    def issue(self, user_id: str, role: str, now: datetime, session_id: str = "") -> tuple[str, int]:
        """A signed JWT and the seconds it lives."""
        ...

    def verify(self, token: str) -> Caller:
        """Raises InvalidToken or TokenExpired."""
        ...

    def jwks(self) -> dict[str, Any]:
        """The public keys, as a JWK set."""
        ...


class WsTickets(Protocol):
    """Tickets for the WebSocket handshake (Redis, 30 s), good for one use of each step it takes."""

    def issue(self, caller: Caller) -> tuple[str, int]:
        """A ticket and the seconds it lives."""
        ...

    def spend(self, ticket: str, step: str = "connect") -> Caller:
        """Who the ticket was made for; raises InvalidTicket."""
        ...

    def allow(self, ticket: str, step: str, caller: Caller) -> None:
        """Let a ticket that was spent be spent on another step as well."""
        ...


class LoginThrottle(Protocol):
    """Growing delays after failed log-ins: of one account from one network, of one account, from one network (Redis).

    The latter two do not concern an account that was logged in from the network before.
    """

    def attempt(self, username: str, source_ip: str) -> None:
        """Count an attempt as failed until one of the others says otherwise; raises TooManyAttempts while a delay lasts."""
        ...

    def succeeded(self, username: str, source_ip: str) -> None:
        """Forget the account's failures from there, and know the network from now on."""
        ...

    def withdraw(self, username: str, source_ip: str) -> None:
        """Count the attempt no longer: nobody looked at its password."""
        ...


class RequestLimits(Protocol):
    """How often requests of a kind may be made (Redis); the limits are those of request_limit.py."""

    def admit(self, kind: RequestKind, *, source_ip: str = "", user_id: str = "") -> None:
        """Count a request of whom the kind's limits are about; raises TooManyRequests when one is reached.

        When Redis has lost its counts, they are assumed to be nearly used up.
        """
        ...

    def begin(self) -> None:
        """Count from now on unless that has begun; nothing is assumed where there are no accounts. Raises PostgresUnavailable."""
        ...


class Dismissals(Protocol):
    """Those who watch, to be sent away when their session ends or their account is disabled."""

    def dismiss(self, user_id: str, session_ids: Collection[str], at: datetime) -> None:
        """Close the account's connections of these sessions that were made before `at`."""
        ...

    def dismiss_all(self, user_id: str, at: datetime) -> None:
        """Close all of the account's connections that were made before `at`: it is disabled."""
        ...
