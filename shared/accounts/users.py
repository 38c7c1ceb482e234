"""Accounts in the table users."""

from __future__ import annotations

from collections.abc import Sequence

from shared.accounts.player import Account, Profile
from shared.core import metrics
from shared.core.errors import UsernameTaken
from shared.core.ids import folded
from shared.stores.idempotency import KeptAnswer
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.errors import UniqueViolation
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.statements import statement


class PostgresUsers:
    """The port Users on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def add(
        self, account: Account, *, actor: str | None = None, source_ip: str | None = None, answer: KeptAnswer | None = None
    ) -> None:
        """Store a new account and its audit row in one transaction with its answer."""
        try:
            with self._pool.transaction("add_user") as session:
                keep_answer(session, answer)
                session.run(
                    statement("add_user"),
                    user_id=account.user_id,
                    username=account.username,
                    hashed_password=account.hashed_password,
                    api_key=account.api_key_hash,
                    role=account.role,
                    action="user_created" if actor else "user_registered",
                    actor=actor or account.user_id,
                    source_ip=source_ip,
                )
        except UniqueViolation as error:
            if "username" not in error.constraint:
                raise
            raise UsernameTaken from error
        for table in ("users", "audit_log"):
            metrics.rows_inserted.of(table).inc()

    def by_username(self, username: str) -> Account | None:
        """The account with this name, however it is capitalised."""
        return self._find("find_user_by_username", username=username)

    def by_id(self, user_id: str) -> Account | None:
        """The account with this id."""
        return self._find("find_user_by_id", user_id=user_id)

    def beginning_with(self, beginning: str, limit: int, after: str) -> list[Account]:
        """By an index of the names, byte by byte."""
        with self._pool.connection() as session:
            rows = session.run(
                statement("find_users_by_beginning"), beginning=folded(beginning), after=folded(after), limit=limit
            )
        return [Account(*row) for row in rows]

    def registered_of_late(self, most: int) -> int | None:
        """By the newest audit rows, which an index finds."""
        with self._pool.connection() as session:
            [[count]] = session.run(statement("count_registrations"), most=most)
        return None if count is None else int(count)

    def changed_of_late(self) -> list[Profile]:
        """By the newest audit rows, which an index finds."""
        with self._pool.connection() as session:
            return [Profile(*row) for row in session.run(statement("find_changed_profiles"))]

    def profiles(self, user_ids: Sequence[str]) -> dict[str, Profile]:
        """Profiles of those of the users that exist."""
        if not user_ids:
            return {}
        with self._pool.connection() as session:
            rows = session.run(statement("find_profiles"), user_ids=list(user_ids))
        return {row[0]: Profile(*row) for row in rows}

    def _find(self, name: str, **parameters: str) -> Account | None:
        with self._pool.connection() as session:
            rows = session.run(statement(name), **parameters)
        return Account(*rows[0]) if rows else None
