"""What the queue in front of a backend promises: order, batches, fairness, bounds, deadlines, to each its own."""

import gc
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest
from backends.queues import HELD, Clock, Queue, RecordingBackend, answers, rows, until, wait_until
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.backends.in_loop import InLoop
from model_service.backends.loop import TURN_S
from model_service.backends.queue import SLICE_S, RowQueue
from model_service.backends.queued import MOST_SLOW_RUNS, MOST_WAITING_RUNS, SLOW_S
from model_service.backends.service_rate import LEAST_BATCHES, LONGEST_RETRY_AFTER_S
from model_service.backends.ticket import Ticket
from model_service.config import ModelConfig
from model_service.errors import ModelNotReady, PayloadTooLarge, PredictionFailed, PredictionTimeout, QueueFull

ROOT = Path(__file__).parents[2]
KINDS = ["joined", "apart", "in_loop"]
every_kind = pytest.mark.parametrize("kind", KINDS)
#: In the loop itself nobody can be told of a deadline while the model runs.
dispatched = pytest.mark.parametrize("kind", ["joined", "apart"])


@pytest.fixture
def make_queue(loop):
    """Return a function that returns a started queue; it is released and stopped after the test."""
    queues = []
    with ThreadPoolExecutor(64) as pool:

        def make(**options):
            queues.append(Queue(pool, loop, **options))
            return queues[-1]

        yield make
        for queue in queues:
            queue.release()
            queue.queued.stop()


# Batches


def test_rows_that_wait_together_are_one_batch(make_queue):
    queue = make_queue()
    held = queue.hold()
    calls = [queue.enter(i) for i in range(10)]
    queue.release()
    assert [call.result() for call in calls] == [answers(i) for i in range(10)]
    assert held.result() == answers(HELD)
    assert queue.batches == [list(range(10))]


def test_a_lone_row_waits_for_nobody(make_queue):
    queue = make_queue()
    assert [queue.run(i) for i in range(3)] == [answers(i) for i in range(3)]
    assert queue.batches == [[0], [1], [2]]


def test_a_batch_has_no_more_rows_than_allowed(make_queue):
    queue = make_queue(max_batch_rows=4)
    queue.hold()
    calls = [queue.enter(i) for i in range(10)]
    queue.release()
    assert [call.result() for call in calls] == [answers(i) for i in range(10)]
    assert queue.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_rows_that_are_kept_apart_run_in_order_and_are_never_joined(make_queue):
    queue = make_queue(kind="apart")
    queue.hold()
    calls = [queue.enter(i, i + 0.5) for i in range(10)]
    queue.release()
    assert [call.result() for call in calls] == [answers(i, i + 0.5) for i in range(10)]
    assert queue.batches == [[i, i + 0.5] for i in range(10)]


def test_a_request_that_fits_into_a_batch_is_kept_whole(make_queue):
    queue = make_queue(max_batch_rows=4)
    queue.hold()
    calls = [queue.enter(1, 2, 3), queue.enter(4, 5), queue.enter(6, 7, 8, 9), queue.enter(10)]
    queue.release()
    assert calls[1].result() == answers(4, 5)
    assert [len(call.result()) for call in calls] == [3, 2, 4, 1]
    assert queue.batches == [[1, 2, 3], [4, 5], [6, 7, 8, 9], [10]]


@every_kind
def test_a_large_request_lets_the_others_go_between_its_slices(make_queue, kind):
    queue = make_queue(kind=kind, max_batch_rows=4)
    queue.hold()
    large, single = queue.enter(*range(100, 110)), queue.enter(1)
    queue.release()
    assert single.result() == answers(1)
    assert large.result() == answers(*range(100, 110))
    first, second = queue.batches[:2]
    assert first == [100, 101, 102, 103]  # a slice of it, because the other one waits
    assert second[0] == 1
    assert [number for batch in queue.batches for number in batch if number >= 100] == list(range(100, 110))


def test_two_large_requests_take_turns(make_queue):
    queue = make_queue(max_batch_rows=2)
    queue.hold()
    calls = [queue.enter(*range(10, 15)), queue.enter(*range(20, 25))]
    queue.release()
    assert [call.result() for call in calls] == [answers(*range(10, 15)), answers(*range(20, 25))]
    assert queue.batches[:4] == [[10, 11], [20, 21], [12, 13], [22, 23]]


@every_kind
def test_a_large_request_alone_runs_in_slices_of_the_time_that_is_set(make_queue, kind):
    clock = Clock()
    backend = RecordingBackend(clock, row_s=(TURN_S if kind == "in_loop" else SLICE_S) / 100)
    queue = make_queue(kind=kind, clock=clock, backend=backend, max_batch_rows=10, timeout_s=1000)
    assert queue.run(*range(500)) == answers(*range(500))
    sizes = [len(batch) for batch in queue.batches]
    assert sizes[0] == 10  # nothing is measured yet
    assert set(sizes[1:-1]) <= {99, 100}  # rounded down
    assert [number for batch in queue.batches for number in batch] == list(range(500))


def test_a_large_request_that_costs_next_to_nothing_is_not_cut_in_pieces(make_queue):
    queue = make_queue(max_batch_rows=10)
    queue.run(1)
    assert queue.run(*range(5000)) == answers(*range(5000))
    assert [len(batch) for batch in queue.batches] == [1, 5000]


def test_the_list_that_a_backend_answers_is_not_changed(make_queue):
    class SameListBackend(RecordingBackend):
        same = answers(1, 1)

        def run(self, payloads, context=None):
            return self.same

    queue = make_queue(backend=SameListBackend(), max_batch_rows=2)
    queue.queued.queue._rate.learn(SLICE_S / 2, 1)  # slices of two rows
    assert queue.run(1, 1, 1, 1) == answers(1, 1, 1, 1)
    assert SameListBackend.same == answers(1, 1)


def test_a_batch_waits_for_more_rows_when_told_and_runs_as_soon_as_it_is_full(make_queue):
    queue = make_queue(max_batch_rows=3, max_wait_s=60)
    calls = [queue.enter(1), queue.enter(2)]
    assert queue.batches == []
    full = queue.call(3)
    assert [call.result(timeout=30) for call in [*calls, full]] == [answers(1), answers(2), answers(3)]
    assert queue.batches == [[1, 2, 3]]


def test_a_batch_that_waits_for_more_rows_runs_without_them_in_the_end(make_queue):
    queue = make_queue(max_batch_rows=3, max_wait_s=0.01)
    assert queue.run(1) == answers(1)
    assert queue.run(1, 2, 3, 4) == answers(1, 2, 3, 4)


# Failures


def test_a_bad_row_fails_its_own_request_only(make_queue):
    queue = make_queue()
    queue.hold()
    good, bad, worse, last = queue.enter(1, 2), queue.enter(3, -4, 5), queue.enter(-6), queue.enter(7)
    queue.release()
    assert (good.result(), last.result()) == (answers(1, 2), answers(7))
    for call, number in ((bad, -4), (worse, -6)):
        error = call.exception()
        assert isinstance(error, PredictionFailed)
        assert error.message == f"a bad row: {number}"
        assert f"RuntimeError: {number}" in str(error.__cause__)
    assert queue.batches[1:] == [[1, 2], [3, -4, 5], [-6], [7]]


@every_kind
def test_a_request_that_fails_alone_is_not_run_again(make_queue, kind):
    queue = make_queue(kind=kind, max_batch_rows=2)
    with pytest.raises(PredictionFailed):
        queue.run(1, -1, 2, 3)
    assert queue.batches == [[1, -1]]
    assert queue.waiting == 0
    assert queue.run(4) == answers(4)


def test_a_batch_that_found_no_capacity_is_not_run_again_and_nobody_shares_an_error(make_queue):
    queue = make_queue(backend=RecordingBackend(error=PredictionTimeout))
    queue.hold()
    calls = [queue.enter(1), queue.enter(-1), queue.enter(2)]
    queue.release()
    errors = [call.exception() for call in calls]
    assert [type(error) for error in errors] == [PredictionTimeout] * 3
    assert len({id(error) for error in errors}) == 3
    assert queue.batches == [[1, -1, 2]]


@every_kind
def test_whatever_a_backend_raises_reaches_the_caller_and_leaves_the_queue_open(make_queue, kind):
    for error in (KeyboardInterrupt, ZeroDivisionError):
        queue = make_queue(kind=kind, backend=RecordingBackend(error=error))
        with pytest.raises(PredictionFailed) as caught:
            queue.run(-1)
        assert error.__name__ in str(caught.value.__cause__)
        assert queue.run(1) == answers(1)


@every_kind
def test_a_caller_that_cannot_be_told_keeps_no_other_from_being_told(make_queue, kind):
    def break_down(ticket):
        raise RuntimeError("the connection is a mess")

    queue = make_queue(kind=kind)
    queue.queued.submit(Ticket(rows(1), until(60), break_down))
    assert queue.run(2) == answers(2)
    queue.hold()
    queue.queued.submit(Ticket(rows(3), until(60), break_down))
    others = [queue.enter(4), queue.enter(5)]
    queue.release()
    assert [other.result() for other in others] == [answers(4), answers(5)]


@every_kind
@pytest.mark.parametrize("number", [1, -1], ids=["answered", "failed"])
def test_nothing_holds_a_payload_when_its_request_is_over(make_queue, kind, number):
    class Payload(dict):
        """One that tells when it is gone."""

    queue = make_queue(kind=kind)
    ended = SimpleQueue()
    payload = Payload(x=number)
    is_alive = weakref.ref(payload)
    queue.queued.submit(Ticket([payload], until(60), ended.put))
    ticket = ended.get(timeout=30)
    outputs, error = ticket.outputs, ticket.error  # what is told further may live as long as it likes
    assert (outputs == []) is (error is not None)
    del payload, ticket

    def is_gone():
        gc.collect()
        return is_alive() is None

    wait_until(is_gone)


# Bounds


@every_kind
def test_the_queue_is_full_at_once(make_queue, kind):
    queue = make_queue(kind=kind, max_queue_rows=5)
    queue.hold()
    waiting = [queue.enter(1, 2, 3), queue.enter(4)]
    with pytest.raises(QueueFull, match="^4 rows wait for the model already$"):
        queue.run(5, 6)
    waiting.append(queue.enter(5))
    queue.release()
    assert [call.result() for call in waiting] == [answers(1, 2, 3), answers(4), answers(5)]


@every_kind
def test_a_request_that_could_never_wait_is_too_large_even_for_an_idle_model(make_queue, kind):
    queue = make_queue(kind=kind, max_queue_rows=5)
    with pytest.raises(PayloadTooLarge, match="^6 rows in one request; this model accepts at most 5$"):
        queue.run(*range(6))
    assert queue.run(*range(5)) == answers(*range(5))


@pytest.mark.parametrize(("row_s", "expected"), [(0.0, 1), (0.5, 4), (100.0, LONGEST_RETRY_AFTER_S)])
def test_whoever_is_sent_away_is_told_when_the_rows_should_have_run(make_queue, row_s, expected):
    clock = Clock()
    backend = RecordingBackend(clock, row_s=row_s)
    queue = make_queue(clock=clock, backend=backend, max_queue_rows=8, timeout_s=86400)
    for _ in range(2):
        queue.run(1, 2, 3)
    queue.hold()
    queue.enter(*range(7))
    with pytest.raises(QueueFull) as caught:
        queue.run(1, 2)
    assert caught.value.retry_after_s == expected


# Deadlines


@every_kind
def test_a_request_past_its_deadline_never_reaches_the_model(make_queue, kind):
    queue = make_queue(kind=kind, timeout_s=60)
    queue.hold()
    late, _ = queue.enter(1), setattr(queue.clock, "now", 30)
    in_time = queue.enter(2)
    queue.clock.now = 61
    queue.release()
    assert isinstance(late.exception(), PredictionTimeout)
    assert in_time.result() == answers(2)
    assert queue.batches == [[2]]


@dispatched
def test_a_caller_leaves_at_its_deadline_while_the_model_is_busy_with_others(make_queue, kind):
    queue = make_queue(kind=kind, timeout_s=60.0)
    held, _ = queue.hold(), setattr(queue.clock, "now", 30)
    late = queue.enter(1)
    queue.clock.now = 59
    in_time = queue.enter(2)
    queue.clock.now = 91
    error = late.exception(timeout=30)
    assert (type(error), error.message) == (PredictionTimeout, "no answer within 60.0 s")
    assert isinstance(held.exception(timeout=30), PredictionTimeout)  # though its rows are running
    assert queue.waiting == 1
    queue.release()
    assert in_time.result() == answers(2)
    assert queue.batches == [[2]]


@every_kind
def test_who_could_not_be_answered_in_time_is_sent_away_at_once(make_queue, kind):
    clock = Clock()
    backend = RecordingBackend(clock, row_s=10.0)
    queue = make_queue(kind=kind, clock=clock, backend=backend, timeout_s=60, max_batch_rows=4)
    for _ in range(LEAST_BATCHES):
        queue.run(1)
    queue.hold()
    calls = [queue.enter(i) for i in range(7)]
    with pytest.raises(QueueFull) as caught:
        queue.run(7)
    assert caught.value.retry_after_s == LONGEST_RETRY_AFTER_S
    queue.release()
    assert sum(call.exception() is None for call in calls) >= 4  # the time of the run that held them counts, too


@every_kind
def test_as_many_rows_as_a_batch_may_wait_whatever_was_measured(make_queue, kind):
    clock = Clock()
    backend = RecordingBackend(clock, run_s=100.0)
    queue = make_queue(kind=kind, clock=clock, backend=backend, timeout_s=60, max_batch_rows=4)
    for _ in range(LEAST_BATCHES):
        queue.call(1).exception()  # too late or not: it was measured
    queue.hold()
    calls = [queue.enter(i) for i in range(5)]
    with pytest.raises(QueueFull):
        queue.run(5)
    queue.release()
    for call in calls:
        call.exception()


@every_kind
def test_a_cancelled_request_never_reaches_the_model(make_queue, kind):
    queue = make_queue(kind=kind)
    held = queue.hold()
    told = []
    left = Ticket(rows(1, 2), until(60), told.append)
    queue.queued.submit(left)
    stayed = queue.enter(3)
    queue.queued.cancel(left)
    assert queue.waiting == 1
    queue.release()
    assert (stayed.result(), held.result()) == (answers(3), answers(HELD))
    assert queue.batches == [[3]]
    assert told == []


def test_a_request_that_is_cancelled_while_it_runs_is_not_told(make_queue):
    queue = make_queue()
    told = []
    ticket = Ticket(rows(HELD), until(60), told.append)
    queue.queued.submit(ticket)
    assert queue.backend.entered.wait(timeout=30)
    queue.queued.cancel(ticket)
    queue.release()
    assert queue.run(1) == answers(1)
    assert told == []


def test_a_large_request_past_its_deadline_is_not_run_to_its_end(make_queue):
    clock = Clock()
    backend = RecordingBackend(clock, row_s=1.0)
    queue = make_queue(clock=clock, backend=backend, max_batch_rows=2, timeout_s=60)
    with pytest.raises(PredictionTimeout):
        queue.run(*range(200))
    assert sum(map(len, queue.batches)) < 65
    assert queue.waiting == 0


def test_a_request_that_expires_while_a_failed_batch_is_run_again_is_not_run(make_queue):
    clock = Clock()
    queue = make_queue(clock=clock, backend=RecordingBackend(clock, run_s=15.0), timeout_s=1000)
    queue.hold()
    first, bad = queue.enter(1), queue.enter(-1)
    ended = SimpleQueue()
    queue.queued.submit(Ticket(rows(2), until(45), ended.put))
    queue.release()  # until 15 the run that held it, until 30 the batch, until 60 the first two calls again
    assert first.result() == answers(1)
    assert isinstance(bad.exception(), PredictionFailed)
    assert isinstance(ended.get(timeout=30).error, PredictionTimeout)
    assert queue.batches == [[1, -1, 2], [1], [-1]]


def test_a_caller_leaves_at_its_deadline_while_a_failed_batch_is_run_again(make_queue):
    class HoldingAloneBackend(RecordingBackend):
        def run(self, payloads, context=None):
            if payloads == rows(2):
                self.held_alone.set()
                assert self.released_alone.wait(timeout=30)
            return super().run(payloads, context)

        held_alone, released_alone = threading.Event(), threading.Event()

    queue = make_queue(backend=HoldingAloneBackend(), timeout_s=60)
    queue.hold()
    first, bad, late = queue.enter(1), queue.enter(-1), queue.enter(2)
    queue.release()
    try:
        assert queue.backend.held_alone.wait(timeout=30)
        queue.clock.now = 61
        assert isinstance(late.exception(timeout=30), PredictionTimeout)
    finally:
        queue.backend.released_alone.set()
    assert first.result() == answers(1)
    assert isinstance(bad.exception(), PredictionFailed)


# Stopping


@every_kind
def test_who_waits_when_the_model_is_stopped_is_told_so(make_queue, kind):
    queue = make_queue(kind=kind)
    held = queue.hold()
    calls = [queue.enter(i) for i in range(3)]
    queue.queued.stop()
    assert held.result() == answers(HELD)
    for call in calls:
        assert isinstance(call.exception(), ModelNotReady)
    with pytest.raises(ModelNotReady):
        queue.run(1)
    assert queue.waiting == 0


@every_kind
def test_a_large_request_is_given_up_between_its_slices_when_the_model_is_stopped(make_queue, kind):
    queue = make_queue(kind=kind, max_batch_rows=2)
    large = queue.call(HELD, *range(9))
    assert queue.backend.entered.wait(timeout=30)
    queue.queued.stop()
    assert isinstance(large.exception(timeout=30), ModelNotReady)
    assert queue.waiting == 0


@every_kind
def test_a_stopped_queue_leaves_no_thread(make_queue, kind):
    before = set(threading.enumerate())
    queue = make_queue(kind=kind)
    own = [thread for thread in threading.enumerate() if thread not in before and thread.name == "dispatcher"]
    assert len(own) == (kind != "in_loop")
    queue.queued.stop()
    assert not any(thread.is_alive() for thread in own)


# The loop


def test_a_model_that_turns_out_to_be_slow_leaves_the_loop(make_queue, caplog):
    caplog.set_level("WARNING", "model_service")
    clock = Clock()
    queue = make_queue(kind="in_loop", clock=clock, backend=RecordingBackend(clock, run_s=SLOW_S * 2))
    for i in range(MOST_SLOW_RUNS):
        assert queue.queued.execution == "in_loop"
        assert queue.run(i) == answers(i)
    assert queue.queued.execution == "dispatched"
    assert "takes too long for the loop" in caplog.text
    assert queue.run(7) == answers(7)
    queue.hold()
    calls = [queue.enter(i) for i in range(3)]
    queue.release()
    assert [call.result() for call in calls] == [answers(i) for i in range(3)]
    assert queue.batches[-1] == [0, 1, 2]


def test_a_model_that_a_busy_machine_holds_up_stays_in_the_loop_unless_it_waits_every_time(make_queue, caplog):
    clock = Clock()
    backend = RecordingBackend(clock)
    queue = make_queue(kind="in_loop", clock=clock, processor=lambda: 0.0, backend=backend)
    for took_s in [*[SLOW_S * 2] * (MOST_WAITING_RUNS - 1), 0.0] * 2:
        backend.run_s = took_s
        queue.run(1)
    assert queue.queued.execution == "in_loop"
    assert "too long" not in caplog.text
    backend.run_s = SLOW_S * 2
    for _ in range(MOST_WAITING_RUNS):
        queue.run(1)
    assert queue.queued.execution == "dispatched"


def test_a_batch_in_the_loop_is_held_to_what_a_turn_can_spare(make_queue):
    clock = Clock()
    queue = make_queue(kind="in_loop", clock=clock, backend=RecordingBackend(clock, row_s=TURN_S / 4.5))
    queue.run(1)
    queue.hold()
    calls = [queue.enter(i) for i in range(10)]
    queue.release()
    assert [call.result() for call in calls] == [answers(i) for i in range(10)]
    assert queue.batches[1:] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_who_comes_just_after_the_loop_has_looked_at_the_queue_is_not_forgotten(loop):
    class InterruptedInLoop(InLoop):
        def run_next(self):
            has_more = super().run_next()
            if late:  # from another thread, before the loop can note that this one has nothing more to do
                other = threading.Thread(target=lambda: (queue.put(late.pop()), self.wake()))
                other.start()
                other.join()
            return has_more

    def run_next():
        batch, over = queue.take()
        return over + (queue.deliver(batch, [row for _, part in batch for row in part], 0.0) if batch else [])

    clock = Clock()
    queue = RowQueue(ModelConfig(class_path="m.M"), is_joining=True, clock=clock)
    queue.open()
    told = SimpleQueue()
    late = [Ticket(rows(2), until(60), told.put)]
    queue.put(Ticket(rows(1), until(60), told.put))
    InterruptedInLoop(loop, queue, run_next).wake()
    assert [told.get(timeout=10).outputs for _ in range(2)] == [rows(1), rows(2)]


# Each caller gets exactly its rows' answers

call_plans = st.lists(
    st.tuples(
        st.lists(st.integers(-1, 50), min_size=1, max_size=12),  # a negative number is a bad row
        st.booleans(),  # whether it is past its deadline when the queue is released
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(plans=call_plans, max_batch_rows=st.integers(1, 16), kind=st.sampled_from(KINDS), is_held=st.booleans())
def test_each_caller_gets_the_answers_of_its_own_rows_or_its_own_error(loop, plans, max_batch_rows, kind, is_held):
    with ThreadPoolExecutor(len(plans) + 1) as pool:
        queue = Queue(pool, loop, kind=kind, max_batch_rows=max_batch_rows, timeout_s=60)
        try:
            if is_held:
                queue.hold()
            calls = []
            for late in (True, False):  # those that will be late come first
                for numbers, is_late in plans:
                    if is_late is late:
                        own = [1000.0 * len(calls) + number if number >= 0 else number for number in numbers]
                        call = queue.enter(*own) if is_held else queue.call(*own)
                        calls.append((own, is_held and is_late, call))
                queue.clock.now += 32.5 if is_held else 0  # 65 in the end: more than the deadline of the first ones
            queue.release()
            for own, is_late, call in calls:
                if is_late:
                    assert isinstance(call.exception(timeout=30), PredictionTimeout)
                elif min(own) < 0:
                    assert isinstance(call.exception(timeout=30), PredictionFailed)
                else:
                    assert call.result(timeout=30) == answers(*own)
            ran = {number for batch in queue.batches for number in batch}
            assert not any(set(own) - {-1} & ran for own, is_late, _ in calls if is_late)
            assert all(len(batch) <= max(max_batch_rows, max(len(own) for own, *_ in calls)) for batch in queue.batches)
            assert queue.waiting == 0
        finally:
            queue.release()
            queue.queued.stop()


def test_chaos_finds_no_wrong_answer():
    done = subprocess.run(
        [sys.executable, "benchmarks/chaos_queue.py", "3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "answered" in done.stdout


def test_the_rules_of_a_model_are_asked_without_waiting(make_queue):
    queue = make_queue()
    held = queue.hold()
    assert queue.queued.find_violations(rows(1, 2)) == [[], []]
    assert not held.done()
