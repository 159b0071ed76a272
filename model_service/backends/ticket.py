"""`Ticket`: one submitted request, from its admission to its one and only end. It waits for nobody."""

import logging
import threading
import time
import traceback
from collections.abc import Callable

from model_service.errors import PredictionTimeout, ServiceError
from model_service.records import Output, Payload

logger = logging.getLogger(__name__)

#: A caller that waits for a ticket gives the queue, which ends what is overdue, this much time to say so itself.
_GRACE_S = 1.0


class RemoteTraceback(Exception):
    """The text of a traceback, as the cause of our own error in the log. The traceback itself would hold
    every frame below it, and with them the payloads of all who were in the batch."""


class Ticket:
    """A request on its way through one model.

    Attributes:
        payloads: Its rows, which the input schema has accepted.
        deadline: On the clock of `time.monotonic`.
        done: Called once with the ticket when it is over, by the thread that ended it: it must not block.
        outputs: One a row, in order, once it is over without an error.
        error: Why there are no outputs.
        taken: How many rows have been taken into batches.
        is_over: Set, under the lock of whoever runs it, before `done` is called.
    """

    __slots__ = ("deadline", "done", "error", "is_over", "outputs", "payloads", "taken")

    def __init__(self, payloads: list[Payload], deadline: float, done: "Callable[[Ticket], object]") -> None:
        self.payloads = payloads
        self.deadline = deadline
        self.done = done
        self.outputs: list[Output] = []
        self.error: ServiceError | None = None
        self.taken = 0
        self.is_over = False

    @property
    def left(self) -> int:
        """The number of rows that have not been taken into a batch."""
        return len(self.payloads) - self.taken


class Waiter:
    """Has one ticket, and blocks its thread until that is over."""

    def __init__(
        self, payloads: list[Payload], deadline: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._over = threading.Lock()  # a raw lock is half the price of an event
        self._over.acquire()
        self.ticket = Ticket(payloads, deadline, lambda _: self._over.release())

    def wait(self, cancel: Callable[[Ticket], object]) -> Ticket:
        """Return the ticket when it is over; past its deadline it is cancelled, and over with an error."""
        ticket = self.ticket
        if not self._over.acquire(timeout=max(0.0, ticket.deadline - self._clock()) + _GRACE_S):
            cancel(ticket)
            ticket.error = PredictionTimeout("no answer before the deadline")
        return ticket


def announce(over: list[Ticket]) -> None:
    """Tell the callers of tickets that are over."""
    for ticket in over:
        try:
            ticket.done(ticket)
        except Exception:  # the others must be told, and whoever tells them must go on
            logger.exception("telling a caller failed")


def detach(error: ServiceError) -> ServiceError:
    """Return the error with the tracebacks below it as text: what waits with it holds no frame, and no payload."""
    cause = error.__cause__
    if cause is not None and not isinstance(cause, RemoteTraceback):
        error.__cause__ = RemoteTraceback("".join(traceback.format_exception(cause)))
    error.__context__ = None
    return error.with_traceback(None)
