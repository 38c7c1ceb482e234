"""Sessions and their ends: the families of the table refresh_tokens, and the table ended_sessions."""

from __future__ import annotations

from shared.accounts.player import Caller
from shared.accounts.session import REMEMBERED, EndedSession
from shared.stores.actor import Actor
from shared.stores.audit_row import add_audit_row
from shared.stores.idempotency import KeptAnswer
from shared.stores.kept_answers import keep_answer
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

ALIVE = f"{int(REMEMBERED.total_seconds())} seconds"


class PostgresSessions:
    """The port Sessions."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def end(self, caller: Caller, actor: Actor, *, everywhere: bool, answer: KeptAnswer | None = None) -> list[EndedSession]:
        """One transaction, with its audit row and its answer."""
        with self._pool.transaction("end_sessions") as session:
            keep_answer(session, answer)
            session.run(statement("lock_user"), user_id=caller.user_id)
            ended = end_sessions(session, caller.user_id, only="" if everywhere else caller.session_id)
            add_audit_row(session, "logged_out", actor, caller.user_id, {"everywhere": everywhere})
        return ended

    def ended(self) -> list[EndedSession]:
        """By the index of ended_at."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_ended_sessions"), known=ALIVE)
        return [EndedSession(*row) for row in rows]

    def ended_of(self, user_id: str) -> list[EndedSession]:
        """By the index of user_id."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_ended_sessions_of_user"), user_id=user_id, known=ALIVE)
        return [EndedSession(*row) for row in rows]

    def forget(self) -> int:
        """DELETE."""
        with self._pool.connection() as session:
            return len(session.run(statement("forget_ended_sessions"), known=ALIVE))


def end_sessions(session: Session, user_id: str, *, only: str = "", kept: str = "") -> list[EndedSession]:
    """In a transaction that holds the user's row; `only` one, or all but the one that is `kept`.

    Returns these and every session of the user that ended earlier and may still have living access tokens: an earlier request
    may have committed their ends and died before it told the other stores.
    """
    rows = session.run(statement("end_sessions"), user_id=user_id, only=only, kept=kept, alive=ALIVE)
    return [EndedSession(*row) for row in rows]
