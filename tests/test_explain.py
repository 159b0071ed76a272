"""The explanations that suit any model: what they add up to, what they cost, and that chance changes nothing."""

import random

import pytest
from explain_models import WeighedModel
from models import DoubleModel

from model_service import MLModel
from model_service.explain import (
    AskDirectly,
    Budget,
    draw_background,
    explain_directly,
    explain_fields,
    explain_sequence,
)
from model_service.training.reference import describe_rows

PAYLOAD = {"a": 3, "b": 2, "idle": 5}
SITE = "GATTACA"


class SiteModel(MLModel):
    """Looks for a word."""

    def predict(self, payload):
        return {"found": [float(SITE in payload["text"])]}


class Counting:
    """Asks a model, and counts what that costs."""

    def __init__(self, model, seconds=60.0):
        self.inner = AskDirectly(model, seconds)
        self.questions = []

    @property
    def seconds_left(self):
        return self.inner.seconds_left

    def __call__(self, payloads):
        self.questions.append(len(payloads))
        return self.inner(payloads)


def weigh(ask=None, payload=PAYLOAD, background=WeighedModel.background, **kwargs):
    model = WeighedModel()
    ask = ask or AskDirectly(model)
    return explain_fields(payload, model.predict(payload), ask, explained="/y", background=background, **kwargs)


def find_site(text, ask=None, **kwargs):
    payload, model = {"text": text}, SiteModel()
    options = {"field": "text", "explained": "/found/0", "window": 3, "fill": "-", **kwargs}
    found = explain_sequence(payload, model.predict(payload), ask or AskDirectly(model), **options)
    return found, found["sequences"][0]["contributions"]


def test_contributions_add_up_from_the_base_to_the_value():
    found = weigh()
    total = found["base"] + sum(each["contribution"] for each in found["contributions"])
    assert total == pytest.approx(found["explained"]["value"]) == 34
    assert found["is_complete"] is True


def test_they_are_shapley_values_and_an_idle_field_has_none():
    # With one row of background, a pair of orders that are each other's reverse is exact for what joins two fields:
    # f = 10a - b + ab from (1, 1) to (3, 2).
    found = weigh(background=[{"a": 1, "b": 1, "idle": 0}])
    values = {each["name"]: each["contribution"] for each in found["contributions"]}
    assert found["base"] == 10
    assert values == pytest.approx({"a": 23.0, "b": 1.0, "idle": 0.0})


def test_what_the_payload_lacks_plays_no_part():
    found = weigh(payload={"a": 3, "b": 2, "idle": None})
    assert [each["name"] for each in found["contributions"]] == ["a", "b"]
    assert weigh(payload={"a": 3, "b": 2})["contributions"] == found["contributions"]


def test_a_row_that_the_model_refuses_is_left_out():
    found = weigh(payload={"a": 7, "b": 2}, background=[{"a": 7, "b": 7}, {"a": 1, "b": 1}])
    assert found["base"] == 10
    assert found["base"] + sum(each["contribution"] for each in found["contributions"]) == pytest.approx(82)


def test_without_a_row_that_can_be_compared_it_says_so():
    found = weigh(payload={"a": 7, "b": 2}, background=[{"a": 7, "b": 7}])
    assert (found["base"], found["is_complete"]) == (None, False)


def test_no_field_in_common_is_the_authors_mistake():
    with pytest.raises(ValueError, match="shares a field"):
        weigh(background=[{"other": 1}])


def test_rows_are_bounded_and_asked_for_many_at_a_time():
    ask = Counting(WeighedModel())
    weigh(ask, budget=Budget(rows=100))
    assert sum(ask.questions) <= 100
    assert ask.questions[0] == 1
    assert max(ask.questions) > 16


@pytest.mark.parametrize("budget", [Budget(seconds=0), Budget(seconds=60)], ids=["its own", "the caller's"])
def test_without_time_it_says_that_it_is_not_complete(budget):
    ask = Counting(WeighedModel(), 60 if budget.seconds == 0 else 0)
    assert weigh(ask, budget=budget)["is_complete"] is False
    assert ask.questions == []
    found, contributions = find_site("A" * 20, ask, budget=budget)
    assert (found["is_complete"], set(contributions)) == (False, {None})


def test_the_seed_decides():
    background = [{"a": number % 5, "b": number % 7, "idle": 1} for number in range(35)]
    first = weigh(background=background)
    assert weigh(background=background) == first
    assert weigh(background=background, seed=1) != first


def test_a_site_stands_out_where_it_is():
    chooser = random.Random(5)
    for start in (0, 17, 53):
        letters = "".join(chooser.choices("CT", k=60))
        found, contributions = find_site(letters[:start] + SITE + letters[start + 7 :])
        inside = contributions[start : start + 7]
        assert min(inside) > 0.6
        assert all(each == 0 for each in contributions[: max(start - 2, 0)] + contributions[start + 9 :])
        assert found["is_complete"] is True


def test_a_long_sequence_is_covered_within_the_budget():
    for length in (3, 64, 65, 1000, 4099):
        ask = Counting(SiteModel())
        found, contributions = find_site("A" * length, ask, budget=Budget(rows=32), fill="ACGT")
        assert sum(ask.questions) <= 32
        assert None not in contributions
        assert len(contributions) == length == len(found["sequences"][0]["letters"])


def test_a_background_is_like_the_training():
    rows = [
        {"n": number, "x": number / 7, "kind": "ab"[number % 4 == 0], "is_on": number % 2 == 0} for number in range(101)
    ]
    rows = [row | {"id": f"row {number}"} for number, row in enumerate(rows)]
    drawn = draw_background(describe_rows(rows), 40)
    assert len(drawn) == 40
    assert drawn == draw_background(describe_rows(rows), 40)
    assert {*drawn[0]} == {"n", "x", "kind", "is_on"}  # and no free text
    assert all(isinstance(row["n"], int) and 0 <= row["n"] <= 100 for row in drawn)
    assert sum(row["kind"] == "b" for row in drawn) == 10
    assert {row["is_on"] for row in drawn} == {True, False}
    assert sum(row["x"] for row in drawn) / 40 == pytest.approx(50 / 7, rel=0.05)


def test_a_model_without_explanations_has_none():
    with pytest.raises(NotImplementedError):
        explain_directly(DoubleModel(), {"x": 1})
