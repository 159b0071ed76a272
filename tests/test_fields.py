"""The functions that write JSON Schema say no more and no less than a dictionary would."""

import pytest

from model_service import fields
from model_service.schema.contract import find_schema_faults, find_schema_warnings
from model_service.schema.validation import SchemaValidator


def test_a_record_is_the_dictionary_that_one_would_write():
    written = fields.record(
        "Flower",
        {
            "length": fields.number("Length", "Of the petal.", unit="cm", above=0, most=25),
            "colour": fields.optional(fields.choice("Colour", {"b": "Blue", "w": "White"})),
        },
        description="One flower.",
        examples=[{"length": 1.5}],
        messages={"required": "Measure it first."},
    )
    assert written == {
        "type": "object",
        "title": "Flower",
        "description": "One flower.",
        "properties": {
            "length": {
                "type": "number",
                "title": "Length",
                "description": "Of the petal.",
                "unit": "cm",
                "exclusiveMinimum": 0,
                "maximum": 25,
            },
            "colour": {
                "type": ["string", "null"],
                "title": "Colour",
                "oneOf": [
                    {"const": "b", "title": "Blue"},
                    {"const": "w", "title": "White"},
                    {"const": None, "title": "Unknown"},
                ],
            },
        },
        "required": ["length"],
        "examples": [{"length": 1.5}],
        "x-error-messages": {"required": "Measure it first."},
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("field", "accepted", "refused"),
    [
        (fields.number("N", least=0, most=1), [0, 0.5, 1], [-0.1, 1.1, "1", None, True]),
        (fields.number("N", above=0), [1e-9], [0]),
        (fields.integer("N", least=1, most=3), [1, 3.0], [0, 4, 1.5]),
        (fields.choice("C", ("a", "b")), ["a"], ["c", None, 1]),
        (fields.choice("C", {0: "No", 1: "Yes"}), [0, 1], [2, "0"]),
        (fields.choice("C", (1, "many")), [1, "many"], [2, "few"]),
        (fields.flag("F"), [True, False], [0, "true", None]),
        (fields.text("T", least=1, most=3, pattern="^a"), ["a", "abc"], ["", "b", "abcd"]),
        (fields.sequence("S", "ACGT", least=2, most=4), ["AC"], ["A", "ACGTA", 5]),
        (fields.optional(fields.number("N", most=1)), [None, 1], [2, "1"]),
        (fields.optional(fields.choice("C", ("a",))), [None, "a"], ["b"]),
        (fields.optional(fields.choice("C", {1: "One"})), [None, 1], [2]),
        (fields.optional({"const": 5}), [None, 5], [6]),
        (fields.optional(fields.optional(fields.flag("F"))), [None, True], [1]),
        (fields.probabilities(("a", "b")), [{"a": 0, "b": 1}], [{"a": 0}, {"a": 0, "b": 2}, {"a": 0, "b": 0, "c": 0}]),
    ],
)
def test_a_field_accepts_what_its_words_say(field, accepted, refused):
    schema = fields.record("R", {"x": {"anyOf": [field]}})
    assert find_schema_faults(schema, "input_schema") == []
    assert find_schema_warnings(schema, "input_schema") == []
    validator = SchemaValidator(schema)
    assert [value for value in accepted if validator.find_violations({"x": value})] == []
    assert [value for value in refused if not validator.find_violations({"x": value})] == []


def test_what_may_be_null_may_be_absent_from_a_record_but_not_from_an_answer():
    entries = {"a": fields.flag("A"), "b": fields.optional(fields.flag("B")), "c": fields.optional({"const": 1})}
    assert fields.record("R", entries)["required"] == ["a"]
    assert fields.answer("R", entries)["required"] == ["a", "b", "c"]


def test_a_field_may_be_a_dictionary_and_a_bound_of_zero_is_a_bound():
    own = {"type": "string", "format": "date"}
    assert fields.record("R", {"day": own})["properties"] == {"day": own}
    assert fields.number("N", least=0)["minimum"] == 0
    assert "description" not in fields.number("N")


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({"celsius": 20}, None),
        ({"share": 0.5}, None),
        ({"celsius": 20, "share": None}, None),
        ({"celsius": None, "share": 0.5}, None),
        ({}, "give celsius, or share instead"),
        ({"celsius": None, "share": None}, "give celsius, or share instead"),
        ({"celsius": 20, "share": 0.5}, "give either celsius or share, not both"),
    ],
)
def test_of_two_fields_exactly_one_is_given(payload, fault):
    entries = {name: fields.optional(fields.number(name)) for name in ("celsius", "share")}
    schema = fields.record("R", entries) | {"allOf": [fields.either("celsius", "share")]}
    assert find_schema_faults(schema, "input_schema") == []
    assert [each.message for each in SchemaValidator(schema).find_violations(payload)] == ([fault] if fault else [])
