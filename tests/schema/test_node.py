"""One reading of a subschema: whatever it says is what a validator would enforce."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from model_service.schema.node import Node, read_node
from model_service.schema.values import Choice, is_of_types, is_same, narrow_types


def read(field: Any, **definitions: Any) -> Node:
    """Return the node of one field, in a schema with definitions."""
    return read_node({"properties": {"x": field}, "$defs": definitions}).field("x")


# What several parts say together


@pytest.mark.parametrize(
    ("parts", "keyword", "bound"),
    [
        ([{"minimum": 1}, {"minimum": 2}], "minimum", 2),
        ([{"maximum": 1}, {"maximum": 2}], "maximum", 1),
        ([{"exclusiveMinimum": 3}, {"exclusiveMinimum": 0}], "exclusiveMinimum", 3),
        ([{"minLength": 3}, {"minLength": 5}], "minLength", 5),
        ([{"maxItems": 3}, {"maxItems": 5}], "maxItems", 3),
        ([{"minProperties": 0}, {}], "minProperties", 0),
        ([{}, {}], "minimum", None),
    ],
)
def test_of_several_bounds_the_tightest_holds(parts, keyword, bound):
    assert read({"allOf": parts}).bound(keyword) == bound
    assert read({**parts[0], "$ref": "#/$defs/other"}, other=parts[1]).bound(keyword) == bound


@pytest.mark.parametrize(
    ("stated", "types"),
    [
        ([], None),
        (["string"], ["string"]),
        ([["string", "null"], ["null", "string", "number"]], ["string", "null"]),
        (["number", "integer"], ["integer"]),
        (["integer", "number"], ["integer"]),
        ([["integer", "number"]], ["number"]),
        ([["number", "null"], ["integer", "null"]], ["integer", "null"]),
        ([["number", "null"], ["number", "integer"]], ["number"]),
        (["string", "number"], []),
    ],
)
def test_types_are_those_that_all_parts_allow(stated, types):
    node = read({"allOf": [{"type": one} for one in stated] or [True]})
    assert node.types == types


def test_a_schema_without_a_type_has_the_one_that_its_keywords_are_about():
    assert read({"minLength": 1}).likely_types == ["string"]
    assert read({"properties": {}}).likely_types == ["object"]
    assert read({"title": "T"}).likely_types == []
    assert read({"minLength": 1, "type": "array"}).likely_types == ["array"]
    assert read({"minLength": 1}).types is None


def test_every_pattern_is_kept_with_its_own_sentence():
    parts = [{"pattern": "^a", "x-error-messages": {"pattern": "must start with a"}}, {"pattern": "b$"}]
    assert read({"allOf": parts}).patterns == {"^a": "must start with a", "b$": ""}


def test_what_stands_beside_a_reference_beats_its_target_and_a_later_branch_an_earlier():
    target = {"title": "Target", "description": "Of the target.", "unit": "cm"}
    node = read({"$ref": "#/$defs/t", "title": "Own", "allOf": [{"unit": "m"}]}, t=target)
    assert (node.text("title"), node.text("description"), node.text("unit")) == ("Own", "Of the target.", "m")
    assert read({"allOf": [{"title": "A"}, {"title": "B"}, {"title": "A"}]}).text("title") == "A"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ({"const": 1}, [1]),
        ({"enum": [1, "a", None]}, [1, "a", None]),
        ({"allOf": [{"enum": ["a", "b", "c"]}, {"enum": ["c", "b", "d"]}]}, ["b", "c"]),
        ({"enum": [1, True, 0, False], "allOf": [{"enum": [True, 0.0]}]}, [True, 0.0]),
        ({"enum": [[1], [True]], "allOf": [{"const": [True]}]}, [[True]]),
        ({"enum": [{"a": 1}, {"a": True}], "allOf": [{"const": {"a": 1}}]}, [{"a": 1}]),
        ({"enum": ["a", 1, 2.0, 2.5, True, None], "type": ["integer", "null"]}, [1, 2.0, None]),
        ({"anyOf": [{"enum": [1, 2]}, {"const": 3}]}, [1, 2, 3]),
        ({"oneOf": [{"const": 1}, {"type": "null"}]}, [1, None]),
        ({"oneOf": [{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/null"}]}, [1, None]),
        ({"oneOf": [{"const": 1}, False]}, [1]),
        ({"oneOf": [{"const": 1}, {"type": "string"}]}, None),
        ({"oneOf": [True, {"const": 1}]}, None),
        ({"enum": [1], "const": 2}, []),
        ({"type": "null"}, None),
        ({"anyOf": [{"$ref": "#/$defs/again"}, {"const": 1}]}, None),
    ],
)
def test_choices_are_the_values_that_every_list_has(field, values):
    again = {"anyOf": [{"$ref": "#/$defs/again"}, {"const": 1}]}
    choices = read(field, one={"const": 1}, null={"type": "null"}, again=again).choices
    found = None if choices is None else [choice.value for choice in choices]
    assert repr(found) == repr(values)  # which tells 1 from true


def test_choices_have_the_titles_that_any_list_gives_them():
    titled = {"oneOf": [{"const": 1, "title": "One"}, {"enum": [2], "title": "Two", "description": "More."}]}
    assert read({"enum": [2, 1], **titled}).choices == [Choice(1, "One"), Choice(2, "Two", "More.")]


# What is inside


def test_a_field_is_under_every_rule_that_reaches_its_name():
    node = read_node(
        {
            "properties": {"ab": {"minimum": 1}},
            "patternProperties": {"^a": {"minimum": 2}},
            "additionalProperties": {"minimum": 3},
            "allOf": [{"additionalProperties": {"minimum": 4}}, {"properties": {"z": False}}],
        }
    )
    assert sorted(node.field("ab").all("minimum")) == [1, 2, 4]
    assert sorted(node.field("ax").all("minimum")) == [2, 4]
    assert sorted(node.field("x").all("minimum")) == [3, 4]
    assert node.field("z").is_refused


def test_a_field_that_another_branch_closes_out_is_refused():
    closed = {"properties": {"a": True}, "additionalProperties": False}
    node = read_node({"allOf": [closed, {"properties": {"b": {"type": "string"}}}]})
    assert {name: field.is_refused for name, field in node.fields().items()} == {"a": False, "b": True}
    assert node.is_closed


def test_an_entry_is_under_every_rule_that_reaches_its_place():
    node = read({"prefixItems": [{"minimum": 1}, {}], "allOf": [{"items": {"minimum": 2}}]})
    assert [entry.bound("minimum") for entry in node.first_entries()] == [2, 2]
    assert [entry.path for entry in node.first_entries()] == ["x[0]", "x[1]"]
    assert node.entry().bound("minimum") == 2
    assert read({"prefixItems": [{}]}).entry() is None


# References


@pytest.mark.parametrize(
    "reference", ["#/$defs/here", "#here", "#/%24defs/here", "#/$defs/first/allOf/0", "#/properties/there", "#dynamic"]
)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_every_way_to_refer_is_followed(keyword, reference):
    schema = {
        "properties": {"x": {keyword: reference, "maximum": 9}, "there": {"type": "integer"}},
        "$defs": {
            "here": {"$anchor": "here", "type": "integer"},
            "first": {"allOf": [{"type": "integer"}]},
            "dynamic": {"$dynamicAnchor": "dynamic", "type": "integer"},
        },
    }
    node = read_node(schema).field("x")
    assert (node.types, node.bound("maximum")) == (["integer"], 9)


def test_a_reference_that_leads_back_is_told_with_its_place():
    tree = {"type": "object", "properties": {"again": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
    node = read({"$ref": "#/$defs/tree"}, tree=tree)
    assert (node.path, node.returns_to) == ("x", None)
    back = node.field("again").entry()
    assert (back.path, back.returns_to, back.types) == ("x.again[]", "x", ["object"])
    assert back.fields() == {}


def test_one_definition_in_two_branches_is_no_recursion():
    base = {"properties": {"a": {"type": "string"}}}
    node = read(
        {"allOf": [{"$ref": "#/$defs/base"}, {"$ref": "#/$defs/more"}]},
        base=base,
        more={"allOf": [{"$ref": "#/$defs/base"}], "required": ["a"]},
    )
    assert (node.returns_to, node.required, list(node.fields())) == (None, ["a"], ["a"])


def test_a_definition_beside_a_field_that_uses_it_too_is_no_recursion():
    node = read(
        {"allOf": [{"$ref": "#/$defs/named"}, {"properties": {"owner": {"$ref": "#/$defs/named"}}}]},
        named={"properties": {"name": {"type": "string"}}},
    )
    assert node.field("owner").returns_to is None
    assert node.field("owner").field("name").types == ["string"]


@pytest.mark.parametrize(
    "definitions",
    [
        {"a": {"$ref": "#/$defs/a"}},
        {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        {"a": {"allOf": [{"$ref": "#/$defs/a"}]}},
        {"a": {"$anchor": "a", "allOf": [{"$ref": "#a"}]}},
        {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}},
    ],
)
def test_references_in_a_circle_end(definitions):
    node = read({"$ref": "#/$defs/a"}, **definitions)
    branches = [branch for alternatives in node.alternatives() for branch in alternatives.branches]
    assert [found.returns_to for found in branches or [node]] == ["x"] * (len(branches) or 1)


def test_definitions_that_refer_twice_to_the_next_are_read_once():
    chain = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(2000)}
    node = read({"$ref": "#/$defs/d0"}, **chain, d2000={"type": "string"})
    assert node.types == ["string"]
    assert len(node.parts) == 1


# Against a validator: a node tells all of the rules, and no others

NAMES = st.sampled_from(["a", "b", "ab"])
SCALARS = st.sampled_from([None, True, False, 0, 1, 1.0, 2, 2.5, "", "a", "ab", "b"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
SMALL = st.integers(0, 3)


def _objects(inner):
    keywords = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "const": SCALARS,
        "enum": st.lists(VALUES, min_size=1, max_size=4),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), SMALL),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), SMALL),
        "pattern": st.sampled_from(["a", "^a", "b$"]),
        "required": st.lists(NAMES, max_size=2, unique=True),
        "properties": st.dictionaries(NAMES, inner, max_size=2),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=1),
        **dict.fromkeys(("items", "additionalProperties"), inner),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), st.lists(inner, min_size=1, max_size=3)),
        "$ref": st.sampled_from(["#/$defs/a", "#b"]),
    }
    return st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({keyword: keywords[keyword] for keyword in chosen})
    )


DEFINITIONS = {
    "a": {"type": ["string", "number", "object"], "allOf": [{"$ref": "#b"}], "maxLength": 2},
    "b": {"$anchor": "b", "minimum": 1, "pattern": "a", "properties": {"a": {"type": "string"}}},
}
SCHEMAS = st.recursive(st.booleans() | st.just({}) | _objects(st.booleans()), _objects, max_leaves=5)


def allows(node: Node, value: Any) -> bool:
    """Whether a value keeps every rule that a node tells."""
    if node.is_refused or (node.types is not None and not is_of_types(value, node.types)):
        return False
    if node.choices is not None and not any(is_same(choice.value, value) for choice in node.choices):
        return False
    for alternatives in node.alternatives():
        fitting = sum(allows(branch, value) for branch in alternatives.branches)
        if not (fitting == 1 if alternatives.keyword == "oneOf" else fitting):
            return False
    if isinstance(value, str):
        return keeps(node, "Length", len(value)) and all(re.search(pattern, value) for pattern in node.patterns)
    if isinstance(value, list):
        first, entry = node.first_entries(), node.entry()
        entries = [first[i] if i < len(first) else entry for i in range(len(value))]
        return keeps(node, "Items", len(value)) and all(
            found is None or allows(found, inner) for found, inner in zip(entries, value, strict=True)
        )
    if isinstance(value, dict):
        fields = all(allows(node.field(name), inner) for name, inner in value.items())
        return fields and value.keys() >= {*node.required} and keeps(node, "Properties", len(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        above, below = node.bound("exclusiveMinimum"), node.bound("exclusiveMaximum")
        is_inside = (above is None or value > above) and (below is None or value < below)
        return is_inside and keeps(node, "imum", value)
    return True


def keeps(node: Node, noun: str, size: float) -> bool:
    least, most = node.bound(f"min{noun}"), node.bound(f"max{noun}")
    return (least is None or size >= least) and (most is None or size <= most)


@settings(deadline=None, max_examples=500)
@given(SCHEMAS, VALUES)
def test_a_node_allows_what_a_validator_allows(field, value):
    schema = {"properties": {"x": field}, "$defs": DEFINITIONS}
    is_valid = Draft202012Validator(schema).is_valid({"x": value})
    assert allows(read_node(schema).field("x"), value) == is_valid


@given(st.lists(TYPES, min_size=1, unique=True), st.lists(TYPES, min_size=1, unique=True), SCALARS)
def test_common_types_take_what_both_lists_take(types, others, value):
    both = is_of_types(value, types) and is_of_types(value, others)
    assert is_of_types(value, narrow_types(types, others)) == both
