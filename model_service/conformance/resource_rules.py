"""Rules about what predicting costs: nothing may pile up; how long it takes is told, and not judged."""

import gc
import itertools
import os
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from model_service.conformance.rule import Broken, NotJudged, rule
from model_service.conformance.subject import Subject
from model_service.home import measure_memory
from model_service.memory import give_back
from model_service.records import Payload

_FAMILY = "resources"
#: The calls are counted in so many parts; the first fills caches and is not judged, each of the others must grow.
_PARTS = 5
#: Fewer calls say nothing. The first ones tell how many there is time for.
_LEAST_CALLS, _WARM_UP = 100, 10
#: What one call may leave, on average: blocks of Python's memory, bytes, and open files and threads.
_MOST_BLOCKS, _MOST_BYTES, _MOST_HANDLES = 0.5, 4000, 0.05
_BATCH_ROWS = 64
#: Payloads that are drawn for each that is wanted.
_TRIES = 10
_MOST_TIMED = 300


@rule(
    "leak",
    _FAMILY,
    "memory does not grow from call to call",
    remedy="Bound what is kept: lru_cache(maxsize=128) in place of cache, no list that every call appends to; close "
    "files, and start threads once.",
    needs=("answers",),
    uses_rows=True,
    patience=2.0,
)
def leak(subject: Subject) -> str:
    """Over many calls with different payloads, after the first fifth, neither Python's memory, nor that of the
    process, nor open files, nor threads grow in every part.
    """
    rows = _pick_short(subject)
    began = time.perf_counter()
    for row in rows[:_WARM_UP]:
        subject.predict(row)
    affordable = int(subject.options.seconds * min(_WARM_UP, len(rows)) / (time.perf_counter() - began))
    calls = max(1, min(subject.options.calls, affordable) // _PARTS)
    if calls * _PARTS < _LEAST_CALLS:
        raise NotJudged(f"{subject.options.seconds:g} s are too few for {_LEAST_CALLS} calls; give more --seconds")
    stream, counts = itertools.cycle(rows), []
    gc.freeze()  # what was there before is not looked through again, at every count
    try:
        for _ in range(_PARTS):
            for row in itertools.islice(stream, calls):
                subject.predict(row)
            counts.append(_count())
    finally:
        gc.unfreeze()
    bounds = {"blocks of Python": _MOST_BLOCKS, "bytes of the process": _MOST_BYTES}
    bounds |= {"open files": _MOST_HANDLES, "threads": _MOST_HANDLES}
    for place, (what, most) in enumerate(bounds.items()):
        growth = [(after[place] - before[place]) / calls for before, after in itertools.pairwise(counts)]
        if min(growth) > most:
            raise Broken(f"each call leaves {statistics.mean(growth):,.1f} {what}, over {calls * _PARTS} calls")
    grown = (counts[-1][1] - counts[0][1]) / 1e6
    return f"{calls * _PARTS} calls, {grown:+.1f} MB"


@rule(
    "speed",
    _FAMILY,
    "latency and rows per second",
    remedy="",
    needs=("answers",),
    uses_rows=True,
    is_told=True,
)
def speed(subject: Subject) -> str:
    """The latency of examples asked alone (median and 99th percentile), and rows per second alone and in batches."""
    rows = subject.examples
    for row in rows:
        subject.predict(row)
    took = []
    for _, row in subject.within_budget([*zip(range(_MOST_TIMED), itertools.cycle(rows), strict=False)], share=0.4):
        began = time.perf_counter()
        subject.predict(row)
        took.append(time.perf_counter() - began)
    batch = [row for _, row in zip(range(_BATCH_ROWS), itertools.cycle(rows), strict=False)]
    batches, began = 0, time.perf_counter()
    for _ in subject.within_budget(range(20), share=0.4):
        subject.predict_batch(batch)
        batches += 1
    per_s = batches * len(batch) / (time.perf_counter() - began)
    ordered = sorted(took)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 for share in (0.5, 0.99))
    rates = f"{len(took) / sum(took):,.0f} rows/s alone, {per_s:,.0f} in batches of {_BATCH_ROWS}"
    return f"p50 {p50:.3g} ms, p99 {p99:.3g} ms, {rates}"


RULES = (leak, speed)


def _pick_short(subject: Subject) -> list[Payload]:
    """Return different payloads, one per call where there are so many, none longer than the examples.

    So a cache without end grows until the last call, and memory that follows the size of payloads does not.
    """
    examples, calls = subject.examples, subject.options.calls
    longest = max(len(repr(row)) for row in examples)
    found = {repr(row): row for row in examples}
    drawn = subject.draw(calls * _TRIES if subject.generated else 0, seed=4)
    for row in subject.within_budget(drawn, share=0.3):
        if len(text := repr(row)) <= longest and subject.is_fit(row):
            found[text] = row
        if len(found) >= calls:
            break
    return [*found.values()]


def _count() -> Sequence[float]:
    """Return blocks of Python's memory, resident bytes, open files and threads, now."""
    give_back()
    handles = Path("/proc/self/fd")
    files = len(os.listdir(handles)) if handles.is_dir() else 0
    return sys.getallocatedblocks(), measure_memory(os.getpid()), files, threading.active_count()
