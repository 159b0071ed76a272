"""A backend that says what it was given, a clock that moves when told, and a line of both; for tests of batching."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from model_service.backends.base import Backend
from model_service.backends.batching import MicroBatcher
from model_service.config import ModelConfig
from model_service.errors import ModelNotReady, PredictionFailed

HELD = 1_000_000


def rows(*numbers):
    return [{"x": number} for number in numbers]


def answers(*numbers):
    return [{"y": 2 * number} for number in numbers]


class Clock:
    """Seconds that pass only when a test or a run says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class RecordingBackend(Backend):
    """Doubles numbers. It raises on a negative one, and holds a run with `HELD` in it until `release`."""

    def __init__(self, clock=None, *, run_s=0.0, row_s=0.0, error: type[Exception] = PredictionFailed):
        self.batches: list[list[float]] = []
        self.entered = threading.Event()
        self.release = threading.Event()
        self.started = 0
        self.stopped = 0
        self._clock = clock or Clock()
        self._run_s, self._row_s = run_s, row_s
        self._error = error

    def describe(self):
        raise NotImplementedError

    def start(self):
        self.started += 1
        self.stopped = 0

    def find_violations(self, payloads):
        return [[] for _ in payloads]

    def run(self, payloads):
        if self.stopped:
            raise ModelNotReady("the model is not running")
        numbers = [payload["x"] for payload in payloads]
        self.batches.append(numbers)
        if HELD in numbers:
            self.entered.set()
            assert self.release.wait(timeout=30)
        self._clock.now += self._run_s + self._row_s * len(numbers)
        bad = [number for number in numbers if number < 0]
        if bad:
            raise self._error(f"a bad row: {bad[0]}") from RuntimeError(bad[0])
        return answers(*numbers)

    def stop(self):
        self.release.set()
        self.stopped += 1


class Line:
    """A line whose backend is held, so that a test decides what waits when the next batch is taken."""

    def __init__(self, pool: ThreadPoolExecutor, *, is_batching=True, backend=None, clock=None, **bounds):
        self.clock = clock or Clock()
        self.backend = backend or RecordingBackend(self.clock)
        self._pool = pool
        config = ModelConfig(class_path="m.M", **bounds)
        self.batcher = MicroBatcher(self.backend, config, is_batching=is_batching, clock=self.clock)
        self.batcher.start()

    def hold(self) -> "Future[list]":
        """Occupy the backend; return the call that does."""
        held = self._pool.submit(self.batcher.run, rows(HELD))
        assert self.backend.entered.wait(timeout=30)
        return held

    def enter(self, *numbers) -> "Future[list]":
        """Put a call into the line, behind those that are in it; return it."""
        before = self.waiting
        call = self._pool.submit(self.batcher.run, rows(*numbers))
        wait_until(lambda: self.waiting == before + len(numbers))
        return call

    @property
    def waiting(self) -> int:
        return self.batcher._waiting_rows

    def release(self) -> None:
        self.backend.release.set()

    @property
    def batches(self) -> list[list[float]]:
        """What the backend was given after the run that held it."""
        return [batch for batch in self.backend.batches if HELD not in batch]


def wait_until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)
