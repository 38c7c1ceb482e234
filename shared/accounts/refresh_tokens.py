"""Refresh tokens in the table refresh_tokens: spent at every use, their sessions ended by a theft."""

from __future__ import annotations

from datetime import datetime

from shared.accounts.player import Account
from shared.accounts.session import RENEWAL_GRACE, RENEWAL_KEPT, Renewal, Successor
from shared.accounts.sessions import end_sessions
from shared.core.errors import InvalidCredentials
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.idempotency import KeptAnswer
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement

SCOREBOARD = Actor("scoreboard")
GRACE, KEYED = (f"{int(span.total_seconds())} seconds" for span in (RENEWAL_GRACE, RENEWAL_KEPT))


class PostgresRefreshTokens:
    """The port RefreshTokens on PostgreSQL. A session is the family_id of its tokens."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def add(
        self, token_hash: str, session_id: str, account: Account, expires_at: datetime, answer: KeptAnswer | None = None
    ) -> None:
        """Store the first token of a new session in one transaction with its answer; the user's expired ones go.

        Raises InvalidCredentials when the password was changed or the account disabled since it was read.
        """
        with self._pool.transaction("begin_session") as session:
            keep_answer(session, answer)
            rows = session.run(
                statement("begin_session"),
                token_hash=token_hash,
                session_id=session_id,
                user_id=account.user_id,
                hashed_password=account.hashed_password,
                expires_at=expires_at,
            )
            if not rows:
                raise InvalidCredentials

    def give_again(self, token_hash: str) -> bool:
        """With the owner's row held, as whoever ends sessions holds it."""
        with self._pool.transaction("give_refresh_token_again") as session:
            session.run(statement("lock_owner_of_token"), token_hash=token_hash)
            return bool(session.run(statement("renew_again"), token_hash=token_hash))

    def rotate(self, token_hash: str, successor: Successor, now: datetime, expires_at: datetime) -> Renewal:
        """Spend one token and store its successor in one transaction.

        A token that was spent a moment ago gives the same successor again until that has been used itself: the first answer was
        lost, or two requests came at once. Any other that comes back has two holders, one of them a thief: the session ends.
        Raises InvalidCredentials for an unknown or expired token.
        """
        with self._pool.transaction("rotate_refresh_token") as session:
            # The row of its owner first, as everybody does who ends sessions; then the token as it is when that is held.
            session.run(statement("lock_owner_of_token"), token_hash=token_hash)
            rows = session.run(
                statement("find_refresh_token"), token_hash=token_hash, key_hash=successor.key_hash, grace=GRACE, keyed=KEYED
            )
            if not rows:
                raise InvalidCredentials
            user_id, session_id, expired_at, is_spent, sealed, followed_by = rows[0]
            if expired_at <= now:
                raise InvalidCredentials
            if sealed is not None:
                session.run(statement("renew_again"), token_hash=followed_by)
                return Renewal(user_id, session_id, first_successor=sealed)
            if is_spent:
                ended = end_sessions(session, user_id, only=session_id)
                add_audit_row(session, "refresh_token_reused", SCOREBOARD, user_id, {"session": session_id})
                return Renewal(user_id, session_id, ended)
            session.run(
                statement("spend_refresh_token"),
                token_hash=token_hash,
                family_id=session_id,
                successor_hash=successor.token_hash,
                sealed_successor=successor.sealed,
                key_hash=successor.key_hash,
            )
            session.run(
                statement("add_refresh_token"),
                token_hash=successor.token_hash,
                family_id=session_id,
                user_id=user_id,
                expires_at=expires_at,
            )
        return Renewal(user_id, session_id)
