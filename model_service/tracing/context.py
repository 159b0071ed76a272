"""`Trace`: the place of one request in a distributed trace, and what is noted of it on its way.

A trace that is sampled is made of plain values while the request is under way. Spans are made of them later, by
`model_service.tracing.export`, in a thread of its own.
"""

import random
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

#: Names of stages, which are names of spans.
VALIDATE, QUEUE, PREDICT = "validate", "queue", "predict"
#: A request that goes in chunks, as a file does, notes the first ones.
MOST_STAGES = 96
#: What a caller may pass on beside its ids, in characters.
_LONGEST_STATE = 512
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
#: `traceparent` of a version has this many characters; later versions may have more.
_FIRST_VERSION, _NO_VERSION = b"00", b"ff"
_NO_TRACE, _NO_SPAN = b"0" * 32, b"0" * 16
_SAMPLED = 1
_TRACEPARENT, _TRACESTATE = b"traceparent", b"tracestate"
_LENGTHS = frozenset((len(_TRACEPARENT), len(_TRACESTATE)))

Value = str | int


class Parent(NamedTuple):
    """The span that a caller says its request belongs to.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 of them; ``None`` where the request begins a trace.
        state: The header ``tracestate``, which is passed on as it is.
        is_sampled: Whether the caller's side keeps the trace.
    """

    trace_id: str
    span_id: str | None
    state: str = ""
    is_sampled: bool = True


class Stage(NamedTuple):
    """A part of a request: a child of its span.

    Attributes:
        began: On the clock of `time.monotonic`, as all times here.
        span_id: ``None`` where nobody has been told one.
    """

    name: str
    began: float
    ended: float
    span_id: str | None = None


class Sink(Protocol):
    """Where traces go that have ended."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return what another process needs to send its spans to the same place, as JSON."""

    def take(self, trace: "Trace") -> None:
        """Take a trace that has ended; it never blocks."""


class Trace:
    """One span with its stages. What is noted after its end is lost; any thread may note.

    Args:
        parent: The span that it is a child of, or where it begins a trace, the ids of that.
        began: When.
        sink: Takes it when it has ended; ``None`` where it is not sampled: it notes nothing, and only has an id.

    Attributes:
        span_id: Its own; empty where it is not sampled.
        is_remote: Whether the parent is another process's.
        rows: How many the request has, where that is known.
        stages: What was noted, in the order in which it ended.
        name: Once it has ended, likewise the others.
        has_failed: Whether it was the fault of the side that answers.
        is_request: Whether a caller has waited for it.
    """

    __slots__ = (
        *("_sink", "attributes", "began", "ended", "has_failed", "is_remote", "is_request", "name", "parent"),
        *("rows", "span_id", "stages"),
    )

    def __init__(self, parent: Parent, began: float, sink: Sink | None, *, is_remote: bool = True) -> None:
        self.parent = parent
        self.began = began
        self._sink = sink
        self.is_remote = is_remote
        self.span_id = make_span_id() if sink is not None else ""
        self.rows = 0
        self.stages: list[Stage] = []
        self.name = ""
        self.attributes: dict[str, Value] = {}
        self.ended = 0.0
        self.has_failed = self.is_request = False

    @property
    def trace_id(self) -> str:
        """What all spans of the trace share."""
        return self.parent.trace_id

    @property
    def is_sampled(self) -> bool:
        """Whether anything is noted."""
        return self._sink is not None

    def note(self, name: str, began: float, ended: float, span_id: str | None = None) -> None:
        """Note that a stage is over."""
        if self._sink is not None and len(self.stages) < MOST_STAGES:
            self.stages.append(Stage(name, began, ended, span_id))

    def note_run(self, submitted: float, began: float, ended: float) -> None:
        """Note what became of a ticket.

        Args:
            submitted: When it was admitted to its queue.
            began: When the first of its rows left that; 0 where none did.
            ended: When it was over.
        """
        self.note(QUEUE, submitted, began or ended)
        if began:
            self.note(PREDICT, began, ended)

    def branch(self, began: float) -> "Trace":
        """Return a child that ends on its own, perhaps later."""
        parent = Parent(self.trace_id, self.span_id, self.parent.state)
        return Trace(parent, began, self._sink, is_remote=False)

    def make_link(self, span_id: str) -> dict[str, Any]:
        """Return what another process makes a child of a span with: JSON for `read_link`."""
        settings = self._sink.settings if self._sink is not None else {}
        return {"trace_id": self.trace_id, "span_id": span_id, "state": self.parent.state, "settings": {**settings}}

    def end(
        self, name: str, ended: float, attributes: dict[str, Value], *, has_failed: bool, is_request: bool = False
    ) -> None:
        """End it, once: spans are made of it."""
        if self._sink is not None and not self.name:
            self.name, self.ended, self.attributes = name, ended, attributes
            self.has_failed, self.is_request = has_failed, is_request
            self._sink.take(self)


def read_link(link: Mapping[str, Any]) -> Parent:
    """Return the parent that another process has made a link of."""
    return Parent(link["trace_id"], link["span_id"], link["state"])


def read_parent(headers: Iterable[tuple[bytes, bytes]]) -> Parent | None:
    """Return the parent that the headers of a request name, if they name one as W3C Trace Context has it.

    What is not valid counts for nothing, and neither does a ``traceparent`` that is given twice.
    """
    found: list[bytes] = []
    states: list[bytes] = []
    for name, value in headers:
        if len(name) in _LENGTHS:
            if (lower := name.lower()) == _TRACEPARENT:
                found.append(value)
            elif lower == _TRACESTATE:
                states.append(value)
    if len(found) != 1 or (match := _PARENT.fullmatch(found[0].strip(b" \t"))) is None:
        return None
    version, trace_id, span_id, flags, rest = match.groups()
    if version == _NO_VERSION or (version == _FIRST_VERSION and rest) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    is_sampled = bool(int(flags, 16) & _SAMPLED)
    return Parent(trace_id.decode(), span_id.decode(), _read_state(b",".join(states)), is_sampled)


def make_span_id() -> str:
    """Return a new id of a span."""
    return f"{random.getrandbits(64) or 1:016x}"  # all zeros is none


def _read_state(raw: bytes) -> str:
    state = raw.decode("latin-1")
    return state if len(state) <= _LONGEST_STATE and state.isascii() and state.isprintable() else ""
