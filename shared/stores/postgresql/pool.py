"""A bounded pool of connections to PostgreSQL, opened when needed, newest first; for threads and greenlets alike."""

from __future__ import annotations

import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from time import perf_counter

from shared.core import metrics
from shared.core.database_url import DatabaseUrl
from shared.core.errors import PostgresUnavailable, ScoreboardError
from shared.stores.postgresql.errors import StatementRejected
from shared.stores.postgresql.last_answer import LastAnswer
from shared.stores.postgresql.session import Session

WAIT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
# A PostgreSQL that stays read-only is connected to this often, not with every statement.
REPLACE_PAUSE_SECONDS = 0.5


class Pool:
    """At most `size` connections. Only the standard library's locks are used, so that gevent's patches cover it.

    When one of them meets the wrong server (a standby, say, which answers every SELECT well), all are replaced: the next ones
    find the primary. Where the URL names several servers, they look for one that takes writes, the last one found first.

    `answered` is told of answers.
    """

    def __init__(
        self,
        database_url: str,
        size: int = 8,
        *,
        ca_file: str = "",
        name: str = "DATABASE_URL",
        answered: LastAnswer | None = None,
    ) -> None:
        self._servers = DatabaseUrl.parse_each(database_url, ca_file, name=name)
        self._first = 0
        self._answered = answered
        self._free = threading.BoundedSemaphore(size)
        self._idle: deque[Session] = deque()
        self._replaced_at = float("-inf")

    @contextmanager
    def connection(self, answer_seconds: float = ANSWER_SECONDS) -> Iterator[Session]:
        """A connection on which every statement commits by itself.

        Raises PostgresUnavailable when there is none; StatementRejected is the adapter's to understand.
        """
        if not self._free.acquire(timeout=min(WAIT_SECONDS, answer_seconds)):
            raise PostgresUnavailable from TimeoutError("every connection of the pool is in use")
        try:
            session = self._take()
            try:
                session.wait_at_most(answer_seconds)
                yield session
            except (ScoreboardError, StatementRejected):
                self._give_back(session)
                raise
            except BaseException:
                # Whatever this was (a greenlet killed in the middle of an answer, too), the line's state is unknown.
                session.close()
                raise
            self._give_back(session)
        finally:
            self._free.release()

    @contextmanager
    def transaction(self, name: str, answer_seconds: float = ANSWER_SECONDS) -> Iterator[Session]:
        """A connection in a transaction: committed when the block ends, rolled back when it raises; measured by its name."""
        with self.connection(answer_seconds) as session:
            began = perf_counter()
            try:
                session.begin()
                try:
                    yield session
                except (ScoreboardError, StatementRejected):
                    if not session.broken:
                        session.end("ROLLBACK")
                    raise
                session.end("COMMIT")
            finally:
                metrics.transaction_seconds.of(name).observe(perf_counter() - began)

    def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            self._idle.pop().close()

    @cached_property
    def _ssl_context(self) -> ssl.SSLContext | None:
        return self._servers[0].ssl_context()

    def _open(self) -> Session:
        refusal = PostgresUnavailable()
        for number in range(self._first, self._first + len(self._servers)):
            place = number % len(self._servers)
            try:
                session = Session(self._servers[place], self._ssl_context)
            except PostgresUnavailable as error:
                refusal = error
                continue
            if len(self._servers) == 1 or not session.only_reads:
                self._first = place
                return session
            session.close()
        raise refusal

    def _take(self) -> Session:
        """The connection used last, if it is still good, or a new one."""
        while True:
            try:
                session = self._idle.pop()
            except IndexError:
                return self._open()
            if not session.has_gone_stale and session.opened_at > self._replaced_at:
                return session
            session.close()

    def _give_back(self, session: Session) -> None:
        if self._answered is not None and not session.broken:
            self._answered.note()
        now = time.monotonic()
        if session.met_wrong_server and now - self._replaced_at > REPLACE_PAUSE_SECONDS:
            self._replaced_at = now
        session.met_wrong_server = False
        if session.broken or session.opened_at < self._replaced_at:
            session.close()
        else:
            self._idle.append(session)
