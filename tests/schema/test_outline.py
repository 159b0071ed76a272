import json

import pytest
from models import AwkwardSchemaModel

from model_service.schema.outline import MAX_CHOICES, MAX_DEPTH, MAX_ROWS, build_outline
from model_service.schema.values import Choice


def outline(field, **schema):
    """Return the rows of a document with one field, without the document's own."""
    return build_outline({"type": "object", "properties": {"x": field}, **schema})[1:]


def paths(schema):
    return [row.path for row in build_outline(schema)]


def test_the_first_row_is_the_document_itself():
    schema = {"title": "Flower", "description": "Measured.", "type": "object", "additionalProperties": False}
    (row,) = build_outline(schema)
    assert (row.path, row.depth, row.title, row.description) == ("", 0, "Flower", "Measured.")
    assert (row.kind, row.rules) == ("object", ("no other fields",))


def test_a_field_says_everything_that_its_schema_says():
    field = {
        "type": "number",
        "title": "Petal length",
        "description": "Of the longest petal.",
        "unit": "cm",
        "exclusiveMinimum": 0,
        "maximum": 25,
        "default": 1.5,
    }
    (row,) = outline(field, required=["x"])
    assert row.path == "x"
    assert row.depth == 1
    assert row.is_required
    assert (row.title, row.description, row.unit) == ("Petal length", "Of the longest petal.", "cm")
    assert (row.kind, row.rules, row.default) == ("number", ("above 0, at most 25",), "1.5")


@pytest.mark.parametrize(
    ("field", "rules"),
    [
        ({"minimum": 0, "maximum": 25}, ("0 to 25",)),
        ({"minimum": -0.5}, ("at least -0.5",)),
        ({"maximum": 1_000_000}, ("at most 1,000,000",)),
        ({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, ("above 0, below 1",)),
        ({"minimum": 0, "maximum": 9, "exclusiveMaximum": 9}, ("0 to 9", "below 9")),
        ({"multipleOf": 5}, ("a multiple of 5",)),
        ({"minLength": 1}, ("at least 1 character",)),
        ({"minLength": 0}, ()),
        ({"maxLength": 64}, ("at most 64 characters",)),
        ({"minLength": 50, "maxLength": 50}, ("exactly 50 characters",)),
        ({"minLength": 1, "maxLength": 64}, ("1 to 64 characters",)),
        ({"minItems": 1, "maxItems": 1}, ("exactly 1 entry",)),
        ({"minItems": 2, "uniqueItems": True}, ("at least 2 entries", "entries that differ from each other")),
        ({"minProperties": 1, "maxProperties": 3}, ("1 to 3 fields",)),
        ({"format": "date"}, ("format date",)),
        ({"pattern": "^a$"}, ("matches ^a$",)),
        ({"pattern": "^a$", "x-error-messages": {"pattern": "must be a"}}, ("must be a",)),
        ({"const": "card"}, ('always "card"',)),
        ({"readOnly": True, "deprecated": True}, ("read only", "deprecated")),
        ({"unevaluatedProperties": False}, ("no other fields",)),
        ({"prefixItems": [{}], "items": False}, ("no further entries",)),
        ({"not": {"const": 3}, "if": {}}, ("more rules in the JSON Schema (not, if)",)),
    ],
    ids=json.dumps,
)
def test_rules_are_told_in_a_few_words(field, rules):
    assert outline(field)[0].rules == rules


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ({"type": ["number", "null"]}, "number or null"),
        ({"enum": ["a", None, True, 1]}, "string or null or boolean or number"),
        ({"const": []}, "array"),
        ({"properties": {}}, "object"),
        ({"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]}, "number or null"),
        ({"oneOf": [{"type": "number"}, {"type": "string"}]}, "see below"),
        ({"oneOf": [{"minimum": 1}, {"type": "null"}]}, "see below"),
        ({}, "any value"),
        (True, "any value"),
        (False, "nothing"),
    ],
    ids=json.dumps,
)
def test_the_kind_is_the_type_or_what_stands_for_it(field, kind):
    assert outline(field)[0].kind == kind


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf"])
def test_values_with_titles_are_choices(keyword):
    field = {"type": "integer", keyword: [{"const": 1, "title": "Yes"}, {"const": 0, "description": "No"}]}
    (row,) = outline(field)
    assert row.choices == (Choice(1, "Yes"), Choice(0, "", "No"))
    assert [choice.meaning for choice in row.choices] == ["Yes", "No"]
    (row,) = outline({keyword: [{"const": 1}, {"type": "null", "title": "Unknown"}]})
    assert row.choices == (Choice(1), Choice(None, "Unknown"))


def test_the_values_of_an_enum_are_choices_as_json():
    (row,) = outline({"enum": ["3+", 3, None]})
    assert [choice.value_json for choice in row.choices] == ['"3+"', "3", "null"]


def test_choices_beyond_what_anyone_reads_are_counted():
    (row,) = outline({"enum": [*range(MAX_CHOICES + 7)]})
    assert len(row.choices) == MAX_CHOICES
    assert row.rules == ("and 7 more choices",)


def test_nested_fields_have_dotted_paths():
    point = {"type": "object", "properties": {"x": {}, "y": {}}, "required": ["y"]}
    schema = {
        "properties": {
            "centre": point,
            "points": {"type": "array", "items": point},
            "pair": {"type": "array", "prefixItems": [{"title": "From"}, {}], "items": {"type": "number"}},
            "scores": {"type": "object", "patternProperties": {"^x-": {}}, "additionalProperties": {"type": "number"}},
            "a.b c": {},
        }
    }
    rows = build_outline(schema)
    assert [(row.path, row.depth, row.note) for row in rows[1:]] == [
        ("centre", 1, ""),
        ("centre.x", 2, ""),
        ("centre.y", 2, ""),
        ("points", 1, ""),
        ("points[]", 2, "each entry"),
        ("points[].x", 3, ""),
        ("points[].y", 3, ""),
        ("pair", 1, ""),
        ("pair[0]", 2, "entry 1"),
        ("pair[1]", 2, "entry 2"),
        ("pair[]", 2, "each further entry"),
        ("scores", 1, ""),
        ("scores.*", 2, "each field whose name matches ^x-"),
        ("scores.*", 2, "each other field"),
        ('["a.b c"]', 1, ""),
    ]
    assert [row.path for row in rows if row.is_required] == ["centre.y", "points[].y"]


def test_alternatives_are_numbered_and_hold_their_fields():
    card = {"title": "Card", "properties": {"kind": {"const": "card"}, "number": {}}}
    rows = outline({"oneOf": [card, {"title": "Cash"}]})
    assert [(row.path, row.note, row.title) for row in rows] == [
        ("x", "", ""),
        ("x", "alternative 1 of 2", "Card"),
        ("x.kind", "", ""),
        ("x.number", "", ""),
        ("x", "alternative 2 of 2", "Cash"),
    ]


def test_references_and_combinations_are_followed_and_what_stands_beside_them_counts():
    schema = {
        "properties": {
            "first": {"$ref": "#/$defs/size", "title": "First"},
            "all": {"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"$ref": "#/$defs/b"}], "title": "All"},
            "maybe": {"anyOf": [{"$ref": "#/$defs/size"}, {"type": "null"}], "title": "Maybe"},
        },
        "$defs": {
            "size": {"type": "number", "title": "Size", "unit": "cm"},
            "b": {"properties": {"b": {}}, "required": ["b"]},
        },
    }
    _, first, both, a, b, maybe = build_outline(schema)
    assert (first.title, first.kind, first.unit) == ("First", "number", "cm")
    assert (both.title, a.path, b.path, a.is_required, b.is_required) == ("All", "all.a", "all.b", True, True)
    assert (maybe.title, maybe.kind, maybe.unit) == ("Maybe", "number or null", "cm")


@pytest.mark.parametrize(
    ("parts", "rules"),
    [
        ([{"minimum": 1}, {"minimum": 2}], ("at least 2",)),
        ([{"maximum": 1}, {"minimum": 0, "maximum": 2}], ("0 to 1",)),
        ([{"minLength": 2}, {"minLength": 1, "maxLength": 3}], ("2 to 3 characters",)),
        (
            [{"pattern": "^a"}, {"pattern": "b$", "x-error-messages": {"pattern": "ends with b"}}],
            ("matches ^a", "ends with b"),
        ),
        ([{"multipleOf": 2}, {"multipleOf": 3}], ("a multiple of 2", "a multiple of 3")),
        ([{"additionalProperties": False}, {"additionalProperties": True}], ("no other fields",)),
        ([{"not": {"const": 1}}, {"not": {"const": 2}}], ("more rules in the JSON Schema (not)",)),
    ],
    ids=json.dumps,
)
def test_of_rules_that_apply_together_none_is_lost(parts, rules):
    assert outline({"allOf": parts})[0].rules == rules
    assert outline({"allOf": parts[::-1]})[0].rules in (rules, rules[::-1])
    assert outline({"allOf": [{"$ref": "#/$defs/first"}, parts[1]]}, **{"$defs": {"first": parts[0]}})[0].rules == rules


def test_one_field_in_two_branches_has_the_rules_of_both():
    parts = [{"properties": {"a": {"type": "number", "minimum": 0}}}, {"properties": {"a": {"maximum": 9}}}]
    _, a = outline({"allOf": parts})
    assert (a.path, a.kind, a.rules) == ("x.a", "number", ("0 to 9",))


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ({"allOf": [{"type": ["integer", "null"]}, {"type": ["number", "null"]}]}, "integer or null"),
        ({"allOf": [{"type": "string"}, {"type": "number"}]}, "nothing"),
        ({"type": "number", "anyOf": [{"minimum": 1}, {"type": "null"}]}, "number"),
        ({"$ref": "#/$defs/list"}, "array"),
        ({"$ref": "#/$defs/never"}, "nothing"),
    ],
    ids=json.dumps,
)
def test_the_kind_is_what_all_parts_allow(field, kind):
    definitions = {"list": {"type": "array", "items": {"$ref": "#/$defs/list"}}, "never": False}
    rows = outline(field, **{"$defs": definitions})
    assert rows[0].kind == kind
    assert all(row.kind == kind for row in rows if "built like" in row.note)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ({"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}, ["a", "b", None]),
        ({"oneOf": [{"$ref": "#/$defs/a"}, {"const": "b"}]}, ["a", "b"]),
        ({"allOf": [{"enum": ["a", "b"]}, {"enum": ["b", "c"]}]}, ["b"]),
    ],
)
def test_values_that_are_listed_anyhow_are_choices(field, values):
    (row,) = outline(field, **{"$defs": {"a": {"const": "a"}}})
    assert [choice.value for choice in row.choices] == values


def test_a_schema_that_comes_back_to_itself_stops_and_says_where():
    rows = {row.path: row for row in build_outline(AwkwardSchemaModel.input_schema)}
    assert rows["tree.children[]"].note == "each entry, built like tree"
    assert rows["whole"].note == "built like the whole document"
    assert build_outline({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})[0].kind == "any value"


def test_definitions_that_unfold_without_end_are_cut():
    doubling = {f"d{i}": {"properties": {n: {"$ref": f"#/$defs/d{i + 1}"} for n in "ab"}} for i in range(30)}
    rows = build_outline({"$ref": "#/$defs/d0", "$defs": {**doubling, "d30": {}}})
    assert len(rows) == MAX_ROWS
    deepest = [row for row in rows if row.depth == MAX_DEPTH]
    assert deepest
    assert all(row.rules == ("more inside: see the JSON Schema",) for row in deepest)
    assert all(row.depth <= MAX_DEPTH for row in rows)
