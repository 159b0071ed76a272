"""What a line costs and saves: predictions a second of processor time, direct and batched, by threads and by model.

python benchmarks/hand_off.py

Each thread computes as long as a web request does and then asks for one row. `HAND_OFF_S` in
model_service/backends/choice.py comes from the first row: what batched costs more than direct with
one thread, for a model that costs next to nothing.
"""

import threading
import time

from model_service.backends.base import Backend
from model_service.backends.batching import MicroBatcher
from model_service.config import ModelConfig
from model_service.records import ModelInfo, Output, Payload, Violation

SECONDS = 0.5
REPEATS = 3
#: Steps of a loop that take some 50 microseconds, as the decoding and encoding of a request do.
WEB_STEPS = 1_000
#: Microseconds of a run beside its rows, and of a row.
COSTS = ((1, 1), (15, 3), (50, 3), (120, 1), (1_500, 70), (70, 1_500))


class SpinningBackend(Backend):
    """Computes for as long as it is told, holding the interpreter, as Python code does."""

    def __init__(self, run_us: int, row_us: int) -> None:
        self._run_s, self._row_s = run_us / 1e6, row_us / 1e6

    def describe(self) -> ModelInfo:
        raise NotImplementedError

    def start(self) -> None:
        pass

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        return [[] for _ in payloads]

    def run(self, payloads: list[Payload]) -> list[Output]:
        end = time.perf_counter() + self._run_s + self._row_s * len(payloads)
        while time.perf_counter() < end:
            pass
        return payloads

    def stop(self) -> None:
        pass


def main() -> None:
    """Print one row a model and number of threads."""
    print(
        "| run us + row us | threads | direct /cpu s | batched /cpu s | batched costs more us |\n|--|--:|--:|--:|--:|"
    )
    for costs in COSTS:
        for threads in (1, 4, 16, 64):
            direct, batched = (
                max(measure(SpinningBackend(*costs), threads, is_batching=is_batching) for _ in range(REPEATS))
                for is_batching in (False, True)
            )
            more_us = 1e6 / batched - 1e6 / direct
            print(f"| {costs[0]} + {costs[1]} | {threads} | {direct:.0f} | {batched:.0f} | {more_us:.1f} |", flush=True)


def measure(backend: Backend, threads: int, *, is_batching: bool) -> float:
    """Return answered rows a second of processor time."""
    batcher = MicroBatcher(backend, ModelConfig(class_path="m.M"), is_batching=is_batching)
    batcher.start()
    counts = [0] * threads
    is_over = threading.Event()

    def call(i: int) -> None:
        while not is_over.is_set():
            for _ in range(WEB_STEPS):
                pass
            batcher.run([{}])
            counts[i] += 1

    workers = [threading.Thread(target=call, args=(i,)) for i in range(threads)]
    began = time.process_time()
    for worker in workers:
        worker.start()
    time.sleep(SECONDS)
    is_over.set()
    for worker in workers:
        worker.join()
    used_s = time.process_time() - began
    batcher.stop()
    return sum(counts) / used_s


if __name__ == "__main__":
    main()
