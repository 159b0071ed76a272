"""What a caller says of a trace is taken as W3C Trace Context has it, and who is traced is decided as it says."""

import pytest

from model_service.config_tracing import TracingConfig
from model_service.tracing.context import MOST_STAGES, VALIDATE, Parent, Trace, read_link, read_parent
from model_service.tracing.tracer import Tracer

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


class Kept:
    """A sink that keeps."""

    settings = {"endpoint": "http://collector", "service_name": None}

    def __init__(self):
        self.traces = []

    def take(self, trace):
        self.traces.append(trace)


def read(*parents: str, states: tuple[str, ...] = ()) -> Parent | None:
    headers = [(b"host", b"localhost"), *((b"TraceParent", each.encode("latin-1")) for each in parents)]
    return read_parent([*headers, *((b"tracestate", each.encode("latin-1")) for each in states)])


@pytest.mark.parametrize(
    ("header", "is_sampled"),
    [
        (PARENT, True),
        (f" {PARENT}\t", True),
        (f"00-{TRACE_ID}-{SPAN_ID}-00", False),
        (f"00-{TRACE_ID}-{SPAN_ID}-02", False),
        (f"00-{TRACE_ID}-{SPAN_ID}-03", True),
        (f"cc-{TRACE_ID}-{SPAN_ID}-01-what-the-future-brings", True),
    ],
)
def test_a_parent_is_read(header, is_sampled):
    assert read(header) == Parent(TRACE_ID, SPAN_ID, "", is_sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        PARENT.upper(),
        PARENT[:-1],
        f"{PARENT}-more",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"cc-{TRACE_ID}-{SPAN_ID}-01x",
        PARENT.replace("4bf9", "4bg9"),
        f"{PARENT}\n",
        f"\u06600-{TRACE_ID}-{SPAN_ID}-01".encode().decode("latin-1"),  # a digit of another script
    ],
)
def test_what_is_no_parent_counts_for_nothing(header):
    assert read(header) is None


def test_of_two_parents_none_counts():
    assert read(PARENT, PARENT) is None
    assert read() is None


def test_state_is_passed_on_as_it_came_and_only_beside_a_parent():
    assert read(PARENT, states=("a=1", "b=2,c=3")).state == "a=1,b=2,c=3"
    assert read(PARENT, states=("a=" + "1" * 600,)).state == ""
    assert read(PARENT, states=("a=ü",)).state == ""
    assert read(states=("a=1",)) is None


def test_a_trace_says_what_was_noted_of_it_once():
    kept = Kept()
    trace = Trace(Parent(TRACE_ID, SPAN_ID), 1.0, kept)
    trace.note(VALIDATE, 1.1, 1.2)
    trace.note_run(1.2, 0.0, 1.5)
    trace.end("name", 2.0, {"a": 1}, has_failed=False)
    trace.end("again", 3.0, {}, has_failed=True)
    assert kept.traces == [trace]
    assert (trace.name, trace.ended, trace.has_failed) == ("name", 2.0, False)
    assert [stage[:3] for stage in trace.stages] == [("validate", 1.1, 1.2), ("queue", 1.2, 1.5)]


def test_a_request_in_many_chunks_notes_the_first_of_them():
    trace = Trace(Parent(TRACE_ID, None), 1.0, Kept())
    for _ in range(MOST_STAGES):
        trace.note_run(1.0, 2.0, 3.0)
    assert len(trace.stages) == MOST_STAGES


def test_what_a_caller_does_not_sample_notes_nothing():
    trace = Tracer(TracingConfig(enabled=True)).begin([(b"traceparent", f"{PARENT[:-1]}0".encode())], 1.0)
    trace.note_run(1.0, 2.0, 3.0)
    trace.end("name", 4.0, {}, has_failed=False)
    assert (trace.trace_id, trace.is_sampled, trace.stages, trace.name) == (TRACE_ID, False, [], "")


def test_a_branch_and_a_link_are_children_of_the_same_trace():
    trace = Trace(Parent(TRACE_ID, SPAN_ID, "a=1"), 1.0, Kept())
    branch = trace.branch(2.0)
    assert branch.parent == Parent(TRACE_ID, trace.span_id, "a=1")
    assert branch.span_id != trace.span_id
    link = trace.make_link("b" * 16)
    assert (read_link(link), link["settings"]) == (Parent(TRACE_ID, "b" * 16, "a=1"), Kept.settings)


@pytest.mark.parametrize(("ratio", "fewest", "most"), [(0, 0, 0), (1, 4000, 4000), (0.25, 800, 1200)])
def test_a_share_of_those_who_bring_no_trace_is_sampled(ratio, fewest, most):
    tracer = Tracer(TracingConfig(enabled=True, sample_ratio=ratio))
    begun = [trace for _ in range(4000) if (trace := tracer.begin([], 1.0)) is not None]
    assert fewest <= len(begun) <= most
    assert all(trace.is_sampled and trace.parent.span_id is None for trace in begun)
    assert len({trace.trace_id for trace in begun}) == len(begun)


def test_whom_a_caller_samples_is_sampled_whatever_the_share():
    trace = Tracer(TracingConfig(enabled=True, sample_ratio=0)).begin([(b"traceparent", PARENT.encode())], 1.0)
    assert trace.is_sampled
    assert trace.parent == Parent(TRACE_ID, SPAN_ID)
