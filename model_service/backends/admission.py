"""`Admission`: how many rows wait for one model in this process, and whether more may."""

import time
from collections.abc import Callable

from model_service.backends.service_rate import ServiceRate
from model_service.config import ModelConfig
from model_service.errors import PayloadTooLarge, QueueFull


class Admission:
    """Counts rows. It has no lock: whoever changes `rows` holds one.

    Args:
        config: The bound: ``max_queue_rows``.
        sure_rows: As many rows may wait whatever the measured rate says of them.
        clock: Seconds that only grow, by which deadlines are meant.

    Attributes:
        rows: How many wait.
        rate: How fast they have been answered lately.
    """

    def __init__(self, config: ModelConfig, *, sure_rows: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.rows = 0
        self.rate = ServiceRate()
        self._max_rows = config.max_queue_rows
        self._sure_rows = sure_rows
        self._clock = clock

    def check(self, rows: int, deadline: float) -> None:
        """Make sure that so many rows may wait until a deadline.

        Raises:
            PayloadTooLarge: They are more than may ever wait.
            QueueFull: As many rows wait as may, or more than can be answered in time, as far as that is known.
        """
        if rows > self._max_rows:
            raise PayloadTooLarge(f"{rows} rows in one request; this model accepts at most {self._max_rows}")
        refusal = self.find_refusal(rows, deadline)
        if refusal is not None:
            raise refusal

    def find_refusal(self, rows: int, deadline: float) -> QueueFull | None:
        """Return why so many rows would not be admitted now, if they would not."""
        waiting = self.rows
        if not waiting:
            return None
        if waiting + rows <= self._max_rows and (
            waiting <= self._sure_rows
            or not self.rate.is_known
            or self.rate.estimate_s(waiting) <= deadline - self._clock()
        ):
            return None
        wait_s = self.rate.choose_retry_after_s(waiting)
        return QueueFull(f"{waiting} rows wait for the model already", retry_after_s=wait_s)
