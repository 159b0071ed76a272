"""`QueuedBackend`: a backend behind a `RowQueue`, whose batches run in the loop or in a dispatcher's thread.

A model that runs in the loop was fast with its examples. If its payloads turn out to take long, it would hold up
everything else in the process: after `MOST_SLOW_RUNS` runs that computed for more than `SLOW_S` a dispatcher takes over
its queue. A run that merely took so long may have waited for a busy machine; a model that waits for something else does
so in `MOST_WAITING_RUNS` runs, one after the other.
"""

import logging
import time
from collections.abc import Callable

from model_service.backends.base import AsyncBackend, Backend, Host
from model_service.backends.batches import BatchRunner
from model_service.backends.dispatcher import Dispatcher
from model_service.backends.in_loop import InLoop
from model_service.backends.loop import TURN_S
from model_service.backends.questions import Questions
from model_service.backends.queue import RowQueue
from model_service.backends.ticket import Ticket, announce
from model_service.config import ModelConfig
from model_service.errors import CapacityError, PredictionTimeout
from model_service.metrics.model_meter import ModelMeter
from model_service.records import Execution, Explanation, ModelInfo, Output, Payload, Problem, Violation

logger = logging.getLogger(__name__)

#: A run of that length in the loop is felt by everyone.
SLOW_S, MOST_SLOW_RUNS, MOST_WAITING_RUNS = 0.02, 3, 10


class QueuedBackend(AsyncBackend):
    """Gives one backend its rows in batches, one batch at a time.

    Args:
        backend: Runs the batches; started and stopped with this one.
        config: The entry of the model.
        host: Its loop runs the batches when `is_in_loop`, and is told what is over.
        is_in_loop: Whether a run takes so little time that it may hold the loop up.
        is_joining: Whether rows of different requests may be in one batch.
        clock: Seconds that only grow; a parameter so that tests need not sleep.
        processor: Seconds that the processor spends on this thread; likewise.
    """

    def __init__(
        self,
        backend: Backend,
        config: ModelConfig,
        host: Host,
        *,
        is_in_loop: bool,
        is_joining: bool,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        super().__init__(config, host, clock=clock)
        self._backend = backend
        self._loop = host.loop
        self._is_in_loop = is_in_loop
        self._slow_runs = self._waiting_runs = 0
        self._runner: InLoop | Dispatcher | None = None
        self.queue = RowQueue(config, is_joining=is_joining, turn_s=TURN_S if is_in_loop else None, clock=clock)
        self._batches = BatchRunner(
            backend, self.queue, after_run=self._look_at if is_in_loop else None, clock=clock, processor=processor
        )

    @property
    def execution(self) -> Execution:
        return Execution.IN_LOOP if self._is_in_loop else Execution.DISPATCHED

    @property
    def is_batching(self) -> bool:
        return self.queue.is_joining

    def describe(self) -> ModelInfo:
        return self._backend.describe()

    def start(self) -> None:
        self._backend.start()
        self.open()

    def open(self) -> None:
        """Let requests in, to a backend that has been started already."""
        self.queue.open()
        self._runner = self._make_runner()
        self._loop.every_tick(self._expire)

    @property
    def unqueued(self) -> Backend:
        return self._backend

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        return self._backend.find_violations(payloads)

    def explain(self, payload: Payload, output: Output, questions: Questions) -> Explanation:
        return self._backend.explain(payload, output, questions)

    def find_problem(self) -> Problem | None:
        return self._backend.find_problem()

    def submit(self, ticket: Ticket) -> None:
        self.queue.put(ticket)
        if self._runner is not None:  # and it is: the queue is open
            self._runner.wake()

    @property
    def queued_rows(self) -> int:
        return self.queue.rows

    @property
    def is_idle(self) -> bool:
        return self.queue.is_idle

    @property
    def tickets(self) -> int:
        return self.queue.tickets

    def note_in(self, meter: ModelMeter) -> None:
        self.queue.meter = meter
        self._batches.note_rows = meter.batches.append

    def find_refusal(self, rows: int, deadline: float) -> CapacityError | None:
        return self.queue.admission.find_refusal(rows, deadline)

    def cancel(self, ticket: Ticket) -> None:
        self.queue.cancel(ticket)

    def stop(self) -> None:
        self._loop.no_tick(self._expire)
        self._loop.post(announce, self.queue.close())
        try:
            self._backend.stop()
        finally:
            runner, self._runner = self._runner, None
            if runner is not None:
                runner.close()

    def _make_runner(self) -> InLoop | Dispatcher:
        if self._is_in_loop:
            return InLoop(self._loop, self.queue, self._batches.run_next)
        dispatcher = Dispatcher(
            self.queue,
            self._batches.run_next,
            lambda over: self._loop.post(announce, over),
            max_wait_s=self._config.max_wait_s,
            max_batch_rows=self._config.max_batch_rows,
        )
        dispatcher.open()
        return dispatcher

    def _look_at(self, took_s: float, computed_s: float) -> None:
        """Note a run that went well; let a thread run the model once it has turned out to hold the loop up."""
        self.vitals.note_success()
        if not self._is_in_loop:
            return
        self._waiting_runs = self._waiting_runs + 1 if took_s > SLOW_S else 0
        self._slow_runs += computed_s > SLOW_S
        if self._slow_runs == MOST_SLOW_RUNS or self._waiting_runs == MOST_WAITING_RUNS:
            logger.warning(
                "the model takes too long for the loop: from now on a thread runs it; 'execution: dispatched' says so "
                "from the start",
                extra={"model": self._config.class_path},
            )
            self.queue.set_pace(None)
            self._is_in_loop = False
            before, self._runner = self._runner, self._make_runner()
            self._runner.wake()  # who came meanwhile has woken the one before
            if before is not None:
                before.close()

    def _expire(self) -> None:
        overdue = self.queue.expire()
        if overdue:
            self.vitals.note_failure(PredictionTimeout.code)
        announce(overdue)
