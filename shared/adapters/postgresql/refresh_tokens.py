"""Refresh tokens in the table refresh_tokens: spent at every use, their families ended by a theft."""

from __future__ import annotations

from datetime import datetime

from shared.adapters.postgresql.pool import Pool
from shared.adapters.postgresql.statements import statement
from shared.errors import InvalidCredentials


class PostgresRefreshTokens:
    """The port RefreshTokens on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def add(self, token_hash: str, family_id: str, user_id: str, expires_at: datetime) -> None:
        """Store a new token; the user's expired ones go."""
        with self._pool.connection() as session:
            session.run(
                statement("add_refresh_token"),
                token_hash=token_hash,
                family_id=family_id,
                user_id=user_id,
                expires_at=expires_at,
            )

    def rotate(self, token_hash: str, new_token_hash: str, now: datetime, expires_at: datetime) -> str:
        """Spend one token and store its successor in one transaction; answer the user id.

        Raises InvalidCredentials for an unknown, expired or already spent token; a spent one ends its whole family.
        """
        with self._pool.transaction() as session:
            rows = session.run(statement("lock_refresh_token"), token_hash=token_hash)
            if not rows:
                raise InvalidCredentials
            user_id, family_id, expired_at, is_spent = rows[0]
            if expired_at <= now:
                raise InvalidCredentials
            session.run(statement("lock_refresh_token_family"), family_id=family_id)
            if is_spent:
                session.run(statement("end_refresh_token_family"), family_id=family_id, user_id=user_id)
            else:
                session.run(statement("spend_refresh_token"), token_hash=token_hash, spent_at=now)
                session.run(
                    statement("add_refresh_token"),
                    token_hash=new_token_hash,
                    family_id=family_id,
                    user_id=user_id,
                    expires_at=expires_at,
                )
        if is_spent:  # raised only now: the end of the family had to be committed
            raise InvalidCredentials
        return str(user_id)
