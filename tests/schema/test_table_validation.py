"""The fast yes for columns: it is given only where rows would be found valid, and it is given where it should be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_models import EXAMPLES, SumModel

from model_service.loading import describe_model
from model_service.schema.table_validation import TableSchemas, TableValidator
from model_service.schema.tensor_specs import Signature
from model_service.schema.validation import SchemaValidator

edges = st.sampled_from([0, 1, -1, 2, 3, 0.1, 0.5, 2.5, 10, 2**53, 2**53 + 1, 10**30, 1e308])
numbers = st.one_of(edges, st.floats(), st.integers(-(2**70), 2**70))
bounds = st.dictionaries(
    st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]), edges, max_size=2
)
steps = st.sampled_from([{}, {}, {"multipleOf": 2}, {"multipleOf": 3}, {"multipleOf": 0.1}])
choices = st.sampled_from(
    [
        *({}, {}, {"enum": [1, 2.5, None]}, {"enum": [1, 3]}, {"enum": [True, 2]}, {"const": 2}, {"not": {"const": 1}}),
        *({"oneOf": [{"const": 1}, {"const": 3}]}, {"oneOf": [{"const": 1}, {"const": 1.0}]}),
        *({"anyOf": [{"const": 1, "minimum": 2}, {"const": 3}]}, {"allOf": [{"minimum": 1}]}, {"$ref": "#/$defs/two"}),
    ]
)
kinds = st.sampled_from(["number", "integer", ["number", "null"], ["integer", "null"]])


def make_validator(field, *, is_required=True):
    schema = {
        "type": "object",
        "properties": {"x": field},
        "required": ["x"] if is_required else [],
        "$defs": {"two": {"maximum": 2}},
    }
    info = describe_model(SumModel)
    signature = Signature(type(info)(**{**{n: getattr(info, n) for n in info.__slots__}, "input_schema": schema}))
    return schema, TableValidator(schema, signature.inputs)


@settings(max_examples=400, deadline=None)
@given(
    kinds,
    bounds,
    steps,
    choices,
    st.booleans(),
    st.lists(st.one_of(st.none(), numbers), min_size=1, max_size=3),
    st.sampled_from([list, np.float64, np.float32, np.int64]),
)
def test_what_is_accepted_is_valid_row_by_row(kind, bound, step, choice, is_required, values, form):
    schema, validator = make_validator({"type": kind, **bound, **step, **choice}, is_required=is_required)
    given_values = values
    if form is not list:
        try:
            with np.errstate(over="ignore"):
                given_values = np.array(values, dtype=form)
        except (OverflowError, TypeError, ValueError):
            return
        values = [None if value != value else value for value in given_values.tolist()]
    table = validator.read({"x": given_values})
    if table is None:
        return
    judge = SchemaValidator(schema)
    documents = [{} if v is None and "null" not in kind else {"x": v} for v in values]
    assert [judge.find_violations(each) for each in documents] == [[] for _ in values]
    read = table.columns["x"].tolist()
    assert [None if value != value else value for value in read] == [None if v != v else v for v in values]


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ({"type": "number"}, np.array([1, 2.5, -1e308])),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 10, "title": "X", "unit": "cm"}, [1e-300, 10]),
        ({"type": "integer", "multipleOf": 3}, [3, -6.0, 3 * 2**50]),
        ({"type": ["number", "null"], "minimum": 0}, [None, None]),
        ({"anyOf": [{"type": "integer", "maximum": 5}, {"type": "null"}]}, [5, None]),
        ({"oneOf": [{"const": 1, "title": "One"}, {"const": 2, "title": "Two"}]}, [1, 2.0]),
        ({"type": "number", "allOf": [{"minimum": 1}, {"maximum": 2}]}, [1, 2]),
        ({"type": "boolean"}, [True, False]),
        ({"type": "string", "minLength": 1, "maxLength": 2}, ["é", "ab"]),
        ({"enum": ["a", "b"]}, ["a", "b", "a"]),
    ],
    ids=str,
)
def test_what_is_plainly_valid_is_accepted(field, values):
    _, validator = make_validator(field)
    assert len(validator.read({"x": values})) == len(values)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ({"type": "number"}, [math.nan]),
        ({"type": "number"}, [math.inf]),
        ({"type": "number"}, [2**53 + 1]),
        ({"type": "number"}, [None]),
        ({"type": "number", "maximum": 0.1}, np.array([0.1], np.float32)),
        ({"type": "integer"}, [0.5]),
        ({"type": ["number", "null"], "enum": [1, 2]}, [None]),
        ({"type": "boolean"}, [1]),
        ({"type": "string"}, ["\ud800"]),
        ({"type": "string"}, [None]),
        ({"type": "string", "maxLength": 1}, ["ab"]),
        ({"enum": ["a"]}, ["b"]),
    ],
    ids=str,
)
def test_what_is_not_valid_or_not_plainly_so_is_not_accepted(field, values):
    _, validator = make_validator(field)
    assert validator.is_able
    assert validator.read({"x": values}) is None


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string", "pattern": "a"},
        {"type": "string", "format": "date"},
        {"type": ["string", "null"]},
        {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
        {"type": "number", "multipleOf": 0.1},
        {"type": "number", "maximum": 2**53 + 1},
        {"type": "number", "not": {"const": 1}},
        {"type": "number", "if": {"minimum": 1}, "then": {"maximum": 2}},
        {"enum": [1, "a"]},
        {"oneOf": [{"const": 1}, {"const": 1.0}]},
        {"anyOf": [{"const": 1, "minimum": 2}]},
        False,
    ],
    ids=str,
)
def test_a_schema_that_says_more_is_left_to_rows(field):
    assert not make_validator(field)[1].is_able


@pytest.mark.parametrize(
    "more",
    [{"minProperties": 1}, {"required": ["y"]}, {"patternProperties": {"x": {"maximum": 1}}}, {"if": {}}],
    ids=str,
)
def test_an_object_that_says_more_is_left_to_rows(more):
    schema, _ = make_validator({"type": "number"})
    info = describe_model(SumModel)
    specs = {"x": Signature(info).inputs["x"]}
    assert TableValidator(schema, specs).is_able
    assert not TableValidator({**schema, **more}, specs).is_able


def test_all_columns_must_be_there_and_no_others():
    tables = TableSchemas(describe_model(SumModel))
    assert tables.are_able
    columns = {name: [example[name] for example in EXAMPLES] for name in SumModel.input_schema["properties"]}
    assert len(tables.input.read(columns)) == 2
    assert tables.input.read({**columns, "other": [1, 2]}) is None
    assert tables.input.read({name: values for name, values in columns.items() if name != "maybe"}) is None
    found = tables.input.read(columns).columns
    assert {name: column.dtype.char for name, column in found.items()} == {
        **{"x": "d", "n": "l", "flag": "?", "maybe": "d", "code": "d", "grade": "O"}
    }
