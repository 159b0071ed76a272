"""The other floor: predict in one process without any server. ``python -m benchmarks.serving.in_process MODEL``.

Prints one JSON object. The benchmark runs it in a process of its own, on the servers' core.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from benchmarks.serving.entry import LARGEST_BATCH, MANY_ROWS
from benchmarks.serving.figures import find_best_tenth, find_quantile
from benchmarks.serving.workloads import WORKLOADS, draw_reference

_CALLS = 500
_PIECES = 10
_PIECE_S = 0.15


def main() -> None:
    """Measure one model."""
    workload = WORKLOADS[sys.argv[1]]
    model = workload.load()
    payloads = draw_reference(workload, MANY_ROWS).payloads
    body = json.dumps(payloads)
    calls = [_time_ms(partial(model.predict, payload)) for payload in payloads[:_CALLS]]
    batch = payloads[:LARGEST_BATCH]
    figures = {
        "one_p50_ms": statistics.median(calls),
        "one_p99_ms": find_quantile(calls, 0.99),
        "rows_per_cpu_s_one_by_one": _measure_rate(lambda: model.predict(payloads[0])),
        "rows_per_cpu_s_in_batches": len(batch) * _measure_rate(lambda: model.predict_batch(batch)),
        "many_per_cpu_s": _measure_rate(lambda: model.predict_batch(json.loads(body))),
    }
    print(json.dumps(figures))


def _time_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _measure_rate(call: Callable[[], object]) -> float:
    """Return the calls per CPU second: the best tenth of a few pieces."""
    call()
    rates = []
    for _ in range(_PIECES):
        started, count = time.process_time(), 0
        while (spent := time.process_time() - started) < _PIECE_S or not count:
            call()
            count += 1
        rates.append(count / spent)
    return find_best_tenth(rates)


if __name__ == "__main__":
    main()
