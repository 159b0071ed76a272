"""Which line a started backend gets: batched, turns, or none of ours. It measures when it is not told.

A run costs what its rows cost, and something beside them: arrays, one call of the framework. Only
the latter is saved by a batch, and a batch costs a change of threads. So one row and two are
timed: what a run costs beside its rows is twice the time of one less the time of two.

Taking turns costs a change of threads, too, wherever callers meet. A model that is thread-safe and
fast is called by all of them at once: it is over before another thread comes to run.
"""

import copy
import math
import time
from collections.abc import Callable, Sequence

from model_service.backends.base import Backend
from model_service.backends.batching import MicroBatcher
from model_service.config import BackendName, Batching, ModelConfig
from model_service.errors import ServiceError
from model_service.records import Payload

#: What it costs to hand a row to the dispatcher and the answer back: two changes of threads
#: (`benchmarks/hand_off.py` measures some 15 to 20 microseconds of processor time).
HAND_OFF_S = 20e-6
#: A longer run keeps a core busy while others wait for one; taking turns then costs next to nothing.
FAST_S = 100e-6
#: A smaller share of a row's time is not worth the wait for the other rows of a batch, nor can it be told from noise.
LEAST_SHARE = 0.25
#: Enough for hundreds of runs of a cheap model; a service of many models starts later by as much for each. Others
#: load meanwhile, so the shortest of several runs counts; a slow model is not run that often.
MEASURE_S, LEAST_RUNS, LONGEST_MEASURE_S = 0.003, 5, 0.05


def line_up(
    backend: Backend,
    config: ModelConfig,
    examples: Sequence[Payload],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Backend:
    """Return a started backend behind the line that its entry asks for, or that suits what was measured.

    Args:
        backend: Started; a backend that batches on its own is returned as it is, unless ``batching`` is ``on``.
        config: The model's entry.
        examples: Payloads to measure with; without any, nothing says that a batch would save something.
        clock: Seconds that only grow.
    """
    if config.backend is BackendName.PROCESS and config.batching is not Batching.ON:
        return backend
    is_batching = config.batching is Batching.ON
    if examples and (config.batching is Batching.AUTO or (backend.is_concurrent and not is_batching)):
        one_s, two_s = _time_rows(backend, copy.deepcopy(examples[0]), clock)
        beside_rows_s = 2 * one_s - two_s
        is_batching = config.batching is Batching.AUTO and beside_rows_s > max(HAND_OFF_S, LEAST_SHARE * one_s)
        if not is_batching and backend.is_concurrent and one_s < FAST_S:
            return backend
    batcher = MicroBatcher(backend, config, is_batching=is_batching)
    batcher.open()
    return batcher


def _time_rows(backend: Backend, payload: Payload, clock: Callable[[], float]) -> tuple[float, float]:
    """Return the shortest of several runs of one row, and of two."""
    shortest = {1: math.inf, 2: math.inf}
    began = clock()
    runs = 0
    while (took := clock() - began) < MEASURE_S or (runs < LEAST_RUNS and took < LONGEST_MEASURE_S):
        runs += 1
        for rows in shortest:
            started = clock()
            try:
                backend.run([payload] * rows)
            except ServiceError:  # it failed for two rows what it did for one: leave them apart
                return shortest[1], math.inf
            shortest[rows] = min(shortest[rows], clock() - started)
    return shortest[1], shortest[2]
