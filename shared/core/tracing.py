"""W3C Trace Context: of which trace a request is a part, as `traceparent` and `tracestate` say it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, NamedTuple, Protocol

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
_SAMPLED, _RANDOM = 1, 2
_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_KEY = r"[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_MEMBER = re.compile(rf"({_KEY})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e])")
_MOST_MEMBERS, _MOST_CHARACTERS = 32, 512
Kind = Literal["server", "client", "producer", "consumer", "internal"]
Attributes = Mapping[str, str | int | float | bool]
_NONE: Attributes = {}
_NOTHING: AbstractContextManager[object] = nullcontext()


class TraceContext(NamedTuple):
    """The trace, the span in it that caused this, whether they are sampled (flags), and what vendors said of it."""

    trace_id: str
    span_id: str
    flags: int
    state: str = ""

    def headers(self) -> dict[str, str]:
        """As it is sent on, in the version that is understood here."""
        parent = f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"
        return {TRACEPARENT: parent, TRACESTATE: self.state} if self.state else {TRACEPARENT: parent}


def read_trace(headers: Mapping[str, Any]) -> TraceContext | None:
    """The context that headers (lower-case names) carry; None where they carry none, or one that is not well-formed."""
    parent = headers.get(TRACEPARENT)
    match = _PARENT.fullmatch(parent) if isinstance(parent, str) else None
    if match is None or match["version"] == "ff" or (match["version"] == "00" and match["more"]):
        return None
    if not match["trace"].strip("0") or not match["span"].strip("0"):
        return None
    state = headers.get(TRACESTATE, "")
    flags = int(match["flags"], 16) & (_SAMPLED | _RANDOM)
    return TraceContext(match["trace"], match["span"], flags, _checked(state) if isinstance(state, str) else "")


def _checked(state: str) -> str:
    """Its members, without what makes it too long; nothing when one of them is malformed or named twice."""
    members = [member for part in state.split(",") if (member := part.strip(" \t"))]
    matches = [_MEMBER.fullmatch(member) for member in members]
    keys = {match[1] for match in matches if match is not None}
    if len(keys) != len(members) or len(members) > _MOST_MEMBERS:
        return ""
    while members and len(",".join(members)) > _MOST_CHARACTERS:
        members.pop(max((place for place, member in enumerate(members) if len(member) > 128), default=-1))
    return ",".join(members)


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
