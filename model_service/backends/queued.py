"""`QueuedBackend`: a backend behind a `RowQueue`, whose batches run in the loop or in a dispatcher's thread.

A batch that failed is run again ticket by ticket, so that a bad row fails its own request only.

A model that runs in the loop was fast with its examples. If its payloads turn out to take long, it would hold up
everything else in the process: after `MOST_SLOW_RUNS` runs of more than `SLOW_S` a dispatcher takes over its queue.
"""

import logging
import time
from collections.abc import Callable

from model_service.backends.base import AsyncBackend, Backend
from model_service.backends.dispatcher import Dispatcher
from model_service.backends.in_loop import InLoop
from model_service.backends.loop import TURN_S, ServiceLoop
from model_service.backends.queue import SLICE_S, Batch, RowQueue
from model_service.backends.ticket import Ticket, announce, detach
from model_service.config import ModelConfig
from model_service.errors import CapacityError, PayloadInvalid, PredictionFailed, ServiceError
from model_service.records import Execution, ModelInfo, Output, Payload, Problem, Violation

logger = logging.getLogger(__name__)

#: A run of that length in the loop is felt by everyone. One may be a hiccup of the machine.
SLOW_S, MOST_SLOW_RUNS = 0.02, 3


class QueuedBackend(AsyncBackend):
    """Gives one backend its rows in batches, one batch at a time.

    Args:
        backend: Runs the batches; started and stopped with this one.
        config: The entry of the model.
        loop: Runs the batches when `is_in_loop`; is told what is over.
        is_in_loop: Whether a run takes so little time that it may hold the loop up.
        is_joining: Whether rows of different requests may be in one batch.
        clock: Seconds that only grow; a parameter so that tests need not sleep.
    """

    def __init__(
        self,
        backend: Backend,
        config: ModelConfig,
        loop: ServiceLoop,
        *,
        is_in_loop: bool,
        is_joining: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(timeout_s=config.timeout_s, clock=clock)
        self._backend = backend
        self._config = config
        self._loop = loop
        self._is_in_loop = is_in_loop
        self._slow_runs = 0
        self._runner: InLoop | Dispatcher | None = None
        self.queue = RowQueue(
            config,
            is_joining=is_joining,
            slice_s=TURN_S if is_in_loop else SLICE_S,
            is_timed=is_in_loop,
            clock=clock,
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

    def find_violations(self, payloads: list[Payload]) -> list[list[Violation]]:
        return self._backend.find_violations(payloads)

    def find_problem(self) -> Problem | None:
        return self._backend.find_problem()

    def submit(self, ticket: Ticket) -> None:
        self.queue.put(ticket)
        if self._runner is not None:  # and it is: the queue is open
            self._runner.wake()

    def find_refusal(self, rows: int, deadline: float) -> CapacityError | None:
        return self.queue.find_refusal(rows, deadline)

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
            return InLoop(self._loop, self.queue, self._run_next)
        dispatcher = Dispatcher(
            self.queue,
            self._run_next,
            lambda over: self._loop.post(announce, over),
            max_wait_s=self._config.max_wait_s,
            max_batch_rows=self._config.max_batch_rows,
        )
        dispatcher.open()
        return dispatcher

    def _run_next(self) -> list[Ticket]:
        """Run one batch; return the tickets that are over."""
        batch, over = self.queue.take()
        return over + self._run_batch(batch) if batch else over

    def _run_batch(self, batch: Batch) -> list[Ticket]:
        payloads = batch[0][1] if len(batch) == 1 else [payload for _, part in batch for payload in part]
        started = self._clock()
        try:
            outputs = self._predict(payloads)
        except BaseException as error:  # whatever it is, it belongs to those who wait
            return self._fail(batch, _as_service_error(error))
        took_s = self._clock() - started
        over = self.queue.deliver(batch, outputs, took_s)
        if took_s > SLOW_S and self._is_in_loop:
            self._leave_loop()
        return over

    def _predict(self, payloads: list[Payload]) -> list[Output]:
        if self._backend.has_rules:
            found = self._backend.find_violations(payloads)
            if any(found):
                raise PayloadInvalid("a row breaks a rule of the model", next(filter(None, found)))
        return self._backend.run(payloads)

    def _fail(self, batch: Batch, error: ServiceError) -> list[Ticket]:
        """Give the error to the only ticket; run each of several alone, unless there is no capacity for them."""
        over: list[Ticket] = []
        for ticket, part in batch:
            if len(batch) == 1:
                over += self.queue.fail(ticket, error)
            elif isinstance(error, CapacityError):
                over += self.queue.fail(ticket, type(error)(error.message, retry_after_s=error.retry_after_s))
            elif self.queue.is_late(ticket):
                over += self.queue.end_late(ticket)
            else:
                over += self._run_batch([(ticket, part)])
        return over

    def _leave_loop(self) -> None:
        self._slow_runs += 1
        if self._slow_runs == MOST_SLOW_RUNS:
            logger.warning(
                "the model takes too long for the loop: from now on a thread runs it; 'execution: dispatched' says so "
                "from the start",
                extra={"model": self._config.class_path},
            )
            self.queue.set_pace(SLICE_S, is_timed=False)
            self._is_in_loop = False
            before, self._runner = self._runner, self._make_runner()
            self._runner.wake()  # who came meanwhile has woken the one before
            if before is not None:
                before.close()

    def _expire(self) -> None:
        announce(self.queue.expire())


def _as_service_error(error: BaseException) -> ServiceError:
    if not isinstance(error, ServiceError):
        surprise, error = error, PredictionFailed("the model raised")
        error.__cause__ = surprise
    return detach(error)
