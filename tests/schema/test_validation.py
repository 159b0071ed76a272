import functools
import itertools
import json
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from model_service.records import Violation
from model_service.schema.validation import MAX_VIOLATIONS, SchemaValidator, find_metaschema_faults, make_pointer
from model_service.schema.values import is_same

# No test may depend on how fast the machine is.
generously = settings(deadline=None)


def find(schema, document):
    return [(v.pointer, v.rule, v.message) for v in SchemaValidator(schema).find_violations(document)]


# Each rule: its sentence and its pointer


@pytest.mark.parametrize(
    ("rules", "value", "rule", "message"),
    [
        pytest.param({"type": "number"}, "1", "type", "expected a number, got a string", id="type-string"),
        pytest.param({"type": "string"}, 1, "type", "expected a string, got a number", id="type-number"),
        pytest.param({"type": "string"}, None, "type", "expected a string, got null", id="type-null"),
        pytest.param({"type": "object"}, [], "type", "expected an object, got an array", id="type-array"),
        pytest.param({"type": "array"}, {}, "type", "expected an array, got an object", id="type-object"),
        pytest.param({"type": "boolean"}, 1, "type", "expected true or false, got a number", id="type-no-boolean"),
        pytest.param({"type": "null"}, False, "type", "expected null, got a boolean", id="type-no-null"),
        pytest.param({"type": "number"}, True, "type", "expected a number, got a boolean", id="true-is-no-number"),
        pytest.param({"type": "integer"}, False, "type", "expected an integer, got a boolean", id="false-no-integer"),
        pytest.param({"type": "integer"}, 1.5, "type", "expected an integer, got a number", id="type-fraction"),
        pytest.param(
            {"type": ["number", "null"]}, "", "type", "expected a number or null, got a string", id="two-types"
        ),
        pytest.param(
            {"type": ["array", "string", "null"]},
            0,
            "type",
            "expected an array, a string or null, got a number",
            id="three-types",
        ),
        pytest.param({"enum": ["a"]}, "b", "enum", "expected 'a'", id="enum-of-one"),
        pytest.param(
            {"enum": ["a", 1, None, True]}, "A", "enum", "expected 'a', 1, null or true", id="enum-of-several"
        ),
        pytest.param({"enum": [1]}, True, "enum", "expected 1", id="enum-true-is-not-1"),
        pytest.param({"enum": []}, 1, "enum", "nothing is allowed here", id="enum-of-none"),
        pytest.param(
            {"enum": [*range(25)]},
            25,
            "enum",
            "expected 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 or one of 5 more",
            id="enum-of-many",
        ),
        pytest.param(
            {"enum": [*range(20)]},
            -1,
            "enum",
            "expected 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 or 19",
            id="enum-of-as-many-as-are-listed",
        ),
        pytest.param({"const": {"a": 1}}, {"a": 2}, "const", 'expected {"a": 1}', id="const-object"),
        pytest.param({"const": 0}, False, "const", "expected 0", id="const-false-is-not-0"),
        pytest.param({"minimum": 0}, -0.5, "minimum", "expected a number of at least 0", id="minimum"),
        pytest.param({"maximum": 1.5}, 2, "maximum", "expected a number of at most 1.5", id="maximum"),
        pytest.param({"exclusiveMinimum": 0}, 0, "exclusiveMinimum", "expected a number above 0", id="exclusive-min"),
        pytest.param({"exclusiveMaximum": 1}, 1.0, "exclusiveMaximum", "expected a number below 1", id="exclusive-max"),
        pytest.param({"multipleOf": 5}, 7, "multipleOf", "expected a multiple of 5", id="multiple"),
        pytest.param({"minLength": 3}, "ab", "minLength", "expected at least 3 characters", id="too-short"),
        pytest.param({"maxLength": 1}, "ab", "maxLength", "expected at most 1 characters", id="too-long"),
        pytest.param({"pattern": "^a{2}$"}, "b", "pattern", "expected text that matches the pattern ^a{2}$", id="pat"),
        pytest.param({"minItems": 2}, [1], "minItems", "expected at least 2 entries", id="too-few-entries"),
        pytest.param({"maxItems": 1}, [1, 2], "maxItems", "expected at most 1 entries", id="too-many-entries"),
        pytest.param(
            {"uniqueItems": True},
            [1, {"a": [2]}, {"a": [2.0]}],
            "uniqueItems",
            "expected entries that differ from each other",
            id="repeated-entry",
        ),
        pytest.param(
            {"contains": {"const": 1}},
            [2, 3],
            "contains",
            "expected an entry that is missing from the array",
            id="contains-nothing",
        ),
        pytest.param({"minProperties": 1}, {}, "minProperties", "expected at least 1 fields", id="too-few-fields"),
        pytest.param(
            {"maxProperties": 1}, {"a": 1, "b": 2}, "maxProperties", "expected at most 1 fields", id="too-many-fields"
        ),
        pytest.param({"not": {"const": 3}}, 3, "not", "expected anything but what the schema excludes here", id="not"),
        pytest.param(
            {"unevaluatedProperties": False},
            {"a": 1},
            "unevaluatedProperties",
            "holds a field that the schema does not know",
            id="unevaluated",
        ),
        pytest.param(
            {"contains": {"const": 1}, "maxContains": 1},
            [1, 1],
            "maxContains",
            "breaks the rule 'maxContains' of the schema",
            id="a-rule-without-a-sentence",
        ),
    ],
)
def test_a_broken_rule_has_a_sentence_and_the_pointer_of_its_value(rules, value, rule, message):
    schema = {"properties": {"a/b": {"items": rules}}}
    assert find(schema, {"a/b": [value]}) == [("/a~1b/0", rule, message)]
    assert find({"allOf": [schema]}, {"a/b": [value]}) == [("/a~1b/0", rule, message)]


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        pytest.param({"type": "integer"}, 1.0, id="1.0-is-an-integer"),
        pytest.param({"type": "integer"}, 10**300, id="a-big-integer"),
        pytest.param({"type": "number"}, 1, id="an-integer-is-a-number"),
        pytest.param({"enum": [1]}, 1.0, id="enum-1.0-is-1"),
        pytest.param({"const": 1.0}, 1, id="const-1-is-1.0"),
        pytest.param({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}], id="true-and-1-differ"),
        pytest.param({"maxLength": 1}, "😀", id="length-counts-characters"),
        pytest.param({"minimum": 5, "maxLength": 1, "required": ["a"]}, None, id="rules-of-other-types"),
        pytest.param({"pattern": "b"}, "abc", id="a-pattern-is-searched"),
        pytest.param(True, {}, id="true-schema"),
        pytest.param({"x-anything": 1, "title": "A"}, 5, id="annotations"),
    ],
)
def test_what_the_rules_allow_has_no_violations(rules, value):
    assert find({"properties": {"x": rules}}, {"x": value}) == []


def test_a_document_that_breaks_several_rules_has_several_violations():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"minimum": 0, "multipleOf": 2}},
        "required": ["c"],
    }
    assert find(schema, {"a": "x", "b": -1}) == [
        ("/a", "type", "expected a number, got a string"),
        ("/b", "minimum", "expected a number of at least 0"),
        ("/b", "multipleOf", "expected a multiple of 2"),
        ("/c", "required", "this field is missing"),
    ]


@pytest.mark.parametrize("document", [5, "x", None, [], True], ids=["number", "string", "null", "array", "boolean"])
def test_a_document_that_is_no_object_is_told_so_at_the_root(document):
    [(pointer, rule, message)] = find({"type": "object", "required": ["x"]}, document)
    assert (pointer, rule) == ("", "type")
    assert message.startswith("expected an object, got ")


def test_a_field_that_nothing_may_fill_is_refused_at_its_own_place():
    schema = {"properties": {"row": {"if": {"required": ["a"]}, "then": {"properties": {"b": False}}}}}
    assert find(schema, {"row": {"a": 1, "b": 2}}) == [("/row/b", "false", "nothing is allowed here")]
    assert find(schema, {"row": {"b": 2}}) == []


# Fields that are missing


def test_each_missing_field_has_one_violation_with_its_own_pointer():
    schema = {"properties": {"row": {"required": ["a", "b/c", "d", "e"]}}}
    assert find(schema, {"row": {"d": None}}) == [
        ("/row/a", "required", "this field is missing"),
        ("/row/b~1c", "required", "this field is missing"),
        ("/row/e", "required", "this field is missing"),
    ]


def test_a_missing_field_has_its_pointer_however_long_its_name():
    names = ["n" * 200, "line\nbreak"]
    assert [pointer for pointer, *_ in find({"required": names}, {})] == [f"/{name}" for name in names]


def test_a_field_that_another_needs_is_missing_at_its_own_place():
    schema = {"dependentRequired": {"card": ["name", "cvc"], "iban": ["name"]}}
    assert find(schema, {"card": 1, "cvc": 2}) == [
        ("/name", "dependentRequired", "this field is missing; 'card' needs it")
    ]
    assert find(schema, {"card": 1}) == [
        ("/name", "dependentRequired", "this field is missing; 'card' needs it"),
        ("/cvc", "dependentRequired", "this field is missing; 'card' needs it"),
    ]
    assert find(schema, {"name": 1, "cvc": 1}) == []


# Fields that are unknown

CLOSED = {
    "properties": {"sepal_length": {}, "sepal_width": {}},
    "patternProperties": {"^x-": {"type": "number"}},
    "additionalProperties": False,
}
KNOWN = "the fields are sepal_length or sepal_width"


def test_an_unknown_field_is_told_what_it_may_have_meant():
    assert find(CLOSED, {"sepal_lenght": 1}) == [
        ("/sepal_lenght", "additionalProperties", f"unknown field; did you mean 'sepal_length'? {KNOWN}")
    ]


def test_an_unknown_field_unlike_any_other_lists_the_known_ones():
    assert find(CLOSED, {"zzz": 1, "sepal_width": 1, "a/b~c": 2}) == [
        ("/zzz", "additionalProperties", f"unknown field; {KNOWN}"),
        ("/a~1b~0c", "additionalProperties", f"unknown field; {KNOWN}"),
    ]


def test_a_field_that_a_pattern_allows_is_not_unknown():
    assert find(CLOSED, {"x-one": 1}) == []
    assert find(CLOSED, {"x-one": "1", "y-one": 1}) == [
        ("/x-one", "type", "expected a number, got a string"),
        ("/y-one", "additionalProperties", f"unknown field; {KNOWN}"),
    ]


def test_an_object_without_fields_says_so():
    assert find({"additionalProperties": False}, {"a": 1}) == [
        ("/a", "additionalProperties", "unknown field; no other fields are allowed")
    ]


def test_an_additional_field_is_held_against_its_schema():
    assert find({"additionalProperties": {"type": "number"}}, {"a": 1, "b": "x"}) == [
        ("/b", "type", "expected a number, got a string")
    ]


@pytest.mark.parametrize(
    ("name", "described"),
    [
        pytest.param("s" * 65, "a name of 65 characters", id="long"),
        pytest.param("a\nb", "a name of 3 characters", id="line-break"),
        pytest.param("\ud800", "a name of 1 characters", id="half-surrogate"),
    ],
)
def test_an_unknown_name_that_cannot_be_quoted_is_described_at_its_parent(name, described):
    schema = {"properties": {"row": CLOSED}}
    assert find(schema, {"row": {name: 1}}) == [
        ("/row", "additionalProperties", f"unknown field ({described}); {KNOWN}")
    ]


def test_a_name_is_refused_at_its_own_field():
    schema = {"properties": {"row": {"propertyNames": {"pattern": "^[a-z]+$", "maxLength": 3}}}}
    sentence = "a field of this name is not allowed here"
    assert find(schema, {"row": {"ok": 1, "B": 1, "TOOLONG": 1}}) == [
        ("/row/B", "propertyNames", sentence),
        ("/row/TOOLONG", "propertyNames", sentence),
    ]
    assert find(schema, {"row": {"s" * 65: 1}}) == [
        ("/row", "propertyNames", f"below a name of 65 characters: {sentence}")
    ]
    assert find({"propertyNames": False}, {"a": 1}) == [("/a", "propertyNames", sentence)]
    assert find({"propertyNames": False}, {}) == find({"propertyNames": False}, [1]) == []


def test_a_name_is_refused_below_a_reference_to_the_root():
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "propertyNames": {"maxLength": 5},
        "properties": {"child": {"$ref": "#"}},
    }
    assert [v[:2] for v in find(schema, {"child": {"child": {"toolong": 1}}})] == [
        ("/child/child/toolong", "propertyNames")
    ]


# Formats


@pytest.mark.parametrize(
    ("name", "good", "bad", "message"),
    [
        ("date", ["2024-02-29"], ["2023-02-29", "2024-2-9", "today", ""], "expected a date as YYYY-MM-DD"),
        (
            "date-time",
            ["2024-02-29T10:00:00Z", "2024-02-29T10:00:00.5+01:00"],
            ["2024-02-29", "2024-02-29T10:00:00", "2024-02-29T25:00:00Z"],
            "expected a date and time as YYYY-MM-DDThh:mm:ssZ",
        ),
        ("time", ["10:00:00Z"], ["10:00", "25:00:00Z"], "expected a time as hh:mm:ssZ"),
        ("email", ["ada@example.com"], ["ada", ""], "expected an e-mail address"),
        (
            "uuid",
            ["7b0c2b5e-3c0f-4f0e-9a51-1b1f0f7f2f11"],
            ["7b0c2b5e3c0f4f0e9a511b1f0f7f2f11", "x", "7b0c2b5e-3c0f-4f0e-9a51-1b1f0f7f2f1g"],
            "expected a UUID",
        ),
        ("uri", ["https://example.com/a"], ["/a", "a b"], "expected a URI"),
        ("ipv4", ["127.0.0.1"], ["1.2.3", "256.0.0.1"], "expected text of the format ipv4"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_format_is_checked(name, good, bad, message):
    schema = {"properties": {"x": {"format": name}}}
    for text in good:
        assert find(schema, {"x": text}) == []
    for text in bad:
        assert find(schema, {"x": text}) == [("/x", "format", message)]


def test_a_format_of_another_type_or_an_unknown_one_is_not_checked():
    assert find({"format": "date"}, 5) == find({"format": "colour"}, "x") == []


# Alternatives


def test_the_only_alternative_of_the_right_type_explains():
    schema = {"properties": {"x": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]}}}
    assert find(schema, {"x": -1}) == [("/x", "minimum", "expected a number of at least 0")]
    assert find(schema, {"x": None}) == []


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_the_only_alternative_whose_constant_fits_explains(keyword):
    circle = {"properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}, "required": ["kind", "r"]}
    square = {"properties": {"kind": {"enum": ["square"]}, "a": {"minimum": 0}}, "required": ["kind", "a"]}
    schema = {"type": "object", keyword: [circle, square]}
    assert find(schema, {"kind": "circle"}) == [("/r", "required", "this field is missing")]
    assert find(schema, {"kind": "square", "a": -1}) == [("/a", "minimum", "expected a number of at least 0")]


def test_alternatives_inside_alternatives_explain():
    inner = {"oneOf": [{"type": "string", "minLength": 2}, {"type": "null"}]}
    schema = {"anyOf": [{"type": "array", "items": inner}, {"type": "number"}]}
    assert find(schema, ["ok", None, "x"]) == [("/2", "minLength", "expected at least 2 characters")]


def test_an_object_that_may_be_null_explains_its_fields():
    point = {"type": "object", "properties": {"x": {"type": "number"}, "unit": {"enum": ["m"]}}}
    schema = {"properties": {"p": {"anyOf": [point, {"type": "null"}]}}}
    assert find(schema, {"p": {"x": "1", "unit": "km"}}) == [
        ("/p/x", "type", "expected a number, got a string"),
        ("/p/unit", "enum", "expected 'm'"),
    ]


def test_an_alternative_that_allows_nothing_explains_nothing():
    assert find({"anyOf": [{"type": "number", "minimum": 0}, False]}, -1) == [
        ("", "minimum", "expected a number of at least 0")
    ]
    assert [rule for _, rule, _ in find({"oneOf": [False, False]}, 1)] == ["oneOf"]


@pytest.mark.parametrize(
    ("schema", "document", "rule", "message"),
    [
        pytest.param(
            {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "x",
            "anyOf",
            "expected one of the alternatives of the schema; none of them fits",
            id="no-type-fits",
        ),
        pytest.param(
            {"anyOf": [{"minimum": 5}, {"multipleOf": 2}]},
            1,
            "anyOf",
            "expected one of the alternatives of the schema; none of them fits",
            id="either-could-be-meant",
        ),
        pytest.param(
            {"oneOf": [{"minimum": 5}, {"multipleOf": 2}]},
            6,
            "oneOf",
            "expected exactly one of the alternatives of the schema to fit",
            id="both-fit",
        ),
    ],
)
def test_without_a_closest_alternative_the_rule_itself_is_named(schema, document, rule, message):
    assert find({"properties": {"x": schema}}, {"x": document}) == [("/x", rule, message)]


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize("wrong", [2, True, "1", [], 0.5])
@pytest.mark.parametrize("null", [{"const": None}, {"type": "null", "title": "Unknown"}], ids=["const", "type"])
def test_alternatives_that_are_single_values_are_listed_like_an_enum(keyword, wrong, null):
    choices = [{"const": 0, "title": "No"}, {"const": 1, "title": "Yes", "description": "Indeed."}, null]
    schema = {"properties": {"x": {keyword: choices}}}
    assert find(schema, {"x": wrong}) == [("/x", keyword, "expected 0, 1 or null")]
    assert find(schema, {"x": 1.0}) == find(schema, {"x": None}) == []


@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
@pytest.mark.parametrize(
    "branches",
    [
        [{"enum": ["a", "{}"]}, {"type": "null"}],
        [{"$ref": "#/$defs/a"}, {"$ref": "#braces"}, {"const": None}],
        [{"allOf": [{"const": "a"}]}, {"const": "{}"}, {"allOf": [{"type": "null"}]}],
    ],
    ids=["enum", "references", "all-of"],
)
def test_alternatives_that_are_values_by_other_ways_are_listed_too(keyword, branches):
    definitions = {"a": {"const": "a"}, "braces": {"$anchor": "braces", "const": "{}"}}
    assert find({"properties": {"x": {keyword: branches}}, "$defs": definitions}, {"x": "b"}) == [
        ("/x", keyword, "expected 'a', '{}' or null")
    ]


def test_the_author_may_say_what_single_values_mean():
    schema = {"oneOf": [{"const": "Y"}, {"const": "N"}], "x-error-messages": {"oneOf": "Say Y or N."}}
    assert find(schema, "maybe") == [("", "oneOf", "Say Y or N.")]


def test_a_value_that_two_single_values_allow_is_not_told_to_be_one_of_them():
    assert find({"oneOf": [{"const": 1}, {"const": 1.0}]}, 1) == [
        ("", "oneOf", "expected exactly one of the alternatives of the schema to fit")
    ]


@pytest.mark.parametrize(
    "choice",
    [
        {"enum": [0, 1, None]},
        {"const": 1},
        {"oneOf": [{"const": 0}, {"const": 1}, {"const": None}]},
        {"anyOf": [{"const": 0}, {"const": 1}, {"const": None}]},
    ],
    ids=lambda choice: next(iter(choice)),
)
def test_a_value_of_a_wrong_type_breaks_the_type_alone(choice):
    schema = {"properties": {"x": {"type": ["integer", "null"], **choice}}}
    expected = [("/x", "type", "expected an integer or null, got a string")]
    assert find(schema, {"x": "1"}) == find({"allOf": [schema]}, {"x": "1"}) == expected
    assert [rule for _, rule, _ in find(schema, {"x": -3})] == [next(iter(choice))]


def test_a_wrong_type_keeps_the_verdict_where_only_the_verdict_counts():
    yes = {"type": "string", "enum": ["yes"]}
    assert find({"not": yes}, 1) == []
    assert [rule for _, rule, _ in find({"not": yes}, "yes")] == ["not"]
    assert [rule for _, rule, _ in find({"contains": yes}, [1, "no"])] == ["contains"]


def test_the_branch_of_a_condition_explains():
    schema = {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]}}
    assert find(schema, {"a": 1}) == [("/b", "required", "this field is missing")]
    assert find(schema, {}) == [("/c", "required", "this field is missing")]


# References

TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"value": {"$ref": "#/$defs/number"}, "children": {"items": {"$ref": "#/$defs/node"}}},
            "additionalProperties": False,
        },
        "number": {"$anchor": "number", "type": "number"},
    },
}


def test_a_recursive_schema_points_at_the_deepest_value():
    document = {"value": 1, "children": [{"value": 2}, {"children": [{"value": "x"}, {"valeu": 1}]}]}
    assert find(TREE, document) == [
        ("/children/1/children/0/value", "type", "expected a number, got a string"),
        (
            "/children/1/children/1/valeu",
            "additionalProperties",
            "unknown field; did you mean 'value'? the fields are value or children",
        ),
    ]


def test_a_recursive_schema_reaches_as_deep_as_a_body_may():
    document = {"value": "x"}
    for _ in range(31):
        document = {"children": [document]}
    assert find(TREE, document) == [("/children/0" * 31 + "/value", "type", "expected a number, got a string")]


@pytest.mark.parametrize("reference", ["#/$defs/number", "#number", "#/properties/y"])
def test_a_local_reference_is_followed(reference):
    schema = {"$defs": TREE["$defs"], "properties": {"x": {"$ref": reference}, "y": {"type": "number"}}}
    assert find(schema, {"x": "1"}) == [("/x", "type", "expected a number, got a string")]


# The author's words


def test_the_authors_sentence_replaces_ours():
    schema = {
        "properties": {
            "age": {
                "type": "integer",
                "minimum": 18,
                "x-error-messages": {"minimum": "Only adults can apply.", "type": "Give the age in whole years."},
            }
        },
        "required": ["age", "name"],
        "x-error-messages": {"required": "Please fill in this field."},
    }
    assert find(schema, {"age": 17, "name": ""}) == [("/age", "minimum", "Only adults can apply.")]
    assert find(schema, {"age": "x", "name": ""}) == [("/age", "type", "Give the age in whole years.")]
    assert find(schema, {}) == [
        ("/age", "required", "Please fill in this field."),
        ("/name", "required", "Please fill in this field."),
    ]


def test_the_authors_sentence_covers_its_own_keywords_only():
    schema = {"minimum": 0, "multipleOf": 2, "x-error-messages": {"minimum": "No debts."}}
    assert [message for *_, message in find(schema, -1)] == ["No debts.", "expected a multiple of 2"]


@pytest.mark.parametrize(
    "schema",
    [
        {"propertyNames": {"maxLength": 1}, "x-error-messages": {"propertyNames": "Short names, please."}},
        {"propertyNames": {"maxLength": 1, "x-error-messages": {"maxLength": "Short names, please."}}},
    ],
    ids=["of-the-object", "of-the-name"],
)
def test_the_authors_sentence_covers_names(schema):
    assert find(schema, {"ab": 1}) == [("/ab", "propertyNames", "Short names, please.")]


def test_the_authors_sentence_for_alternatives_hides_them():
    schema = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}], "x-error-messages": {"anyOf": "Price?"}}
    assert find(schema, -1) == [("", "anyOf", "Price?")]


# What JSON cannot hold


@pytest.mark.parametrize(
    "number",
    [math.nan, math.inf, -math.inf, 10**400, -(10**400)],
    ids=["nan", "inf", "-inf", "10**400", "-10**400"],
)
@pytest.mark.parametrize("schema", [{}, {"type": "string"}], ids=["any", "string"])
def test_a_number_that_is_not_finite_is_found_with_its_pointer_and_once(schema, number):
    schema = {"properties": {"x": {"items": {"properties": {"a/b": {"maximum": 1, "minimum": -1, **schema}}}}}}
    document = {"y": 1, "x": [0, {"a/b": number}]}
    assert find(schema, document) == [("/x/1/a~1b", "finite", "expected a finite number")]


def test_a_number_that_is_not_finite_hides_no_other_fault():
    schema = {
        "properties": {"x": {"type": "integer", "multipleOf": 0.1}, "name": {"type": "string"}, "n": {"maximum": 5}},
        "required": ["z"],
        "additionalProperties": False,
    }
    document = {"x": 10**400, "name": 5, "n": 6, "y": -math.inf}
    assert {each[:2] for each in find(schema, document)} == {
        *(("/x", "finite"), ("/y", "finite"), ("/name", "type"), ("/n", "maximum"), ("/z", "required")),
    }
    assert document["x"] == 10**400
    # What is no JSON at all is told alone: it has to be mended first.
    assert [each[0] for each in find(schema, {**document, "name": object()})] == ["/x", "/name", "/y"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({1, 2}, "set: make it a list"),
        ((1, 2), "tuple: make it a list"),
        (b"x", "bytes"),
        (object(), "object"),
        (Decimal(1), "decimal.Decimal"),
        (1j, "complex"),
        (int, "type"),
        (np.float32(1), "numpy.float32: convert it with .item()"),
        (np.int64(1), "numpy.int64: convert it with .item()"),
        (np.array([1.0]), "numpy.ndarray: convert it with .tolist()"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_value_that_only_python_knows_is_of_no_json_type(value, name):
    message = f"expected a value of a JSON type, got {name}"
    assert find({}, {"x": [None, value]}) == [("/x/1", "type", message)]
    assert find({}, value) == [("", "type", message)]


@pytest.mark.parametrize("value", [{1: 2}, {"a": 1, None: 2}], ids=["number", "null"])
def test_the_names_of_an_object_are_texts(value):
    assert find({}, {"x": [None, value]}) == [("/x/1", "type", "expected an object whose names are texts")]
    assert find({}, value) == [("", "type", "expected an object whose names are texts")]


def test_values_that_json_cannot_hold_come_in_document_order():
    document = {"a": [math.nan, (1,)], "b": {"c": math.inf}}
    assert [v[:2] for v in find({}, document)] == [("/a/0", "finite"), ("/a/1", "type"), ("/b/c", "finite")]


@pytest.mark.parametrize("through", ["object", "array"])
def test_a_value_that_contains_itself_is_refused(through):
    loop: dict = {"a": 1}
    loop["b"] = loop if through == "object" else [loop, loop]
    assert find({}, {"x": loop}) == [("", "type", "expected a value nested less than 500 levels deep")]


# Limits


def test_a_hundred_violations_are_enough():
    assert MAX_VIOLATIONS == 100
    schema = {"items": {"type": "number"}}
    assert len(find(schema, ["x"] * 99)) == 99
    assert [pointer for pointer, *_ in find(schema, ["x"] * 1000)] == [f"/{i}" for i in range(100)]


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        pytest.param({"additionalProperties": False}, {f"f{i}": 1 for i in range(1000)}, id="unknown"),
        pytest.param({"required": [f"f{i}" for i in range(1000)]}, {}, id="missing"),
        pytest.param({"dependentRequired": {"a": [f"f{i}" for i in range(1000)]}}, {"a": 1}, id="needed"),
        pytest.param({}, [math.nan] * 1000, id="not-finite"),
        pytest.param({}, [()] * 1000, id="no-json"),
        pytest.param({"anyOf": [{"items": {"type": "null"}}, {"type": "null"}]}, [1] * 1000, id="alternative"),
    ],
)
def test_every_kind_of_violation_is_counted_against_the_limit(schema, document):
    assert len(set(find(schema, document))) == MAX_VIOLATIONS


def test_similar_names_are_not_sought_for_more_fields_than_are_reported():
    # Comparing all of them would take a minute; the suite's own timeout is the judge.
    schema = {"properties": {f"field_{i}": {} for i in range(100)}, "additionalProperties": False}
    assert len(find(schema, {f"feild_{i}": 1 for i in range(50_000)})) == MAX_VIOLATIONS


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param({"additionalProperties": {"items": {"type": "null"}}}, 1, id="broken-rule"),
        pytest.param({}, math.inf, id="not-finite"),
    ],
)
def test_an_answer_is_not_larger_than_its_question(schema, value):
    violations = find(schema, {"n" * 100_000: [value] * 1000})
    assert sum(len(text) for violation in violations for text in violation) < 10_000


@pytest.mark.parametrize("name", ["n" * 65, "line\nbreak"], ids=["long", "line-break"])
def test_a_pointer_ends_above_a_name_that_cannot_be_quoted_unless_the_schema_knows_it(name):
    known = {"properties": {name: {"type": "number"}}}
    assert find(known, {name: "x"}) == [(f"/{name}", "type", "expected a number, got a string")]
    unknown = {"properties": {"row": {"additionalProperties": {"items": {"type": "number"}}}}}
    assert find(unknown, {"row": {name: ["x"]}}) == [
        ("/row", "type", f"below a name of {len(name)} characters: expected a number, got a string")
    ]
    assert find({}, {"row": {name: [math.nan]}}) == [
        ("/row", "finite", f"below a name of {len(name)} characters: expected a finite number")
    ]


# Pointers


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ([], ""),
        (["a", 0, "b"], "/a/0/b"),
        ([""], "/"),
        (["a/b", "m~n", "~1"], "/a~1b/m~0n/~01"),
        (["größe", "two words", '"'], '/größe/two words/"'),
    ],
    ids=["root", "nested", "empty-name", "escaped", "as-they-are"],
)
def test_a_pointer_is_written_as_rfc_6901_says(path, pointer):
    assert make_pointer(path) == pointer


# Properties that hold for any schema and payload

NAMES = st.sampled_from(["a", "b", "c/d", "e~f", ""])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-3, 3).map(lambda number: round(number * 2) / 2)
    | st.sampled_from(["", "a", "b", "abc", "2024-01-01"])
)
VALUES = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


@functools.cache
def values_of_keywords(depth):
    """Return what each keyword may be given, around schemas of less depth."""
    inner = schemas(depth - 1)
    some = st.lists(inner, min_size=1, max_size=3)
    names = st.lists(NAMES, max_size=3, unique=True)
    return {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$", "/"]), inner, max_size=2),
        "additionalProperties": inner,
        "unevaluatedProperties": inner,
        "propertyNames": inner,
        "required": names,
        "dependentRequired": st.dictionaries(NAMES, names, max_size=2),
        "dependentSchemas": st.dictionaries(NAMES, inner, max_size=2),
        "items": inner,
        "prefixItems": some,
        "contains": inner,
        "minContains": st.integers(0, 2),
        "maxContains": st.integers(0, 2),
        "uniqueItems": st.booleans(),
        "minItems": st.integers(0, 3),
        "maxItems": st.integers(0, 3),
        "minProperties": st.integers(0, 3),
        "maxProperties": st.integers(0, 3),
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
        "pattern": st.sampled_from(["^a", "b", "^$"]),
        "format": st.sampled_from(["date", "email", "uuid"]),
        "minimum": st.integers(-3, 3),
        "exclusiveMaximum": st.integers(-3, 3),
        "multipleOf": st.sampled_from([1, 2, 0.5]),
        "allOf": some,
        "anyOf": some,
        "oneOf": some,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "$ref": st.just("#/$defs/shared"),
    }


@st.composite
def schemas(draw, depth=3):
    """Return a schema of up to four keywords; the one at the root has a definition that all may refer to."""
    if depth == 0 or (depth < 3 and draw(st.booleans())):
        return draw(st.booleans())
    values = values_of_keywords(depth)
    schema = {keyword: draw(values[keyword]) for keyword in draw(st.lists(st.sampled_from(list(values)), max_size=4))}
    return {**schema, "$defs": {"shared": draw(WITHOUT_REFERENCE)}} if depth == 3 else schema


WITHOUT_REFERENCE = st.booleans() | st.fixed_dictionaries({}, optional={"type": TYPES, "enum": st.just(["a", 1])})


@settings(generously, max_examples=150)
@given(schemas(), VALUES)
def test_the_verdict_is_that_of_the_library(schema, document):
    Draft202012Validator.check_schema(schema)
    library = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    violations = SchemaValidator(schema).find_violations(document)
    assert (violations == []) == library.is_valid(document)
    assert len(violations) == len(set(violations)) <= MAX_VIOLATIONS
    for violation in violations:
        assert isinstance(violation, Violation)
        assert violation.message
        assert violation.pointer == "" or violation.pointer.startswith("/")


@settings(generously, max_examples=150)
@given(st.lists(VALUES, max_size=6))
@example([[1], [True], [1.0]])
@example([{"a": [1, -0.0]}, {"a": [1.0, 0]}])
@example([2**53 + 1, float(2**53), "9007199254740993"])
def test_entries_repeat_when_json_takes_two_of_them_for_the_same(entries):
    repeats = any(is_same(one, other) for one, other in itertools.combinations(entries, 2))
    assert bool(find({"uniqueItems": True}, entries)) == repeats


def test_mixed_entries_are_not_compared_pair_by_pair():
    entries = [number if number % 2 else str(number) for number in range(200_000)]  # pair by pair it takes an hour
    assert find({"uniqueItems": True}, [*entries, "0"]) != []
    assert find({"uniqueItems": True, "maxItems": 1}, entries) == [("", "maxItems", "expected at most 1 entries")]


SECRET = "SECRETVALUE4711"
SECRET_NAME = SECRET + "x" * 64
SECRETS = st.recursive(
    st.sampled_from([SECRET, SECRET_NAME, f"2024-01-01{SECRET}", 4711.4711, None, math.inf, b"SECRETVALUE4711"]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c/d", SECRET_NAME, f"a\n{SECRET}"]), children, max_size=3)
    ),
    max_leaves=8,
)


@settings(generously, max_examples=150)
@given(schemas(), SECRETS)
def test_no_violation_repeats_a_value_or_a_long_name(schema, document):
    for violation in SchemaValidator(schema).find_violations(document):
        assert SECRET not in violation.pointer + violation.message
        assert "4711" not in violation.message


@pytest.mark.parametrize(
    "rules",
    [
        {"type": "number"},
        {"enum": ["a"]},
        {"const": "a"},
        {"maxLength": 3},
        {"pattern": "^a$"},
        {"format": "date"},
        {"format": "uuid"},
        {"format": "uri"},
        {"not": {}},
        {"anyOf": [{"const": "a"}, {"const": "b"}]},
        {"oneOf": [{"type": "string"}, {"minLength": 1}]},
        {"allOf": [False]},
        {"$ref": "#/$defs/number"},
    ],
    ids=lambda rules: next(iter(rules)) + "-" + str(next(iter(rules.values())))[:6],
)
def test_no_rule_repeats_the_value_it_refuses(rules):
    schema = {"items": rules, "$defs": {"number": {"type": "number"}}}
    violations = SchemaValidator(schema).find_violations([SECRET])
    assert violations
    assert SECRET not in json.dumps([violation.message for violation in violations])


# Schemas themselves


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "objekt"}, "/type"),
        ({"properties": {"x": {"minimum": "0"}}}, "/properties/x/minimum"),
        ({"required": "x"}, "/required"),
        ({"properties": {"x": {"pattern": "("}}}, "/properties/x/pattern"),
        ({"properties": []}, "/properties"),
        (5, "/"),
    ],
    ids=["type", "minimum", "required", "pattern", "properties", "no-schema"],
)
def test_a_fault_of_a_schema_names_its_place(schema, pointer):
    faults = find_metaschema_faults(schema)
    assert faults
    assert all(fault.startswith(f"'{pointer}' ") for fault in faults)


def test_a_sound_schema_has_no_faults():
    assert find_metaschema_faults(TREE) == find_metaschema_faults({}) == []


def test_five_faults_of_a_schema_are_enough():
    assert len(find_metaschema_faults({"properties": {f"f{i}": {"type": "x"} for i in range(20)}})) == 5


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_half_of_a_surrogate_pair_is_no_unicode_text(text):
    violations = SchemaValidator({"type": "object"}).find_violations({"a": ["é \U0001f600", text]})
    assert [(violation.pointer, violation.rule) for violation in violations] == [("/a/1", "unicode")]
