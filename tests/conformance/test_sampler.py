"""Payloads drawn from schemas: valid, different, the same for the same seed, and up to every bound."""

import random
import re

import pytest

from bike_model import BikeModel
from bike_model.days import DATE_PATTERN
from model_service.conformance.pattern_texts import draw_text, find_browser_faults
from model_service.conformance.sampler import Sampler, Unfit
from model_service.fields import either, integer, number, optional, record, text
from model_service.schema.validation import SchemaValidator

TREE = {
    "type": "object",
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "x": {"type": "integer"}}}},
    "properties": {"root": {"$ref": "#/$defs/node"}},
    "required": ["root"],
}
SCHEMAS = [
    BikeModel.input_schema,
    TREE,
    record("Exclusive", {"a": number("A", above=0, most=1), "b": integer("B", above=-3, most=3)}),
    record("Half", {"a": {"type": "integer", "exclusiveMinimum": 0.5, "exclusiveMaximum": 2.5, "title": "A"}}),
    record("Steps", {"a": {"type": "number", "multipleOf": 0.25, "minimum": 1, "maximum": 9}}),
    record("Texts", {"a": text("A", least=3, most=5), "b": optional(text("B", pattern="^[A-Z]{2}-[0-9]+$"))}),
    record("Formats", {name: {"type": "string", "format": name} for name in ("date", "email", "uuid", "ipv4", "uri")}),
    record("One of two", {"a": optional(number("A")), "b": optional(number("B"))}) | {"allOf": [either("a", "b")]},
    record("Set", {"a": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 2}}),
    record("Pair", {"a": {"type": "array", "prefixItems": [{"const": "x"}, {"type": "boolean"}], "items": False}}),
    {"type": "object", "additionalProperties": {"type": "boolean"}, "minProperties": 1},
    record("Any", {"a": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "array", "items": {"type": "null"}}]}}),
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.get("title", "?"))
def test_what_is_drawn_is_valid_and_the_same_for_the_same_seed(schema):
    samplers = [Sampler(schema, schema.get("examples", []), seed=1) for _ in range(2)]
    payloads, again = ([sampler.draw() for _ in range(60)] for sampler in samplers)
    assert payloads == again
    validator = SchemaValidator(schema)
    assert [payload for payload in payloads if validator.find_violations(payload)] == []
    assert len({repr(payload) for payload in payloads}) > 1


def test_both_ends_of_what_is_allowed_are_drawn():
    sampler = Sampler(
        record("Number", {"x": number("X", above=0, most=10), "n": integer("N", least=1, most=9)}), [], seed=0
    )
    payloads = [sampler.draw() for _ in range(200)]
    assert {5e-324, 10} <= {payload["x"] for payload in payloads}
    assert {1, 9} <= {payload["n"] for payload in payloads}


def test_a_schema_that_nothing_fits_is_given_up():
    with pytest.raises(Unfit, match="none of 200 payloads"):
        Sampler(record("Never", {"a": {"type": "string", "not": {"type": "string"}}}), [], seed=0).draw()


@pytest.mark.parametrize(
    "pattern",
    [DATE_PATTERN, "^(?:a|bc){2,3}[^a-z]$", r"^\d{3}\.\w$", r"(x)\1", "^[0-9A-F]{8}$", "^.?$", r"^\+?[1-9][0-9]*$"],
)
def test_a_text_that_is_drawn_from_a_pattern_matches_it(pattern):
    chance = random.Random(0)
    assert all(re.search(pattern, draw_text(pattern, chance)) for _ in range(30))


@pytest.mark.parametrize(
    "pattern",
    [DATE_PATTERN, "^[A-Z]{2}-[0-9]+$", "^[a-z_]+$", r"^a\.b\/c$", r"^[\-+.]?[0-9]{1,3}$", "^(?:ab+c)+$", "^[^,]*$"],
)
def test_a_pattern_of_both_languages_is_not_accused(pattern):
    assert [*find_browser_faults(pattern)] == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?P<a>x)", "names a group"),
        ("(?i:x)", "flags inside"),
        (r"\Ax\Z", r"\A or \Z"),
        (r"\w+", "mean other characters"),
        (r"a\-b", "an escape that browsers refuse"),
        ("a++", "possessive"),
        ("[a(b]", "'(' in a class"),
        ("[a-]", "'-' in a class"),
        ("a}", "a bracket that opens or closes nothing"),
        ("(a*)*", "a repeat of a repeat"),
        ("(?:a+|b)+c", "a repeat of a repeat"),
    ],
)
def test_what_a_browser_reads_otherwise_is_named(pattern, said):
    assert said in "; ".join(find_browser_faults(pattern))
