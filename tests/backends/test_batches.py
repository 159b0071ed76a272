"""What becomes of the rows of one lenient request when the model's own rules refuse some of them, or raise."""

import pytest
from backends.queues import Clock, RecordingBackend, rows, until

from model_service.backends.batches import BatchRunner
from model_service.backends.queue import RowQueue
from model_service.backends.ticket import Ticket
from model_service.config import ModelConfig
from model_service.errors import PayloadInvalid, PredictionFailed, PredictionTimeout
from model_service.records import Violation


class RuledBackend(RecordingBackend):
    """Its rules raise for a negative number and refuse an odd one. Each row that they are asked for takes a second."""

    has_rules = True

    def __init__(self, clock):
        super().__init__(clock)
        self.asked = 0

    def find_violations(self, payloads):
        self.asked += len(payloads)
        self._clock.now += len(payloads)
        if any(payload["x"] < 0 for payload in payloads):
            raise PredictionFailed("the rules raised")
        return [[Violation("/x", "even", "odd")] if payload["x"] % 2 else [] for payload in payloads]


@pytest.fixture
def backend():
    return RuledBackend(Clock())


@pytest.fixture
def run(backend):
    """Return a function that runs lenient tickets of numbers, as one batch, and returns them when they are over."""
    clock = backend._clock
    queue = RowQueue(ModelConfig(class_path="m.M", max_batch_rows=1000, timeout_s=10_000), is_joining=True, clock=clock)
    queue.open()
    runner = BatchRunner(backend, queue, clock=clock)

    def run(*calls, deadline=10_000.0):
        tickets = [Ticket(rows(*numbers), until(deadline), lambda _: None, is_lenient=True) for numbers in calls]
        for ticket in tickets:
            queue.put(ticket)
        assert {*runner.run_next()} == {*tickets}
        return tickets

    return run


def test_rows_that_the_rules_refuse_are_set_aside_and_the_others_run_once(backend, run):
    (ticket,) = run((2, 3, 4, 5))
    assert [type(outcome) for outcome in ticket.outputs] == [dict, PayloadInvalid, dict, PayloadInvalid]
    assert (ticket.outputs[0], ticket.outputs[2]) == ({"y": 4}, {"y": 8})
    assert backend.batches == [[2, 4]]
    assert backend.asked == 4


def test_rules_that_raise_fail_their_rows_alone_and_no_row_is_asked_more_than_twice(backend, run):
    (ticket,) = run([-number if number % 4 else number for number in range(64)] + [7])
    sound = [*range(0, 64, 4)]
    assert [type(outcome) for outcome in ticket.outputs] == [
        *(PredictionFailed if number % 4 else dict for number in range(64)),
        PayloadInvalid,
    ]
    assert backend.batches == [sound]
    assert backend.asked == 2 * 65


def test_the_model_is_not_called_where_no_row_is_left(backend, run):
    (ticket,) = run((-1, 1))
    assert [type(outcome) for outcome in ticket.outputs] == [PredictionFailed, PayloadInvalid]
    assert backend.batches == []


def test_nobody_else_in_the_batch_pays_for_rules_that_raise(backend, run):
    first, second = run((2, -1), (4,))
    assert second.outputs == [{"y": 8}]
    assert [type(outcome) for outcome in first.outputs] == [dict, PredictionFailed]


def test_rows_are_asked_one_by_one_until_the_deadline_only(backend, run):
    (ticket,) = run([-1] * 1000, deadline=1010.0)
    assert isinstance(ticket.error, PredictionTimeout)
    assert backend.asked == 1010
