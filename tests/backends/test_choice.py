"""Which line a backend gets: as its entry says, or as it was measured."""

import pytest
from backends.lines import Clock, RecordingBackend, rows

from model_service.backends.choice import FAST_S, HAND_OFF_S, LONGEST_MEASURE_S, MEASURE_S, line_up
from model_service.backends.process import ProcessBackend
from model_service.config import BackendName, Batching, ModelConfig
from model_service.errors import PredictionFailed

EXAMPLES = ({"x": 1},)


@pytest.fixture
def choose():
    """Return a function that lines a backend up and returns the word for what it got; all are stopped in the end."""
    lines = []

    def choose(place, clock=None, *, examples=EXAMPLES, **settings):
        config = ModelConfig(class_path="m.M", **settings)
        lines.append(line_up(place, config, examples, clock=clock or Clock()))
        return lines[-1].describe_batching()

    yield choose
    for line in lines:
        line.stop()


@pytest.mark.parametrize(
    ("run_s", "row_s", "expected"),
    [
        pytest.param(1e-3, 0.0, "batched", id="a-run-costs-all"),
        pytest.param(4.7e-3, 71e-6, "batched", id="a-forest"),
        pytest.param(0.0, 1.0, "direct", id="rows-cost-all"),
        pytest.param(1e-3, 1e-2, "direct", id="a-run-costs-little-beside-its-rows"),
        pytest.param(HAND_OFF_S * 0.9, 1e-6, "direct", id="less-than-the-hand-off"),
        pytest.param(HAND_OFF_S * 1.1, 1e-6, "batched", id="more-than-the-hand-off"),
    ],
)
def test_a_model_is_batched_when_a_run_costs_more_beside_its_rows_than_the_hand_off(choose, run_s, row_s, expected):
    clock = Clock()
    assert choose(RecordingBackend(clock, run_s=run_s, row_s=row_s), clock) == expected


def test_one_slow_run_among_many_is_not_what_decides(choose):
    clock = Clock()

    class HiccupingBackend(RecordingBackend):
        def run(self, payloads):
            if len(self.batches) == 0:
                clock.now += MEASURE_S / 2
            return super().run(payloads)

    assert choose(HiccupingBackend(clock, row_s=1e-3), clock) == "direct"


def test_measuring_takes_a_bounded_time(choose):
    clock = Clock()
    choose(RecordingBackend(clock, run_s=1e-3, row_s=1e-3), clock)
    assert MEASURE_S <= clock.now < LONGEST_MEASURE_S + 0.01
    slow = Clock()
    choose(RecordingBackend(slow, row_s=10.0), slow)
    assert slow.now == 30.0  # one row, then two: not to be had for less


@pytest.mark.parametrize(("batching", "expected"), [(Batching.ON, "batched"), (Batching.OFF, "direct")])
def test_whoever_says_what_they_want_gets_it_unmeasured(choose, batching, expected):
    backend = RecordingBackend()
    assert choose(backend, batching=batching) == expected
    assert backend.batches == []


class ConcurrentBackend(RecordingBackend):
    is_concurrent = True


@pytest.mark.parametrize("batching", [Batching.AUTO, Batching.OFF])
@pytest.mark.parametrize(
    ("row_s", "is_alone"), [(FAST_S * 0.9, True), (FAST_S * 1.1, False)], ids=["a-fast-model", "a-slow-model"]
)
def test_a_fast_model_that_is_thread_safe_has_no_line(batching, row_s, is_alone):
    clock = Clock()
    backend = ConcurrentBackend(clock, row_s=row_s)
    line = line_up(backend, ModelConfig(class_path="m.M", batching=batching), EXAMPLES, clock=clock)
    assert (line is backend) is is_alone
    assert line.describe_batching() == "direct"
    line.stop()


def test_a_thread_safe_model_is_batched_where_that_pays_or_is_asked_for(choose):
    clock = Clock()
    assert choose(ConcurrentBackend(clock, run_s=HAND_OFF_S * 2), clock) == "batched"
    assert choose(ConcurrentBackend(clock), clock, batching=Batching.ON) == "batched"


def test_a_fast_model_that_is_not_thread_safe_has_a_line(choose):
    clock = Clock()
    backend = RecordingBackend(clock, row_s=1e-6)
    assert line_up(backend, ModelConfig(class_path="m.M"), EXAMPLES, clock=clock) is not backend


def test_a_model_without_examples_is_called_directly(choose):
    assert choose(RecordingBackend(), examples=()) == "direct"


def test_a_model_that_fails_two_rows_together_is_called_directly(choose):
    class LonelyBackend(RecordingBackend):
        def run(self, payloads):
            if len(payloads) > 1:
                raise PredictionFailed("one at a time, please")
            return super().run(payloads)

    clock = Clock()
    assert choose(LonelyBackend(clock, run_s=1.0), clock) == "direct"


def test_the_example_of_the_schema_is_not_handed_out(choose):
    class ChangingBackend(RecordingBackend):
        def run(self, payloads):
            outputs = super().run(payloads)
            payloads[0]["x"] = 5
            return outputs

    examples = rows(1)
    clock = Clock()
    choose(ChangingBackend(clock, run_s=0.1), clock, examples=examples)
    assert examples == rows(1)


def test_the_processes_batch_on_their_own_unless_told_otherwise(choose):
    for batching in (Batching.AUTO, Batching.OFF):
        config = ModelConfig(class_path="m.M", backend=BackendName.PROCESS, batching=batching)
        backend = ProcessBackend(config)
        assert line_up(backend, config, rows(1)) is backend
        assert backend.describe_batching() == "batched"
    assert choose(RecordingBackend(), backend=BackendName.PROCESS, batching=Batching.ON) == "batched"
