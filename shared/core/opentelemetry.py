"""Spans for a collector that speaks OTLP over HTTP, by OpenTelemetry's own SDK; its `OTEL_*` variables say where and how many."""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from types import TracebackType

from opentelemetry import context as current
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from shared.core.logs import get_logger
from shared.core.tracing import Attributes, Kind, Span, TraceContext

MOST_LINKS = 512  # a batch's
CLOSE_SECONDS = 0.5
SPANS_AT_ONCE = 128  # encoded in one go, during which a worker's loop does nothing else
_KINDS = {name: SpanKind[name.upper()] for name in ("server", "client", "producer", "consumer", "internal")}
_log = get_logger(__name__)


class OpenTelemetryTracer:
    """The port Tracer. What is finished waits in a bounded queue for a thread that sends it: who makes spans never waits."""

    def __init__(self, service_name: str, exporter: SpanExporter | None = None) -> None:
        """Which of them are sampled says OTEL_TRACES_SAMPLER: unless it says otherwise, all whose caller does not object."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what matters is said below, once
        resource = Resource.create({"service.name": service_name})
        self._provider = TracerProvider(resource=resource, span_limits=SpanLimits(max_links=MOST_LINKS), shutdown_on_exit=False)
        sender = BatchSpanProcessor(_Telling(exporter or OTLPSpanExporter()), max_export_batch_size=SPANS_AT_ONCE)
        self._provider.add_span_processor(sender)
        self._tracer = self._provider.get_tracer("scoreboard")
        atexit.register(self.close)

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
        """See Tracer."""
        above = None if parent is None else trace.set_span_in_context(NonRecordingSpan(_span_context(parent)))
        linked = [Link(_span_context(link)) for link in links]
        return _Entered(
            self._tracer.start_span(name, above, _KINDS[kind], dict(attributes), linked, started_ns, record_exception=False)
        )

    def context(self) -> TraceContext | None:
        """See Tracer."""
        known = trace.get_current_span().get_span_context()
        if not known.is_valid:
            return None
        ids = trace.format_trace_id(known.trace_id), trace.format_span_id(known.span_id)
        return TraceContext(*ids, int(known.trace_flags), known.trace_state.to_header())

    def close(self) -> None:
        """Send what waits, if the collector takes it at once: nobody's end is put off for it."""
        atexit.unregister(self.close)
        sending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        with suppress(RuntimeError):  # too late for another thread
            sending.start()
            sending.join(CLOSE_SECONDS)


class _Entered:
    """A span as a context manager; the library's are generators, which cost more than the span."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._token = current.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is not None:
            self.finish({"error.type": type(error).__name__}, failed=True)
        current.detach(self._token)
        self._span.end()

    def finish(self, attributes: Attributes, *, failed: bool) -> None:
        """See Span."""
        self._span.set_attributes(dict(attributes))
        if failed:
            self._span.set_status(trace.StatusCode.ERROR)

    @property
    def trace_id(self) -> str:
        """See Span."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)


class _Telling(SpanExporter):
    """Says once when the collector takes nothing, and once when it does again."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """In the sending thread."""
        result = self._inner.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails != self._fails:
            self._fails = fails
            _log.warning("the collector takes no spans; they are lost" if fails else "the collector takes spans again")
        return result

    def shutdown(self) -> None:
        """In the end."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """What the exporter has in hand."""
        return self._inner.force_flush(timeout_millis)


def _span_context(known: TraceContext) -> SpanContext:
    state = TraceState.from_header([known.state]) if known.state else TraceState()
    return SpanContext(
        int(known.trace_id, 16), int(known.span_id, 16), is_remote=True, trace_flags=TraceFlags(known.flags), trace_state=state
    )
