"""When a model process that has ended is started again."""

import pytest

from model_service.backends.process.restart_policy import (
    FIRST_OPEN_S,
    FIRST_PAUSE_S,
    LONGEST_OPEN_S,
    MOST_CRASHES,
    WINDOW_S,
    Decision,
    End,
    RestartPolicy,
    Step,
)


@pytest.fixture
def policy():
    return RestartPolicy(draw=lambda least, most: most)


def crash(policy, *times, was_ready=True):
    return [policy.decide(End.CRASH, was_ready=was_ready, now=now) for now in times]


def test_each_crash_is_followed_by_a_pause_twice_as_long(policy):
    assert crash(policy, 0, 1, 2) == [Decision(Step.RESTART, FIRST_PAUSE_S * factor) for factor in (2, 4, 8)]


def test_crashes_that_are_far_apart_never_stop_a_model(policy):
    decisions = crash(policy, *(number * WINDOW_S for number in range(1, 100)))
    assert {decision.step for decision in decisions} == {Step.RESTART}


def test_too_many_crashes_open_the_circuit(policy):
    *before, last = crash(policy, *range(MOST_CRASHES))
    assert {decision.step for decision in before} == {Step.RESTART}
    assert last == Decision(Step.OPEN, FIRST_OPEN_S)


def test_the_first_crash_after_that_opens_it_again_for_twice_as_long_up_to_a_bound(policy):
    crash(policy, *range(MOST_CRASHES))
    now, pauses = float(MOST_CRASHES), []
    for _ in range(8):
        now += 1 + (pauses[-1] if pauses else FIRST_OPEN_S)
        (decision,) = crash(policy, now)
        assert decision.step is Step.OPEN
        pauses.append(decision.pause_s)
    assert pauses[:3] == [FIRST_OPEN_S * 2, FIRST_OPEN_S * 4, FIRST_OPEN_S * 8]
    assert pauses[-1] == LONGEST_OPEN_S


def test_a_process_that_lives_long_enough_closes_it(policy):
    crash(policy, *range(MOST_CRASHES))
    later = MOST_CRASHES + FIRST_OPEN_S + WINDOW_S
    assert crash(policy, later)[0].step is Step.RESTART
    assert crash(policy, *(later + number for number in range(1, MOST_CRASHES)))[-1] == Decision(
        Step.OPEN, FIRST_OPEN_S
    )


def test_a_process_that_was_ended_for_a_slow_prediction_has_not_crashed(policy):
    decisions = [policy.decide(End.OVERDUE, was_ready=True, now=number) for number in range(100)]
    assert {decision.step for decision in decisions} == {Step.RESTART}


def test_a_model_that_was_never_ready_is_given_up_after_some_tries(policy):
    *before, last = crash(policy, *range(MOST_CRASHES), was_ready=False)
    assert {decision.step for decision in before} == {Step.RESTART}
    assert last.step is Step.GIVE_UP


def test_a_model_that_does_not_load_in_its_bounds_is_given_up_at_once(policy):
    assert policy.decide(End.UNFIT, was_ready=False, now=0).step is Step.GIVE_UP


def test_a_process_that_outgrows_its_memory_is_replaced(policy):
    assert policy.decide(End.UNFIT, was_ready=True, now=0).step is Step.RESTART
