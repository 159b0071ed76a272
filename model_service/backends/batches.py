"""`BatchRunner`: runs what a queue gives as batches, and finds out which rows failed.

A batch that failed is run again ticket by ticket, so that a bad row fails its own request only. Of a lenient ticket the
rows that the model's own rules refuse, or raise for, are set aside; where the model raises, it is halved until the bad
rows stand alone. So they fail nothing but themselves.
"""

import time
from collections.abc import Callable

from model_service.backends.base import Backend
from model_service.backends.queue import Batch, RowQueue
from model_service.backends.ticket import RowOutcome, Ticket, as_service_error, detach
from model_service.errors import CapacityError, PayloadInvalid, PredictionFailed, PredictionTimeout, ServiceError
from model_service.records import Payload, RequestContext, Violation


class BatchRunner:
    """Runs the batches of one queue with one backend; for one thread at a time.

    Args:
        backend: Predicts.
        queue: Where tickets wait.
        before_run: Told what is about to run.
        after_run: Told how many seconds a batch took, and how many of them the processor spent on it.
        clock: Seconds that only grow.
        processor: Seconds that the processor spends on this thread.

    Attributes:
        note_rows: Told how many rows the model is given, each time; ``None``: nobody asks.
    """

    def __init__(
        self,
        backend: Backend,
        queue: RowQueue,
        *,
        before_run: Callable[[Batch], object] | None = None,
        after_run: Callable[[float, float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        self._backend = backend
        self._queue = queue
        self._before_run = before_run
        self._after_run = after_run
        self.note_rows: Callable[[int], object] | None = None
        self._clock = clock
        self._processor = processor

    def run_next(self) -> list[Ticket]:
        """Run the next batch, if there is one; return the tickets that are over."""
        batch, over = self._queue.take()
        return over + self._run(batch) if batch else over

    def _run(self, batch: Batch) -> list[Ticket]:
        started = self._clock()
        computed = self._processor() if self._after_run is not None else 0.0
        try:
            if len(batch) == 1:
                outputs = self._predict(batch, batch[0][1], batch[0][0].context)
            else:
                payloads = [payload for _, part in batch for payload in part]
                outputs = self._predict(batch, payloads, _join_contexts(batch))
        except BaseException as error:  # whatever it is, it belongs to those who wait
            return self._fail(batch, as_service_error(error))
        took_s = self._clock() - started
        computed_s = self._processor() - computed if self._after_run is not None else 0.0
        over = self._queue.deliver(batch, outputs, took_s)
        if self._after_run is not None:
            self._after_run(took_s, computed_s)
        return over

    def _predict(self, batch: Batch, payloads: list[Payload], context: RequestContext) -> list[RowOutcome]:
        if self._before_run is not None:
            self._before_run(batch)
        if batch[0][0].is_table:  # and it is alone
            return self._backend.run_columns(payloads)  # type: ignore[arg-type, return-value]  # a `Table` each
        if self.note_rows is not None:
            self.note_rows(len(payloads))
        faults = self._find_faults(batch, payloads) if self._backend.has_rules else {}
        if not faults:
            return [*self._backend.run(payloads, context)]
        sound = [payload for row, payload in enumerate(payloads) if row not in faults]
        left = iter(self._backend.run(sound, context) if sound else ())
        return [faults[row] if row in faults else next(left) for row in range(len(payloads))]

    def _find_faults(self, batch: Batch, payloads: list[Payload]) -> dict[int, ServiceError]:
        """Ask the model's own rules; return the error of each row that must not reach the model, by its index.

        Raises:
            PayloadInvalid: A row breaks a rule, and is not of a lenient ticket that is here alone.
            PredictionFailed: The rules raised, likewise.
            PredictionTimeout: The deadline of the lenient ticket has passed.
        """
        ticket, _ = batch[0]
        is_lenient = len(batch) == 1 and ticket.is_lenient
        try:
            found = self._backend.find_violations(payloads)
        except PredictionFailed:
            if not is_lenient:
                raise
        else:
            faults: dict[int, ServiceError] = {
                row: _refuse(violations) for row, violations in enumerate(found) if violations
            }
            if faults and not is_lenient:
                raise next(iter(faults.values()))
            return faults
        return self._ask_row_by_row(ticket, payloads)

    def _ask_row_by_row(self, ticket: Ticket, payloads: list[Payload]) -> dict[int, ServiceError]:
        """Find out for which rows the rules raise: each is asked once more, and the model runs for the others."""
        faults: dict[int, ServiceError] = {}
        for row, payload in enumerate(payloads):
            if self._queue.is_late(ticket):
                raise _late()
            try:
                (violations,) = self._backend.find_violations([payload])
            except PredictionFailed as error:
                faults[row] = detach(error)
                continue
            if violations:
                faults[row] = _refuse(violations)
        return faults

    def _fail(self, batch: Batch, error: ServiceError) -> list[Ticket]:
        """Give the error to the only ticket; run each of several alone, unless there is no capacity for them."""
        if len(batch) == 1:
            ticket, part = batch[0]
            if not ticket.is_lenient or isinstance(error, CapacityError):
                return self._queue.fail(ticket, error)
            return self._queue.deliver(batch, self._halve(ticket, part, error), None)
        over: list[Ticket] = []
        for ticket, part in batch:
            if isinstance(error, CapacityError):
                over += self._queue.fail(ticket, type(error)(error.message, retry_after_s=error.retry_after_s))
            elif self._queue.is_late(ticket):
                over += self._queue.fail(ticket, _late())
            else:
                over += self._run([(ticket, part)])
        return over

    def _halve(self, ticket: Ticket, payloads: list[Payload], error: ServiceError) -> list[RowOutcome]:
        """Return what becomes of each row of a run that failed with an error."""
        if len(payloads) == 1:
            return [error]
        middle = len(payloads) // 2
        return self._try(ticket, payloads[:middle]) + self._try(ticket, payloads[middle:])

    def _try(self, ticket: Ticket, payloads: list[Payload]) -> list[RowOutcome]:
        if self._queue.is_late(ticket):
            return [_late()] * len(payloads)
        try:
            return self._predict([(ticket, payloads)], payloads, ticket.context)
        except BaseException as error:
            return self._halve(ticket, payloads, as_service_error(error))


def _refuse(violations: list[Violation]) -> PayloadInvalid:
    return PayloadInvalid("a row breaks a rule of the model", violations)


def _late() -> PredictionTimeout:
    return PredictionTimeout("no answer before the deadline")


def _join_contexts(batch: Batch) -> RequestContext:
    """Return the context of several requests: until the last of them has gone, there is somebody who waits."""
    return max(batch, key=lambda each: each[0].deadline)[0].context
