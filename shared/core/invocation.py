"""The invocation that a thread or greenlet is in, and the one line of the log that tells of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from http import HTTPStatus
from time import perf_counter, time_ns
from types import TracebackType
from typing import Any, Self

from shared.core import metrics
from shared.core.errors import ScoreboardError
from shared.core.lines import instant, is_written, write
from shared.core.metrics import export
from shared.core.rate_window import RateWindow
from shared.core.tracing import TRACEPARENT, Kind, Span, TraceContext, read_trace, tracer

MAX_UPDATES = 500
OK, INTERRUPTED = "ok", "interrupted"
_KINDS: Mapping[str, Kind] = {"http": "server", "websocket": "server", "authorizer": "server", "queue": "consumer"}
_ATTRIBUTES = {
    "route": "http.route",
    "status": "http.response.status_code",
    "queue": "messaging.destination.name",
    "messages": "messaging.batch.message_count",
}
_NO_WINDOWS: Mapping[str, RateWindow] = {}
_current: ContextVar[Invocation] = ContextVar("invocation")


class Invocation:
    """A context manager around one event; whoever does its work says with `note` what the line should tell.

    `outcome` is `ok`, the code of an error of the tree, `internal_error`, or `interrupted` when the host cut it off.
    """

    __slots__ = (
        "_entered",
        "_is_our_fault",
        "_span",
        "_started",
        "_token",
        "awaited",
        "fields",
        "function",
        "level",
        "links",
        "outcome",
        "request_id",
        "trace",
        "trigger",
        "updates",
        "windows",
    )

    def __init__(self, trigger: str, context: Any, request_id: str = "") -> None:
        self.trigger = trigger
        self.function: str = getattr(context, "function_name", "")
        self.request_id: str = request_id or getattr(context, "aws_request_id", "")
        self.level, self.outcome, self._is_our_fault = "info", INTERRUPTED, True
        self.fields: dict[str, Any] = {}
        self.updates: list[str] = []
        self.windows = _NO_WINDOWS
        self.trace: TraceContext | None = None
        self.links: Sequence[TraceContext] = ()
        self.awaited: list[Callable[[], object]] = []
        self._span: AbstractContextManager[Span] | None = None
        self._started = perf_counter()

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for wait in self.awaited:
            wait()
        _current.reset(self._token)
        if error is None:
            if self.outcome is INTERRUPTED:
                self.outcome = OK
            self._is_our_fault = self.outcome is not OK and self._is_our_fault
        elif isinstance(error, Exception):
            self._end_with(error)
        seconds = perf_counter() - self._started
        if self._span is not None:
            self._end_span(self._span)
        elif self.trace is not None:
            self.fields["trace_id"] = self.trace.trace_id
        if is_written(self.level):
            self._write(seconds)
        if export.exporter is not None:
            outcome, status = "ok" if error is None else "error", self.fields.get("status")
            export.exporter.invocation_ended(self.function, self.trigger, outcome, seconds, status, self.request_id)

    def continues(self, headers: Mapping[str, Any]) -> None:
        """It is a part of the trace that these headers tell of, if they do: sent on, and with a tracer a span of it begins."""
        if TRACEPARENT in headers:
            self.trace = read_trace(headers)
        self.begin_span()

    def begin_span(self) -> None:
        """Below `trace`, or with `links` to several, as soon as there is a tracer; once."""
        used = tracer()
        if used is None or self._span is not None:
            return
        started_ns = time_ns() - int((perf_counter() - self._started) * 1e9)
        attributes = {"faas.name": self.function, "faas.trigger": self.trigger, "faas.invocation_id": self.request_id}
        kind = _KINDS.get(self.trigger, "internal")
        span = used.span(self.function, kind, attributes, parent=self.trace, links=self.links, started_ns=started_ns)
        self._span, self._entered = span, span.__enter__()

    def _end_span(self, span: AbstractContextManager[Span]) -> None:
        told = {_ATTRIBUTES.get(name, f"scoreboard.{name}"): value for name, value in self.fields.items()}
        known = {name: value for name, value in told.items() if isinstance(value, str | int | float)}
        self._entered.finish({**known, "scoreboard.outcome": self.outcome}, failed=self._is_our_fault)
        self.fields["trace_id"] = self._entered.trace_id
        span.__exit__(None, None, None)

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
        self._is_our_fault = error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if self._is_our_fault:
            self.level = "warning" if error.status == HTTPStatus.SERVICE_UNAVAILABLE else "error"
            self._blame(error if error.is_internal else error.__cause__)

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
            "duration_ms": int(seconds * 1_000_000) / 1000,
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


def await_before_answer(wait: Callable[[], object]) -> None:
    """Have this called, once, when the work of this invocation is done: where threads stand still behind the answer."""
    invocation = _current.get(None)
    if invocation is not None and wait not in invocation.awaited:
        invocation.awaited.append(wait)


def note_updates(request_ids: Sequence[str]) -> None:
    """Have the line name these updates: all of a batch, so that whoever looks for one finds what became of it.

    A batch is bounded (500 ids are 20 KB); more than MAX_UPDATES make several lines.
    """
    invocation = _current.get(None)
    if invocation is not None:
        invocation.updates += request_ids


def tell_windows(windows: Iterable[RateWindow]) -> None:
    """Have the answer tell what is left of these limits, whatever it is; of a limit that is told again the newest counts."""
    invocation = _current.get(None)
    if invocation is not None:
        invocation.windows = {**invocation.windows, **{window.name: window for window in windows}}


def stand_out() -> None:
    """This is one of the lines that an operator should see."""
    invocation = _current.get(None)
    if invocation is not None and invocation.level == "info":
        invocation.level = "warning"


def outgoing() -> Mapping[str, str]:
    """Headers for what is caused by this invocation: of the span the caller is in, or of the trace that is passed on."""
    used = tracer()
    context = None if used is None else used.context()
    if context is None:
        invocation = _current.get(None)
        context = None if invocation is None else invocation.trace
    return {} if context is None else context.headers()
