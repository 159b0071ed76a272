"""The dialect of OpenAPI documents accepts what the schema accepts, in forms that generators of clients read."""

import re

import pytest

from model_service.schema.openapi_dialect import adapt
from model_service.schema.validation import SchemaValidator

CHOICES = [{"const": 1, "title": "Yes"}, {"const": 0, "title": "No", "description": "Not at all."}, {"const": None}]


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_listed_values_become_an_enumeration_with_their_titles(keyword):
    assert adapt({"type": ["integer", "null"], keyword: CHOICES, "title": "X"}) == {
        "type": ["integer", "null"],
        "enum": [1, 0, None],
        "x-enum-descriptions": ["Yes", "No: Not at all.", "None"],
        "title": "X",
    }


@pytest.mark.parametrize(
    "branches",
    [
        pytest.param([], id="none"),
        pytest.param([{"const": 1}, {"type": "string"}], id="one-is-no-value"),
        pytest.param([{"const": 1, "type": "integer"}], id="one-has-a-rule"),
        pytest.param([{"const": 1}, {"const": 1}], id="twice"),
        pytest.param([{"const": 1}, {"const": True}], id="equal-in-some-languages"),
        pytest.param([{"const": 0.5}, {"const": 1.5}], id="not-whole"),
        pytest.param([{"const": [1]}], id="an-array"),
        pytest.param([True], id="a-boolean-schema"),
    ],
)
def test_other_alternatives_stay(branches):
    assert adapt({"oneOf": branches}) == {"oneOf": branches}


def test_an_enumeration_that_is_there_stays():
    node = {"enum": [1], "oneOf": CHOICES}
    assert adapt(node) == node


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": CHOICES},
        {"anyOf": CHOICES},
        {"type": "number", "const": 0.9},
        {"const": 2.0},
        {"const": 0.9, "minimum": 0.5},
        {"oneOf": [{"const": 1}, {"const": True}]},
        {"type": "number", "unit": "kg"},
    ],
)
@pytest.mark.parametrize("value", [0, 1, 2, 0.5, 0.9, 2.0, True, False])
def test_the_same_payloads_are_accepted(schema, value):
    def accepts(node):
        found = SchemaValidator({"type": "object", "properties": {"x": node}}).find_violations({"x": value})
        return not found

    assert accepts(schema) == accepts(adapt(schema))


def test_a_unit_is_spelt_as_an_extension():
    assert adapt({"type": "number", "unit": "kg"}) == {"type": "number", "x-unit": "kg"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        *(("ACGT", True), ("acgT", True), ("", True), (" AC\nGT\r\n", True), (">a header: 1\nACGT", True)),
        *(("ACGX", False), ("AC-GT", False), ("ACGT\n>a header\nACGT", False), (">only a header", False)),
    ],
)
def test_an_alphabet_becomes_a_pattern(text, fits):
    adapted = adapt({"type": "string", "x-alphabet": "ACGT"})
    assert adapted["x-alphabet"] == "ACGT"
    assert bool(re.search(adapted["pattern"], text)) is fits


@pytest.mark.parametrize("letters", ["A-Z", "^]", "[\\", "-"])
def test_no_letter_of_an_alphabet_is_taken_for_a_rule(letters):
    pattern = adapt({"x-alphabet": letters})["pattern"]
    assert re.search(pattern, letters)
    assert not re.search(pattern, "B")


def test_a_pattern_that_is_there_stays():
    node = {"x-alphabet": "ACGT", "pattern": "^[ACGT]{3}$"}
    assert adapt(node) == node
