"""`Histogram`: numbers noted now and counted later: a note is one `list.append`, which any thread may make."""

from bisect import bisect_left
from collections import Counter
from functools import partial


class Histogram:
    """Numbers by bucket. Whoever calls a method holds the lock of its owner.

    Args:
        bounds: The upper ends of the buckets; what is larger than all has one more.
        inherited: What it begins with: the sum, then the count of each bucket.

    Attributes:
        notes: To append numbers to, without any lock; always the same list.
        total: The sum of what has been counted.
        counts: How many numbers that were, by bucket.
    """

    __slots__ = ("_find_place", "counts", "notes", "total")

    def __init__(self, bounds: tuple[float, ...], inherited: list[float] | None = None) -> None:
        begins_with = inherited or [0.0] * (len(bounds) + 2)
        self.notes: list[float] = []
        self.total = begins_with[0]
        self.counts = [int(count) for count in begins_with[1:]]
        self._find_place = partial(bisect_left, bounds)

    def add(self, number: float) -> None:
        """Count a number."""
        self.counts[self._find_place(number)] += 1
        self.total += number

    def fold(self) -> tuple[int, float]:
        """Count what has been noted; return how many numbers those were, and their sum."""
        notes = self.notes
        count = len(notes)
        if not count:
            return 0, 0.0
        part = notes[:count]  # what is noted meanwhile stays
        del notes[:count]
        for place, times in Counter(map(self._find_place, part)).items():  # at the pace of C
            self.counts[place] += times
        total = sum(part)
        self.total += total
        return count, total


def estimate_quantile(bounds: tuple[float, ...], counts: list[float], share: float) -> float | None:
    """Return a quantile as Prometheus estimates it, as if numbers were spread evenly within a bucket.

    Args:
        bounds: The upper ends of the buckets.
        counts: By bucket, with one more than there are bounds.
        share: Of the numbers that are smaller: 0.99.

    Returns:
        The largest bound where the quantile is beyond it; ``None`` where there are no numbers.
    """
    wanted = sum(counts) * share
    if not wanted:
        return None
    before, lower = 0.0, 0.0
    for upper, count in zip(bounds, counts, strict=False):
        if before + count >= wanted:
            return lower + (upper - lower) * (wanted - before) / count
        before, lower = before + count, upper
    return lower
