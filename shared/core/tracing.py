"""Spans, where somebody wants them: without a tracer none is made, and a trace that a request is part of is only passed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

from shared.core.trace_context import TraceContext

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """What is being done."""

    def finish(self, attributes: Attributes, *, failed: bool) -> None:
        """What is known of it in the end."""
        ...

    @property
    def trace_id(self) -> str:
        """Of which trace it is a part."""
        ...


class Tracer(Protocol):
    """Makes spans; none of its methods waits for anybody or fails."""

    def span(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        parent: TraceContext | None = None,
        links: Sequence[TraceContext] = (),
        started_ns: int | None = None,
    ) -> AbstractContextManager[Span]:
        """As a context manager: below `parent`, or below the span its caller is in. An exception that escapes is a failure."""
        ...

    def context(self) -> TraceContext | None:
        """Of the span its caller is in."""
        ...


class _Used:
    tracer: Tracer | None = None


_NONE: Attributes = {}
_NOTHING: AbstractContextManager[object] = nullcontext()


def use_tracer(tracer: Tracer | None) -> None:
    """From now on, in this process."""
    _Used.tracer = tracer


def tracer() -> Tracer | None:
    """The one in use."""
    return _Used.tracer


def span(name: str, kind: Kind, attributes: Attributes = _NONE) -> AbstractContextManager[object]:
    """A span around a block; nothing where there is no tracer."""
    used = _Used.tracer
    return _NOTHING if used is None else used.span(name, kind, attributes)
