"""`Ticket`: one submitted request, from its admission to its one and only end. It waits for nobody."""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from model_service.errors import PredictionFailed, PredictionTimeout, ServiceError
from model_service.records import Output, Payload, RequestContext

if TYPE_CHECKING:
    from model_service.tables import Table

logger = logging.getLogger(__name__)

#: What became of one row.
RowOutcome = Output | ServiceError

#: A caller that waits for a ticket gives the queue, which ends what is overdue, this much time to say so itself.
_GRACE_S = 1.0


class RemoteTraceback(Exception):
    """The text of a traceback, as the cause of our own error in the log. The traceback itself would hold
    every frame below it, and with them the payloads of all who were in the batch.

    Its ``repr`` is that of the exception it stands for.
    """

    def __init__(self, text: str, words: str) -> None:
        super().__init__(text)
        self._words = words

    def __repr__(self) -> str:
        return self._words


class Ticket:
    """A request on its way through one model.

    Attributes:
        payloads: Its rows, which the input schema has accepted.
        deadline: The context's.
        done: Called once with the ticket when it is over, by the thread that ended it: it must not block.
        outputs: One per row, in order, once it is over without an error; of a lenient ticket, some may be errors.
        error: Why there are no outputs.
        taken: How many rows have been taken into batches.
        submitted: When it was admitted, where anybody asks.
        trace: Of its request, where stages are noted.
        began: When the first of its rows was taken.
        is_over: Set, under the lock of whoever runs it, before `done` is called.
        is_lenient: Whether a row that fails, fails alone.
        is_apart: Whether it must not share a batch, such as one that may be what ended the last batch.
    """

    __slots__ = (
        *("_context", "began", "deadline", "done", "error", "is_apart", "is_lenient", "is_over", "outputs"),
        *("payloads", "submitted", "taken", "trace"),
    )
    #: Whether its rows are columns: a `TableTicket`.
    is_table: ClassVar[bool] = False

    def __init__(
        self,
        payloads: list[Payload],
        context: RequestContext,
        done: "Callable[[Any], object]",
        *,
        is_lenient: bool = False,
    ) -> None:
        self.payloads = payloads
        self._context = context
        self.deadline = context.deadline
        self.trace = context.trace
        self.done = done
        self.outputs: list[RowOutcome] = []
        self.error: ServiceError | None = None
        self.taken = 0
        self.submitted = self.began = 0.0
        self.is_over = False
        self.is_lenient = is_lenient
        self.is_apart = False

    @property
    def context(self) -> RequestContext:
        """Of the request."""
        return self._context

    @property
    def left(self) -> int:
        """The number of rows that have not been taken into a batch."""
        return len(self.payloads) - self.taken


class TableTicket(Ticket):
    """A request whose rows, and whose outputs, are a `Table`. It shares no batch with others."""

    __slots__ = ()
    is_table = True

    def __init__(self, table: "Table", context: RequestContext, done: "Callable[[Any], object]") -> None:
        super().__init__(table, context, done)  # type: ignore[arg-type]  # it is cut and counted as a list is
        self.is_apart = True
        if context.trace is not None:
            context.trace.rows = len(table)

    @property
    def answer(self) -> "Table":
        """The outputs, once it is over without an error."""
        found: Any = self.outputs
        table: Table = found
        return table


class Waiter:
    """Has one ticket, and blocks its thread until that is over."""

    def __init__(
        self,
        payloads: "list[Payload] | Table",
        context: RequestContext,
        *,
        is_lenient: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._over = over = threading.Lock()  # a raw lock is half the price of an event
        over.acquire()
        # Not by way of `self`: the two would keep each other, and the payloads, until the collector comes.
        self.ticket = (
            Ticket(payloads, context, lambda _: over.release(), is_lenient=is_lenient)
            if isinstance(payloads, list)
            else TableTicket(payloads, context, lambda _: over.release())
        )

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


def as_service_error(error: BaseException) -> ServiceError:
    """Return what a model raised as an error of ours that holds no frame, and so no payload."""
    if not isinstance(error, ServiceError):
        surprise, error = error, PredictionFailed("the model raised")
        error.__cause__ = surprise
    return detach(error)


def detach(error: ServiceError) -> ServiceError:
    """Return the error with the tracebacks below it as text: what waits with it holds no frame, and no payload."""
    cause = error.__cause__
    if cause is not None and not isinstance(cause, RemoteTraceback):
        error.__cause__ = RemoteTraceback("".join(traceback.format_exception(cause)), describe_cause(cause))
    error.__context__ = None
    return error.with_traceback(None)


def describe_cause(cause: BaseException) -> str:
    """Return the ``repr`` of what a model raised, which may not even have one."""
    try:
        return repr(cause)
    except Exception:
        return type(cause).__name__
