"""What the line in front of a backend promises: order, batches, fairness, bounds, deadlines, to each caller its own."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from backends.lines import HELD, Clock, Line, RecordingBackend, answers, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.backends.batching import SLICE_S
from model_service.backends.service_rate import LONGEST_RETRY_AFTER_S
from model_service.errors import ModelNotReady, PayloadTooLarge, PredictionFailed, PredictionTimeout, QueueFull

ROOT = Path(__file__).parents[2]
both_lines = pytest.mark.parametrize("is_batching", [True, False], ids=["batched", "direct"])


@pytest.fixture
def make_line():
    """Return a function that returns a started line; it is released and stopped after the test."""
    lines = []
    with ThreadPoolExecutor(64) as pool:

        def make(**options):
            lines.append(Line(pool, **options))
            return lines[-1]

        yield make
        for line in lines:
            line.release()
            line.batcher.stop()


# Batches


def test_rows_that_wait_together_are_one_batch(make_line):
    line = make_line()
    held = line.hold()
    calls = [line.enter(i) for i in range(10)]
    line.release()
    assert [call.result() for call in calls] == [answers(i) for i in range(10)]
    assert held.result() == answers(HELD)
    assert line.batches == [list(range(10))]


def test_a_lone_row_waits_for_nobody(make_line):
    line = make_line()
    assert [line.batcher.run(rows(i)) for i in range(3)] == [answers(i) for i in range(3)]
    assert line.batches == [[0], [1], [2]]


def test_a_batch_has_no_more_rows_than_allowed(make_line):
    line = make_line(max_batch_rows=4)
    line.hold()
    calls = [line.enter(i) for i in range(10)]
    line.release()
    assert [call.result() for call in calls] == [answers(i) for i in range(10)]
    assert line.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_direct_calls_take_turns_in_order_and_are_never_joined(make_line):
    line = make_line(is_batching=False)
    line.hold()
    calls = [line.enter(i, i + 0.5) for i in range(10)]
    line.release()
    assert [call.result() for call in calls] == [answers(i, i + 0.5) for i in range(10)]
    assert line.batches == [[i, i + 0.5] for i in range(10)]


def test_a_request_that_fits_into_a_batch_is_kept_whole(make_line):
    line = make_line(max_batch_rows=4)
    line.hold()
    calls = [line.enter(1, 2, 3), line.enter(4, 5), line.enter(6, 7, 8, 9), line.enter(10)]
    line.release()
    assert calls[1].result() == answers(4, 5)
    assert [len(call.result()) for call in calls] == [3, 2, 4, 1]
    assert line.batches == [[1, 2, 3], [4, 5], [6, 7, 8, 9], [10]]


@both_lines
def test_a_large_request_lets_the_others_go_between_its_slices(make_line, is_batching):
    line = make_line(is_batching=is_batching, max_batch_rows=4)
    line.hold()
    large, single = line.enter(*range(100, 110)), line.enter(1)
    line.release()
    assert single.result() == answers(1)
    assert large.result() == answers(*range(100, 110))
    first, second = line.batches[:2]
    assert first == [100, 101, 102, 103]  # a slice of it, because the other one waits
    assert second[0] == 1
    assert [number for batch in line.batches for number in batch if number >= 100] == list(range(100, 110))


def test_two_large_requests_take_turns(make_line):
    line = make_line(max_batch_rows=2)
    line.hold()
    calls = [line.enter(*range(10, 15)), line.enter(*range(20, 25))]
    line.release()
    assert [call.result() for call in calls] == [answers(*range(10, 15)), answers(*range(20, 25))]
    assert line.batches[:4] == [[10, 11], [20, 21], [12, 13], [22, 23]]


@both_lines
def test_a_large_request_alone_runs_in_slices_of_the_time_that_is_set(make_line, is_batching):
    clock = Clock()
    backend = RecordingBackend(clock, row_s=SLICE_S / 100)
    line = make_line(is_batching=is_batching, clock=clock, backend=backend, max_batch_rows=10, timeout_s=1000)
    assert line.batcher.run(rows(*range(500))) == answers(*range(500))
    sizes = [len(batch) for batch in line.batches]
    assert sizes[0] == 10  # nothing is measured yet
    assert set(sizes[1:-1]) <= {99, 100}  # rounded down
    assert [number for batch in line.batches for number in batch] == list(range(500))


def test_a_large_request_that_costs_next_to_nothing_is_not_cut_in_pieces(make_line):
    line = make_line(max_batch_rows=10)
    line.batcher.run(rows(1))
    assert line.batcher.run(rows(*range(5000))) == answers(*range(5000))
    assert [len(batch) for batch in line.batches] == [1, 5000]


def test_the_list_that_a_backend_answers_is_not_changed(make_line):
    class SameListBackend(RecordingBackend):
        same = answers(1, 1)

        def run(self, payloads):
            return self.same

    line = make_line(backend=SameListBackend(), max_batch_rows=2)
    line.batcher._rate.learn(SLICE_S / 2, 1)  # slices of two rows
    assert line.batcher.run(rows(1, 1, 1, 1)) == answers(1, 1, 1, 1)
    assert SameListBackend.same == answers(1, 1)


def test_a_batch_waits_for_more_rows_when_told_and_runs_as_soon_as_it_is_full(make_line):
    line = make_line(max_batch_rows=3, max_wait_s=60)
    calls = [line.enter(1), line.enter(2)]
    assert line.batches == []
    full = line._pool.submit(line.batcher.run, rows(3))
    assert [call.result(timeout=30) for call in [*calls, full]] == [answers(1), answers(2), answers(3)]
    assert line.batches == [[1, 2, 3]]


def test_a_batch_that_waits_for_more_rows_runs_without_them_in_the_end(make_line):
    line = make_line(max_batch_rows=3, max_wait_s=0.01)
    assert line.batcher.run(rows(1)) == answers(1)
    assert line.batcher.run(rows(1, 2, 3, 4)) == answers(1, 2, 3, 4)


# Failures


def test_a_bad_row_fails_its_own_request_only(make_line):
    line = make_line()
    line.hold()
    good, bad, worse, last = line.enter(1, 2), line.enter(3, -4, 5), line.enter(-6), line.enter(7)
    line.release()
    assert (good.result(), last.result()) == (answers(1, 2), answers(7))
    for call, number in ((bad, -4), (worse, -6)):
        error = call.exception()
        assert isinstance(error, PredictionFailed)
        assert error.message == f"a bad row: {number}"
        assert error.__cause__.args == (number,)
    assert line.batches[1:] == [[1, 2], [3, -4, 5], [-6], [7]]


@both_lines
def test_a_request_that_fails_alone_is_not_run_again(make_line, is_batching):
    line = make_line(is_batching=is_batching, max_batch_rows=2)
    with pytest.raises(PredictionFailed):
        line.batcher.run(rows(1, -1, 2, 3))
    assert line.batches == [[1, -1]]
    assert line.waiting == 0
    assert line.batcher.run(rows(4)) == answers(4)


def test_a_batch_that_found_no_capacity_is_not_run_again_and_nobody_shares_an_error(make_line):
    line = make_line(backend=RecordingBackend(error=PredictionTimeout))
    line.hold()
    calls = [line.enter(1), line.enter(-1), line.enter(2)]
    line.release()
    errors = [call.exception() for call in calls]
    assert [type(error) for error in errors] == [PredictionTimeout] * 3
    assert len({id(error) for error in errors}) == 3
    assert line.batches == [[1, -1, 2]]


@both_lines
def test_whatever_a_backend_raises_reaches_the_caller_and_leaves_the_line_open(make_line, is_batching):
    for kind in (KeyboardInterrupt, ZeroDivisionError):
        line = make_line(is_batching=is_batching, backend=RecordingBackend(error=kind))
        with pytest.raises(kind):
            line.batcher.run(rows(-1))
        assert line.batcher.run(rows(1)) == answers(1)


# Bounds


@both_lines
def test_the_line_is_full_at_once(make_line, is_batching):
    line = make_line(is_batching=is_batching, max_queue_rows=5)
    line.hold()
    waiting = [line.enter(1, 2, 3), line.enter(4)]
    with pytest.raises(QueueFull, match="^4 rows wait for the model already$"):
        line.batcher.run(rows(5, 6))
    waiting.append(line.enter(5))
    line.release()
    assert [call.result() for call in waiting] == [answers(1, 2, 3), answers(4), answers(5)]


@both_lines
def test_a_request_that_could_never_wait_is_too_large_even_for_an_idle_model(make_line, is_batching):
    line = make_line(is_batching=is_batching, max_queue_rows=5)
    with pytest.raises(PayloadTooLarge, match="^6 rows in one request; this model accepts at most 5$"):
        line.batcher.run(rows(*range(6)))
    assert line.batcher.run(rows(*range(5))) == answers(*range(5))


@pytest.mark.parametrize(("row_s", "expected"), [(0.0, 1), (0.5, 4), (100.0, LONGEST_RETRY_AFTER_S)])
def test_whoever_is_sent_away_is_told_when_the_rows_should_have_run(make_line, row_s, expected):
    clock = Clock()
    backend = RecordingBackend(clock, row_s=row_s)
    line = make_line(clock=clock, backend=backend, max_queue_rows=8, timeout_s=86400)
    for _ in range(2):
        line.batcher.run(rows(1, 2, 3))
    line.hold()
    line.enter(*range(7))
    with pytest.raises(QueueFull) as caught:
        line.batcher.run(rows(1, 2))
    assert caught.value.retry_after_s == expected


# Deadlines


@both_lines
def test_a_request_past_its_deadline_never_reaches_the_model(make_line, is_batching):
    line = make_line(is_batching=is_batching, timeout_s=60)
    line.hold()
    late, _ = line.enter(1), setattr(line.clock, "now", 30)
    in_time = line.enter(2)
    line.clock.now = 61
    line.release()
    assert isinstance(late.exception(), PredictionTimeout)
    assert in_time.result() == answers(2)
    assert line.batches == [[2]]


@both_lines
def test_a_caller_leaves_at_its_deadline_while_the_model_is_busy_with_others(make_line, is_batching):
    line = make_line(is_batching=is_batching)
    held = line.hold()
    line.batcher._timeout_s = 0.05  # for the calls to come
    with pytest.raises(PredictionTimeout, match=r"^no answer within 0\.05 s$"):
        line.batcher.run(rows(1))
    assert line.waiting == 0
    line.release()
    assert held.result() == answers(HELD)
    assert line.batches == []


def test_a_caller_leaves_at_its_deadline_while_its_own_rows_run_in_the_dispatcher(make_line):
    line = make_line(timeout_s=1)
    held = line.hold()
    assert isinstance(held.exception(timeout=30), PredictionTimeout)
    assert not line.backend.release.is_set()
    line.release()
    line.batcher.stop()
    assert line.waiting == 0


def test_a_large_request_past_its_deadline_is_not_run_to_its_end(make_line):
    clock = Clock()
    backend = RecordingBackend(clock, row_s=1.0)
    line = make_line(clock=clock, backend=backend, max_batch_rows=2, timeout_s=60)
    with pytest.raises(PredictionTimeout):
        line.batcher.run(rows(*range(200)))
    assert sum(map(len, line.batches)) < 65
    assert line.waiting == 0


def test_a_request_that_expires_while_a_failed_batch_is_run_again_is_not_run(make_line):
    clock = Clock()
    line = make_line(clock=clock, backend=RecordingBackend(clock, run_s=15.0), timeout_s=60)
    line.hold()
    first, bad, late = line.enter(1), line.enter(-1), line.enter(2)
    line.release()  # until 15 the run that held it, until 30 the batch, until 60 the first two calls again
    assert first.result() == answers(1)
    assert isinstance(bad.exception(), PredictionFailed)
    assert isinstance(late.exception(), PredictionTimeout)
    assert line.batches == [[1, -1, 2], [1], [-1]]


# Stopping


@both_lines
def test_who_waits_when_the_model_is_stopped_is_told_so(make_line, is_batching):
    line = make_line(is_batching=is_batching)
    held = line.hold()
    calls = [line.enter(i) for i in range(3)]
    line.batcher.stop()
    assert held.result() == answers(HELD)
    for call in calls:
        assert isinstance(call.exception(), ModelNotReady)
    with pytest.raises(ModelNotReady):
        line.batcher.run(rows(1))
    assert line.waiting == 0


@both_lines
def test_a_large_request_is_given_up_between_its_slices_when_the_model_is_stopped(make_line, is_batching):
    line = make_line(is_batching=is_batching, max_batch_rows=2)
    large = line._pool.submit(line.batcher.run, rows(HELD, *range(9)))
    assert line.backend.entered.wait(timeout=30)
    line.batcher.stop()
    assert isinstance(large.exception(timeout=30), ModelNotReady)
    assert line.waiting == 0


@both_lines
def test_a_stopped_line_leaves_no_thread_and_can_start_again(make_line, is_batching):
    line = make_line(is_batching=is_batching)
    for _ in range(3):
        dispatcher = line.batcher._dispatcher
        assert (dispatcher is not None) is is_batching
        line.batcher.stop()
        assert dispatcher is None or not dispatcher.is_alive()
        line.batcher.start()
        assert line.batcher.run(rows(2)) == answers(2)
    assert line.backend.started == 4


# Each caller gets exactly its rows' answers

call_plans = st.lists(
    st.tuples(
        st.lists(st.integers(-1, 50), min_size=1, max_size=12),  # a negative number is a bad row
        st.booleans(),  # whether it is past its deadline when the line is released
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(plans=call_plans, max_batch_rows=st.integers(1, 16), is_batching=st.booleans(), is_held=st.booleans())
def test_each_caller_gets_the_answers_of_its_own_rows_or_its_own_error(plans, max_batch_rows, is_batching, is_held):
    with ThreadPoolExecutor(len(plans) + 1) as pool:
        line = Line(pool, is_batching=is_batching, max_batch_rows=max_batch_rows, timeout_s=60)
        try:
            if is_held:
                line.hold()
            calls = []
            for late in (True, False):  # those that will be late come first
                for numbers, is_late in plans:
                    if is_late is late:
                        own = [1000.0 * len(calls) + number if number >= 0 else number for number in numbers]
                        call = line.enter(*own) if is_held else pool.submit(line.batcher.run, rows(*own))
                        calls.append((own, is_held and is_late, call))
                line.clock.now += 32.5 if is_held else 0  # 65 in the end: more than the deadline of the first ones
            line.release()
            for own, is_late, call in calls:
                if is_late:
                    assert isinstance(call.exception(timeout=30), PredictionTimeout)
                elif min(own) < 0:
                    assert isinstance(call.exception(timeout=30), PredictionFailed)
                else:
                    assert call.result(timeout=30) == answers(*own)
            ran = {number for batch in line.batches for number in batch}
            assert not any(set(own) - {-1} & ran for own, is_late, _ in calls if is_late)
            assert all(len(batch) <= max(max_batch_rows, max(len(own) for own, *_ in calls)) for batch in line.batches)
            assert line.waiting == 0
        finally:
            line.release()
            line.batcher.stop()


def test_chaos_finds_no_wrong_answer():
    done = subprocess.run(
        [sys.executable, "benchmarks/chaos_batching.py", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "answered" in done.stdout


def test_the_rules_of_a_model_are_asked_without_standing_in_line(make_line):
    line = make_line()
    held = line.hold()
    assert line.batcher.find_violations(rows(1, 2)) == [[], []]
    assert not held.done()
