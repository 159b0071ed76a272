import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_specifications import REGISTRY

from model_service.schema.columns import describe_columns
from model_service.schema.contract import find_schema_faults, find_schema_warnings
from model_service.schema.form import build_form
from model_service.schema.keywords import KEYWORDS
from model_service.schema.outline import build_outline
from model_service.schema.validation import SchemaValidator
from model_service.schema.walk import resolve_reference

#: The schemas of every vocabulary, by their addresses.
SPECIFICATIONS = {uri: REGISTRY[uri] for uri in REGISTRY}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def find(schema):
    return find_schema_faults(schema, "input_schema")


def with_field(field, **more):
    return {"type": "object", "properties": {"x": field}, **more}


# What is fit


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"type": "object"}, id="smallest"),
        pytest.param({"type": "object", "$schema": DIALECT}, id="dialect"),
        pytest.param({"type": "object", "$schema": DIALECT + "#"}, id="dialect-with-fragment"),
        pytest.param({"type": "object", "$id": "https://example.com/schema"}, id="absolute-id"),
        pytest.param({"type": "object", "x-anything": 5, "unknown": {"a": 1}}, id="unknown-keywords"),
        pytest.param(with_field(True), id="boolean-subschema"),
        pytest.param(with_field({"type": "number"}, required=["x"], examples=[{"x": 1}, {"x": 2}]), id="examples"),
        pytest.param(with_field({"const": {"$ref": "http://a"}}), id="ref-in-const"),
        pytest.param(with_field({"enum": [{"$ref": "#/nowhere"}]}), id="ref-in-enum"),
        pytest.param(with_field({"default": {"$ref": 5}, "examples": [{"$ref": "b"}]}), id="ref-in-default"),
        pytest.param({"type": "object", "examples": [{"$ref": "#/nowhere", "$id": "a"}]}, id="ref-in-examples"),
        pytest.param(with_field({"x-error-messages": {"$ref": "No."}, "$ref": "#"}), id="ref-in-messages"),
    ],
)
def test_a_fit_schema_has_no_faults(schema):
    assert find(schema) == []


@pytest.mark.parametrize(
    "name",
    [
        "$ref",
        "$dynamicRef",
        "$id",
        "$anchor",
        "$schema",
        "$defs",
        "const",
        "default",
        "dependentSchemas",
        "enum",
        "examples",
        "patternProperties",
        "properties",
        "required",
        "type",
        "x-error-messages",
    ],
)
def test_a_field_may_be_named_like_a_keyword(name):
    field = {"type": "string", "title": "A", "default": {"$ref": "http://a"}}
    assert find({"type": "object", "properties": {name: field}, "examples": [{name: "text"}]}) == []
    assert find({"type": "object", "$defs": {name: field}, "patternProperties": {name: field}}) == []


@pytest.mark.parametrize("name", ["examples", "const", "default", "properties"])
def test_the_schema_of_a_field_named_like_a_keyword_is_judged(name):
    assert find({"type": "object", "properties": {name: {"$ref": "#/nowhere"}}}) == [
        f"input_schema/properties/{name}/$ref must refer to a place inside the schema; '#/nowhere' does not"
    ]


# What is not


@pytest.mark.parametrize("schema", [None, "{}", [], True, 5], ids=["none", "text", "list", "boolean", "number"])
def test_a_schema_must_be_a_dict(schema):
    assert find_schema_faults(schema, "output_schema") == ["output_schema must be a dict that holds a JSON Schema"]


@pytest.mark.parametrize(
    "dialect",
    [
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
        "https://example.com",
        "",
        5,
        None,
    ],
    ids=["draft-7", "2019-09", "own", "empty", "number", "null"],
)
def test_another_dialect_is_a_fault(dialect):
    assert find({"$schema": dialect, "type": "object"}) == [
        "input_schema must be JSON Schema 2020-12; its $schema names another dialect"
    ]


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        pytest.param({"type": "objekt"}, "/type", id="type"),
        pytest.param(with_field({"type": "number", "minimum": "0"}), "/properties/x/minimum", id="minimum"),
        pytest.param({"type": "object", "required": "x"}, "/required", id="required"),
        pytest.param({"type": "object", "required": ["x", "x"]}, "/required", id="required-twice"),
        pytest.param(with_field({"pattern": "["}), "/properties/x/pattern", id="pattern"),
        pytest.param({"type": "object", "patternProperties": {"(": {}}}, "/patternProperties", id="pattern-of-names"),
        pytest.param(with_field({"$ref": 5}), "/properties/x/$ref", id="ref"),
        pytest.param(with_field(5), "/properties/x", id="subschema"),
        pytest.param({"type": "object", "examples": {"x": 1}}, "/examples", id="examples"),
    ],
)
def test_an_invalid_keyword_is_a_fault_that_names_its_place(schema, place):
    fault, *_ = find(schema)
    assert fault.startswith(f"input_schema is not valid JSON Schema 2020-12: '{place}' ")


@pytest.mark.parametrize(
    ("schema", "place", "message"),
    [
        pytest.param(
            with_field({"maximum": math.inf}), "/properties/x/maximum", "expected a finite number", id="infinity"
        ),
        pytest.param(with_field({"default": math.nan}), "/properties/x/default", "expected a finite number", id="nan"),
        pytest.param(
            {"type": "object", "required": ("x",)},
            "/required",
            "expected a value of a JSON type, got tuple: make it a list",
            id="tuple",
        ),
        pytest.param(
            {"type": "object", "properties": {1: {}}},
            "/properties",
            "expected an object whose names are texts",
            id="number-key",
        ),
        pytest.param(
            {"type": "object", 1: 2}, "/", "expected an object whose names are texts", id="number-key-at-the-root"
        ),
        pytest.param(
            with_field({"examples": [{1, 2}]}),
            "/properties/x/examples/0",
            "expected a value of a JSON type, got set: make it a list",
            id="set",
        ),
    ],
)
def test_what_json_cannot_hold_is_a_fault(schema, place, message):
    assert find(schema) == [f"input_schema is not JSON: '{place}' {message}"]


def test_a_schema_that_contains_itself_is_a_fault():
    schema: dict = {"type": "object"}
    schema["properties"] = {"x": schema}
    assert find(schema) == ["input_schema is not JSON: '/' expected a value nested less than 500 levels deep"]


@pytest.mark.parametrize(
    "schema",
    [{}, {"type": "array"}, {"type": ["object", "null"]}, {"$ref": "#/$defs/a"}],
    ids=["no-type", "array", "object-or-null", "reference"],
)
def test_the_root_must_be_an_object(schema):
    assert find({**schema, "$defs": {"a": {"type": "object"}}}) == ["input_schema must have type: object at its root"]


@pytest.mark.parametrize(
    "reference",
    [
        "https://example.com/schema",
        "http://example.com/schema#/$defs/a",
        "file:///etc/passwd",
        "other.json",
        "other.json#/$defs/a",
        "/$defs/a",
        "$defs/a",
        "",
        "urn:uuid:7b0c2b5e-3c0f-4f0e-9a51-1b1f0f7f2f11",
        "https://example.com/root",
    ],
)
def test_a_reference_that_leaves_the_schema_is_a_fault(reference):
    schema = with_field({"$ref": reference}, **{"$id": "https://example.com/root", "$defs": {"a": {}}})
    assert find(schema) == [
        f"input_schema/properties/x/$ref must refer to a place inside the schema; '{reference}' does not"
    ]


@pytest.mark.parametrize(
    "reference",
    [
        pytest.param("#/$defs/b", id="no-definition"),
        pytest.param("#/$defs/a/b", id="below-a-definition"),
        pytest.param("#/x-list/2", id="past-the-end"),
        pytest.param("#/x-list/-1", id="before-the-start"),
        pytest.param("#/x-list/x", id="no-index"),
        pytest.param("#nowhere", id="no-anchor"),
        pytest.param("#/", id="empty-name"),
        pytest.param("##", id="two-hashes"),
        pytest.param("#/title", id="a-text"),
        pytest.param("#/x-list", id="a-list"),
    ],
)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_a_reference_to_nothing_or_to_no_schema_is_a_fault(keyword, reference):
    schema = {"type": "object", "title": "T", "$defs": {"a": {}}, "x-list": [{}, {}]}
    schema["not"] = {"items": {keyword: reference}}
    assert find(schema) == [
        f"input_schema/not/items/{keyword} must refer to a place inside the schema; '{reference}' does not"
    ]


LIBRARY = {
    "type": "object",
    "$defs": {
        "a": {"$anchor": "here", "type": "number"},
        "b": {"$dynamicAnchor": "there", "type": "number"},
        "c/d~e": {"type": "number"},
        "two words": {"type": "number"},
        "100%": {"type": "number"},
        "größe": {"type": "number"},
        "deep": {"allOf": [{"type": "string"}, {"type": "number"}]},
        "$ref": {"type": "number"},
    },
}


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("#/$defs/a", ["$defs", "a"]),
        ("#here", ["$defs", "a"]),
        ("#there", ["$defs", "b"]),
        ("#/$defs/c~1d~0e", ["$defs", "c/d~e"]),
        ("#/$defs/two%20words", ["$defs", "two words"]),
        ("#/$defs/100%25", ["$defs", "100%"]),
        ("#/$defs/gr%C3%B6%C3%9Fe", ["$defs", "größe"]),
        ("#/$defs/größe", ["$defs", "größe"]),
        ("#/$defs/deep/allOf/1", ["$defs", "deep", "allOf", 1]),
        ("#/$defs/$ref", ["$defs", "$ref"]),
        ("#/properties/y", ["properties", "y"]),
    ],
)
def test_a_reference_inside_the_schema_is_resolved_as_validation_does(reference, path):
    schema = LIBRARY | {"properties": {"x": {"$ref": reference}, "y": {"type": "number"}}}
    assert find(schema) == []
    assert resolve_reference(schema, reference) == tuple(path)
    assert SchemaValidator(schema).find_violations({"x": 1}) == []
    assert [violation.rule for violation in SchemaValidator(schema).find_violations({"x": "1"})] == ["type"]


def test_the_root_can_be_referred_to():
    schema = with_field({"$ref": "#"}, additionalProperties=False, examples=[{"x": {"x": {}}}])
    assert find(schema) == []
    assert resolve_reference(schema, "#") == ()
    assert find({**schema, "examples": [{"x": {"y": {}}}]}) != []


def test_a_dynamic_reference_is_resolved():
    schema = with_field({"$dynamicRef": "#node"}, **{"$dynamicAnchor": "node", "examples": [{"x": {}}]})
    assert find(schema) == []


def test_an_anchor_spelt_in_data_is_no_anchor():
    schema = with_field({"$ref": "#here"}, default={"$anchor": "here"})
    assert len(find(schema)) == 1


def test_an_id_below_the_root_is_a_fault():
    # References below it would start from there: this one is fine for a reader, and fails at the first request.
    schema = with_field({"$id": "https://example.com/x", "$ref": "#/$defs/a"}, **{"$defs": {"a": {}}})
    assert find(schema) == ["input_schema/properties/x must not have an $id, which would change what references mean"]


def test_every_fault_of_the_references_is_listed_with_that_of_the_root():
    schema = {"properties": {"x": {"$ref": "a"}, "y": {"items": {"$ref": "#/b"}}}}
    assert [fault.split(" must ")[0] for fault in find(schema)] == [
        "input_schema",
        "input_schema/properties/x/$ref",
        "input_schema/properties/y/items/$ref",
    ]


@pytest.mark.parametrize(
    ("anything", "fault"),
    [
        ({"type": 5}, "'/type' 5 is not valid under any of the given schemas"),
        ({"items": {"minimum": "0"}}, "'/items/minimum' '0' is not of type 'number'"),
        ({"pattern": "("}, "'/pattern' '(' is not a 'regex'"),
    ],
)
def test_what_a_reference_leads_to_must_be_a_schema(anything, fault):
    assert find(with_field({"$ref": "#/x-anything"}, **{"x-anything": anything})) == [
        f"input_schema/properties/x/$ref must refer to valid JSON Schema 2020-12: {fault}"
    ]


def test_references_are_judged_where_only_a_reference_makes_a_schema():
    schema = with_field({"$ref": "#/x-ours/0"}, **{"x-ours": [{"not": {"$ref": "#/nowhere"}}, {"$ref": "no matter"}]})
    assert find(schema) == [
        "input_schema/x-ours/0/not/$ref must refer to a place inside the schema; '#/nowhere' does not"
    ]


def test_an_anchor_that_validation_would_not_find_is_none():
    schema = with_field({"$ref": "#here"}, **{"x-ours": {"$anchor": "here"}})
    assert len(find(schema)) == 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_KEYWORDS = (
    *("type", "title", "unit", "default", "enum", "const", "minimum", "exclusiveMaximum", "multipleOf", "minLength"),
    *("maxItems", "pattern", "x-error-messages", "properties", "required", "items", "prefixItems", "oneOf", "anyOf"),
    *("allOf", "$ref", "additionalProperties", "patternProperties", "format", "not"),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(_KEYWORDS), _JSON, max_size=6))
def test_what_passes_is_read_by_all_whatever_a_reference_leads_to(anything):
    schema = with_field({"$ref": "#/x-anything"}, **{"x-anything": anything})
    if not find(schema):
        assert build_form(schema).widget == "object"
        assert [row.path for row in build_outline(schema)][:2] == ["", "x"]
        assert [column.name for column in describe_columns(schema)] == ["x"]
        SchemaValidator(schema).find_violations({"x": 1})


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("float", "; did you mean 'number'?"),
        ("int", "; did you mean 'integer'?"),
        ("Str", "; did you mean 'string'?"),
        ("dict", "; did you mean 'object'?"),
        ("strng", "; did you mean 'string'?"),
        ("qqq", ""),
        (["null", "float"], "; did you mean 'number'?"),
    ],
    ids=str,
)
def test_a_type_that_json_does_not_have_suggests_the_one_that_is_meant(written, hint):
    name = written if isinstance(written, str) else written[-1]
    assert find(with_field({"type": written})) == [
        f"input_schema is not valid JSON Schema 2020-12: '/properties/x/type' '{name}' is no type of JSON{hint}"
    ]


# Mistakes that are valid JSON Schema


def warn(schema):
    assert find(schema) == []
    return find_schema_warnings(schema, "input_schema")


@pytest.mark.parametrize(
    ("keyword", "hint"),
    [
        ("minium", "; did you mean 'minimum'?"),
        ("requierd", "; did you mean 'required'?"),
        ("Maximum", "; did you mean 'maximum'?"),
        ("example", "; did you mean 'examples'?"),
        ("nullable", ""),
    ],
)
def test_a_keyword_that_does_not_exist_is_named_with_the_one_that_is_meant(keyword, hint):
    assert warn(with_field({keyword: 1})) == [
        f"input_schema/properties/x/{keyword} is no keyword of JSON Schema and changes nothing{hint}"
    ]


def test_keywords_of_json_schema_of_the_platform_and_of_authors_are_nothing_to_warn_of():
    ours = {"unit": "cm", "x-alphabet": "ACGT", "x-error-messages": {"type": "A text."}, "x-own": 1, "type": "string"}
    schema = with_field(ours, title="T", **{"$schema": DIALECT, "$comment": "c", "$defs": {"minium": {"minLength": 1}}})
    assert warn({**schema, "examples": [{"x": "a", "minium": 1}], "default": {"minium": 1}}) == []


def test_every_keyword_of_the_metaschema_is_known():
    words = {
        name
        for uri, schema in SPECIFICATIONS.items()
        if uri.startswith("https://json-schema.org/draft/2020-12/meta/")
        for name in schema.contents.get("properties", {})
    }
    assert len(words) > 50
    assert words <= KEYWORDS


def test_a_required_name_that_only_differs_in_its_case_is_a_warning():
    message = (
        "input_schema/required names 'X', which is not among the properties, so no form asks for it; did you mean 'x'?"
    )
    assert warn(with_field({}, required=["X"])) == [message]
    assert warn(with_field({"properties": {"X": {}}}, required=["X"])) == [message]


def test_a_required_name_that_is_refused_is_a_fault():
    assert find(with_field({}, required=["x", "X", "other"], additionalProperties=False)) == [
        "input_schema/required names 'X', which is not among the properties and additionalProperties refuses; "
        "did you mean 'x'?",
        "input_schema/required names 'other', which is not among the properties and additionalProperties refuses",
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {"required": ["x"], "additionalProperties": False},
        {"required": ["ab"], "patternProperties": {"^a": {}}, "additionalProperties": False},
        {"anyOf": [{"required": ["x"]}, {"required": ["y"]}], "$defs": {"y": {"properties": {"y": {}}}}},
        {"allOf": [{"properties": {"y": {}}}, {"properties": {"z": {}}, "required": ["y", "z"]}]},
    ],
    ids=["own", "by-pattern", "described-elsewhere", "of-another-branch"],
)
def test_a_required_name_that_is_described_somewhere_is_fine(schema):
    assert warn({**with_field({}), **schema}) == []


LARGE = "^[ACGT]{1,100000}$"


@pytest.mark.parametrize(
    ("field", "keyword"), [({"pattern": LARGE}, "pattern"), ({"patternProperties": {LARGE: {}}}, "patternProperties")]
)
def test_a_pattern_that_is_too_large_for_fast_validation_is_a_warning_and_decides_slowly(field, keyword):
    schema = with_field(field, examples=[{}])
    (warning,) = warn(schema)
    assert warning.startswith(f"input_schema/properties/x/{keyword} is larger than fast validation takes")
    assert not SchemaValidator(schema).is_fast
    assert SchemaValidator(schema).accepts_all([{"x": "ACGT"}])
    if keyword == "pattern":
        assert not SchemaValidator(schema).accepts_all([{"x": "ACGU"}])


# Examples


@pytest.mark.parametrize(
    ("field", "warning"),
    [
        pytest.param(
            {"type": "number", "default": "2.5"},
            "input_schema/properties/x/default is refused by its own field: expected a number, got a string",
            id="a default",
        ),
        pytest.param(
            {"enum": ["a", "b"], "examples": ["a", "c"]},
            "input_schema/properties/x/examples/1 is refused by its own field: expected 'a' or 'b'",
            id="an example",
        ),
    ],
)
def test_a_value_that_its_own_field_refuses_is_a_warning(field, warning):
    (found,) = warn(with_field(field))
    assert found.startswith(warning)
    assert warn(with_field({"$ref": "#/$defs/y", "default": 1}, **{"$defs": {"y": {"type": "string"}}})) == []


def test_an_example_that_its_own_schema_refuses_is_a_fault():
    schema = with_field({"type": "number"}, required=["x"], examples=[{"x": 1}, {"x": "1"}, {}, 5])
    assert find(schema) == [
        "input_schema refuses its own example 1: '/x' expected a number, got a string",
        "input_schema refuses its own example 2: '/x' this field is missing",
        "input_schema refuses its own example 3: '/' expected an object, got a number",
    ]


def test_an_example_of_a_field_is_not_judged():
    assert find(with_field({"type": "number", "examples": ["one"]})) == []


# The author's sentences


@pytest.mark.parametrize("messages", [[], "No.", 5, {"minimum": ""}, {"minimum": 5}, {"minimum": ["No."]}], ids=str)
def test_messages_must_map_keywords_to_sentences(messages):
    assert find(with_field({"minimum": 0, "x-error-messages": messages})) == [
        "input_schema/properties/x/x-error-messages must map keywords to sentences"
    ]


def test_messages_of_keywords_that_are_not_used_are_a_fault():
    messages = {"minimum": "No debts.", "maximum": "Too much.", "required": "Missing."}
    assert find(with_field({"minimum": 0, "x-error-messages": messages}, required=["x"])) == [
        "input_schema/properties/x/x-error-messages speaks of maximum, required, which the subschema does not use"
    ]
    assert find({"type": "object", "x-error-messages": {"required": "Missing."}}) == [
        "input_schema/x-error-messages speaks of required, which the subschema does not use"
    ]


def test_messages_of_keywords_that_are_used_are_fit():
    schema = with_field({"minimum": 0, "x-error-messages": {"minimum": "No debts."}}, required=["x"])
    assert find({**schema, "x-error-messages": {"required": "Missing.", "type": "Send an object."}}) == []
