"""Distances from the quantiles and shares that training stored."""

import random

import pytest

from model_service.drift.figures import compare_numbers, compare_shares, differs_by_chance, find_psi
from model_service.training.reference import describe_rows

SHAPES = {
    "normal": lambda draw: draw.gauss(10, 3),
    "skewed": lambda draw: draw.expovariate(0.01),
    "few values": lambda draw: draw.choice([1, 1, 2, 3, 4, 4]),
    "a flag": lambda draw: int(draw.random() < 0.03),
    "mostly zero": lambda draw: draw.choice([0, 0, 0, draw.gauss(5, 1)]),
    "a constant": lambda draw: 0.123456789,
}


def draw_values(shape, seed, count):
    draw = random.Random(seed)
    return [SHAPES[shape](draw) for _ in range(count)]


def find_quantiles(values):
    return describe_rows([{"x": value} for value in values])["fields"]["x"]["quantiles"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [50, 500])
def test_values_drawn_alike_are_within_what_chance_does(shape, rows):
    quantiles, beyond = find_quantiles(draw_values(shape, 0, 700)), 0
    for seed in range(1, 41):
        found = compare_numbers(quantiles, draw_values(shape, seed, rows), 700)
        beyond += found.psi.value > found.psi.chance or found.ks.value > found.ks.chance
    assert beyond <= 2  # of forty; chance alone is to do it once in a thousand


@pytest.mark.parametrize(
    ("shape", "change"),
    [
        ("normal", lambda value: value + 4),
        ("skewed", lambda value: 4 * value),
        ("few values", lambda value: 4),
        ("a flag", lambda value: 1 - value),
        ("mostly zero", lambda value: 5),
        ("a constant", lambda value: value + 0.001),
    ],
)
def test_what_was_shifted_is_beyond_chance(shape, change):
    quantiles = find_quantiles(draw_values(shape, 0, 700))
    found = compare_numbers(quantiles, [change(value) for value in draw_values(shape, 1, 100)], 700)
    assert found.psi.value > max(0.25, found.psi.chance)
    assert found.ks.value > max(0.2, found.ks.chance)


def test_the_very_rows_of_training_have_no_distance():
    values = draw_values("normal", 0, 1000)
    found = compare_numbers(find_quantiles(values), values, 1000)
    assert found.psi.value < 0.001
    assert found.ks.value < 0.002
    assert found.outside == 0
    assert sum(bar.now for bar in found.bars) == pytest.approx(1)
    assert sum(bar.before for bar in found.bars) == pytest.approx(1)


def test_the_share_outside_of_what_training_saw_is_told():
    found = compare_numbers(find_quantiles(list(range(101))), [-5, 50, 60, 200], 101)
    assert found.outside == 0.5


def test_nothing_to_compare_is_none():
    assert compare_numbers({}, [1.0], 10) is None
    assert compare_numbers({"0.5": 1.0}, [], 10) is None


def test_the_index_is_the_sum_that_the_books_have():
    bars, unseen = compare_shares({"a": 0.5, "b": 0.5}, {"a": 80, "b": 20})
    assert unseen == 0
    assert find_psi(bars, 100, 1000).value == pytest.approx(0.3 * 0.470004 + -0.3 * -0.916291, abs=1e-5)


def test_values_that_training_has_not_seen_have_a_share_of_their_own():
    bars, unseen = compare_shares({"a": 1.0}, {"a": 3, "z": 1})
    assert unseen == 0.25
    assert [(bar.label, bar.now) for bar in bars] == [("a", 0.75), ("not in training", 0.25)]


def test_shares_differ_by_chance_or_not():
    assert differs_by_chance(0.1, 0.15, 100, 1000)
    assert not differs_by_chance(0.1, 0.15, 10_000, 10_000)
