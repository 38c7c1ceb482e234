"""What PostgreSQL refuses, told apart: the server's state (worth another try) and the statement's own fault."""

from __future__ import annotations

from typing import Any

from shared.core.errors import PostgresUnavailable

# Shutting down, no resources, read-only standby, cancelled, deadlock or serialization failure, no lock in time, timed out.
_TEMPORARY_CLASSES = ("08", "40", "53", "57", "58")
_TEMPORARY_STATES = frozenset({"25006", "55P03", "25P03", "55006"})
# Another server, to which the same address leads now, may be free of these: read-only, connection failure, shutting down.
_WRONG_SERVER_CLASSES = ("08", "57P")
_WRONG_SERVER_STATES = frozenset({"25006"})
_UNIQUE_VIOLATION = "23505"
# What a row's own values bring about: data exceptions, constraints, a check option, an exception raised by a trigger.
_OF_THE_ROW = ("21", "22", "23", "44", "P0")
_SEQUENCE_EXHAUSTED = "2200H"


class StatementRejected(Exception):
    """The statement cannot succeed as it is; `constraint` is the violated one or empty. Never leaves the adapters."""

    def __init__(self, sqlstate: str, message: str, constraint: str = "") -> None:
        super().__init__(f"{message} ({sqlstate})")
        self.sqlstate = sqlstate
        self.message = message
        self.constraint = constraint

    @property
    def blames_the_row(self) -> bool:
        """Whether another row might well be accepted; a missing table, say, refuses them all."""
        return self.sqlstate.startswith(_OF_THE_ROW) and self.sqlstate != _SEQUENCE_EXHAUSTED


class UniqueViolation(StatementRejected):
    """Another row has this value already."""


def is_wrong_server(error: Exception) -> bool:
    """Whether a pg8000 DatabaseError says that this server cannot do the work, and perhaps another can."""
    sqlstate = sqlstate_of(error)
    return sqlstate.startswith(_WRONG_SERVER_CLASSES) or sqlstate in _WRONG_SERVER_STATES


def sqlstate_of(error: BaseException | None) -> str:
    """Of a pg8000 DatabaseError; empty for other errors."""
    return str(_fields(error).get("C", ""))


def translated(error: Exception) -> PostgresUnavailable | StatementRejected:
    """The error to raise `from` a pg8000 DatabaseError."""
    fields, sqlstate = _fields(error), sqlstate_of(error)
    message = str(fields.get("M", error))
    if not sqlstate or sqlstate.startswith(_TEMPORARY_CLASSES) or sqlstate in _TEMPORARY_STATES:
        return PostgresUnavailable()
    kind = UniqueViolation if sqlstate == _UNIQUE_VIOLATION else StatementRejected
    return kind(sqlstate, message, str(fields.get("n", "")))


def _fields(error: BaseException | None) -> dict[str, Any]:
    """By their letters in the protocol: V severity, C SQLSTATE, M message, n constraint."""
    return error.args[0] if error is not None and error.args and isinstance(error.args[0], dict) else {}
