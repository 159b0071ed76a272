"""Traces to spans, and spans to a collector: OTLP over HTTP, by the SDK of OpenTelemetry.

Ended traces wait in the bounded queue of a `BatchSpanProcessor`; its thread makes spans of them and sends these. What
there is no room for is dropped. The SDK reads the ``OTEL_*`` variables of exporter, queue and resource.
"""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

import model_service
from model_service.tracing.context import Stage, Trace, make_span_id
from model_service.tracing.requests import MODEL, ROWS, VERSION

logger = logging.getLogger(__name__)

_NAME = "model-service"
#: What the SDK says of a service that nobody has named.
_NAMELESS = "unknown_service"
_PATH = "/v1/traces"
#: Whose lines would come with each batch that is not delivered.
_LOUD = ("opentelemetry.exporter.otlp", "opentelemetry.sdk._shared_internal")
_SCOPE = InstrumentationScope("model_service", model_service.__version__)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_ANY = SpanContext(1, 1, is_remote=False, trace_flags=_SAMPLED)
_FAULT, _UNSET = Status(StatusCode.ERROR), Status(StatusCode.UNSET)


class Pipeline:
    """The way of ended traces to the collector. Thread-safe.

    Args:
        settings: ``endpoint`` and ``service_name``; what is ``None`` is the environment's to say.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        words = _LastWords()
        for name in _LOUD:
            loud = logging.getLogger(name)
            loud.handlers, loud.propagate = [words], False
        inner = OTLPSpanExporter(endpoint=_complete(settings["endpoint"]))
        self._processor = BatchSpanProcessor(_TraceExporter(inner, _describe(settings["service_name"]), words))

    def take(self, trace: Trace) -> None:
        """Queue a trace; it never blocks."""
        self._processor.on_end(_Ended(trace))

    def close(self) -> None:
        """Send what waits; that may take as long as a collector that hangs."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's


class _Ended(ReadableSpan):
    """Stands in the queue of the processor for all spans of a trace, which its thread makes."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    @property
    def context(self) -> SpanContext:
        return _ANY


class _LastWords(logging.Handler):
    """Keeps what was said last, for one line of ours."""

    text = "it cannot be reached"

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


class _TraceExporter(SpanExporter):
    """Makes spans of traces and sends them; says once that the collector is away, and once that it is back.

    Args:
        inner: Sends.
        resource: What sends.
        words: Knows why nothing was sent.
    """

    def __init__(self, inner: SpanExporter, resource: Resource, words: _LastWords) -> None:
        self._inner = inner
        self._resource = resource
        self._words = words
        self._is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        offset_s = time.time() - time.monotonic()
        made = [
            span
            for each in spans
            if isinstance(each, _Ended)
            for span in make_spans(each.trace, self._resource, offset_s)
        ]
        result = self._inner.export(made)
        is_away = result is not SpanExportResult.SUCCESS
        if is_away and not self._is_away:
            logger.warning("traces are dropped while their collector does not take them: %s", self._words.text)
        elif self._is_away and not is_away:
            logger.info("the collector takes traces again")
        self._is_away = is_away
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()


def make_spans(trace: Trace, resource: Resource, offset_s: float) -> Iterator[ReadableSpan]:
    """Yield the span of a trace, and one for each of its stages.

    Args:
        trace: Has ended.
        resource: What it is from.
        offset_s: Seconds since the epoch at the zero of `time.monotonic`.
    """
    trace_id = int(trace.trace_id, 16)
    state = TraceState.from_header([trace.parent.state]) if trace.parent.state else None

    def make_context(span_id: str, *, is_remote: bool = False) -> SpanContext:
        return SpanContext(trace_id, int(span_id, 16), is_remote, _SAMPLED, state)

    def make_span(stage: Stage, context: SpanContext, parent: SpanContext | None, **named: Any) -> ReadableSpan:
        return ReadableSpan(
            stage.name,
            context,
            parent,
            resource,
            start_time=int((stage.began + offset_s) * 1e9),
            end_time=int((stage.ended + offset_s) * 1e9),
            instrumentation_scope=_SCOPE,
            **named,
        )

    own = make_context(trace.span_id)
    above = trace.parent.span_id
    attributes = {**trace.attributes, **({ROWS: trace.rows} if trace.rows else {})}
    yield make_span(
        Stage(trace.name, trace.began, trace.ended),
        own,
        make_context(above, is_remote=trace.is_remote) if above is not None else None,
        attributes=attributes,
        kind=SpanKind.SERVER if trace.is_request else SpanKind.INTERNAL,
        status=_FAULT if trace.has_failed else _UNSET,
    )
    shared = {key: attributes[key] for key in (MODEL, VERSION) if key in attributes}
    for stage in list(trace.stages):
        yield make_span(stage, make_context(stage.span_id or make_span_id()), own, attributes=shared)


def _complete(endpoint: str | None) -> str | None:
    """Return an endpoint with its path."""
    if endpoint is None or urlsplit(endpoint).path.strip("/"):
        return endpoint
    return endpoint.rstrip("/") + _PATH


def _describe(service_name: str | None) -> Resource:
    """Return what the spans are from."""
    named = {SERVICE_NAME: service_name} if service_name is not None else {}
    resource = Resource.create({"service.version": model_service.__version__, "process.pid": os.getpid(), **named})
    if str(resource.attributes.get(SERVICE_NAME, _NAMELESS)).startswith(_NAMELESS):
        resource = resource.merge(Resource({SERVICE_NAME: _NAME}))
    return resource
