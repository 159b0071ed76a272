"""When a model process that has ended is started again."""

import pytest

from model_service.backends.process.restart_policy import (
    FIRST_OPEN_S,
    FIRST_PAUSE_S,
    LONGEST_OPEN_S,
    MOST_SHORT_LIVES,
    STEADY_S,
    Decision,
    End,
    RestartPolicy,
    Step,
)


@pytest.fixture
def policy():
    return RestartPolicy(draw=lambda least, most: most)


def crash(policy, *lives, was_ready=True):
    return [policy.decide(End.CRASH, was_ready=was_ready, lived_s=lived_s) for lived_s in lives]


def test_each_short_life_is_followed_by_a_pause_twice_as_long(policy):
    assert crash(policy, 0, 1, 2) == [Decision(Step.RESTART, FIRST_PAUSE_S * factor) for factor in (2, 4, 8)]


def test_processes_that_live_for_a_while_are_replaced_at_once_however_often_they_end(policy):
    assert set(crash(policy, *[STEADY_S] * 100)) == {Decision(Step.RESTART, FIRST_PAUSE_S)}


def test_several_short_lives_open_the_circuit(policy):
    *before, last = crash(policy, *[1] * MOST_SHORT_LIVES)
    assert {decision.step for decision in before} == {Step.RESTART}
    assert last == Decision(Step.OPEN, FIRST_OPEN_S)


def test_short_lives_with_a_long_one_between_them_do_not(policy):
    decisions = crash(policy, *[*[1] * (MOST_SHORT_LIVES - 1), STEADY_S] * 10)
    assert {decision.step for decision in decisions} == {Step.RESTART}


def test_a_short_life_after_that_opens_it_again_for_twice_as_long_up_to_a_bound(policy):
    crash(policy, *[1] * MOST_SHORT_LIVES)
    pauses = [decision.pause_s for decision in crash(policy, *[1] * 8) if decision.step is Step.OPEN]
    assert pauses == [min(FIRST_OPEN_S * 2**number, LONGEST_OPEN_S) for number in range(1, 9)]


def test_a_process_that_lives_long_enough_closes_it(policy):
    crash(policy, *[1] * MOST_SHORT_LIVES)
    assert crash(policy, STEADY_S) == [Decision(Step.RESTART, FIRST_PAUSE_S)]
    assert crash(policy, *[1] * MOST_SHORT_LIVES)[-1] == Decision(Step.OPEN, FIRST_OPEN_S)


def test_a_process_that_was_ended_for_a_slow_prediction_has_not_crashed(policy):
    decisions = [policy.decide(End.OVERDUE, was_ready=True, lived_s=1) for _ in range(100)]
    assert {decision.step for decision in decisions} == {Step.RESTART}


def test_a_model_that_was_never_ready_is_given_up_after_some_tries(policy):
    *before, last = crash(policy, *[0] * MOST_SHORT_LIVES, was_ready=False)
    assert {decision.step for decision in before} == {Step.RESTART}
    assert last.step is Step.GIVE_UP


def test_a_model_that_does_not_load_in_its_bounds_is_given_up_at_once(policy):
    assert policy.decide(End.UNFIT, was_ready=False, lived_s=0).step is Step.GIVE_UP


def test_a_process_that_outgrows_its_memory_is_replaced(policy):
    assert policy.decide(End.UNFIT, was_ready=True, lived_s=0).step is Step.RESTART
