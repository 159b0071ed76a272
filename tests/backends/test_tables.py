"""Rows that are columns wait in the same queue: bounded, in slices, fair to small requests, gone when nobody waits."""

import numpy as np
import pytest
from backends.queues import Clock, RecordingBackend, rows, until

from model_service.backends.batches import BatchRunner
from model_service.backends.queue import SHARED_SLICE, SLICE_S, RowQueue
from model_service.backends.ticket import TableTicket, Ticket, Waiter
from model_service.config import ModelConfig
from model_service.errors import PayloadTooLarge, PredictionFailed, PredictionTimeout, QueueFull
from model_service.tables import Table

#: What a row takes, as columns; beside it a row alone takes a hundred times as long.
ROW_S = 1e-5


class ColumnBackend(RecordingBackend):
    """Doubles columns; raises on a negative number."""

    has_columns = True

    def run_columns(self, table):
        numbers = table.columns["x"]
        self.batches.append(len(numbers))
        self._clock.now += ROW_S * len(numbers)
        if (numbers < 0).any():
            raise PredictionFailed("a bad row")
        return table.answer({"y": 2 * numbers})


@pytest.fixture
def backend():
    return ColumnBackend(Clock(), row_s=100 * ROW_S)


@pytest.fixture
def queue(backend):
    queue = RowQueue(ModelConfig(class_path="m.M", max_queue_rows=30_000), is_joining=True, clock=backend._clock)
    queue.open()
    return queue


@pytest.fixture
def runner(backend, queue):
    return BatchRunner(backend, queue, clock=backend._clock)


def make_ticket(count, *, deadline=10_000.0, first=0.0):
    told = []
    ticket = TableTicket(Table({"x": np.arange(first, first + count)}), until(deadline), told.append)
    return ticket


def run_all(runner, queue):
    over = []
    while queue.rows:
        over += runner.run_next()
    return over


def test_a_large_table_runs_in_slices_of_a_fair_length_and_comes_out_in_order(backend, queue, runner):
    ticket = make_ticket(20_000)
    queue.put(ticket)
    assert run_all(runner, queue) == [ticket]
    assert ticket.answer.columns["y"].tolist() == [2.0 * row for row in range(20_000)]
    assert len(ticket.answer) == 20_000
    first, *others = backend.batches  # of the first nothing is known
    assert first == ModelConfig(class_path="m.M").max_batch_rows
    assert max(others) == pytest.approx(SLICE_S / ROW_S, rel=0.01)


def test_a_small_request_waits_for_one_short_slice_only(backend, queue, runner):
    queue.put(make_ticket(20_000))
    runner.run_next()
    small = Ticket(rows(1), until(10_000), lambda _: None)
    queue.put(small)
    backend.batches.clear()
    assert [over for _ in range(2) for over in runner.run_next()] == [small]
    length, answered = backend.batches
    assert length == pytest.approx(SHARED_SLICE * SLICE_S / ROW_S, rel=0.01)
    assert answered == [1]


def test_how_fast_columns_are_says_nothing_of_rows(backend, queue, runner):
    queue.put(make_ticket(20_000))
    run_all(runner, queue)
    assert queue.admission.rate.count_rows(1.0) is None
    many = Ticket(rows(*range(10_000)), until(10_000), lambda _: None)
    queue.put(many)
    run_all(runner, queue)
    most = ModelConfig(class_path="m.M").max_batch_rows
    assert max(len(batch) for batch in backend.batches if isinstance(batch, list)) <= most


def test_tables_share_no_batch_with_others(backend, queue, runner):
    tickets = [Ticket(rows(1), until(10), lambda _: None), make_ticket(3), Ticket(rows(2), until(10), lambda _: None)]
    for ticket in tickets:
        queue.put(ticket)
    assert run_all(runner, queue) == tickets
    assert backend.batches == [[1], 3, [2]]


def test_the_bound_counts_the_rows_of_a_table(queue):
    with pytest.raises(PayloadTooLarge):
        queue.put(make_ticket(30_001))
    queue.put(make_ticket(20_000))
    with pytest.raises(QueueFull):
        queue.put(make_ticket(20_000))


def test_what_is_cancelled_or_overdue_does_not_go_on(backend, queue, runner):
    gone, late = make_ticket(20_000), make_ticket(20_000, deadline=0.1)
    queue.put(gone)
    runner.run_next()
    queue.cancel(gone)
    assert queue.rows == 0
    queue.put(late)
    assert run_all(runner, queue) == [late]
    assert isinstance(late.error, PredictionTimeout)
    assert sum(backend.batches) < 20_000


def test_a_table_that_fails_fails_alone_and_once(backend, queue, runner):
    bad, good = make_ticket(5, first=-1), make_ticket(5)
    queue.put(bad)
    queue.put(good)
    assert run_all(runner, queue) == [bad, good]
    assert isinstance(bad.error, PredictionFailed)
    assert good.answer.columns["y"].tolist() == [0, 2, 4, 6, 8]
    assert backend.batches == [5, 5]


def test_a_thread_may_wait_for_a_table(queue, runner):
    waiter = Waiter(Table({"x": np.ones(3)}), until(10))
    queue.put(waiter.ticket)
    runner.run_next()
    assert waiter.wait(queue.cancel).answer.columns["y"].tolist() == [2, 2, 2]


# A table itself


def test_an_answer_has_a_value_per_row_and_its_slices_share_memory():
    table = Table({"x": np.arange(4.0)})
    assert np.shares_memory(table[1:3].columns["x"], table.columns["x"])
    for found in ({}, [1], {"y": [1, 2, 3, 4]}, {"y": np.ones(3)}, {"y": np.ones((4, 1))}):
        with pytest.raises(ValueError, match="predict_columns answered"):
            table.answer(found)
