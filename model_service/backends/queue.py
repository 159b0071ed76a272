"""`RowQueue`: what waits for one model: bounded, in order, with deadlines. It runs nothing and has no thread.

- First come, first served. A request of more rows than a batch runs in slices, as many rows as should take
  `SLICE_S` at the measured rate, or fewer where others wait; after each slice it goes to the back.
- What could not be answered before its deadline, at the measured rate, is refused at once.
- What is past its deadline, or has been cancelled, is taken out and never reaches the model.

`model_service.backends.batches` runs what it takes from here.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from model_service.backends.admission import Admission
from model_service.backends.service_rate import ServiceRate
from model_service.backends.ticket import RowOutcome, Ticket
from model_service.config import ModelConfig
from model_service.errors import ModelNotReady, PredictionTimeout, ServiceError
from model_service.metrics.model_meter import ModelMeter
from model_service.records import Payload

#: How long a slice of a large request should take, and so how long it keeps a single row waiting.
SLICE_S = 0.05
#: Part of it that a slice of columns takes where others wait: it is not cut by its rows, which take next to no time.
SHARED_SLICE = 0.25
#: Share of a request's time that one batch of several may be expected to take.
BATCH_SHARE = 0.1

#: The tickets of a batch, each with those of its rows that are in it.
Batch = list[tuple[Ticket, list[Payload]]]


class RowQueue:
    """The tickets that wait for one model. Thread-safe; one batch may be under way at a time.

    Args:
        config: The bounds: ``max_batch_rows``, ``max_queue_rows``, ``timeout_s``.
        is_joining: Whether rows of different tickets may be in one batch.
        admission: Says what is refused; one of its own when ``None``.
        turn_s: Seconds that any batch may take, where that is little; else `SLICE_S` holds for slices.
        clock: Seconds that only grow; a parameter so that tests need not sleep.

    Attributes:
        meter: Where the times of tickets are noted, if anywhere.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        is_joining: bool,
        admission: Admission | None = None,
        turn_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_joining = is_joining
        self.lock = threading.Lock()
        self._clock = clock
        self._max_batch_rows = config.max_batch_rows
        self._timeout_s = config.timeout_s
        self.admission = admission or Admission(config, sure_rows=config.max_batch_rows, clock=clock)
        self._rate = self.admission.rate
        self._table_rate = ServiceRate()  # of rows that are columns, which take a small part of the time
        self._waiting: deque[Ticket] = deque()
        self._running: Batch = []
        self._is_open = False
        self.meter: ModelMeter | None = None
        self.set_pace(turn_s)

    def set_pace(self, turn_s: float | None) -> None:
        """Change how long a batch may take."""
        self._slice_s = turn_s or SLICE_S
        self._batch_s = turn_s or self._timeout_s * BATCH_SHARE

    @property
    def rows(self) -> int:
        """How many rows wait; those of the running batch do not."""
        return self.admission.rows

    @property
    def tickets(self) -> int:
        """How many tickets wait or run."""
        return len(self._waiting) + len(self._running)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not (self.admission.rows or self._running)

    def open(self) -> None:
        """Let tickets in."""
        self._is_open = True

    def put(self, ticket: Ticket) -> None:
        """Admit a ticket.

        Raises:
            ModelNotReady: The queue is closed.
            PayloadTooLarge: There are more rows than may ever wait.
            QueueFull: As many rows wait as may, or more than can be answered in time.
        """
        rows = len(ticket.payloads)
        if self.meter is not None or ticket.trace is not None:
            ticket.submitted = self._clock()
        with self.lock:
            if not self._is_open:
                raise ModelNotReady("the model is not running")
            self.admission.check(rows, ticket.deadline)
            self._waiting.append(ticket)
            self.admission.rows += rows

    def take(self) -> tuple[Batch, list[Ticket]]:
        """Return what runs next, and the tickets that ended meanwhile because they were overdue."""
        batch: Batch = []
        overdue: list[Ticket] = []
        now = self._clock()
        waits = self.meter.waits if self.meter is not None else None
        with self.lock:
            waiting = self._waiting
            most = room = min(self._max_batch_rows, self._rate.count_rows(self._batch_s) or self._max_batch_rows)
            while waiting and room > 0:
                ticket = waiting[0]
                if ticket.deadline <= now:
                    waiting.popleft()
                    overdue += self._end(ticket, self._overdue())
                    continue
                if ticket.is_apart and batch:
                    break
                rows = len(ticket.payloads) - ticket.taken
                is_alone = len(waiting) == 1 and not batch
                if rows > most and ticket.is_table:
                    slice_s = self._slice_s if is_alone else self._slice_s * SHARED_SLICE
                    rows = min(rows, self._table_rate.count_rows(slice_s) or most)
                elif rows > most:
                    rows = min(rows, self._rate.count_rows(self._slice_s) or most, rows if is_alone else room)
                elif rows > room:
                    break
                waiting.popleft()
                if not ticket.taken:
                    ticket.began = now
                    if waits is not None:
                        waits.append(now - ticket.submitted)
                batch.append((ticket, self._cut(ticket, rows)))
                room -= rows
                if ticket.is_apart or not self.is_joining:
                    break
            self._running = batch
        return batch, overdue

    def deliver(self, batch: Batch, outputs: Sequence[RowOutcome], took_s: float | None) -> list[Ticket]:
        """Give the outputs of a batch to its tickets; return those that are over with it.

        Args:
            batch: From `take`, or a part of it.
            outputs: One per row, in order.
            took_s: Seconds that the run took; ``None`` when that says nothing of other runs.
        """
        over: list[Ticket] = []
        is_whole = took_s is not None
        if took_s is not None:
            rate = self._table_rate if batch[0][0].is_table else self._rate
            rate.learn(took_s, len(outputs))
        with self.lock:
            end = 0
            for ticket, part in batch:
                start, end = end, end + len(part)
                if ticket.is_over:  # its caller has left
                    continue
                share = outputs if len(part) == len(outputs) else outputs[start:end]
                if len(part) == len(ticket.payloads):
                    ticket.outputs = share  # type: ignore[assignment]  # nobody changes it
                elif ticket.outputs:
                    is_whole = False
                    ticket.outputs += share
                else:
                    is_whole = False
                    ticket.outputs = share[:]  # type: ignore[assignment]  # a list that grows must not be the model's
                if ticket.taken == len(ticket.payloads):
                    if ticket.trace is not None:
                        ticket.trace.note_run(ticket.submitted, ticket.began, self._clock())
                    ticket.is_over = True
                    over.append(ticket)
                elif self._is_open:
                    self._waiting.append(ticket)
                else:
                    over += self._end(ticket, ModelNotReady("the model was stopped"))
            self._forget_run(batch)
        if self.meter is not None and over:
            self._note_runs(self.meter, over, took_s if is_whole else None)
        return over

    def fail(self, ticket: Ticket, error: ServiceError) -> list[Ticket]:
        """End a ticket with an error; return it, or nothing where it was over already."""
        with self.lock:
            over = self._end(ticket, error)
            self._forget_run([])
            return over

    def cancel(self, ticket: Ticket) -> None:
        """Forget a ticket whose caller has left; ``done`` is not called."""
        with self.lock:
            if not ticket.is_over:
                self._end(ticket, None)
                if ticket in self._waiting:
                    self._waiting.remove(ticket)

    def expire(self) -> list[Ticket]:
        """Return the tickets that have just ended because they are overdue, those in the running batch included."""
        now = self._clock()
        with self.lock:
            late = [ticket for ticket, _ in self._running if ticket.deadline <= now]
            waiting = [ticket for ticket in self._waiting if ticket.deadline <= now]
            for ticket in waiting:
                self._waiting.remove(ticket)
            return [over for ticket in [*waiting, *late] for over in self._end(ticket, self._overdue())]

    def close(self) -> list[Ticket]:
        """Let no more tickets in; return those that waited, ended."""
        with self.lock:
            self._is_open = False
            waiting = list(self._waiting)
            self._waiting.clear()
            return [over for ticket in waiting for over in self._end(ticket, ModelNotReady("the model was stopped"))]

    def is_late(self, ticket: Ticket) -> bool:
        """Whether it is of no use to run a ticket any more."""
        return ticket.is_over or ticket.deadline <= self._clock()

    def _cut(self, ticket: Ticket, rows: int) -> list[Payload]:
        first, ticket.taken = ticket.taken, ticket.taken + rows
        self.admission.rows -= rows
        is_whole = not first and ticket.taken == len(ticket.payloads)
        return ticket.payloads if is_whole else ticket.payloads[first : ticket.taken]

    def _note_runs(self, meter: ModelMeter, over: list[Ticket], took_s: float | None) -> None:
        if took_s is not None:
            meter.runs.extend([took_s] * len(over))
        else:  # some ran in slices, or row by row
            now = self._clock()
            meter.runs.extend([now - ticket.began for ticket in over])

    def _forget_run(self, batch: Batch) -> None:
        # After a failure its tickets run one by one: those whose turn is yet to come can still be overdue.
        self._running = [] if batch is self._running else [each for each in self._running if not each[0].is_over]

    def _end(self, ticket: Ticket, error: ServiceError | None) -> list[Ticket]:
        if ticket.is_over:
            return []
        self.admission.rows -= ticket.left
        ticket.taken = len(ticket.payloads)
        ticket.error = error
        if ticket.trace is not None:
            ticket.trace.note_run(ticket.submitted, ticket.began, self._clock())
        ticket.is_over = True
        return [ticket]

    def _overdue(self) -> PredictionTimeout:
        return PredictionTimeout(f"no answer within {self._timeout_s} s")
