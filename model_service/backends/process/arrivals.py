"""`Arrivals`: the rate of a model's processes, learnt from when their answers come."""

from model_service.backends.service_rate import ServiceRate

#: The answers to the calls of one batch come together, as far apart as it takes to read them. Each for itself, the
#: first would seem to have taken all the time, and the others none.
TOGETHER_S = 0.005


class Arrivals:
    """Tells a rate of each batch, once the next one begins to arrive. Seconds are those of `time.monotonic`.

    Args:
        rate: Learns.
    """

    def __init__(self, rate: ServiceRate) -> None:
        self._rate = rate
        self._latest = self._first = 0.0
        self._seconds, self._rows = 0.0, 0

    def note(self, began: float, rows: int, now: float) -> None:
        """Count an answer.

        Args:
            began: When its call was sent.
            rows: How many it has.
            now: When it came.
        """
        if self._rows and now - self._first > TOGETHER_S:
            self._rate.learn(self._seconds, self._rows)
            self._seconds, self._rows = 0.0, 0
        if not self._rows:
            self._first = now
        self._seconds += now - max(self._latest, began)
        self._rows += rows
        self._latest = now
