"""A backend that says what it was given, a clock that moves when told, and a queue of both; for tests of batches."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from model_service.backends.base import Backend, Host
from model_service.backends.queued import QueuedBackend
from model_service.config import ModelConfig
from model_service.errors import ModelNotReady, PredictionFailed
from model_service.records import RequestContext

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
        self.run_s, self._row_s = run_s, row_s
        self._error = error

    def describe(self):
        raise NotImplementedError

    def start(self):
        self.started += 1
        self.stopped = 0

    has_rules = False

    def find_violations(self, payloads):
        return [[] for _ in payloads]

    def run(self, payloads, context=None):
        if self.stopped:
            raise ModelNotReady("the model is not running")
        numbers = [payload["x"] for payload in payloads]
        self.batches.append(numbers)
        if HELD in numbers:
            self.entered.set()
            assert self.release.wait(timeout=30)
        self._clock.now += self.run_s + self._row_s * len(numbers)
        bad = [number for number in numbers if number < 0]
        if bad:
            raise self._error(f"a bad row: {bad[0]}") from RuntimeError(bad[0])
        return answers(*numbers)

    def stop(self):
        self.release.set()
        self.stopped += 1


def until(deadline):
    """A context whose caller waits until then."""
    return RequestContext("", 0.0, deadline)


class Queue:
    """A queue whose backend is held, so that a test decides what waits when the next batch is taken.

    Args:
        pool: Runs the callers.
        loop: Runs the model, or is told what is over.
        kind: ``joined`` and ``apart`` run in a dispatcher's thread, ``in_loop`` in the loop.
    """

    def __init__(self, pool, loop, *, kind="joined", backend=None, clock=None, processor=None, **bounds):
        self.clock = clock or Clock()
        self.backend = backend or RecordingBackend(self.clock)
        self._pool = pool
        config = ModelConfig(class_path="m.M", **bounds)
        self.queued = QueuedBackend(
            self.backend,
            config,
            Host(loop),
            is_in_loop=kind == "in_loop",
            is_joining=kind != "apart",
            clock=self.clock,
            processor=processor or self.clock,
        )
        self.queued.start()

    def run(self, *numbers):
        """Run rows and wait for the answers."""
        return self.queued.run(rows(*numbers))

    def call(self, *numbers) -> "Future[list]":
        """Run rows in a thread of the pool."""
        return self._pool.submit(self.queued.run, rows(*numbers))

    def hold(self) -> "Future[list]":
        """Occupy the backend; return the call that does."""
        held = self.call(HELD)
        assert self.backend.entered.wait(timeout=30)
        return held

    def enter(self, *numbers) -> "Future[list]":
        """Put a call into the queue, behind those that are in it; return it."""
        before = self.waiting
        call = self.call(*numbers)
        wait_until(lambda: self.waiting == before + len(numbers))
        return call

    @property
    def waiting(self) -> int:
        return self.queued.queue.rows

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
