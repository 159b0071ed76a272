"""jsonschema-rs and jsonschema: one verdict, corner cases included."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from model_service.schema.json_values import find_unrepresentable
from model_service.schema.verdict import Verdict

FORMATS = Draft202012Validator.FORMAT_CHECKER
generously = settings(deadline=None, max_examples=400)

NUMBERS = st.integers(-3, 3) | st.sampled_from(
    [0.0, -0.0, 1.0, 1.5, 2**53 + 1, 2**63, 2**64, 10**30, -(2**63) - 1, 1e300, 5e-324, 0.1]
)
TEXTS = st.text("aé🦊\u0301\n0-", max_size=4) | st.sampled_from(
    ["2024-02-29", "2023-02-29", "2024-01-01T00:00:00Z", "a@b", "12", "abc\n"]
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
KEYS = st.sampled_from(["a", "b", "c"])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
PATTERNS = st.sampled_from(
    ["^a", "a$", "^[a-c0]+$", "^(a|b)?$", "[^a]", "a{2,}", "^[ACGT]{2}$", "^\\-?[0-9]$", "\\d", "a.c", "(?i)a", "\\S"]
)
COUNTS = st.integers(0, 3)
SMALL = {
    "type": st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null", ["integer", "null"]]),
    "enum": st.lists(DOCUMENTS, min_size=1, max_size=3),
    "const": DOCUMENTS,
    "minimum": NUMBERS,
    "maximum": NUMBERS,
    "exclusiveMinimum": NUMBERS,
    "exclusiveMaximum": NUMBERS,
    "multipleOf": st.sampled_from([1, 2, 3, 0.5]),
    "minLength": COUNTS,
    "maxLength": COUNTS,
    "pattern": PATTERNS,
    "format": st.sampled_from(["date", "date-time", "email", "ipv4", "regex", "x-unheard-of", "uuid", "duration"]),
    "minItems": COUNTS,
    "maxItems": COUNTS,
    "uniqueItems": st.booleans(),
    "minProperties": COUNTS,
    "maxProperties": COUNTS,
    "required": st.lists(KEYS, unique=True, max_size=2),
    "dependentRequired": st.dictionaries(KEYS, st.lists(KEYS, unique=True, max_size=2), max_size=1),
    "minContains": COUNTS,
}  # fmt: skip


def extend(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            **SMALL,
            "properties": st.dictionaries(KEYS, inner, max_size=3),
            "additionalProperties": inner,
            "patternProperties": st.dictionaries(PATTERNS, inner, max_size=1),
            "propertyNames": inner,
            "dependentSchemas": st.dictionaries(KEYS, inner, max_size=1),
            "items": inner,
            "prefixItems": some,
            "contains": inner,
            "allOf": some,
            "anyOf": some,
            "oneOf": some,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "$ref": st.just("#/$defs/shared"),
        },
    )


LEAVES = st.booleans() | st.fixed_dictionaries({}, optional=SMALL)
SCHEMAS = st.recursive(LEAVES, extend, max_leaves=5).filter(lambda schema: isinstance(schema, dict))


def is_valid(schema: dict[str, Any], document: object) -> bool:
    """Return the verdict of the half that decides."""
    if next(find_unrepresentable(document), None) is not None:
        return False
    return bool(Draft202012Validator(schema, format_checker=FORMATS).is_valid(document))


def build(schema: dict[str, Any]) -> Verdict:
    return Verdict(schema, lambda text, name: FORMATS.conforms(text, name))


@generously
@given(SCHEMAS, LEAVES, st.lists(DOCUMENTS, min_size=1, max_size=6))
def test_a_yes_is_a_yes_of_the_other_half_too(schema, shared, documents):
    schema = {**schema, "$defs": {"shared": shared}}
    verdict = build(schema)
    for document in documents:
        if verdict.accepts(document):
            assert is_valid(schema, document)
    if verdict.accepts_all(documents):
        assert all(is_valid(schema, document) for document in documents)


TRUSTED = {key: value for key, value in SMALL.items() if key not in ("pattern", "multipleOf")}


@generously
@given(st.fixed_dictionaries({}, optional=TRUSTED), st.lists(DOCUMENTS, min_size=1, max_size=6))
def test_of_plain_schemas_every_valid_document_is_known_to_be(schema, documents):
    verdict = build(schema)
    for document in documents:
        assert verdict.accepts(document) is is_valid(schema, document)
    assert verdict.accepts_all(documents) is all(is_valid(schema, document) for document in documents)


CORNERS = [
    ({"type": "integer"}, 1.0, True),
    ({"type": "integer"}, 1.5, False),
    ({"type": "integer"}, 10**30, True),
    ({"type": "integer"}, True, False),
    ({"type": "integer", "maximum": 10**30}, 10**30 + 1, False),
    ({"const": 1}, True, False),
    ({"const": 1}, 1.0, True),
    ({"enum": [[0], {"a": 0}]}, [False], False),
    ({"maxLength": 1}, "🦊", True),
    ({"maxLength": 1}, "e\u0301", False),
    ({"minLength": 2}, "🦊", False),
    ({"format": "date"}, "2023-02-29", False),
    ({"format": "date-time"}, "2024-01-01T00:00:00", False),
    ({"format": "email"}, 3, True),
    ({"uniqueItems": True}, [1, 1.0], False),
    ({"uniqueItems": True}, [1, True, 0, False], True),
    ({"uniqueItems": True}, [{"a": 1, "b": 2}, {"b": 2, "a": 1}], False),
    ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, 1, True),
    ({"properties": {"again": {"$ref": "#"}}, "required": ["x"]}, {"x": 1, "again": {}}, False),
    ({"type": "number"}, math.nan, False),
    ({"type": "number"}, math.inf, False),
    ({"type": "number"}, 10**400, False),
    ({}, math.nan, False),
    ({"type": "object"}, {"a": b"bytes"}, False),
    ({"type": "array"}, (1, 2), False),
    ({"type": "string"}, "\ud800", False),
    ({"type": "object"}, {1: 2}, False),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "document", "expected"), CORNERS)
def test_corner_cases(schema: dict[str, Any], document: object, expected: bool):
    assert build(schema).accepts(document) is expected
    assert build(schema).accepts_all([document]) is expected
    assert build(schema).accepts_all([document] * 2) is expected
    assert is_valid(schema, document) is expected


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "\\d"},
        {"pattern": "a.c"},
        {"pattern": "(?i)a"},
        {"pattern": "[a&&b]"},
        {"patternProperties": {"^\\w": True}},
        {"multipleOf": 0.1},
        {"properties": {"a": {"unevaluatedProperties": False}}},
        {"$ref": "#/properties/a", "properties": {"a": True}},
        {"items": {"$dynamicRef": "#a"}, "$defs": {"a": {"$dynamicAnchor": "a"}}},
    ],
)
def test_what_two_implementations_could_read_differently_is_left_to_the_other_half(schema: dict[str, Any]):
    assert not build(schema).accepts({})
    assert not build(schema).accepts_all([{}])
    assert not build(schema).accepts_all([{}, {}])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"type": "number", "minimum": 0, "maximum": 1}, math.nan),
        ({"type": "integer", "minimum": 0}, 10**400),
        ({"enum": ["x"]}, b"x"),
        ({"type": ["string", "null"]}, "\ud800"),
        ({"oneOf": [{"const": 0}, {"const": "x"}]}, 10**400),
        ({"anyOf": [{"const": 0}, {"type": "string"}]}, "\ud800"),
        ({"anyOf": [{"const": 0}, {"type": "integer", "minimum": 0}]}, 10**400),
        ({"type": "array", "items": {"type": "null"}}, (None,)),
        (True, math.nan),
    ],
)
def test_nothing_passes_that_json_cannot_hold(field: Any, value: object):
    schema = {"type": "object", "properties": {"a": field}, "additionalProperties": False}
    assert not build(schema).accepts({"a": value})
    assert not build(schema).accepts_all([{"a": value}])
    assert not build(schema).accepts_all([{"a": value}] * 2)
