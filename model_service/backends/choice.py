"""Which line a started backend gets: batched, direct, or none of ours. It measures when it is not told.

A run costs what its rows cost, and something beside them: arrays, one call of the framework. Only
the latter is saved by a batch, and a batch costs a change of threads. So one row and two are
timed: what a run costs beside its rows is twice the time of one less the time of two.
"""

import copy
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
#: A smaller share of a row's time is not worth the wait for the other rows of a batch, nor can it be told from noise.
LEAST_SHARE = 0.25
#: Enough for hundreds of runs of a cheap model; a service of many models starts later by as much for each. Others
#: load meanwhile, so the shortest of several runs counts; a slow model is not run that often.
MEASURE_S, LEAST_RUNS, LONGEST_MEASURE_S = 0.005, 20, 0.05


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
    if config.batching is Batching.AUTO and examples:
        is_batching = _gains_from_batches(backend, copy.deepcopy(examples[0]), clock)
    batcher = MicroBatcher(backend, config, is_batching=is_batching)
    batcher.open()
    return batcher


def _gains_from_batches(backend: Backend, payload: Payload, clock: Callable[[], float]) -> bool:
    """Time runs of one row and of two; the shortest of each counts."""
    shortest = {1: float("inf"), 2: float("inf")}
    began = clock()
    runs = 0
    try:
        while (took := clock() - began) < MEASURE_S or (runs < LEAST_RUNS and took < LONGEST_MEASURE_S):
            runs += 1
            for rows in shortest:
                started = clock()
                backend.run([payload] * rows)
                shortest[rows] = min(shortest[rows], clock() - started)
    except ServiceError:  # it failed for two rows what it did for one: leave them apart
        return False
    beside_rows_s = 2 * shortest[1] - shortest[2]
    return beside_rows_s > max(HAND_OFF_S, LEAST_SHARE * shortest[1])
