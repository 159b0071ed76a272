"""The loop of a process: what is posted runs in it, what is roused is not forgotten, and it ticks."""

import asyncio
import threading
import time
from collections import deque

import pytest
from backends.queues import wait_until

from model_service.backends.loop import SHARED_TURN_S, TICK_S, TURN_S, ServiceLoop


@pytest.fixture
def loop():
    running = ServiceLoop()
    running.start_thread()
    yield running
    running.close()


def call_in(loop, call):
    """Return what a call returns in the loop."""
    answers = []
    is_over = threading.Event()

    def run():
        answers.append(call())
        is_over.set()

    loop.post(run)
    assert is_over.wait(timeout=30)
    return answers[0]


class Work:
    """A runner that does one thing a run, and tells who did it."""

    def __init__(self, name="", done=None, expected_s=0.0):
        self.is_roused = False
        self.expected_s = expected_s
        self.waiting = deque()
        self.done = done if done is not None else []
        self._name = name

    def run_next(self):
        if self.waiting:
            thing = self.waiting.popleft()
            self.done.append((self._name, thing))
            if callable(thing):
                thing()
        return bool(self.waiting)


# Posting


def test_what_is_posted_runs_in_the_loop_in_order(loop):
    found = []
    for number in range(100):
        loop.post(lambda own: found.append((own, threading.current_thread().name)), number)
    assert call_in(loop, loop.is_here)
    assert not loop.is_here()
    assert found == [(number, "service-loop") for number in range(100)]


def test_what_the_loop_posts_to_itself_runs_at_once(loop):
    found = []

    def post():
        loop.post(found.append, 1)
        return list(found)

    assert call_in(loop, post) == [1]


def test_what_takes_long_is_computed_elsewhere(loop):
    found = []
    is_over = threading.Event()
    loop.compute(lambda: (found.append(threading.current_thread().name), is_over.set()))
    assert is_over.wait(timeout=30)
    assert found[0].startswith("large-bodies")


def test_a_loop_that_has_ended_leaves_no_thread_and_takes_what_is_posted_without_a_word():
    running = ServiceLoop()
    running.start_thread()
    thread = call_in(running, threading.current_thread)
    running.close()
    running.close()
    assert not thread.is_alive()
    found = []
    # A thread may get the number of the one that has ended: it must not be taken for the loop.
    others = [threading.Thread(target=lambda: (running.post(found.append, 1), found.append(2))) for _ in range(20)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert found == [2] * 20


def test_a_loop_that_runs_already_is_adopted_and_goes_on_after_it():
    async def main():
        adopted = ServiceLoop()
        adopted.adopt(asyncio.get_running_loop())
        assert adopted.is_here()
        ticked = asyncio.Event()
        adopted.every_tick(ticked.set)
        await asyncio.wait_for(ticked.wait(), 30)
        adopted.close()
        ticked.clear()
        await asyncio.sleep(TICK_S * 3)
        assert not ticked.is_set()

    asyncio.run(main())


# Turns


def test_a_wake_up_from_another_thread_is_never_lost(loop):
    work = Work()

    def ask(own):
        for _ in range(300):
            is_done = threading.Event()
            work.waiting.append(is_done.set)
            loop.rouse(work)
            if not is_done.wait(timeout=30):
                own.append("lost")
                return

    lost = []
    threads = [threading.Thread(target=ask, args=(lost,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []
    assert len(work.done) == 8 * 300


def test_runners_take_turns(loop):
    done = []
    first, second = Work("first", done), Work("second", done)
    first.waiting.extend("abc")
    second.waiting.extend("abc")

    def rouse():
        for _ in range(3):  # once is enough, and more gets it no more turns
            loop.rouse(first)
        loop.rouse(second)

    call_in(loop, rouse)
    wait_until(lambda: len(done) == 6)
    assert done == [(name, thing) for thing in "abc" for name in ("first", "second")]


def test_who_needs_little_does_not_wait_for_who_needs_much_and_nobody_starves(loop):
    done = []
    slow, fast = Work("slow", done, expected_s=0.1), Work("fast", done, expected_s=0.001)
    slow.waiting.extend("ab")
    fast.waiting.extend("abc")

    def rouse():
        loop.rouse(slow)
        loop.rouse(fast)

    call_in(loop, rouse)
    wait_until(lambda: len(done) == 5)
    assert done == [("fast", "a"), ("slow", "a"), ("fast", "b"), ("slow", "b"), ("fast", "c")]


def test_a_round_that_takes_longer_than_a_turn_goes_on_where_it_was(loop):
    done = []
    workers = [Work(name, done, expected_s=number) for number, name in enumerate("abc")]
    for worker in workers:
        worker.waiting.extend([lambda: time.sleep(2 * TURN_S)] * 2)
    call_in(loop, lambda: [loop.rouse(worker) for worker in workers])
    wait_until(lambda: len(done) == 6)
    assert [name for name, _ in done] == [*"abcabc"]


def test_turns_are_short_while_several_models_are_asked_and_long_again_afterwards(loop):
    turns = []
    first, second = Work(), Work()
    first.waiting.append(lambda: turns.append(loop.turn_s))
    second.waiting.append(lambda: turns.append(loop.turn_s))
    call_in(loop, lambda: [loop.rouse(first), loop.rouse(second)])
    wait_until(lambda: len(turns) == 2)
    assert turns == [SHARED_TURN_S] * 2
    wait_until(lambda: loop.turn_s == TURN_S)
    first.waiting.append(lambda: turns.append(loop.turn_s))
    loop.rouse(first)
    wait_until(lambda: len(turns) == 3)
    assert turns[2] == TURN_S


def test_a_runner_that_always_has_more_does_not_keep_the_loop_from_its_connections(loop):
    class EndlessWork:
        is_roused = False
        expected_s = 0.0

        def run_next(self):
            is_running.set()
            return not (is_asked.is_set() or time.monotonic() > gives_up_at)

    is_running, is_asked = threading.Event(), threading.Event()
    gives_up_at = time.monotonic() + 20
    loop.rouse(EndlessWork())
    assert is_running.wait(timeout=30)
    loop.post(is_asked.set)
    assert is_asked.wait(timeout=10)


# Ticks


def test_it_ticks_in_the_loop_until_told_otherwise(loop):
    ticks = []

    def tick():
        ticks.append(loop.is_here())

    loop.every_tick(tick)
    wait_until(lambda: len(ticks) >= 3)
    assert all(ticks)
    call_in(loop, lambda: loop.no_tick(tick))
    loop.no_tick(tick)  # twice is fine
    before = len(ticks)
    others = []
    loop.every_tick(lambda: others.append(1))
    wait_until(lambda: len(others) >= 2)
    assert len(ticks) == before


def test_a_tick_that_fails_keeps_neither_itself_nor_the_others_from_the_next(loop, caplog):
    failed, others = [], []

    def fail():
        failed.append(1)
        raise RuntimeError("out of step")

    loop.every_tick(fail)
    loop.every_tick(lambda: others.append(1))
    wait_until(lambda: len(failed) >= 2 and len(others) >= 2)
    assert "out of step" in caplog.text


def test_the_loop_knows_the_time_of_its_latest_tick(loop):
    before = time.monotonic()
    wait_until(lambda: loop.now > before)
    assert loop.now <= time.monotonic()


def test_the_loop_knows_how_long_it_was_held_up(loop):
    call_in(loop, lambda: time.sleep(TICK_S * 5))
    wait_until(lambda: loop.longest_lag_s >= TICK_S * 3)  # a tick was due at most one after the sleep began
    longest = loop.longest_lag_s
    assert loop.lag_s <= longest
    ticks = []
    loop.every_tick(lambda: ticks.append(loop.longest_lag_s))
    wait_until(lambda: len(ticks) >= 2)
    assert min(ticks) >= longest  # the longest stays
