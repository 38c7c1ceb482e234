"""What becomes of accounts: each change in one transaction with its audit row and the ends of sessions that it brings."""

from __future__ import annotations

from shared.accounts.player import Account, AccountChange
from shared.accounts.session import EndedSession
from shared.accounts.sessions import end_sessions
from shared.core.errors import LastAdmin, UnknownUser, WrongPassword
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.idempotency import Attempt, KeptAnswer, not_kept
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement


class PostgresAccountChanges:
    """The port AccountChanges. The account's row is held from before it is read until all is committed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def change_password(
        self, account: Account, hashed_password: str, kept_session: str, actor: Actor, answer: KeptAnswer | None = None
    ) -> list[EndedSession]:
        """`account` as it was read when its password was checked."""
        with self._pool.transaction("change_password") as session:
            keep_answer(session, answer)
            if _locked(session, account.user_id).hashed_password != account.hashed_password:
                raise WrongPassword
            session.run(statement("change_password"), user_id=account.user_id, hashed_password=hashed_password)
            ended = end_sessions(session, account.user_id, kept=kept_session)
            add_audit_row(session, "password_changed", actor, account.user_id, {})
        return ended

    def change_api_key(self, user_id: str, api_key_hash: str, actor: Actor, answer: KeptAnswer | None = None) -> None:
        """The old key's hash is overwritten."""
        with self._pool.transaction("change_api_key") as session:
            keep_answer(session, answer)
            _locked(session, user_id)
            session.run(statement("change_api_key"), user_id=user_id, api_key=api_key_hash)
            add_audit_row(session, "api_key_rotated", actor, user_id, {})

    def change(
        self, user_id: str, change: AccountChange, actor: Actor, attempt: Attempt = not_kept
    ) -> tuple[Account, list[EndedSession]]:
        """Those who take an admin's place away come one after the other, so that two admins cannot remove each other."""
        with self._pool.transaction("change_user") as session:
            session.run(statement("lock_admins"))
            before = _locked(session, user_id)
            after = change.of(before)
            keep_answer(session, attempt(after.as_json()))
            ended = end_sessions(session, user_id) if after.disabled else []
            if after == before:
                return after, ended
            if before.is_active_admin and not after.is_active_admin:
                _see_that_another_admin_is_left(session, user_id)
            session.run(statement("change_user"), user_id=user_id, role=after.role, disabled=after.disabled)
            detail = {
                name: {"from": getattr(before, name), "to": getattr(after, name)}
                for name in ("role", "disabled")
                if getattr(before, name) != getattr(after, name)
            }
            add_audit_row(session, "user_changed", actor, user_id, detail)
        return after, ended


def _locked(session: Session, user_id: str) -> Account:
    rows = session.run(statement("lock_user"), user_id=user_id)
    if not rows:
        raise UnknownUser
    return Account(*rows[0])


def _see_that_another_admin_is_left(session: Session, user_id: str) -> None:
    if not session.run(statement("find_other_admin"), user_id=user_id):
        raise LastAdmin
