"""Accounts in PostgreSQL, with their sessions and refresh tokens; each change with its audit row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shared.accounts.display_name import folded_display_name
from shared.accounts.player import Account, AccountChange, Caller, Profile
from shared.accounts.session import REMEMBERED, RENEWAL_GRACE, RENEWAL_KEPT, EndedSession, Renewal, Successor
from shared.core import metrics
from shared.core.errors import InvalidCredentials, LastAdmin, UnknownUser, UsernameTaken, WrongPassword
from shared.core.ids import folded
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.idempotency import Attempt, KeptAnswer, not_kept
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.errors import UniqueViolation
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

SCOREBOARD = Actor("scoreboard")
PAGE = 5000
GRACE, KEYED = (f"{int(span.total_seconds())} seconds" for span in (RENEWAL_GRACE, RENEWAL_KEPT))
ALIVE = f"{int(REMEMBERED.total_seconds())} seconds"


class Users:
    """Accounts (PostgreSQL)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def add(
        self, account: Account, *, actor: str | None = None, source_ip: str | None = None, answer: KeptAnswer | None = None
    ) -> None:
        """Store a new account and its audit row in one transaction with its answer; `actor` is who made it, None the user.

        Raises UsernameTaken, and RequestInProgress when there is an answer under the same key already.
        """
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
                    display_name=account.display_name,
                    display_name_folded=_folded(account.display_name),
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
        """Accounts whose names or display names begin so, in the order of their names, from the one after the name `after` on."""
        with self._pool.connection() as session:
            rows = session.run(
                statement("find_users_by_beginning"),
                beginning=folded(beginning),
                shown=folded_display_name(beginning),
                after=folded(after),
                limit=limit,
            )
        return [Account(*row) for row in rows]

    def registered_of_late(self, most: int) -> int | None:
        """How many registered themselves within the last hour, counted up to `most`; None where there are no accounts.

        By the newest audit rows, which an index finds.
        """
        with self._pool.connection() as session:
            [[count]] = session.run(statement("count_registrations"), most=most)
        return None if count is None else int(count)

    def changed_of_late(self) -> list[Profile]:
        """Profiles of the accounts that were changed since a cached one may have been read.

        By the newest audit rows, which an index finds.
        """
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


class AccountChanges:
    """What becomes of accounts, each change with its audit row and the ends of sessions that it brings (PostgreSQL).

    All raise UnknownUser, and RequestInProgress when there is an answer under the same key already; the sessions that are
    answered may still have living access tokens.

    The account's row is held from before it is read until all is committed.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def change_password(
        self, account: Account, hashed_password: str, kept_session: str, actor: Actor, answer: KeptAnswer | None = None
    ) -> list[EndedSession]:
        """All sessions but the kept one end; raises WrongPassword when the password has changed since the account was read.

        `account` as it was read when its password was checked.
        """
        with self._pool.transaction("change_password") as session:
            keep_answer(session, answer)
            if _locked(session, account.user_id).hashed_password != account.hashed_password:
                raise WrongPassword
            session.run(statement("change_password"), user_id=account.user_id, hashed_password=hashed_password)
            ended = end_sessions(session, account.user_id, kept=kept_session)
            add_audit_row(session, "password_changed", actor, account.user_id, {})
        return ended

    def change_api_key(self, user_id: str, api_key_hash: str, actor: Actor, answer: KeptAnswer | None = None) -> None:
        """From now on this key is the account's, and no other."""
        with self._pool.transaction("change_api_key") as session:
            keep_answer(session, answer)
            _locked(session, user_id)
            session.run(statement("change_api_key"), user_id=user_id, api_key=api_key_hash)
            add_audit_row(session, "api_key_rotated", actor, user_id, {})

    def change_display_name(self, user_id: str, display_name: str | None, actor: Actor, attempt: Attempt = not_kept) -> Account:
        """The account as it is then; None shows the username."""
        with self._pool.transaction("change_display_name") as session:
            before = _locked(session, user_id)
            after = replace(before, display_name=display_name)
            keep_answer(session, attempt(after.as_own_json()))
            if after == before:
                return after
            session.run(
                statement("change_display_name"),
                user_id=user_id,
                display_name=display_name,
                display_name_folded=_folded(display_name),
            )
            detail = {"displayName": {"from": before.display_name, "to": display_name}}
            add_audit_row(session, "user_changed", actor, user_id, detail)
        return after

    def change(
        self, user_id: str, change: AccountChange, actor: Actor, attempt: Attempt = not_kept
    ) -> tuple[Account, list[EndedSession]]:
        """The account as it is then; of one that is disabled all sessions end. Raises LastAdmin.

        Those who take an admin's place away come one after the other, so that two admins cannot remove each other.
        """
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
            session.run(
                statement("change_user"), user_id=user_id, role=after.role, disabled=after.disabled, simulated=after.simulated
            )
            if change.takes_name:
                session.run(statement("change_display_name"), user_id=user_id, display_name=None, display_name_folded=None)
            told = {"role": "role", "disabled": "disabled", "simulated": "simulated", "display_name": "displayName"}
            detail = {
                told[name]: {"from": getattr(before, name), "to": getattr(after, name)}
                for name in told
                if getattr(before, name) != getattr(after, name)
            }
            add_audit_row(session, "user_changed", actor, user_id, detail)
        return after, ended


def _folded(display_name: str | None) -> str | None:
    return None if display_name is None else folded_display_name(display_name)


def _locked(session: Session, user_id: str) -> Account:
    rows = session.run(statement("lock_user"), user_id=user_id)
    if not rows:
        raise UnknownUser
    return Account(*rows[0])


def _see_that_another_admin_is_left(session: Session, user_id: str) -> None:
    if not session.run(statement("find_other_admin"), user_id=user_id):
        raise LastAdmin


class RefreshTokens:
    """Refresh tokens, stored as hashes; all that come from one log-in belong to one session (PostgreSQL).

    A session is the family_id of its tokens.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def add(
        self, token_hash: str, session_id: str, account: Account, expires_at: datetime, answer: KeptAnswer | None = None
    ) -> None:
        """Store the first token of a new session in one transaction with its answer; the user's expired ones go.

        Raises InvalidCredentials when the password was changed or the account disabled since it was read, and RequestInProgress
        when there is an answer under the same key already.
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
        """Whether a token has not been used yet, so that it may be given again, with an access token that lives from now on.

        With the owner's row held, as whoever ends sessions holds it.
        """
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


class Sessions:
    """Sessions and their ends (PostgreSQL)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def end(self, caller: Caller, actor: Actor, *, everywhere: bool, answer: KeptAnswer | None = None) -> list[EndedSession]:
        """End the caller's session, or all of the account's; answer those whose access tokens may still be alive.

        Raises RequestInProgress when there is an answer under the same key already.

        One transaction, with its audit row and its answer.
        """
        with self._pool.transaction("end_sessions") as session:
            keep_answer(session, answer)
            session.run(statement("lock_user"), user_id=caller.user_id)
            ended = end_sessions(session, caller.user_id, only="" if everywhere else caller.session_id)
            add_audit_row(session, "logged_out", actor, caller.user_id, {"everywhere": everywhere})
        return ended

    def ended(self) -> list[EndedSession]:
        """All sessions that ended of late: their access tokens may still be alive."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_ended_sessions"), known=ALIVE)
        return [EndedSession(*row) for row in rows]

    def ended_of(self, user_id: str) -> list[EndedSession]:
        """The account's sessions that ended of late."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_ended_sessions_of_user"), user_id=user_id, known=ALIVE)
        return [EndedSession(*row) for row in rows]

    def forget(self) -> int:
        """Drop the ends of sessions whose access tokens have all expired; answer how many."""
        with self._pool.connection() as session:
            return len(session.run(statement("forget_ended_sessions"), known=ALIVE))


def end_sessions(session: Session, user_id: str, *, only: str = "", kept: str = "") -> list[EndedSession]:
    """In a transaction that holds the user's row; `only` one, or all but the one that is `kept`.

    Returns these and every session of the user that ended earlier and may still have living access tokens: an earlier request
    may have committed their ends and died before it told the other stores.
    """
    rows = session.run(statement("end_sessions"), user_id=user_id, only=only, kept=kept, alive=ALIVE)
    return [EndedSession(*row) for row in rows]
