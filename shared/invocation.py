"""The invocation that a thread or greenlet is in, and the one line of the log that tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from http import HTTPStatus
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from shared import metrics
from shared.errors import ScoreboardError
from shared.lines import instant, is_written, write
from shared.metrics import export

MAX_UPDATES = 500
OK, INTERRUPTED = "ok", "interrupted"
_current: ContextVar[Invocation] = ContextVar("invocation")


class Invocation:
    """A context manager around one event; whoever does its work says with `note` what the line should tell.

    `outcome` is `ok`, the code of an error of the tree, `internal_error`, or `interrupted` when the host cut it off.
    """

    __slots__ = ("_started", "_token", "fields", "function", "level", "outcome", "request_id", "trigger", "updates")

    def __init__(self, trigger: str, context: Any, request_id: str = "") -> None:
        self.trigger = trigger
        self.function: str = getattr(context, "function_name", "")
        self.request_id: str = request_id or getattr(context, "aws_request_id", "")
        self.level, self.outcome = "info", INTERRUPTED
        self.fields: dict[str, Any] = {}
        self.updates: list[str] = []
        self._started = perf_counter()

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        _current.reset(self._token)
        if error is None:
            if self.outcome is INTERRUPTED:
                self.outcome = OK
        elif isinstance(error, Exception):
            self._end_with(error)
        seconds = perf_counter() - self._started
        if is_written(self.level):
            self._write(seconds)
        if export.exporter is not None:
            outcome, status = "ok" if error is None else "error", self.fields.get("status")
            export.exporter.invocation_ended(self.function, self.trigger, outcome, seconds, status, self.request_id)

    def failed(self, error: Exception) -> None:
        """It answers this error: the fault of whoever called, of a store that is away, or our own."""
        self._end_with(error)
        metrics.refusals.of(self.outcome).inc()

    def _end_with(self, error: Exception) -> None:
        if not isinstance(error, ScoreboardError):
            self.outcome, self.level = ScoreboardError.code, "error"
            self._blame(error)
            return
        self.outcome = error.code
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.level = "warning" if error.status == HTTPStatus.SERVICE_UNAVAILABLE else "error"
            self._blame(error.__cause__)

    def _blame(self, cause: BaseException | None) -> None:
        """With its text, which the representation of a client's error may lack."""
        if cause is not None:
            self.fields["cause"] = f"{type(cause).__name__}: {cause}"

    def _write(self, seconds: float) -> None:
        line = {
            "at": instant(),
            "level": self.level,
            "trigger": self.trigger,
            "function": self.function,
            "request_id": self.request_id,
            "outcome": self.outcome,
            "duration_ms": round(seconds * 1000, 3),
            **self.fields,
        }
        updates = self.updates
        if not updates:
            write(line)
        for begin in range(0, len(updates), MAX_UPDATES):
            write({**line, "updates": updates[begin : begin + MAX_UPDATES]})


def current() -> Invocation | None:
    """The invocation of the caller; None outside of any."""
    return _current.get(None)


def note(**fields: Any) -> None:
    """Have the line of this invocation tell these, too: nothing secret, and nothing that a client may have typed at will."""
    invocation = _current.get(None)
    if invocation is not None:
        invocation.fields.update(fields)


def note_updates(request_ids: Sequence[str]) -> None:
    """Have the line name these updates: all of a batch, so that whoever looks for one finds what became of it.

    A batch is bounded (500 ids are 20 KB); more than MAX_UPDATES make several lines.
    """
    invocation = _current.get(None)
    if invocation is not None:
        invocation.updates += request_ids


def stand_out() -> None:
    """This is one of the lines that an operator should see."""
    invocation = _current.get(None)
    if invocation is not None and invocation.level == "info":
        invocation.level = "warning"
