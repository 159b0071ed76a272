"""Numbers that are noted by many threads are counted once each, and quantiles are those of Prometheus."""

import threading

import pytest

from model_service.metrics.histogram import Histogram, estimate_quantile

BOUNDS = (1.0, 2.0, 4.0)


def test_a_number_is_counted_in_the_first_bucket_that_holds_it():
    histogram = Histogram(BOUNDS)
    histogram.notes.extend([0.5, 1.0, 1.5, 4.0, 9.0])
    assert histogram.fold() == (5, 16.0)
    assert (histogram.counts, histogram.total) == ([2, 1, 1, 1], 16.0)


def test_what_has_been_folded_is_not_counted_again():
    histogram = Histogram(BOUNDS)
    histogram.notes.append(3.0)
    assert histogram.fold() == (1, 3.0)
    assert histogram.fold() == (0, 0.0)
    assert histogram.counts == [0, 0, 1, 0]


def test_it_goes_on_with_what_it_inherits():
    histogram = Histogram(BOUNDS, [10.0, 1, 2, 3, 4])
    histogram.add(1.5)
    assert (histogram.counts, histogram.total) == ([1, 3, 3, 4], 11.5)


def test_threads_that_note_while_it_is_folded_lose_nothing():
    histogram = Histogram(BOUNDS)
    writers = [threading.Thread(target=lambda: [histogram.notes.append(3.0) for _ in range(20_000)]) for _ in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        histogram.fold()
    histogram.fold()
    assert histogram.counts == [0, 0, 80_000, 0]


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([10, 0, 0, 0], 0.5, 0.5),
        ([0, 10, 0, 0], 0.99, 1.99),
        ([5, 5, 0, 0], 0.5, 1.0),
        ([0, 0, 0, 3], 0.5, 4.0),  # beyond the largest bound
        ([0, 0, 0, 0], 0.5, None),
    ],
)
def test_a_quantile_is_spread_evenly_within_its_bucket(counts, share, expected):
    assert estimate_quantile(BOUNDS, counts, share) == (None if expected is None else pytest.approx(expected))
