"""Calls to a model process whose requests are traced: `SentCall` in the worker, `CallSpans` in the process.

A call carries a link to the span that the worker will make of it, and where spans are sent. So a process needs no
configuration, and imports nothing before such a call has come.
"""

import time
from collections.abc import Mapping
from typing import Any

from model_service.config_tracing import TracingConfig
from model_service.records import ModelInfo
from model_service.tracing.context import PREDICT, QUEUE, Trace, Value, make_span_id, read_link
from model_service.tracing.requests import ERROR, MODEL, VERSION
from model_service.tracing.tracer import Tracer

#: The span's name.
RUN = "run"


class SentCall:
    """One call, in the worker.

    Args:
        trace: Of its request, which is sampled.
        began: When it is sent.

    Attributes:
        link: What goes along with it.
    """

    def __init__(self, trace: Trace, began: float) -> None:
        self._trace = trace
        self._began = began
        self._span_id = make_span_id()
        self.link = trace.make_link(self._span_id)

    def note(self, answer: Mapping[str, Any] | None) -> None:
        """Note its stages now that it is over.

        Args:
            answer: Of the process, which says when the model was given the call; ``None`` where there is none.
        """
        now = time.monotonic()
        if answer is None:
            self._trace.note(QUEUE, self._began, now)
            return
        taken = min(max(self._began, answer.get("began") or now), now)
        self._trace.note(QUEUE, self._began, taken)
        self._trace.note(PREDICT, taken, now, self._span_id)


class CallSpans:
    """Makes spans of calls. For one thread; nothing is opened, or imported, before the first one.

    Args:
        info: The model.
    """

    def __init__(self, info: ModelInfo) -> None:
        self._names = {MODEL: info.qualified_name, VERSION: info.version}
        self._tracer: Tracer | None = None

    def note(self, link: Mapping[str, Any], times: tuple[float, float], rows: int, code: str | None) -> None:
        """Make a span of a call that has been answered.

        Args:
            link: From `Trace.make_link`, in the worker.
            times: When its first row was given to the model, and when the last one was answered.
            rows: How many there are.
            code: Of the error that was answered, if one was.
        """
        if self._tracer is None:  # a worker of another generation may send elsewhere, and that soon ends
            self._tracer = Tracer(TracingConfig(**link["settings"]))
        trace = Trace(read_link(link), times[0], self._tracer)
        trace.rows = rows
        attributes: dict[str, Value] = {**self._names}
        if code is not None:
            attributes[ERROR] = code
        trace.end(RUN, times[1], attributes, has_failed=code is not None)

    def close(self) -> None:
        """Send what waits, for a short while."""
        if self._tracer is not None:
            self._tracer.close()
