"""`Dispatcher`: for models that take their time. A thread takes what waits and runs it as one batch.

It looks again when the batch is done: load makes the batches, and a lone row waits for nobody. What is over is
told to the loop once per batch, so a batch of sixty rows wakes it once.
"""

import threading
from collections.abc import Callable

from model_service.backends.queue import RowQueue
from model_service.backends.ticket import Ticket


class Dispatcher:
    """Runs the batches of one queue in a thread.

    Args:
        queue: Where tickets wait.
        run_next: Runs one batch and returns the tickets that are over.
        announce: Told of them, in this thread.
        max_wait_s: Seconds that a batch may wait for more rows.
        max_batch_rows: Rows for which it waits.
    """

    def __init__(
        self,
        queue: RowQueue,
        run_next: Callable[[], list[Ticket]],
        announce: Callable[[list[Ticket]], object],
        *,
        max_wait_s: float,
        max_batch_rows: int,
    ) -> None:
        self._queue = queue
        self._run_next = run_next
        self._announce = announce
        self._max_wait_s = max_wait_s
        self._max_batch_rows = max_batch_rows
        self._is_open = False
        self._thread = threading.Thread(target=self._dispatch, name="dispatcher", daemon=True)
        # It sleeps until so many rows wait. A raw lock is what is cheapest to sleep on.
        self._wanted_rows = 0
        self._bell = threading.Lock()
        self._bell.acquire()

    def open(self) -> None:
        """Start the thread."""
        self._is_open = True
        self._thread.start()

    def wake(self) -> None:
        """Have what waits run soon; for any thread, after a ticket was put into the queue."""
        if self._wanted_rows:
            with self._queue.lock:
                self._ring()

    def close(self) -> None:
        """End the thread after the batch that it runs."""
        with self._queue.lock:
            was_open, self._is_open = self._is_open, False
            self._ring()
        if was_open and self._thread is not threading.current_thread():
            self._thread.join()

    def _ring(self) -> None:
        if self._wanted_rows and (self._queue.rows >= self._wanted_rows or not self._is_open):
            self._wanted_rows = 0
            self._bell.release()

    def _dispatch(self) -> None:
        while self._is_open:
            self._sleep_until(1)
            if self._max_wait_s:
                self._sleep_until(self._max_batch_rows, self._max_wait_s)
            over = self._run_next()
            if over:
                self._announce(over)
            del over  # it holds payloads, and the sleep may be long

    def _sleep_until(self, rows: int, timeout_s: float = -1) -> None:
        """Sleep until so many rows wait, the time is over, or there will be no more."""
        with self._queue.lock:
            if self._queue.rows >= rows or not self._is_open:
                return
            self._wanted_rows = rows
        if not self._bell.acquire(timeout=timeout_s):
            with self._queue.lock:
                if self._wanted_rows:
                    self._wanted_rows = 0
                    return
            self._bell.acquire()  # somebody has rung just now
