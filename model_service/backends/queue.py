"""`RowQueue`: what waits for one model: bounded, in order, with deadlines. It runs nothing and has no thread.

- First come, first served. A request of more rows than a batch runs in slices, as many rows as should take
  `slice_s` at the measured rate, or fewer where others wait; after each slice it goes to the back.
- What could not be answered before its deadline, at the measured rate, is refused at once.
- What is past its deadline, or has been cancelled, is taken out and never reaches the model.

Two runners stand on it: `model_service.backends.in_loop` and `model_service.backends.dispatcher`.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from model_service.backends.service_rate import ServiceRate
from model_service.backends.ticket import Ticket
from model_service.config import ModelConfig
from model_service.errors import ModelNotReady, PayloadTooLarge, PredictionTimeout, QueueFull, ServiceError
from model_service.records import Output, Payload

#: How long a slice of a large request should take, and so how long it keeps a single row waiting.
SLICE_S = 0.05

#: The tickets of a batch, each with those of its rows that are in it.
Batch = list[tuple[Ticket, list[Payload]]]


class RowQueue:
    """The tickets that wait for one model. Thread-safe; one batch may be under way at a time.

    Args:
        config: The bounds: ``max_batch_rows``, ``max_queue_rows``, ``timeout_s``.
        is_joining: Whether rows of different tickets may be in one batch.
        slice_s: Seconds that a slice of a large request should take.
        is_timed: Whether a batch of several tickets is held to `slice_s`, too.
        clock: Seconds that only grow; a parameter so that tests need not sleep.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        is_joining: bool,
        slice_s: float = SLICE_S,
        is_timed: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_joining = is_joining
        self.rows = 0
        self.lock = threading.Lock()
        self._clock = clock
        self._max_batch_rows = config.max_batch_rows
        self._max_rows = config.max_queue_rows
        self._timeout_s = config.timeout_s
        self._slice_s = slice_s
        self._is_timed = is_timed
        self._rate = ServiceRate()
        self._waiting: deque[Ticket] = deque()
        self._running: Batch = []
        self._is_open = False

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
        with self.lock:
            if not self._is_open:
                raise ModelNotReady("the model is not running")
            if rows > self._max_rows:
                raise PayloadTooLarge(f"{rows} rows in one request; this model accepts at most {self._max_rows}")
            if not self._has_room(rows, ticket.deadline):
                raise self._refuse()
            self._waiting.append(ticket)
            self.rows += rows

    def find_refusal(self, rows: int, deadline: float) -> QueueFull | None:
        """Return why so many rows would not be admitted now, if they would not."""
        return None if self._has_room(rows, deadline) else self._refuse()

    def take(self) -> tuple[Batch, list[Ticket]]:
        """Return what runs next, and the tickets that ended meanwhile because they were overdue."""
        batch: Batch = []
        overdue: list[Ticket] = []
        now = self._clock()
        with self.lock:
            waiting = self._waiting
            most = room = self._count_room()
            while waiting and room > 0:
                ticket = waiting[0]
                if ticket.deadline <= now:
                    waiting.popleft()
                    overdue += self._end(ticket, self._overdue())
                    continue
                rows = len(ticket.payloads) - ticket.taken
                if rows > most:
                    is_alone = len(waiting) == 1 and not batch
                    rows = min(rows, self._rate.count_rows(self._slice_s) or most, rows if is_alone else room)
                elif rows > room:
                    break
                waiting.popleft()
                self.rows -= rows
                room -= rows
                first, ticket.taken = ticket.taken, ticket.taken + rows
                whole = not first and ticket.taken == len(ticket.payloads)
                batch.append((ticket, ticket.payloads if whole else ticket.payloads[first : ticket.taken]))
                if not self.is_joining:
                    break
            self._running = batch
        return batch, overdue

    def deliver(self, batch: Batch, outputs: list[Output], took_s: float) -> list[Ticket]:
        """Give the outputs of a batch to its tickets; return those that are over with it."""
        over: list[Ticket] = []
        self._rate.learn(took_s, len(outputs))
        with self.lock:
            end = 0
            for ticket, part in batch:
                start, end = end, end + len(part)
                if ticket.is_over:  # its caller has left
                    continue
                share = outputs if len(part) == len(outputs) else outputs[start:end]
                if len(part) == len(ticket.payloads):
                    ticket.outputs = share
                elif ticket.outputs:
                    ticket.outputs += share
                else:
                    ticket.outputs = list(share)  # a list that grows must not be the model's
                if ticket.taken == len(ticket.payloads):
                    ticket.is_over = True
                    over.append(ticket)
                elif self._is_open:
                    self._waiting.append(ticket)
                else:
                    over += self._end(ticket, ModelNotReady("the model was stopped"))
            self._forget_run(batch)
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

    def set_pace(self, slice_s: float, *, is_timed: bool) -> None:
        """Change how long a slice, and a batch of several tickets, may take."""
        self._slice_s, self._is_timed = slice_s, is_timed

    def is_late(self, ticket: Ticket) -> bool:
        """Whether it is of no use to run a ticket any more."""
        return ticket.is_over or ticket.deadline <= self._clock()

    def end_late(self, ticket: Ticket) -> list[Ticket]:
        """End a ticket that could not be run any more before its deadline."""
        return self.fail(ticket, self._overdue())

    def _count_room(self) -> int:
        if not self._is_timed:
            return self._max_batch_rows
        return min(self._max_batch_rows, self._rate.count_rows(self._slice_s) or self._max_batch_rows)

    def _has_room(self, rows: int, deadline: float) -> bool:
        """Whether rows may wait, and are not hopeless: what waits before them should have run by their deadline."""
        if self.rows > self._max_rows - rows:
            return not self.rows
        if self.rows <= self._max_batch_rows:
            return True
        return self._rate.estimate_s(self.rows) <= deadline - self._clock()

    def _refuse(self) -> QueueFull:
        wait_s = self._rate.choose_retry_after_s(self.rows)
        return QueueFull(f"{self.rows} rows wait for the model already", retry_after_s=wait_s)

    def _forget_run(self, batch: Batch) -> None:
        # After a failure its tickets run one by one: those whose turn is yet to come can still be overdue.
        self._running = [] if batch is self._running else [each for each in self._running if not each[0].is_over]

    def _end(self, ticket: Ticket, error: ServiceError | None) -> list[Ticket]:
        if ticket.is_over:
            return []
        self.rows -= ticket.left
        ticket.taken = len(ticket.payloads)
        ticket.error = error
        ticket.is_over = True
        return [ticket]

    def _overdue(self) -> PredictionTimeout:
        return PredictionTimeout(f"no answer within {self._timeout_s} s")
