"""`Histogram`: numbers noted now and counted later: a note is one `list.append`, which any thread may make."""

from bisect import bisect_left, bisect_right


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

    __slots__ = ("_bounds", "counts", "notes", "total")

    def __init__(self, bounds: tuple[float, ...], inherited: list[float] | None = None) -> None:
        begins_with = inherited or [0.0] * (len(bounds) + 2)
        self.notes: list[float] = []
        self.total = begins_with[0]
        self.counts = [int(count) for count in begins_with[1:]]
        self._bounds = bounds

    def add(self, number: float) -> None:
        """Count a number."""
        self.counts[bisect_left(self._bounds, number)] += 1
        self.total += number

    def fold(self) -> tuple[int, float]:
        """Count what has been noted; return how many numbers those were, and their sum."""
        notes = self.notes
        count = len(notes)
        if not count:
            return 0, 0.0
        part = notes[:count]  # what is noted meanwhile stays
        del notes[:count]
        # Sorted, each bucket is one search. Batches come in order, so there is little to sort.
        part.sort()
        place, last, begin = bisect_left(self._bounds, part[0]), bisect_left(self._bounds, part[-1]), 0
        while place < last:
            end = bisect_right(part, self._bounds[place])
            self.counts[place] += end - begin
            place, begin = place + 1, end
        self.counts[last] += count - begin
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
