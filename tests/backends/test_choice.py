"""How a model runs: as its entry says, or as it was measured; and all workers of a service in one way."""

import random

import pytest
from backends.queues import Clock, RecordingBackend, rows

from model_service.backends.base import Host
from model_service.backends.choice import (
    HAND_OFF_S,
    IN_LOOP_S,
    LONGEST_MEASURE_S,
    LONGEST_WAITING_S,
    MEASURE_S,
    Choice,
    Clocks,
    choose,
    make_queued,
)
from model_service.backends.process.backend import ProcessBackend
from model_service.config import BackendName, Batching, ExecutionChoice, ModelConfig
from model_service.errors import PredictionFailed

EXAMPLES = ({"x": 1},)


def choose_for(backend, clock=None, *, processor=None, examples=EXAMPLES, **settings):
    """Choose by a clock, and by another one of the processor if the model waits or is held up."""
    wall = clock or Clock()
    return choose(backend, ModelConfig(class_path="m.M", **settings), examples, clocks=Clocks(wall, processor or wall))


# What is measured


@pytest.mark.parametrize(
    ("run_s", "row_s", "is_joining"),
    [
        pytest.param(1e-3, 0.0, True, id="a-run-costs-all"),
        pytest.param(4.7e-3, 71e-6, True, id="a-forest"),
        pytest.param(0.0, 1.0, False, id="rows-cost-all"),
        pytest.param(1e-3, 1e-2, False, id="a-run-costs-little-beside-its-rows"),
        pytest.param(HAND_OFF_S * 0.9, 1e-6, False, id="less-than-the-hand-off"),
        pytest.param(HAND_OFF_S * 1.1, 1e-6, True, id="more-than-the-hand-off"),
    ],
)
def test_a_dispatched_model_is_batched_when_a_run_costs_more_beside_its_rows_than_the_hand_off(
    run_s, row_s, is_joining
):
    clock = Clock()
    backend = RecordingBackend(clock, run_s=run_s, row_s=row_s)
    chosen = choose_for(backend, clock, execution=ExecutionChoice.DISPATCHED)
    assert chosen == Choice(is_in_loop=False, is_joining=is_joining)


@pytest.mark.parametrize(
    ("run_s", "row_s", "is_joining"),
    [
        pytest.param(HAND_OFF_S / 10, 1e-7, True, id="a-run-costs-nearly-all"),
        pytest.param(1e-6, 1e-5, False, id="a-run-costs-little-beside-its-rows"),
    ],
)
def test_in_the_loop_there_is_no_hand_off_that_batches_must_be_worth(run_s, row_s, is_joining):
    clock = Clock()
    chosen = choose_for(RecordingBackend(clock, run_s=run_s, row_s=row_s), clock)
    assert chosen == Choice(is_in_loop=True, is_joining=is_joining)


@pytest.mark.parametrize(
    ("row_s", "is_in_loop"), [(IN_LOOP_S * 0.9, True), (IN_LOOP_S * 1.1, False)], ids=["a-fast-model", "a-slow-model"]
)
@pytest.mark.parametrize("batching", [Batching.AUTO, Batching.ON, Batching.OFF])
def test_a_row_that_the_loop_does_not_feel_runs_in_it(row_s, is_in_loop, batching):
    clock = Clock()
    assert choose_for(RecordingBackend(clock, row_s=row_s), clock, batching=batching).is_in_loop is is_in_loop


def test_a_model_whose_batches_wait_for_more_rows_is_dispatched():
    clock = Clock()
    assert not choose_for(RecordingBackend(clock, row_s=1e-6), clock, max_wait_s=0.001).is_in_loop


def test_the_example_that_takes_longest_decides():
    class PickyBackend(RecordingBackend):
        def run(self, payloads, context=None):
            clock.now += sum(IN_LOOP_S * 2 for payload in payloads if payload["x"] == 7)
            return super().run(payloads)

    clock = Clock()
    assert choose_for(PickyBackend(clock, row_s=1e-6), clock, examples=rows(1, 2)).is_in_loop
    assert not choose_for(PickyBackend(clock, row_s=1e-6), clock, examples=rows(1, 7, 2)).is_in_loop


def test_the_rules_of_a_model_are_part_of_what_a_row_takes():
    class RulingBackend(RecordingBackend):
        has_rules = True

        def find_violations(self, payloads):
            clock.now += IN_LOOP_S * 2 * len(payloads)
            return super().find_violations(payloads)

    clock = Clock()
    assert not choose_for(RulingBackend(clock), clock).is_in_loop


def test_one_slow_run_among_many_is_not_what_decides():
    clock = Clock()

    class HiccupingBackend(RecordingBackend):
        def run(self, payloads, context=None):
            if len(self.batches) == 2:
                clock.now += MEASURE_S / 2
            return super().run(payloads)

    assert choose_for(HiccupingBackend(clock, row_s=1e-4), clock) == Choice(is_in_loop=True, is_joining=False)


class HeldUpBackend(RecordingBackend):
    """Computes on one clock; on the other one, half of the runs are held up by others for milliseconds."""

    def __init__(self, wall, processor, *, seed, **costs):
        super().__init__(processor, **costs)
        self._wall, self._processor, self._numbers = wall, processor, random.Random(seed)

    def run(self, payloads, context=None):
        before = self._processor.now
        outputs = super().run(payloads)
        # Caches and the other half of the core cost a little, too.
        self._processor.now += (self._processor.now - before) * self._numbers.uniform(0.0, 0.3)
        self._wall.now += self._processor.now - before
        if self._numbers.random() < 0.5:
            self._wall.now += self._numbers.uniform(0.001, 0.02)
        return outputs


@pytest.mark.parametrize(
    ("run_s", "row_s", "expected"),
    [
        pytest.param(6.5e-6, 0.5e-6, Choice(is_in_loop=True, is_joining=True), id="iris"),
        pytest.param(31e-6, 12e-6, Choice(is_in_loop=True, is_joining=True), id="a-small-network"),
        pytest.param(1.5e-3, 50e-6, Choice(is_in_loop=False, is_joining=True), id="a-forest"),
        pytest.param(1e-6, 90e-6, Choice(is_in_loop=True, is_joining=False), id="rows-cost-all"),
    ],
)
def test_a_busy_machine_does_not_change_the_choice(run_s, row_s, expected):
    chosen = set()
    for seed in range(100):
        wall, processor = Clock(), Clock()
        backend = HeldUpBackend(wall, processor, seed=seed, run_s=run_s, row_s=row_s)
        chosen.add(choose_for(backend, wall, processor=processor))
    assert chosen == {expected}


def make_waiting(wall, processor, wait_s):
    """A model that waits for each of its rows, and computes for each of its runs."""

    class WaitingBackend(RecordingBackend):
        def run(self, payloads, context=None):
            wall.now += wait_s * len(payloads) + 1e-5
            processor.now += 1e-5
            return super().run(payloads)

    return WaitingBackend()


def test_a_model_that_waits_in_each_run_is_dispatched_though_it_computes_little():
    wall, processor = Clock(), Clock()
    backend = make_waiting(wall, processor, 5e-3)
    assert not choose_for(backend, wall, processor=processor).is_in_loop
    assert LONGEST_WAITING_S <= wall.now < LONGEST_WAITING_S + 0.1
    wall, processor = Clock(), Clock()
    slow = make_waiting(wall, processor, 10.0)
    assert not choose_for(slow, wall, processor=processor).is_in_loop
    assert len(slow.batches) == 3


def test_where_it_stays_unclear_whether_a_model_waits_or_is_held_up_its_rows_are_joined():
    wall, processor = Clock(), Clock()
    assert choose_for(make_waiting(wall, processor, 5e-3), wall, processor=processor).is_joining


def test_where_the_clock_of_the_processor_is_too_coarse_the_other_one_decides():
    wall, stopped = Clock(), Clock()
    backend = RecordingBackend(wall, row_s=IN_LOOP_S * 2)
    assert not choose_for(backend, wall, processor=stopped).is_in_loop


def test_measuring_takes_a_bounded_time():
    clock = Clock()
    choose_for(RecordingBackend(clock, run_s=1e-3, row_s=1e-3), clock)
    assert MEASURE_S <= clock.now < LONGEST_MEASURE_S + 0.01
    slow = Clock()
    choose_for(RecordingBackend(slow, row_s=10.0), slow)
    assert slow.now == 40.0  # each example once, then one row and two of the slowest: not to be had for less


def test_a_model_without_examples_is_dispatched_and_its_rows_are_kept_apart():
    backend = RecordingBackend()
    assert choose_for(backend, examples=()) == Choice(is_in_loop=False, is_joining=False)
    assert backend.batches == []


def test_a_model_that_fails_two_rows_together_is_given_one_at_a_time():
    class LonelyBackend(RecordingBackend):
        def run(self, payloads, context=None):
            if len(payloads) > 1:
                raise PredictionFailed("one at a time, please")
            return super().run(payloads)

    clock = Clock()
    assert choose_for(LonelyBackend(clock, run_s=1.0), clock) == Choice(is_in_loop=False, is_joining=False)


def test_the_example_of_the_schema_is_not_handed_out():
    class ChangingBackend(RecordingBackend):
        def run(self, payloads, context=None):
            outputs = super().run(payloads)
            payloads[0]["x"] = 5
            return outputs

    examples = rows(1)
    clock = Clock()
    choose_for(ChangingBackend(clock, run_s=0.1), clock, examples=examples)
    assert examples == rows(1)


# What is said


@pytest.mark.parametrize("batching", [Batching.ON, Batching.OFF])
@pytest.mark.parametrize("execution", [ExecutionChoice.IN_LOOP, ExecutionChoice.DISPATCHED])
def test_whoever_says_what_they_want_gets_it_unmeasured(loop, batching, execution):
    backend = RecordingBackend()
    config = ModelConfig(class_path="m.M", batching=batching, execution=execution)
    queued = make_queued(backend, config, Host(loop), EXAMPLES)
    try:
        assert (queued.execution, queued.is_batching) == (execution, batching is Batching.ON)
        assert backend.batches == []
        assert queued.run(rows(2)) == [{"y": 4}]
        assert backend.started == 0  # it had been started already
    finally:
        queued.stop()


def test_the_processes_batch_on_their_own_and_need_no_queue(loop):
    config = ModelConfig(class_path="m.M", backend=BackendName.PROCESS)
    backend = ProcessBackend(config, Host(loop))
    assert make_queued(backend, config, Host(loop), EXAMPLES) is backend
    assert (backend.execution, backend.is_batching) == ("process", True)


# What workers agree on


def test_two_workers_run_a_model_in_the_same_way_whatever_each_has_measured(loop, tmp_path):
    config = ModelConfig(class_path="m.M", batching=Batching.ON)
    queued = [
        make_queued(backend, config, Host(loop, tmp_path), examples)
        for backend, examples in ((RecordingBackend(), ()), (RecordingBackend(), EXAMPLES))
    ]
    try:
        assert [each.execution for each in queued] == ["dispatched", "dispatched"]
        alone = make_queued(RecordingBackend(), config, Host(loop), EXAMPLES)
        queued.append(alone)
        assert alone.execution == "in_loop"
    finally:
        for each in queued:
            each.stop()
