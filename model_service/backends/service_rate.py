"""`ServiceRate`: how fast a backend has been lately, for slices of a fair length and an honest Retry-After."""

import math

LONGEST_RETRY_AFTER_S = 60
#: From so many batches on the rate says what can be answered in time. The first is no measure of the others: it may
#: load what they find loaded.
LEAST_BATCHES = 4


class ServiceRate:
    """Seconds and rows of the latest batches, each counting half of the one after it; the first only until the second.

    One batch runs at a time, so one thread writes; a reader beside it may see the batch before.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._rows = 0.0
        self._batches = 0
        self._is_expected = False

    @property
    def is_known(self) -> bool:
        """Whether enough batches have run for somebody to be refused by their rate."""
        return self._batches >= LEAST_BATCHES

    def expect(self, row_s: float) -> None:
        """Take a row to last so many seconds; batches that run lead away from it step by step."""
        self._seconds, self._rows, self._is_expected = row_s, 1.0, True

    def learn(self, took_s: float, rows: int) -> None:
        """Count a batch."""
        kept = 0.0 if self._batches == 1 and not self._is_expected else 0.5
        self._seconds = self._seconds * kept + took_s
        self._rows = self._rows * kept + rows
        self._batches += 1

    def count_rows(self, seconds: float) -> int | None:
        """Return how many rows should run in so many seconds, at least one; ``None`` while nothing has run."""
        return max(1, int(seconds * self._rows / max(self._seconds, 1e-9))) if self._rows else None

    def estimate_s(self, rows: int) -> float:
        """Return the seconds that so many rows should take; 0 while nothing has run."""
        return rows * self._seconds / max(self._rows, 1)

    def choose_retry_after_s(self, rows: int) -> int:
        """Return whole seconds until so many rows should have run, from 1 to `LONGEST_RETRY_AFTER_S`."""
        return min(max(math.ceil(self.estimate_s(rows)), 1), LONGEST_RETRY_AFTER_S)
