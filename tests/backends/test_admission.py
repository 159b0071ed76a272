"""Who is refused because of a measured rate, and what such a rate is learnt from."""

import pytest

from model_service.backends.admission import Admission
from model_service.backends.process.arrivals import TOGETHER_S, Arrivals
from model_service.backends.service_rate import LEAST_BATCHES, ServiceRate
from model_service.config import ModelConfig
from model_service.errors import QueueFull


@pytest.fixture
def admission():
    """Twenty rows wait for a model, and whoever comes has ten seconds."""
    admission = Admission(ModelConfig(class_path="m.M", max_queue_rows=100), clock=lambda: 0.0)
    admission.rows = 20
    return admission


def test_nobody_is_refused_by_a_rate_that_rests_on_few_batches(admission):
    for _ in range(LEAST_BATCHES - 1):
        admission.rate.learn(50.0, 1)
        admission.check(1, 10.0)
    admission.rate.learn(50.0, 1)
    with pytest.raises(QueueFull, match="^20 rows wait for the model already$"):
        admission.check(1, 10.0)


def test_a_slow_first_batch_is_held_against_nobody(admission):
    admission.rate.learn(1000.0, 1)
    for _ in range(LEAST_BATCHES):
        admission.rate.learn(0.01, 1)
        admission.check(1, 10.0)
    assert admission.rate.estimate_s(20) == pytest.approx(0.2)


def test_the_bound_holds_before_anything_was_measured(admission):
    admission.check(80, 10.0)
    with pytest.raises(QueueFull):
        admission.check(81, 10.0)


def test_answers_that_come_together_are_one_batch():
    rate = ServiceRate()
    arrivals = Arrivals(rate)
    for batch in range(1, LEAST_BATCHES + 2):
        for call in range(16):  # sent at once, and a second later answered, one after the other
            arrivals.note(batch - 1.0, 1, batch + call * TOGETHER_S / 20)
            assert rate.estimate_s(16) == pytest.approx(1.0 if batch > 1 else 0.0, abs=0.01)
    assert rate.is_known


def test_what_a_call_waited_for_the_answers_before_it_is_counted_once():
    rate = ServiceRate()
    arrivals = Arrivals(rate)
    for second in range(1, 9):  # all sent at the beginning
        arrivals.note(0.0, 1, float(second))
    assert rate.estimate_s(1) == pytest.approx(1.0)
