"""First answers to requests with an Idempotency-Key, in the table kept_answers."""

from __future__ import annotations

from shared.core.errors import RequestInProgress
from shared.stores.idempotency import CARRIED_OUT_WITHIN, KEPT, FirstAnswer, KeptAnswer
from shared.stores.postgresql.pool import Pool
from shared.stores.postgresql.session import Session
from shared.stores.postgresql.statements import statement

KEPT_FOR, CLAIMED_FOR = (f"{int(span.total_seconds())} seconds" for span in (KEPT, CARRIED_OUT_WITHIN))


class KeptAnswers:
    """First answers to requests with an Idempotency-Key, by the hash of the key (PostgreSQL).

    A change that is one transaction keeps its answer in it. One that several stores take part in is claimed before it begins.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def find(self, key_hash: str) -> FirstAnswer | None:
        """What is kept under a key."""
        with self._pool.connection() as session:
            rows = session.run(statement("find_answer"), key_hash=key_hash)
        return FirstAnswer(rows[0][0], float(rows[0][1])) if rows else None

    def claim(self, key_hash: str) -> None:
        """Begin to carry out a request; raises RequestInProgress when another one has begun or been answered."""
        with self._pool.connection() as session:
            _keep(session, key_hash, None, CLAIMED_FOR)

    def settle(self, answer: KeptAnswer) -> None:
        """A request that was claimed has been carried out."""
        with self._pool.connection() as session:
            session.run(statement("settle_answer"), key_hash=answer.key_hash, answer=answer.sealed, kept=KEPT_FOR)

    def release(self, key_hash: str) -> None:
        """A request that was claimed was refused."""
        with self._pool.connection() as session:
            session.run(statement("release_answer"), key_hash=key_hash)

    def forget(self) -> int:
        """Drop those whose time is over; answer how many."""
        with self._pool.connection() as session:
            return len(session.run(statement("forget_answers")))


def keep_answer(session: Session, answer: KeptAnswer | None) -> None:
    """In the transaction of the change that it answers, where one is to be kept.

    Raises RequestInProgress when another transaction has kept one under the same key first; it waits for the end of that one.
    """
    if answer is not None:
        _keep(session, answer.key_hash, answer.sealed, KEPT_FOR)


def _keep(session: Session, key_hash: str, sealed: str | None, kept: str) -> None:
    if not session.run(statement("keep_answer"), key_hash=key_hash, answer=sealed, kept=kept):
        raise RequestInProgress
