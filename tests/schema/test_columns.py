import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_service.schema.columns import Column, describe_columns, parse_columns
from model_service.schema.validation import SchemaValidator

# No test may depend on how fast the machine is.
generously = settings(deadline=None)


def parse(field, text, **more):
    [(name, value)] = parse_columns({"properties": {"x": field}, **more}, {"x": text}).items()
    assert name == "x"
    return value


def same(one, other) -> bool:
    return (type(one), one) == (type(other), other)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        pytest.param({"type": "integer"}, "5", 5, id="integer"),
        pytest.param({"type": "integer"}, "-5", -5, id="negative"),
        pytest.param({"type": "integer"}, "5.0", 5.0, id="integer-as-float"),
        pytest.param({"type": "number"}, "5", 5, id="number-as-integer"),
        pytest.param({"type": "number"}, " 0.5\n", 0.5, id="blanks-around-a-number"),
        pytest.param({"type": "number"}, "1e-3", 0.001, id="exponent"),
        pytest.param({"type": "number"}, "123456789012345678901", 123456789012345678901, id="big-integer"),
        pytest.param({"type": "boolean"}, "true", True, id="boolean"),
        pytest.param({"type": "string"}, "5", "5", id="text-like-a-number"),
        pytest.param({"type": "string"}, "null", "null", id="text-like-null"),
        pytest.param({"type": "string"}, "", "", id="empty-text"),
        pytest.param({"type": "string"}, " a ", " a ", id="blanks-in-text"),
        pytest.param({"type": ["string", "null"]}, "", None, id="empty-or-null"),
        pytest.param({"type": ["string", "null"]}, "null", "null", id="null-spelt-where-text-may-be"),
        pytest.param({"type": ["number", "null"]}, "", None, id="no-number"),
        pytest.param({"type": ["number", "null"]}, "null", None, id="null-spelt"),
        pytest.param({"type": ["number", "null"]}, "5", 5, id="number-or-null"),
        pytest.param({"type": ["number", "string"]}, "5", "5", id="text-or-number-is-text"),
        pytest.param({"type": "array"}, "[1, 2]", [1, 2], id="array"),
        pytest.param({"type": "object"}, '{"a": [null]}', {"a": [None]}, id="object"),
        pytest.param({}, "5", "5", id="no-type"),
        pytest.param(True, "5", "5", id="true-schema"),
        pytest.param({"enum": [1, 2]}, "2", 2, id="enum-of-numbers"),
        pytest.param({"enum": [1, "a"]}, "1", "1", id="enum-with-text"),
        pytest.param({"enum": [1, None]}, "", None, id="enum-with-null"),
        pytest.param({"enum": [True, False]}, "false", False, id="enum-of-booleans"),
        pytest.param({"const": 7}, "7", 7, id="const-number"),
        pytest.param({"const": "7"}, "7", "7", id="const-text"),
        pytest.param({"const": None}, "", None, id="const-null"),
        pytest.param({"anyOf": [{"type": "number"}, {"type": "null"}]}, "", None, id="any-of-null"),
        pytest.param({"anyOf": [{"type": "number"}, {"type": "null"}]}, "1.5", 1.5, id="any-of-number"),
        pytest.param({"oneOf": [{"const": 1, "title": "One"}, {"const": 2}]}, "2", 2, id="one-of-constants"),
        pytest.param({"$ref": "#/$defs/number"}, "5", 5, id="reference"),
        pytest.param({"$ref": "#count"}, "5", 5, id="anchor"),
        pytest.param({"$ref": "#/$defs/again"}, "5", 5, id="reference-to-a-reference"),
        pytest.param({"anyOf": [{"$ref": "#/$defs/number"}, {"type": "null"}]}, "", None, id="reference-or-null"),
        pytest.param({"$ref": "#/$defs/anything"}, "5", "5", id="reference-to-true"),
        pytest.param({"$ref": "#/$defs/number", "type": ["number", "null"]}, "", "", id="both-types-hold"),
        pytest.param({"$ref": "#/$defs/maybe", "type": ["null", "integer"]}, "", None, id="null-in-both-types"),
        pytest.param({"$ref": "#/$defs/maybe", "title": "T"}, "5", 5, id="title-beside-reference"),
        pytest.param({"$dynamicRef": "#count"}, "5", 5, id="dynamic-reference"),
        pytest.param({"allOf": [{"type": "integer"}]}, "5", 5, id="all-of"),
        pytest.param({"allOf": [{"$ref": "#/$defs/again"}, {"minimum": 0}]}, "5", 5, id="reference-in-all-of"),
        pytest.param({"allOf": [{"anyOf": [{"type": "number"}, {"type": "null"}]}]}, "", None, id="any-of-in-all-of"),
        pytest.param({"anyOf": [{"allOf": [{"type": "integer"}]}, {"type": "null"}]}, "5", 5, id="all-of-in-any-of"),
        pytest.param({"allOf": [{"enum": [1, "a"]}, {"enum": [1, 2]}]}, "1", 1, id="what-two-enums-share"),
        pytest.param({"minimum": 0}, "5", 5, id="a-rule-of-numbers"),
        pytest.param({"$ref": "#/$defs/circle"}, "5", 5, id="alternatives-in-a-circle"),
        pytest.param({"$ref": "#/$defs/circle"}, "a", "a", id="no-number-in-a-circle"),
        pytest.param({"$ref": "#"}, '{"x": {}}', {"x": {}}, id="reference-to-the-root"),
    ],
)
def test_a_text_becomes_what_the_field_says(field, text, value):
    definitions = {
        "number": {"type": "number"},
        "count": {"$anchor": "count", "type": "integer"},
        "again": {"$ref": "#/$defs/number"},
        "anything": True,
        "maybe": {"type": ["number", "null"]},
        "circle": {"anyOf": [{"$ref": "#/$defs/circle"}, {"type": "number"}]},
    }
    assert same(parse(field, text, **{"type": "object", "$defs": definitions}), value)


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        pytest.param("number", "five", id="words"),
        pytest.param("number", "", id="nothing"),
        pytest.param("number", "1,5", id="decimal-comma"),
        pytest.param("number", "+5", id="plus-sign"),
        pytest.param("number", "0x10", id="hexadecimal"),
        pytest.param("number", '"5"', id="quoted"),
        pytest.param("integer", "5 6", id="two-numbers"),
        pytest.param("integer", "9" * 5000, id="too-many-digits"),
        pytest.param("boolean", "True", id="python-boolean"),
        pytest.param("boolean", "yes", id="yes"),
        pytest.param("array", "[1,", id="cut-off"),
        pytest.param("array", "[" * 100_000, id="deep"),
        pytest.param("object", "{a: 1}", id="no-json"),
    ],
)
def test_a_text_that_does_not_fit_stays_for_validation_to_explain(type_name, text):
    schema = {"properties": {"x": {"type": type_name}}}
    payload = parse_columns(schema, {"x": text})
    assert payload == {"x": text}
    [violation] = SchemaValidator(schema).find_violations(payload)
    assert (violation.pointer, violation.rule) == ("/x", "type")
    assert violation.message.endswith("got a string")


@pytest.mark.parametrize(
    ("type_name", "text", "rule", "message"),
    [
        ("number", "NaN", "finite", "expected a finite number"),
        ("number", "1e400", "finite", "expected a finite number"),
        ("number", "true", "type", "expected a number, got a boolean"),
        ("integer", "1.5", "type", "expected an integer, got a number"),
        ("number", "null", "type", "expected a number, got null"),
        ("object", "[]", "type", "expected an object, got an array"),
    ],
    ids=["nan", "infinity", "boolean-for-number", "fraction-for-integer", "null-for-number", "array-for-object"],
)
def test_a_text_of_another_type_is_explained_as_that_type(type_name, text, rule, message):
    schema = {"properties": {"x": {"type": type_name}}}
    [violation] = SchemaValidator(schema).find_violations(parse_columns(schema, {"x": text}))
    assert (violation.pointer, violation.rule, violation.message) == ("/x", rule, message)


def test_columns_keep_their_order_and_unknown_ones_stay_texts():
    schema = {"properties": {"a": {"type": "number"}, "b": {"type": "boolean"}}}
    payload = parse_columns(schema, {"z": "1", "b": "true", "a": "1"})
    assert list(payload.items()) == [("z", "1"), ("b", True), ("a", 1)]


def test_a_schema_without_fields_leaves_every_text_alone():
    assert parse_columns({"type": "object"}, {"a": "1", "b": ""}) == {"a": "1", "b": ""}
    assert parse_columns({"type": "object"}, {}) == {}


@pytest.mark.parametrize("wrap", [lambda root: {"allOf": [root]}, lambda root: {"$ref": "#/$defs/root"}])
def test_the_fields_of_a_root_that_combines_or_refers_are_columns(wrap):
    root = {"properties": {"x": {"type": "integer"}}, "required": ["x"]}
    schema = {"type": "object", "$defs": {"root": root}, **wrap(root)}
    assert parse_columns(schema, {"x": "5"}) == {"x": 5}
    [column] = describe_columns(schema)
    assert (column.name, column.types, column.is_required) == ("x", ("integer",), True)


def test_alternatives_that_unfold_without_end_are_bounded():
    doubling = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(60)}
    assert parse({"$ref": "#/$defs/d0"}, "5", **{"$defs": {**doubling, "d60": {}}}) == "5"


def test_references_that_never_end_leave_a_text_alone():
    definitions = {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}
    assert parse({"$ref": "#/$defs/a"}, "5", **{"$defs": definitions}) == "5"


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=5
)
VALUES = {
    "integer": st.integers(),
    "number": NUMBERS,
    "boolean": st.booleans(),
    "array": st.lists(JSON, max_size=3),
    "object": st.dictionaries(st.text(), JSON, max_size=3),
    "null": st.none(),
    "string": st.text(),
}
FIELDS = st.sampled_from(list(VALUES)).flatmap(lambda name: st.tuples(st.just(name), VALUES[name]))


@generously
@given(st.dictionaries(st.text(), FIELDS, max_size=5), st.booleans())
def test_typed_values_written_as_texts_come_back(columns, nullable):
    fields = {}
    for name, (type_name, _) in columns.items():
        is_nullable = nullable and type_name not in ("string", "null")
        fields[name] = {"type": [type_name, "null"] if is_nullable else type_name}
    schema = {"type": "object", "properties": fields, "required": list(fields)}
    payload = {name: value for name, (_, value) in columns.items()}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in payload.items()}
    found = parse_columns(schema, texts)
    assert repr(found) == repr(payload)
    assert SchemaValidator(schema).find_violations(found) == []


@generously
@given(st.text(), st.sampled_from(list(VALUES)))
def test_any_text_is_a_value_or_stays_itself(text, type_name):
    value = parse({"type": type_name}, text)
    assert value == text or repr(value) == repr(json.loads(text) if text else None)


def describe(field, **more):
    [column] = describe_columns({"properties": {"x": field}, **more})
    return column


def test_a_column_is_described_in_words_and_types():
    field = {"type": ["number", "null"], "title": "Width", "description": "In centimetres."}
    schema = {"properties": {"w": field, "n": {"type": "integer"}}, "required": ["n"], "examples": [{"w": 0.5, "n": 3}]}
    assert describe_columns(schema) == [
        Column("w", "Width", "In centimetres.", ("null", "number"), is_required=False, example="0.5"),
        Column("n", "n", "", ("integer",), is_required=True, example="3"),
    ]


def test_a_schema_without_fields_has_no_columns():
    assert describe_columns({"type": "object"}) == []


@pytest.mark.parametrize(
    ("field", "types"),
    [
        pytest.param({}, (), id="nothing-said"),
        pytest.param(True, (), id="true-schema"),
        pytest.param({"$ref": "#/$defs/size"}, ("number",), id="reference"),
        pytest.param(
            {"anyOf": [{"$ref": "#/$defs/size"}, {"type": "null"}]}, ("null", "number"), id="reference-or-null"
        ),
        pytest.param({"enum": ["a", 1, None]}, ("null", "number", "string"), id="enum"),
        pytest.param({"$ref": "#/$defs/loop"}, (), id="reference-without-end"),
    ],
)
def test_the_types_of_a_column_are_those_that_cells_are_read_by(field, types):
    definitions = {"size": {"type": "number"}, "loop": {"$ref": "#/$defs/loop"}}
    assert describe(field, **{"$defs": definitions}).types == types


def test_a_column_takes_the_words_of_what_it_refers_to_unless_it_has_its_own():
    definitions = {"size": {"type": "number", "title": "Size", "description": "In metres.", "examples": [2]}}
    column = describe({"$ref": "#/$defs/size", "title": "Height"}, **{"$defs": definitions})
    assert (column.title, column.description, column.example) == ("Height", "In metres.", "2")


@pytest.mark.parametrize(
    ("examples", "text"),
    [
        ([{"x": "a, b"}], "a, b"),
        ([{"x": None}, {}, {"x": "second"}], "second"),
        ([{"x": ["é", {"a": 1}]}], '["é", {"a": 1}]'),
        ([{"x": False}], "false"),
        ([{"y": 1}], ""),
        ([], ""),
    ],
    ids=["text", "first-that-is-not-null", "array", "boolean", "another-field", "none"],
)
def test_the_example_of_a_column_is_written_as_a_cell(examples, text):
    assert describe({"type": "string"}, examples=examples).example == text
    assert describe(True, examples=examples).example == text
