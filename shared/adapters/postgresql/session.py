"""One connection to PostgreSQL: opened with bounded patience, statements prepared once, errors translated."""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from shared.adapters.postgresql.errors import translated
from shared.adapters.postgresql.url import DatabaseUrl
from shared.errors import PostgresUnavailable

CONNECT_SECONDS = 3.0
STATEMENT_SECONDS = 60
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


class Session:
    """A connection in UTC. After an error of the line (PostgresUnavailable) it is `broken` and must be closed."""

    def __init__(self, url: DatabaseUrl, context: ssl.SSLContext | None) -> None:
        import pg8000.native  # a function that asks PostgreSQL nothing starts the sooner

        self.broken = False
        self._prepared: dict[str, Any] = {}
        self._socket = _open_socket(url, context)
        try:
            self._connection = pg8000.native.Connection(
                url.user,
                database=url.database,
                password=url.password,
                sock=self._socket,
                ssl_context=False,
                application_name=url.application_name,
                startup_params={"TimeZone": "UTC", "statement_timeout": f"{STATEMENT_SECONDS}s"},
            )
        except (pg8000.native.Error, OSError, struct.error) as error:
            self._socket.close()
            raise PostgresUnavailable from error

    def run(self, sql: str, **parameters: Any) -> list[list[Any]]:
        """Run one statement with `:named` parameters, prepared at its first use; answer its rows.

        Raises PostgresUnavailable or StatementRejected (UniqueViolation). `sql` must come from a bounded set of texts.
        """
        with self._translating():
            statement = self._prepared.get(sql)
            if statement is None:
                statement = self._prepared[sql] = self._connection.prepare(sql)
            return statement.run(**parameters) or []

    def script(self, sql: str) -> None:
        """Run statements without parameters, separated by semicolons; raises like run()."""
        with self._translating():
            self._connection.run(sql)

    @contextmanager
    def _translating(self) -> Iterator[None]:
        import pg8000.native

        try:
            yield
        except pg8000.native.DatabaseError as error:
            self.broken = not isinstance(error.args[0], dict) or error.args[0].get("V") == "FATAL"  # unlike "S", never translated
            raise translated(error) from error
        except (pg8000.native.InterfaceError, OSError, struct.error) as error:
            self.broken = True
            raise PostgresUnavailable from error

    def wait_at_most(self, seconds: float) -> None:
        """How long one answer of the server may be silent before the line counts as broken."""
        self._socket.settimeout(seconds)

    @property
    def has_gone_stale(self) -> bool:
        """Whether the server has closed an idle line, or said something nobody asked for (it is shutting down)."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Say goodbye if the line still stands."""
        import pg8000.native

        with suppress(pg8000.native.Error, OSError, AttributeError, ValueError):
            self._connection.close()
        self._socket.close()


def _open_socket(url: DatabaseUrl, context: ssl.SSLContext | None) -> socket.socket:
    """Connect and agree on TLS ourselves: pg8000 has one timeout for connecting and for everything after it."""
    try:
        if url.socket_path:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            line.settimeout(CONNECT_SECONDS)
            line.connect(url.socket_path)
            return line
        line = socket.create_connection((url.host, url.port), CONNECT_SECONDS)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            return line
        line.sendall(_SSL_REQUEST)
        if line.recv(1) != b"S":
            line.close()
            raise PostgresUnavailable from ConnectionError("the server does not offer TLS")
        return context.wrap_socket(line, server_hostname=url.host)
    except OSError as error:
        raise PostgresUnavailable from error
