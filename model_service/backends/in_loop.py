"""`InLoop`: for models that take no time. What one turn of the event loop brought is one batch, run there.

Nothing changes threads, so a request costs what it must; and while a batch runs, the next one gathers in the
sockets. A batch is held to what the loop can spare (`ServiceLoop.turn_s`), at the measured rate.
"""

from collections.abc import Callable

from model_service.backends.loop import ServiceLoop
from model_service.backends.queue import RowQueue
from model_service.backends.ticket import Ticket, announce


class InLoop:
    """Runs the batches of one queue in the turns of the loop.

    Args:
        loop: Gives the turns.
        queue: Where tickets wait.
        run_next: Runs one batch and returns the tickets that are over.
    """

    def __init__(self, loop: ServiceLoop, queue: RowQueue, run_next: Callable[[], list[Ticket]]) -> None:
        self.is_roused = False
        self._loop = loop
        self._queue = queue
        self._run_next = run_next
        self._turn_s = 0.0
        self._is_closed = False

    @property
    def expected_s(self) -> float:
        """Seconds that the rows which wait should take, as far as is known."""
        return self._queue.admission.rate.estimate_s(self._queue.rows)

    def wake(self) -> None:
        """Have what waits run soon; for any thread, after a ticket was put into the queue."""
        # Another thread cannot know whether the turn that is under way has looked at the queue already.
        if not self.is_roused or not self._loop.is_here():
            self._loop.rouse(self)

    def run_next(self) -> bool:
        """Run one batch; return whether more waits."""
        if self._is_closed:
            return False
        if self._turn_s != self._loop.turn_s:
            self._turn_s = self._loop.turn_s
            self._queue.set_pace(self._turn_s)
        announce(self._run_next())
        return self._queue.rows > 0

    def close(self) -> None:
        """Run no more."""
        self._is_closed = True
