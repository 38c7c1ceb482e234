"""Replaces connections to a Redis that can no longer do the work; the next connection finds the primary."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import redis
from redis.exceptions import AskError, BusyLoadingError, ClusterDownError, ReadOnlyError

if TYPE_CHECKING:
    from shared.core.redis_servers import FindPrimary

# A Redis that stays read-only is connected to this often, not with every command.
PAUSE_SECONDS = 0.5

# LOADING, READONLY, MASTERDOWN, CLUSTERDOWN, MOVED and ASK have classes of their own.
_CLASSES = (BusyLoadingError, ReadOnlyError, ClusterDownError, AskError)
_CODES = ("NOREPLICAS",)


def is_wrong_server(error: BaseException) -> bool:
    """Whether Redis answered that another server has to be asked. A full Redis (OOM) is still the right one."""
    return isinstance(error, _CLASSES) or (isinstance(error, redis.ResponseError) and str(error).startswith(_CODES))


class Failover:
    """Shared by all connections of a client: when one of them meets the wrong server, all of them are replaced."""

    def __init__(self) -> None:
        self._replacers: list[Callable[[], None]] = []
        self._replaced_at = float("-inf")

    def add(self, replace: Callable[[], None]) -> None:
        """Register a call that replaces connections without losing answers that are still expected."""
        self._replacers.append(replace)

    def notice(self, error: BaseException) -> None:
        """Look at an error that Redis answered."""
        now = time.monotonic()
        if is_wrong_server(error) and now - self._replaced_at > PAUSE_SECONDS:
            self._replaced_at = now
            for replace in self._replacers:
                replace()


class WatchedPool(redis.BlockingConnectionPool):
    """A pool whose connections are replaced when any connection of the client meets the wrong server."""

    def __init__(self, *, failover: Failover, **options: Any) -> None:
        super().__init__(**options, failover=failover)  # type: ignore[no-untyped-call]
        failover.add(self._replace)

    def get_connection(self, *arguments: Any, **options: Any) -> Any:
        """As redis-py's, which looks at the mark only when a connection is given back."""
        connection = super().get_connection(*arguments, **options)  # type: ignore[no-untyped-call]
        if connection.should_reconnect():
            try:
                connection.disconnect()
                connection.connect()
            except BaseException:
                self.release(connection)  # type: ignore[no-untyped-call]
                raise
        return connection

    def new_connection(self) -> Any:
        """One that does not belong to the pool and is not connected yet."""
        return self.connection_class(**self.connection_kwargs)

    def _replace(self) -> None:
        for connection in tuple(self._connections):
            connection.mark_for_reconnect()


class _Watched:
    _sock: Any

    def __init__(self, *, failover: Failover, find_primary: FindPrimary | None = None, **options: Any) -> None:
        self._failover = failover
        self._find_primary = find_primary
        super().__init__(**options)

    def connect(self) -> None:
        """As redis-py's, to the server that is the primary now where others know which."""
        if self._find_primary is not None and self._sock is None:
            self.host, self.port = self._find_primary()
        super().connect()  # type: ignore[misc]

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().read_response(*arguments, **options)  # type: ignore[misc]
        except redis.RedisError as error:
            self._failover.notice(error)
            raise


class WatchedConnection(_Watched, redis.Connection):
    """One that tells of the wrong server."""


class WatchedSSLConnection(_Watched, redis.SSLConnection):
    """The same over TLS."""
