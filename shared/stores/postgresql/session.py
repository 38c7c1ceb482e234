"""One connection to PostgreSQL: opened with bounded patience, statements prepared once, errors translated.

Behind a pooler (PgBouncer in transaction mode) each transaction may meet another server process: what was prepared or set in one
is not there in the next, or is another client's. There every statement travels unnamed, in one message with its settings.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from shared.core.database_url import DatabaseUrl
from shared.core.errors import PostgresUnavailable
from shared.core.tcp import keep_alive
from shared.stores.postgresql.errors import is_wrong_server, translated

_BETWEEN = '","'
CONNECT_SECONDS = 3.0
STATEMENT_SECONDS = 60
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_SETTINGS: Mapping[str, str] = {"TimeZone": "UTC", "statement_timeout": f"{STATEMENT_SECONDS}s"}
_UNNAMED = b"\x00"
_SYNC = b"S"


def text_array(values: Sequence[str]) -> str:
    """`{"a","b"}`, to be cast to text[]."""
    if not values:
        return "{}"
    text = _BETWEEN.join(values)
    if "\\" in text or text.count('"') != 2 * (len(values) - 1):  # more than those that stand between the values
        text = _BETWEEN.join(value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return f'{{"{text}"}}'


def int_array(values: Sequence[int]) -> str:
    """`{1,2}`, to be cast to int[] or bigint[]."""
    return f"{{{','.join(map(str, values))}}}"


class Session:
    """A connection in UTC. After an error of the line (PostgresUnavailable) it is `broken` and must be closed.

    `only_reads` says that it began on a standby, or on a server that takes no writes now. `met_wrong_server` says that PostgreSQL
    refused something because another server has to be asked.
    """

    def __init__(self, url: DatabaseUrl, context: ssl.SSLContext | None) -> None:
        import pg8000.native  # a function that asks PostgreSQL nothing starts the sooner

        self.broken = self.met_wrong_server = self.only_reads = False
        self.opened_at = time.monotonic()
        self._in_transaction = False
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
            )
            self._is_pooled = self._set_up()
        except (pg8000.native.Error, OSError, struct.error) as error:
            self._socket.close()
            raise PostgresUnavailable from error

    def _set_up(self) -> bool:
        """Make the settings the session's, unless a pooler lends us a server process for each transaction; answers whether.

        A server names its own process when it greets us. A pooler has greeted us before it knows which process we shall meet.
        They are no start-up parameters, for PgBouncer refuses those. `is_local` leaves nothing behind in a process that is lent.
        """
        [greeted_by] = struct.unpack_from("!i", self._connection._backend_key_data or bytes(4))  # noqa: SLF001
        is_pooled = f"pg_backend_pid() <> {greeted_by}"
        settings = ", ".join(f"set_config('{name}', '{value}', {is_pooled})" for name, value in _SETTINGS.items())
        wanted = f"SELECT {is_pooled}, current_setting('transaction_read_only')::bool, {settings}"
        [[answer, self.only_reads, *_]] = self._connection.run(wanted)
        return bool(answer)

    def begin(self) -> None:
        """Begin a transaction; raises like run()."""
        settings = "".join(f"; SET LOCAL {name} = '{value}'" for name, value in _SETTINGS.items()) if self._is_pooled else ""
        self.script(f"BEGIN{settings}")
        self._in_transaction = True

    def end(self, how: str) -> None:
        """`COMMIT` or `ROLLBACK`; raises like run()."""
        self._in_transaction = False
        self.script(how)

    def run(self, sql: str, **parameters: Any) -> list[list[Any]]:
        """Run one statement with `:named` parameters, prepared at its first use; answer its rows.

        Raises PostgresUnavailable or StatementRejected (UniqueViolation). `sql` must come from a bounded set of texts.
        """
        with self._translating():
            if self._is_pooled:
                return self._run_unnamed(sql, parameters)
            statement = self._prepared.get(sql)
            if statement is None:
                statement = self._prepared[sql] = self._connection.prepare(sql)
            return statement.run(**parameters) or []

    def script(self, sql: str) -> None:
        """Run statements without parameters, separated by semicolons; raises like run()."""
        with self._translating():
            self._connection.run(sql)

    def _run_unnamed(self, sql: str, parameters: Mapping[str, Any]) -> list[list[Any]]:
        """All messages up to one Sync, which is where a pooler may take the server process away: they meet the same one."""
        from pg8000.converters import make_params
        from pg8000.core import Context

        connection = self._connection
        text, values_of = _parsed(sql)
        values = make_params(connection.py_types, values_of(parameters))
        answer = Context(text)
        if not self._in_transaction:
            connection.send_PARSE(_UNNAMED, _apply_settings())
            connection.send_BIND(_UNNAMED, ())
            connection.send_EXECUTE()
        connection.send_PARSE(_UNNAMED, text)
        connection.send_BIND(_UNNAMED, values)
        connection.send_DESCRIBE_STATEMENT(_UNNAMED)
        connection.send_EXECUTE()
        connection._send_message(_SYNC, b"")  # noqa: SLF001 - the library itself sends a Sync behind each of them
        connection._sock.flush()  # noqa: SLF001
        connection.handle_messages(answer)
        rows: list[list[Any]] | None = answer.rows
        return rows or []

    @contextmanager
    def _translating(self) -> Iterator[None]:
        import pg8000.native

        try:
            yield
        except pg8000.native.DatabaseError as error:
            said = error.args[0] if isinstance(error.args[0], dict) else {"S": "FATAL"}
            # "S" may be translated; PgBouncer's is not, and has no "V".
            self.broken |= said.get("V", said["S"]) in ("FATAL", "PANIC")
            self.met_wrong_server |= is_wrong_server(error)
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


@cache
def _parsed(sql: str) -> tuple[str, Callable[[Mapping[str, Any]], Sequence[Any]]]:
    """A statement as the server reads it, and what puts named parameters in its order."""
    from pg8000.native import to_statement

    parsed: tuple[str, Callable[[Mapping[str, Any]], Sequence[Any]]] = to_statement(sql)
    return parsed


@cache
def _apply_settings() -> str:
    """A statement that makes the settings for the transaction it is in, and has no rows."""
    settings = " OR ".join(f"set_config('{name}', '{value}', true) IS NULL" for name, value in _SETTINGS.items())
    return f"SELECT 1 WHERE {settings}"


def _open_socket(url: DatabaseUrl, context: ssl.SSLContext | None) -> socket.socket:
    """Connect and agree on TLS ourselves: pg8000 has one timeout for connecting and for everything after it."""
    try:
        if url.socket_path:
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            line.settimeout(CONNECT_SECONDS)
            line.connect(url.socket_path)
            return line
        line = socket.create_connection((url.host, url.port), CONNECT_SECONDS)
        keep_alive(line)
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
